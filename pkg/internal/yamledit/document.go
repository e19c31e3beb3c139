package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var (
	// ErrByHand says that the text is written in a way in which this package would change more than was asked for.
	ErrByHand = errors.New("this cannot be changed without touching other lines: edit it by hand")
	// ErrNotFound says that there is no value at the path.
	ErrNotFound = errors.New("there is no such value")
)

// document is a file's text with the nodes in it.
type document struct {
	data  []byte
	lines [][]byte // with their line ends
	start []int    // the offset of each line
	root  *yaml.Node
}

func parse(data []byte) (*document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var node, second yaml.Node
	if err := decoder.Decode(&node); err != nil {
		return nil, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	if node.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a mapping")
	}
	if hasOddBreaks(data) {
		return nil, fmt.Errorf("line breaks other than \\n and \\r\\n: %w", ErrByHand)
	}
	d := &document{data: data, root: node.Content[0]}
	offset := 0
	for line := range bytes.Lines(data) {
		d.lines, d.start = append(d.lines, line), append(d.start, offset)
		offset += len(line)
	}
	return d, nil
}

// hasOddBreaks reports whether YAML counts lines here that end otherwise than in \n.
func hasOddBreaks(data []byte) bool {
	return bytes.ContainsAny(data, "\u0085\u2028\u2029") || bytes.Count(data, []byte("\r")) != bytes.Count(data, []byte("\r\n"))
}

// place is where a value stands: in a mapping or list, at an index of its Content.
type place struct {
	in    *yaml.Node
	index int
}

func (p place) value() *yaml.Node { return p.in.Content[p.index] }

// key is the node of a mapping's key, or the item itself in a list.
func (p place) key() *yaml.Node {
	if p.in.Kind == yaml.MappingNode {
		return p.in.Content[p.index-1]
	}
	return p.value()
}

// find follows the path as far as it leads, and returns the places on it, from the root on.
func find(root *yaml.Node, path []string) []place {
	var places []place
	for at := root; len(places) < len(path); {
		index := indexOf(at, path[len(places)])
		if index < 0 {
			break
		}
		places = append(places, place{at, index})
		at = at.Content[index]
	}
	return places
}

// indexOf returns the index in Content of the value with that key, or with that number in a list; -1 if there is none.
func indexOf(n *yaml.Node, name string) int {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			if key := n.Content[i]; key.Value == name && key.Kind == yaml.ScalarNode && key.ShortTag() == "!!str" {
				return i + 1
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
			return i
		}
	}
	return -1
}

// offset is where a node's text starts; columns count characters.
func (d *document) offset(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(d.lines) {
		return len(d.data)
	}
	at, text := d.start[n.Line-1], d.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(text)
		at, text = at+size, text[size:]
	}
	return at
}

// endOfLine is the offset after a line, counted from 1, with its line end.
func (d *document) endOfLine(line int) int {
	line = min(line, len(d.lines)) // an empty value at the end is told to be behind it
	return d.start[line-1] + len(d.lines[line-1])
}

// lineAfter is the line of the first node behind the last of the places, or the one after the file's last.
func (d *document) lineAfter(places []place) int {
	for _, p := range slices.Backward(places) {
		if p.index+1 < len(p.in.Content) {
			return p.in.Content[p.index+1].Line
		}
	}
	return len(d.lines) + 1
}

// lastLine is the last line of an entry that starts on the line first and is indented by indent. What stands between it
// and the line limit is not the entry's own: blank lines, and comments that are not indented deeper.
func (d *document) lastLine(first, limit, indent int) int {
	last := first
	for line := first + 1; line < limit; line++ {
		text := bytes.TrimLeft(d.lines[line-1], " ")
		deeper := len(d.lines[line-1])-len(text) > indent
		if !isBlank(text) && (deeper || text[0] != '#') {
			last = line
		}
	}
	return last
}

func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

func isFlow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

func isEmpty(n *yaml.Node) bool {
	return len(n.Content) == 0 && (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode || isNull(n))
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// splice returns data with the bytes from start to end replaced.
func (d *document) splice(start, end int, text string) []byte {
	return slices.Concat(d.data[:start], []byte(text), d.data[end:])
}

// insertLines returns data with whole lines, each ended by \n, put in at an offset that starts a line or ends the file.
func (d *document) insertLines(at int, text string) []byte {
	if at > 0 && d.data[at-1] != '\n' {
		text = "\n" + strings.TrimSuffix(text, "\n")
	}
	return d.splice(at, at, d.lineEnds(text))
}

// lineEnds gives the text the line ends of the file.
func (d *document) lineEnds(text string) string {
	if bytes.HasSuffix(d.lines[0], []byte("\r\n")) {
		return strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// nodeOf returns a Go value, or a node, as a node.
func nodeOf(value any) (*yaml.Node, error) {
	if node, isNode := value.(*yaml.Node); isNode {
		return node, nil
	}
	node := &yaml.Node{}
	if err := node.Encode(value); err != nil {
		return nil, fmt.Errorf("cannot write %T as YAML: %w", value, err)
	}
	return node, nil
}

// blockText is a node as lines, indented.
func blockText(n *yaml.Node, indent int) (string, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(n); err != nil {
		return "", err
	}
	var text strings.Builder
	for line := range strings.Lines(out.String()) {
		if line != "\n" {
			text.WriteString(strings.Repeat(" ", indent))
		}
		text.WriteString(line)
	}
	return text.String(), nil
}

// flowText is a node in flow style, on one line.
func flowText(n *yaml.Node) (string, error) {
	flow := *n
	if n.Kind != yaml.ScalarNode {
		flow.Style |= yaml.FlowStyle
	}
	text, err := blockText(&flow, 0)
	return strings.TrimSuffix(text, "\n"), err
}

func mappingOf(key string, value *yaml.Node) *yaml.Node {
	keyNode := &yaml.Node{}
	_ = keyNode.Encode(key) // a string always can be; quoted where another parser would not read one
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{keyNode, value}}
}

func listOf(item *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}}
}
