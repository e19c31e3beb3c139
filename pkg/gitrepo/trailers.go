package gitrepo

import (
	"strings"
)

// Trailer is one `Key: value` line at the end of a commit message.
type Trailer struct {
	Key   string
	Value string
}

// generatedPrefixes start lines that Git itself appends to messages. A last
// paragraph with one of them counts as trailers when at least a quarter of it is.
var generatedPrefixes = []string{"Signed-off-by: ", "(cherry picked from commit "}

// ParseTrailers returns the trailers of a commit message in order, repeated
// keys repeated, as `git interpret-trailers --parse --no-divider` does: the last
// paragraph, unless it is the title, when all its lines are trailers or it is
// recognised by a line that Git generates. A value that goes on in indented
// lines is joined with single spaces.
func ParseTrailers(message string) []Trailer {
	var trailers []Trailer
	open := false // the line before belongs to a trailer
	for _, line := range trailerBlock(strings.Split(message, "\n")) {
		if continues(line) {
			if open {
				last := &trailers[len(trailers)-1]
				last.Value = strings.TrimSpace(last.Value + " " + strings.TrimSpace(line))
			}
			continue
		}
		at := separator(line)
		if open = at > 0; open {
			trailers = append(trailers, Trailer{
				Key:   strings.TrimSpace(line[:at]),
				Value: strings.TrimSpace(line[at+1:]),
			})
		}
	}
	return trailers
}

// trailerBlock returns the lines of the last paragraph if they are trailers.
func trailerBlock(lines []string) []string {
	first := titleEnd(lines)
	end := len(lines)
	for end > first && (blank(lines[end-1]) || strings.HasPrefix(lines[end-1], "#")) {
		end--
	}
	start := end
	for start > first && !blank(lines[start-1]) {
		start--
	}
	if start == first || !areTrailers(lines[start:end]) {
		return nil
	}
	return lines[start:end]
}

// titleEnd is the index of the blank line that ends the title.
func titleEnd(lines []string) int {
	for i, line := range lines {
		if blank(line) {
			return i
		}
	}
	return len(lines)
}

// areTrailers counts from the end, as Git does: indented lines belong to the
// trailer above them, or to the text above them.
func areTrailers(lines []string) bool {
	trailers, others, indented, generated := 0, 0, 0, false
	for i := len(lines) - 1; i >= 0; i-- {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "#"):
			others, indented = others+indented, 0
		case isGenerated(line):
			trailers, indented, generated = trailers+1, 0, true
		case continues(line):
			indented++
		case separator(line) > 0:
			trailers, indented = trailers+1, 0
		default:
			others, indented = others+1+indented, 0
		}
	}
	others += indented
	return trailers > 0 && (others == 0 || generated && trailers*3 >= others)
}

func isGenerated(line string) bool {
	for _, prefix := range generatedPrefixes {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// separator returns where the colon after a key is, -1 when line has no key: a
// key is letters, digits and hyphens, then possibly blanks.
func separator(line string) int {
	blanks := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ':':
			return i
		case !blanks && (c == '-' || isAlphanumeric(c)):
		case i > 0 && (c == ' ' || c == '\t'):
			blanks = true
		default:
			return -1
		}
	}
	return -1
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func continues(line string) bool {
	return line != "" && strings.IndexByte(" \t\r\v\f", line[0]) >= 0
}

func blank(line string) bool { return strings.Trim(line, " \t\r\v\f") == "" }
