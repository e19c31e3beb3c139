package control

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
)

// Severity is how grave a finding is.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with a control repo.
type Finding struct {
	// Rule is the stable id of the rule that found it.
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// File is slash-separated and relative to the repo's root.
	File string `json:"file"`
	// Line and Column are counted from 1; 0 where the finding is about the file, or its absence, as a whole.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Message says what is wrong, with the value in question.
	Message string `json:"message"`
	// Help says what is accepted, or what to do next.
	Help string `json:"help,omitempty"`
	// Source is the line that Line names.
	Source string `json:"source,omitempty"`
}

// String shows the finding to a person, with its line and a caret under the column.
func (f Finding) String() string {
	var out strings.Builder
	out.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&out, ":%d:%d", f.Line, max(f.Column, 1))
	}
	fmt.Fprintf(&out, ": %s: %s [%s]", f.Severity, f.Message, f.Rule)
	if f.Source != "" {
		fmt.Fprintf(&out, "\n%6d | %s\n       | %s^", f.Line, f.Source, caretIndent(f.Source, f.Column))
	}
	if f.Help != "" {
		out.WriteString("\n       help: " + f.Help)
	}
	return out.String()
}

// caretIndent is as wide as the text before the column, tabs included.
func caretIndent(source string, column int) string {
	indent := []rune{}
	for i, r := range []rune(source) {
		if i >= column-1 {
			break
		}
		if r != '\t' {
			r = ' '
		}
		indent = append(indent, r)
	}
	return string(indent)
}

// Findings are what is wrong with a control repo.
type Findings []Finding

// Sorted returns the findings by file, position and rule, each once.
func (f Findings) Sorted() Findings {
	sorted := slices.Clone(f)
	slices.SortFunc(sorted, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(sorted)
}

// Count returns how many findings have the severity.
func (f Findings) Count(s Severity) int {
	n := 0
	for _, finding := range f {
		if finding.Severity == s {
			n++
		}
	}
	return n
}

// Err returns an error that shows every finding if one of them is an error, and nil otherwise.
func (f Findings) Err() error {
	if f.Count(Error) == 0 {
		return nil
	}
	return &FindingsError{Findings: f.Sorted()}
}

// FindingsError is the error of an operation that a control repo's mistakes prevent.
type FindingsError struct{ Findings Findings }

func (e *FindingsError) Error() string {
	texts := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		texts[i] = f.String()
	}
	return strings.Join(texts, "\n")
}

// At returns an error on a value in a file: the path leads to it through keys and list indexes. Where the value is not
// there, it is on what encloses it; without a path, on the file as a whole.
func At(fsys fs.FS, rule, file string, path []string, message, help string) Finding {
	return at(fsys, rule, file, path, message, help)
}

// at returns a finding on a value in a file: the path leads to it through keys and list indexes. Without a path the
// finding is about the file as a whole.
func at(fsys fs.FS, rule string, file string, path []string, message, help string) Finding {
	f := Finding{Rule: rule, Severity: Error, File: file, Message: message, Help: help}
	if path == nil {
		return f
	}
	data, err := readLimited(fsys, file, maxValuesSize)
	if err != nil {
		return f
	}
	f.Line, f.Column = strictyaml.Locate(data, path...)
	f.Source = sourceLine(data, f.Line)
	return f
}

const maxSourceLine = 160

// sourceLine returns a line of a file for display: whole, unless it is too long or no text.
func sourceLine(data []byte, line int) string {
	if line < 1 {
		return ""
	}
	for range line - 1 {
		_, rest, found := bytes.Cut(data, []byte("\n"))
		if !found {
			return ""
		}
		data = rest
	}
	text, _, _ := bytes.Cut(data, []byte("\n"))
	text = bytes.TrimRight(text, "\r")
	if !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' }) || len(text) > maxSourceLine {
		return ""
	}
	return string(text)
}
