package markdown

import (
	"fmt"
	"strings"
	"unicode"
)

// Visible makes a stranger's text harmless to terminals and readers: characters that show nothing, move the cursor, or turn the
// direction of writing are written as \u202e. Line breaks and tabs too: it gives one line.
func Visible(text string) string {
	if !strings.ContainsFunc(text, IsHidden) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case IsHidden(r) && r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		case IsHidden(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// IsHidden reports whether a character is no ink: control and format characters, other separators than the space, private use
// and what is not assigned, and the fillers that look like nothing.
func IsHidden(r rune) bool {
	switch r {
	case ' ':
		return false
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xffa0, unicode.ReplacementChar:
		return true
	}
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Z, unicode.Variation_Selector)
}
