package helmfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what a file may hold once its aliases are written out; a hostile one could ask for any number.
const maxNodes = 200_000

// document is YAML text with its comments, aliases written out, and where each node comes from.
type document struct {
	file  string
	lines []int // the line in the file of each line of the text; nil where they are the same
	left  int   // how many nodes may still be made
	at    map[*yaml.Node]Position
}

// parseDocuments reads all YAML documents of a text. Their roots are mappings; those without content are left out.
func parseDocuments(file string, text []byte, lines []int, at map[*yaml.Node]Position) ([]*yaml.Node, error) {
	d := &document{file: file, lines: lines, left: maxNodes, at: at}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var roots []*yaml.Node
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			return nil, wrongAt(Position{File: file}, "not YAML once its templates are filled in: %w", err)
		}
		root, err := d.expand(node.Content[0], 0)
		switch {
		case err != nil:
			return nil, err
		case isNull(root):
			continue
		case root.Kind != yaml.MappingNode:
			return nil, wrongAt(d.position(root), "a mapping is wanted here")
		}
		if root.HeadComment == "" {
			root.HeadComment = node.HeadComment
		}
		roots = append(roots, root)
	}
}

func (d *document) position(n *yaml.Node) Position {
	line := n.Line
	if line >= 1 && line <= len(d.lines) {
		line = d.lines[line-1]
	}
	return Position{d.file, line}
}

// expand copies a node with its aliases and merge keys written out.
func (d *document) expand(n *yaml.Node, depth int) (*yaml.Node, error) {
	if d.left--; d.left < 0 || depth > maxDepth {
		return nil, wrongAt(Position{File: d.file}, "too much YAML: more than %d values, or nested deeper than %d levels", maxNodes, maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return d.expand(n.Alias, depth+1)
	}
	c := *n
	c.Anchor, c.Content = "", nil
	d.at[&c] = d.position(n)
	if n.Kind == yaml.MappingNode {
		return &c, d.expandMapping(&c, n, depth)
	}
	for _, child := range n.Content {
		expanded, err := d.expand(child, depth+1)
		if err != nil {
			return nil, err
		}
		c.Content = append(c.Content, expanded)
	}
	return &c, nil
}

func (d *document) expandMapping(into, n *yaml.Node, depth int) error {
	index := map[string]int{}
	set := func(key, value *yaml.Node, override bool) {
		at, known := index[key.Value]
		switch {
		case !known:
			index[key.Value] = len(into.Content)
			into.Content = append(into.Content, key, value)
		case override: // the last of several wins, as in Helm and helmfile
			into.Content[at], into.Content[at+1] = key, value
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, err := d.expand(n.Content[i], depth+1)
		if err != nil {
			return err
		}
		value, err := d.expand(n.Content[i+1], depth+1)
		switch {
		case err != nil:
			return err
		case n.Content[i].ShortTag() == "!!merge":
			mergeKey(value, func(key, value *yaml.Node) { set(key, value, false) })
		case key.Kind != yaml.ScalarNode:
			return wrongAt(d.position(n.Content[i]), "a key must be a plain string")
		default:
			set(key, value, true)
		}
	}
	return nil
}

// mergeKey adds what a merge key (<<) brings, each entry of a mapping or of several in a list.
func mergeKey(from *yaml.Node, add func(key, value *yaml.Node)) {
	if from.Kind == yaml.SequenceNode {
		for _, mapping := range from.Content {
			mergeKey(mapping, add)
		}
	}
	if from.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		add(from.Content[i], from.Content[i+1])
	}
}

// put sets a key of a mapping.
func put(in, key, value *yaml.Node) {
	for i := 0; i+1 < len(in.Content); i += 2 {
		if in.Content[i].Value == key.Value {
			in.Content[i], in.Content[i+1] = key, value
			return
		}
	}
	in.Content = append(in.Content, key, value)
}

// maxDepth is deeper than any helmfile or chart's values, and far from what would exhaust a stack.
const maxDepth = 100

// child returns the value of a key, or nil.
func child(mapping *yaml.Node, name string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// keyNode returns the node of a key itself, or nil.
func keyNode(mapping *yaml.Node, name string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i]
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// isEmptyNode reports whether helmfile's merging takes the node for nothing.
func isEmptyNode(n *yaml.Node) bool {
	return isNull(n) || n.Kind == yaml.ScalarNode && n.Value == "" || n.Kind != yaml.ScalarNode && len(n.Content) == 0
}

// mergeNodes merges mappings of helmfile's own settings, as helmfile merges them: mappings key by key; where lists are
// appended a list is the two in a row; otherwise the first value that is not empty stays, or with override the last.
func mergeNodes(base, over *yaml.Node, appendLists, override bool) *yaml.Node {
	if base == nil {
		return over
	}
	if over == nil {
		return base
	}
	merged := *base
	merged.Content = append([]*yaml.Node{}, base.Content...)
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		have := child(&merged, key.Value)
		switch {
		case isEmptyNode(have):
			put(&merged, key, value)
		case isEmptyNode(value):
		case have.Kind == yaml.MappingNode && value.Kind == yaml.MappingNode:
			put(&merged, keyNode(&merged, key.Value), mergeNodes(have, value, appendLists, override))
		case appendLists && have.Kind == yaml.SequenceNode && value.Kind == yaml.SequenceNode:
			both := *have
			both.Content = append(append([]*yaml.Node{}, have.Content...), value.Content...)
			put(&merged, key, &both)
		case override:
			put(&merged, key, value)
		}
	}
	return &merged
}

// text returns a scalar's text, whatever YAML would read it as: version: 1.10 is "1.10".
func text(n *yaml.Node) string {
	if isNull(n) || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}

// isTrue reads a scalar as helmfile reads a switch; otherwise is what holds without one.
func isTrue(n *yaml.Node, otherwise bool) (bool, error) {
	if isNull(n) {
		return otherwise, nil
	}
	var value bool
	if err := n.Decode(&value); err != nil {
		return false, fmt.Errorf("%q is neither true nor false", n.Value)
	}
	return value, nil
}
