package yamledit

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// change is one edit, seen twice: the texts that may be its result, and what it does to the nodes.
type change struct {
	path []string
	// texts are tried in order: the end of a value is not among the positions that the YAML library tells.
	texts [][]byte
	// apply changes the nodes as the text should have been changed.
	apply func(root *yaml.Node)
}

// verified returns the first text that reads as the changed nodes.
func (d *document) verified(c change) ([]byte, error) {
	want, err := parse(d.data) // a copy
	if err != nil {
		return nil, err
	}
	c.apply(want.root)
	for _, text := range c.texts {
		if got, err := parse(text); err == nil && same(got.root, want.root) {
			return text, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", strings.Join(c.path, "."), ErrByHand)
}

// same reports whether two nodes are read alike, whatever their style.
func same(a, b *yaml.Node) bool {
	if a.Kind == yaml.AliasNode || b.Kind == yaml.AliasNode {
		return a.Kind == b.Kind && a.Value == b.Value
	}
	return a.Kind == b.Kind && a.Anchor == b.Anchor && a.ShortTag() == b.ShortTag() && a.Value == b.Value &&
		slices.EqualFunc(a.Content, b.Content, same)
}
