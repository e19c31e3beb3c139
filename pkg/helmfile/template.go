package helmfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

const (
	// maxOutput bounds what a template makes.
	maxOutput = 16 << 20
	// maxCalls bounds how deep templates call each other.
	maxCalls = 50
)

// execution fills in one template, once.
type execution struct {
	reader *reader
	dir    string   // relative paths start here
	at     Position // of the template
	// draft is helmfile's first pass: what is missing is empty, and nothing is read.
	draft bool

	issued []string // placeholders
	items  int      // made by functions that make any number
	depth  int      // of calls of templates
}

// rendered is a template's output.
type rendered struct {
	text []byte
	// lines is the line of the template that each line of the text comes from.
	lines []int
}

// render fills in the template of a file. In draft an error leaves what was made before it.
func (x *execution) render(source []byte, data any) (rendered, error) {
	out, err := x.executeMarked(string(source), data)
	if err != nil && !x.draft {
		return rendered{}, x.explain(err)
	}
	text, lines := takeLineMarks(out, x.at.Line)
	if x.draft {
		text = bytes.ReplaceAll(text, []byte("<no value>"), nil)
	}
	for _, p := range x.issued {
		if !bytes.Contains(text, []byte(p)) {
			return rendered{}, wrongAt(x.at, "the output of a command (%s) steers this template, and is not known here: write down what it is to be", x.reader.vault.sources[p].Name)
		}
	}
	return rendered{text, lines}, nil
}

// explain gives an error of text/template the line in the file, and leaves out what it says of the template's name.
func (x *execution) explain(err error) error {
	message := strings.TrimPrefix(err.Error(), "template: ")
	at := x.at
	at.Line = 0
	if rest, ours := strings.CutPrefix(message, templateName+":"); ours {
		number, text, _ := strings.Cut(rest, ":")
		if line, convertErr := strconv.Atoi(number); convertErr == nil {
			at.Line, message = x.at.Line+line-1, strings.TrimSpace(text)
		}
	}
	if errors.Is(err, errTooDeep) {
		message = errTooDeep.Error() // once, and not for each call
	}
	message = whereInTemplate.ReplaceAllString(message, "")
	return wrongAt(at, "this template cannot be filled in: %s", x.reader.vault.describe(message))
}

const templateName = "file"

// whereInTemplate is what text/template says before what is wrong; the line is told otherwise.
var whereInTemplate = regexp.MustCompile(`^([0-9]+: )?executing "[^"]*" at `)

func (x *execution) executeMarked(text string, data any) ([]byte, error) {
	t, err := x.parse(templateName, text)
	if err != nil {
		return nil, err
	}
	markLines(t.Tree, text)
	return run(t, data)
}

// enter counts a call of a template by another. What it returns is to be called when that ends.
func (x *execution) enter() (leave func(), err error) {
	if x.depth++; x.depth > maxCalls {
		x.depth--
		return nil, errTooDeep
	}
	return func() { x.depth-- }, x.spend(1)
}

var errTooDeep = fmt.Errorf("templates call each other more than %d deep", maxCalls)

func (x *execution) execute(name, text string, data any) ([]byte, error) {
	leave, err := x.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	t, err := x.parse(name, text)
	if err != nil {
		return nil, err
	}
	return run(t, data)
}

func (x *execution) parse(name, text string) (*template.Template, error) {
	missing := "missingkey=error"
	if x.draft {
		missing = "missingkey=zero"
	}
	t := template.New(name).Option(missing)
	functions := x.functions()
	functions["include"] = func(name string, data any) (string, error) {
		leave, err := x.enter()
		if err != nil {
			return "", err
		}
		defer leave()
		var out limitedBuffer
		err = t.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	t.Funcs(functions)
	if err := x.parseHelpers(t); err != nil {
		return nil, err
	}
	return t.Parse(text)
}

// parseHelpers adds the definitions of _*.tpl files next to the template.
func (x *execution) parseHelpers(t *template.Template) error {
	files, err := x.reader.source.glob(x.dir, "_*.tpl")
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := x.reader.source.file(file)
		if err != nil {
			return err
		}
		if _, err := t.New(file).Parse(string(content)); err != nil {
			return err
		}
	}
	return nil
}

func run(t *template.Template, data any) ([]byte, error) {
	var out limitedBuffer
	err := t.Execute(&out, data)
	return out.Bytes(), err
}

// limitedBuffer is a buffer that refuses to grow without end.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(data []byte) (int, error) {
	if b.Len()+len(data) > maxOutput {
		return 0, fmt.Errorf("more than %d bytes come out of this template", maxOutput)
	}
	return b.Buffer.Write(data)
}

// Line marks tell which line of the template a line of its output comes from. They are put into the template's own text,
// at the start of each line, and taken out of the output again.
const (
	markOpen  = '\x01'
	markClose = '\x02'
)

func markLines(tree *parse.Tree, source string) {
	var starts []int // the offset of each line
	for offset := 0; ; {
		starts = append(starts, offset)
		next := strings.IndexByte(source[offset:], '\n')
		if next < 0 {
			break
		}
		offset += next + 1
	}
	lineAt := func(offset int) int {
		i, found := slices.BinarySearch(starts, offset)
		if found {
			return i + 1
		}
		return i
	}
	if tree != nil && tree.Root != nil {
		markList(tree.Root, lineAt)
	}
}

func markList(list *parse.ListNode, lineAt func(int) int) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			node.Text = markText(node.Text, lineAt(int(node.Pos)))
		case *parse.IfNode:
			markList(node.List, lineAt)
			markList(node.ElseList, lineAt)
		case *parse.RangeNode:
			markList(node.List, lineAt)
			markList(node.ElseList, lineAt)
		case *parse.WithNode:
			markList(node.List, lineAt)
			markList(node.ElseList, lineAt)
		}
	}
}

func markText(text []byte, line int) []byte {
	var out []byte
	for piece := range bytes.Lines(text) {
		out = append(out, fmt.Sprintf("%c%d%c", markOpen, line, markClose)...)
		out = append(out, piece...)
		line++
	}
	return out
}

// takeLineMarks returns the text without its marks, and for each of its lines the line of the template: that of its first
// mark, or else of the line before. Lines are counted from first, which is 1 unless the template starts within a file.
func takeLineMarks(marked []byte, first int) ([]byte, []int) {
	first = max(first, 1)
	var out []byte
	var lines []int
	last := first
	for line := range bytes.Lines(marked) {
		seen := false
		for {
			open := bytes.IndexByte(line, markOpen)
			if open < 0 {
				break
			}
			length := bytes.IndexByte(line[open:], markClose)
			number, err := strconv.Atoi(string(line[open+1 : open+max(length, 1)]))
			if length < 0 || err != nil {
				out = append(out, line[:open+1]...) // a control character of the file's own
				line = line[open+1:]
				continue
			}
			if !seen {
				last, seen = first+number-1, true
			}
			out = append(out, line[:open]...)
			line = line[open+length+1:]
		}
		out = append(out, line...)
		lines = append(lines, last)
	}
	return out, lines
}
