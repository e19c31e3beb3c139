package artifact

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	userInfo = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s"'<>]*@`)
	urlQuery = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>?]*)\?[^\s"'<>]*`)
)

// redact removes from a text the user information and the query of every URL in it: the one holds passwords, the other the
// signatures of storage back ends.
func redact(text string) string {
	text = userInfo.ReplaceAllString(text, "${1}***@")
	return urlQuery.ReplaceAllString(text, "${1}?***")
}

const maxDetail = 300

// oneLine makes a server's words safe to print: no control characters, bounded length.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.Map(printable, text)), " ")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "…"
	}
	return text
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}
