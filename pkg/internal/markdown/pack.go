package markdown

import (
	"fmt"
	"strings"
)

// Pack puts pieces of Markdown into as few parts of at most limit bytes as their order allows, and into at most so many of them.
// A part after the first begins with the heading, its number, and lead (a table's first lines, say). rest counts the pieces
// that are left over. A piece that is longer than a part is cut at the end of a line.
func Pack(pieces []string, heading, lead string, limit, most int) (parts []string, rest int) {
	current, begun := "", 0 // begun is how long the current part was before its first piece
	for i, piece := range pieces {
		if len(current)+len(piece) > limit && len(current) > begun {
			if len(parts) == most-1 {
				rest = len(pieces) - i
				break
			}
			parts = append(parts, current)
			current = fmt.Sprintf("%s (part %d)\n\n%s", heading, len(parts)+1, lead)
			begun = len(current)
		}
		current += lineWise(piece, limit-len(current))
	}
	return append(parts, current), rest
}

// lineWise is as many whole lines of a text as fit into room bytes.
func lineWise(text string, room int) string {
	if len(text) <= room {
		return text
	}
	const cut = "\n… cut: it is too long\n"
	end := strings.LastIndex(text[:max(0, room-len(cut))], "\n")
	if end < 0 {
		return cut
	}
	return text[:end] + cut
}
