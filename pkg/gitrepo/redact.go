package gitrepo

import "regexp"

// redactions remove secrets from text that Git, a hook or a server wrote.
var redactions = []struct {
	secret      *regexp.Regexp
	replacement string
}{
	// A bare user name (ssh://git@host) is no secret; over HTTP it may be a token.
	{regexp.MustCompile(`(?i)\b(https?://)[^\s/?#'"]*@`), "${1}***@"},
	{regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://[^\s/?#:'"@]*):[^\s/?#'"]*@`), "${1}:***@"},
	{regexp.MustCompile(`(?i)([?&](?:[a-z_-]*token|password|secret|key)=)[^&\s'"]+`), "${1}***"},
	{regexp.MustCompile(`(?i)(authorization:\s*(?:basic|bearer)?\s*)\S+`), "${1}***"},
}

// Redact returns text without credentials in URLs and authorisation headers.
func Redact(text string) string {
	for _, r := range redactions {
		text = r.secret.ReplaceAllString(text, r.replacement)
	}
	return text
}
