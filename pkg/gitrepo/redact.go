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

// terminalCodes are what a server or hook could repaint a terminal with.
var terminalCodes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]|[ \t]+(?:\n|$)`)

// presentable is what someone else's program said, fit for an error message.
func presentable(text string) string {
	return Redact(terminalCodes.ReplaceAllStringFunc(text, func(code string) string {
		if code[len(code)-1] == '\n' {
			return "\n"
		}
		return ""
	}))
}

// Redact returns text without credentials in URLs and authorisation headers.
func Redact(text string) string {
	for _, r := range redactions {
		text = r.secret.ReplaceAllString(text, r.replacement)
	}
	return text
}
