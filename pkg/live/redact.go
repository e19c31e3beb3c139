package live

import (
	"regexp"
	"strings"
	"unicode"
)

// maxMessage bounds a message of Flux's, in bytes: Helm repeats whole manifests in some.
const maxMessage = 400

// hiding says what is taken out of words that others wrote: user information and queries of URLs, and what follows the
// name of a credential.
var hiding = []struct {
	find    *regexp.Regexp
	replace string
}{
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s"'<>@]*@`), "${1}***@"},
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>?]*)\?[^\s"'<>]*`), "${1}?***"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}`), "${1} ***"},
	{regexp.MustCompile(`(?i)([\w.-]*(?:password|passwd|secret|token|api-?key|credential|private-?key)[\w.-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|\S+)`), "${1}***"},
}

// clean makes words of a server safe to store and to show: one line, bounded, without control characters and without
// what looks like a credential.
func clean(text string) string {
	if len(text) > 8*maxMessage {
		text = text[:8*maxMessage]
	}
	text = strings.Join(strings.Fields(strings.Map(printable, text)), " ")
	for _, hide := range hiding {
		text = hide.find.ReplaceAllString(text, hide.replace)
	}
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}
