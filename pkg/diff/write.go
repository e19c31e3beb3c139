package diff

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format names a way of writing a report.
type Format string

// Formats are the names of all formats, the first the usual one.
func Formats() []Format { return []Format{"text", "markdown", "json", "html", "codequality"} }

// Style is how a person's terminal and forge want a report.
type Style struct {
	// Colour uses the terminal's colours, in the format text.
	Colour bool
	// Width is the terminal's, in characters; from wideTerminal on, old and new stand side by side. 0: not a terminal.
	Width int
	// Noise shows what need not be read too, in the format text; the others have it folded.
	Noise bool
	// Limit is how many bytes Markdown may have; 0: 250,000. GitLab takes a million, and nobody reads that.
	Limit int
}

// Write writes a report in a format of Formats.
func Write(out io.Writer, format Format, r *Report, style Style) error {
	writers := map[Format]func(io.Writer, *Report, Style) error{
		"text": writeText, "markdown": writeMarkdown, "json": writeJSON, "html": writeHTML, "codequality": writeCodeQuality,
	}
	write, known := writers[format]
	if !known {
		return fmt.Errorf("there is no output format %q: write %s", format, names(Formats()))
	}
	return write(out, r, style)
}

func names(formats []Format) string {
	words := make([]string, len(formats))
	for i, format := range formats {
		words[i] = string(format)
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// KnownFormat reports whether Write has the format.
func KnownFormat(format Format) bool { return slices.Contains(Formats(), format) }
