package yamledit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxEnds bounds how many brackets are tried as the end of a value in flow style.
const maxEnds = 64

// Append returns data with an item at the end of the list at path: keys of mappings, and numbers of list items. A list
// that is not there is made, with the mappings that lead to it. The item is a *yaml.Node, or anything that yaml.Marshal
// takes.
func Append(data []byte, item any, path ...string) ([]byte, error) {
	d, err := parse(data)
	if err != nil {
		return nil, err
	}
	node, err := nodeOf(item)
	if err != nil {
		return nil, err
	}
	places := find(d.root, path)
	if len(places) < len(path) || isEmpty(places[len(places)-1].value()) {
		return Set(data, listOf(node), path...)
	}
	list := places[len(places)-1].value()
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("%s: not a list", strings.Join(path, "."))
	}
	texts, err := d.withMember(places, list, listOf(node))
	if err != nil {
		return nil, err
	}
	return d.verified(change{path, texts, func(root *yaml.Node) {
		list := find(root, path)[len(path)-1].value()
		list.Content = append(list.Content, node)
	}})
}

// withMember returns the texts in which a mapping or list that is not empty, at the end of the places, has one more
// member: that of the collection given.
func (d *document) withMember(places []place, in, member *yaml.Node) ([][]byte, error) {
	if isFlow(in) {
		return d.withFlowMember(places, in, member)
	}
	text, err := blockText(member, in.Column-1)
	if err != nil {
		return nil, err
	}
	end := d.lineAfter(append(slices.Clone(places), place{in, len(in.Content) - 1}))
	last := d.lastLine(in.Content[len(in.Content)-1].Line, end, in.Column-1)
	return [][]byte{d.insertLines(d.endOfLine(last), text)}, nil
}

func (d *document) withFlowMember(places []place, in, member *yaml.Node) ([][]byte, error) {
	text, err := flowText(member)
	if err != nil {
		return nil, err
	}
	text = text[1 : len(text)-1] // without its brackets
	if len(in.Content) > 0 {
		text = ", " + text
	}
	var texts [][]byte
	for _, end := range d.ends(places, in) {
		texts = append(texts, d.splice(end, end, text))
	}
	return texts, nil
}

// ends returns the offsets at which a mapping or list in flow style may end.
func (d *document) ends(places []place, in *yaml.Node) []int {
	bracket := byte(']')
	if in.Kind == yaml.MappingNode {
		bracket = '}'
	}
	at := d.offset(in)
	if len(in.Content) > 0 {
		at = d.offset(in.Content[len(in.Content)-1])
	}
	limit := len(d.data)
	if after := d.lineAfter(places); after <= len(d.lines) {
		limit = d.endOfLine(after)
	}
	var ends []int
	for at < limit && len(ends) < maxEnds {
		next := bytes.IndexByte(d.data[at:limit], bracket)
		if next < 0 {
			break
		}
		ends = append(ends, at+next)
		at += next + 1
	}
	return ends
}
