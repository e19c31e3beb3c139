package live

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// maxMessage bounds a message of Flux's, in bytes: Helm repeats whole manifests in some.
const maxMessage = 400

// hiding says what is taken out of words that others wrote: user information and queries of URLs, and what follows the
// name of a credential. A rule is only tried on a text that has one of its marks, in lower case: most messages have none,
// and trying them all costs more than everything else that is done to a release.
var hiding = []struct {
	marks   []string
	find    *regexp.Regexp
	replace string
}{
	{[]string{"://"}, regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s"'<>@]*@`), "${1}***@"},
	{[]string{"://"}, regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>?]*)\?[^\s"'<>]*`), "${1}?***"},
	{[]string{"bearer", "basic"}, regexp.MustCompile(`(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}`), "${1} ***"},
	{
		[]string{"passw", "secret", "token", "key", "credential"},
		regexp.MustCompile(`(?i)([\w.-]*(?:password|passwd|secret|token|api-?key|credential|private-?key)[\w.-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|\S+)`), "${1}***",
	},
}

// clean makes words of a server safe to store and to show: one line, bounded, without control characters and without
// what looks like a credential.
func clean(text string) string {
	if len(text) > 8*maxMessage {
		text = text[:8*maxMessage]
	}
	text = strings.Join(strings.Fields(strings.Map(printable, text)), " ")
	lower := strings.ToLower(text)
	for _, hide := range hiding {
		if slices.ContainsFunc(hide.marks, func(mark string) bool { return strings.Contains(lower, mark) }) {
			text = hide.find.ReplaceAllString(text, hide.replace)
		}
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
