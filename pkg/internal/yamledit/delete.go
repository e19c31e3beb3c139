package yamledit

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Delete returns data without the entry of a mapping at path, or ErrNotFound. A mapping that it would leave empty goes
// too. A comment right above the entry goes with it unless another entry follows at once, which the comment is then for
// as well.
func Delete(data []byte, path ...string) ([]byte, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	places := find(d.root, path)
	if len(places) < len(path) || len(path) == 0 {
		return nil, ErrNotFound
	}
	at := places[len(places)-1]
	if len(at.in.Content) == 2 && at.in.Kind == yaml.MappingNode && len(path) > 1 {
		return Delete(data, path[:len(path)-1]...)
	}
	var texts [][]byte
	switch {
	case at.in.Kind != yaml.MappingNode:
	case isFlow(at.in):
		texts = d.withoutFlowEntry(places)
	default:
		texts = d.withoutEntry(places)
	}
	return d.verified(change{path, texts, func(root *yaml.Node) {
		at := find(root, path)[len(path)-1]
		at.in.Content = slices.Delete(at.in.Content, at.index-1, at.index+1)
	}})
}

// withoutEntry cuts an entry's lines.
func (d *document) withoutEntry(places []place) [][]byte {
	at := places[len(places)-1]
	indent, first := at.in.Column-1, at.key().Line
	if !isBlank(d.data[d.start[first-1]:d.offset(at.key())]) {
		return nil // behind the dash of a list item
	}
	last := d.lastLine(first, d.lineAfter(places), indent)
	if !d.followedByEntry(last, indent) {
		first = d.commentAbove(first, indent)
	}
	return [][]byte{d.splice(d.start[first-1], d.endOfLine(last), "")}
}

// followedByEntry reports whether the line after last holds an entry of the same mapping.
func (d *document) followedByEntry(last, indent int) bool {
	if last >= len(d.lines) {
		return false
	}
	line := d.lines[last]
	text := bytes.TrimLeft(line, " ")
	return !isBlank(text) && text[0] != '#' && len(line)-len(text) == indent
}

// commentAbove returns the first line of the comment that ends right above a line, or that line.
func (d *document) commentAbove(line, indent int) int {
	for line > 1 {
		above := d.lines[line-2]
		text := bytes.TrimLeft(above, " ")
		if len(above)-len(text) != indent || text[0] != '#' {
			break
		}
		line--
	}
	return line
}

// withoutFlowEntry cuts an entry with the comma that parts it from the others.
func (d *document) withoutFlowEntry(places []place) [][]byte {
	at := places[len(places)-1]
	start := d.offset(at.key())
	if at.index+1 < len(at.in.Content) {
		return [][]byte{d.splice(start, d.offset(at.in.Content[at.index+1]), "")}
	}
	comma := bytes.LastIndexByte(d.data[:start], ',')
	var texts [][]byte
	for _, end := range d.ends(places[:len(places)-1], at.in) {
		if comma >= 0 {
			texts = append(texts, d.splice(comma, end, ""))
		}
	}
	return texts
}
