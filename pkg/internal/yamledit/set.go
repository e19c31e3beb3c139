package yamledit

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Set returns data with the value at path replaced; a key that is not there is added at the end of its mapping, with the
// mappings that lead to it. The value is a *yaml.Node, or anything that yaml.Marshal takes; a string that replaces a
// quoted one is quoted alike.
func Set(data []byte, value any, path ...string) ([]byte, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	node, err := nodeOf(value)
	if err != nil {
		return nil, err
	}
	places := find(d.root, path)
	if len(path) == 0 {
		return nil, ErrNotFound
	}
	if len(places) == len(path) {
		return d.replace(places, node, path)
	}
	for i := len(path) - 1; i > len(places); i-- { // the mappings on the way that are not there
		node = mappingOf(path[i], node)
	}
	return d.add(places, node, path[:len(places)+1])
}

// add puts a key into the mapping at the end of the places.
func (d *document) add(places []place, value *yaml.Node, path []string) ([]byte, error) {
	in := d.root
	if len(places) > 0 {
		in = places[len(places)-1].value()
	}
	member := mappingOf(path[len(path)-1], value)
	if isEmpty(in) && len(places) > 0 {
		return d.replace(places, member, path[:len(path)-1])
	}
	if in.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: not a mapping", strings.Join(path[:len(path)-1], "."))
	}
	texts, err := d.withMember(places, in, member)
	if err != nil {
		return nil, err
	}
	return d.verified(change{path, texts, func(root *yaml.Node) {
		in := root
		if len(path) > 1 {
			in = find(root, path)[len(path)-2].value()
		}
		in.Content = append(in.Content, member.Content...)
	}})
}

// replace puts another value at the end of the places.
func (d *document) replace(places []place, value *yaml.Node, path []string) ([]byte, error) {
	at := places[len(places)-1]
	var texts [][]byte
	var err error
	switch old := at.value(); {
	case isEmpty(old) && value.Kind != yaml.ScalarNode:
		texts, err = d.filled(at, value)
	case old.Kind == yaml.ScalarNode && value.Kind == yaml.ScalarNode:
		texts, err = d.withScalar(old, value)
	case !isFlow(at.in) && at.in.Kind == yaml.MappingNode:
		texts, err = d.withEntry(places, value)
	}
	if err != nil {
		return nil, err
	}
	return d.verified(change{path, texts, func(root *yaml.Node) {
		at := find(root, path)[len(path)-1]
		at.in.Content[at.index] = value
	}})
}

// filled returns the texts in which nothing, null, {} or [] has become a mapping or list.
func (d *document) filled(at place, value *yaml.Node) ([][]byte, error) {
	old := at.value()
	start := d.offset(old)
	end, found := d.emptyEnd(old, start)
	if !found {
		return nil, nil
	}
	flow, err := flowText(value)
	if err != nil {
		return nil, err
	}
	inline := d.splice(start, end, flow)
	if isFlow(at.in) || at.in.Kind != yaml.MappingNode {
		return [][]byte{inline}, nil
	}
	block, err := blockText(value, at.in.Column+1)
	if err != nil {
		return nil, err
	}
	lineEnd := d.endOfLine(at.key().Line)
	if end > lineEnd {
		return [][]byte{inline}, nil
	}
	emptied := &document{data: d.splice(len(bytes.TrimRight(d.data[:start], " ")), end, ""), lines: d.lines}
	return [][]byte{emptied.insertLines(lineEnd-(len(d.data)-len(emptied.data)), block), inline}, nil
}

// emptyEnd is the offset after an empty value that starts at an offset.
func (d *document) emptyEnd(old *yaml.Node, start int) (int, bool) {
	if isNull(old) {
		return start + len(old.Value), bytes.HasPrefix(d.data[start:], []byte(old.Value))
	}
	rest := d.data[min(start+1, len(d.data)):]
	inner := len(rest) - len(bytes.TrimLeft(rest, " "))
	return start + inner + 2, len(rest) > inner && (rest[inner] == ']' || rest[inner] == '}')
}

// withScalar returns the text with one scalar's token replaced.
func (d *document) withScalar(old, value *yaml.Node) ([][]byte, error) {
	start := d.offset(old)
	end, found := d.scalarEnd(old, start)
	if !found {
		return nil, nil
	}
	styled := *value
	if quotes := old.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle); quotes != 0 && value.Style == 0 && value.ShortTag() == "!!str" {
		styled.Style = quotes
	}
	text, err := flowText(&styled)
	return [][]byte{d.splice(start, end, text)}, err
}

// scalarEnd is the offset after a scalar's token on one line; block scalars, and plain ones of several lines, have none.
func (d *document) scalarEnd(n *yaml.Node, start int) (int, bool) {
	text := d.data[start:d.endOfLine(n.Line)]
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		return start + len(n.Value), bytes.HasPrefix(text, []byte(n.Value)) && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[0] == '\'' && bytes.HasPrefix(text[i:], []byte("''")):
			i++
		case text[i] == text[0]:
			return start + i + 1, true
		}
	}
	return 0, false
}

// withEntry returns the text with the lines of a mapping's entry replaced.
func (d *document) withEntry(places []place, value *yaml.Node) ([][]byte, error) {
	at := places[len(places)-1]
	indent := at.in.Column - 1
	text, err := blockText(mappingOf(at.key().Value, value), indent)
	if err != nil {
		return nil, err
	}
	start, end := d.offset(at.key()), d.endOfLine(d.lastLine(at.key().Line, d.lineAfter(places), indent))
	return [][]byte{d.splice(start, end, d.lineEnds(text[indent:]))}, nil
}
