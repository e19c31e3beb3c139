package helmfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// valuesText writes values as a file. What the values are comes from the values alone; the hint only brings comments, the
// order of keys and how people wrote them. Comments that another file has already, by its hint, are left out.
func valuesText(values control.Values, hint, elsewhere *yaml.Node) ([]byte, error) {
	document := &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{annotated(values, hint, elsewhere)}}
	if hint != nil {
		document.HeadComment = commentWithout(hint, elsewhere).HeadComment
	}
	return bytesOf(document)
}

func annotated(value any, hint, elsewhere *yaml.Node) *yaml.Node {
	switch value := value.(type) {
	case map[string]any:
		return annotatedMapping(value, hint, elsewhere)
	case []any:
		return annotatedList(value, hint)
	}
	node := safeyaml.Node(value)
	if hint == nil || hint.Kind != yaml.ScalarNode {
		return node
	}
	copyComments(node, hint)
	const quotes = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle
	if written, isText := value.(string); isText && node.Style == 0 && hint.Style&quotes != 0 && written == hint.Value {
		node.Style = hint.Style & quotes
	}
	return node
}

func annotatedMapping(values map[string]any, hint, elsewhere *yaml.Node) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range keyOrder(values, hint) {
		keyHint, valueHint := keyNode(hint, key), child(hint, key)
		name := safeyaml.Node(key)
		value := annotated(values[key], valueHint, child(elsewhere, key))
		if keyHint != nil {
			if hint.Style&yaml.FlowStyle == 0 { // JSON quotes every key
				name.Style |= keyHint.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
			}
			copyComments(name, commentWithout(keyHint, keyNode(elsewhere, key)))
			if valueHint.Kind != yaml.ScalarNode && value.Kind != yaml.ScalarNode {
				copyComments(value, valueHint)
			}
		}
		node.Content = append(node.Content, name, value)
	}
	return node
}

func annotatedList(items []any, hint *yaml.Node) *yaml.Node {
	node := &yaml.Node{Kind: yaml.SequenceNode}
	alike := hint != nil && hint.Kind == yaml.SequenceNode && len(hint.Content) == len(items)
	if alike {
		node.Style = hint.Style & yaml.FlowStyle
	}
	for i, item := range items {
		var itemHint *yaml.Node
		if alike {
			itemHint = hint.Content[i]
		}
		made := annotated(item, itemHint, nil)
		if itemHint != nil && made.Kind != yaml.ScalarNode {
			copyComments(made, itemHint)
		}
		node.Content = append(node.Content, made)
	}
	return node
}

// commentWithout returns the comments of a node without those that another has.
func commentWithout(n, other *yaml.Node) *yaml.Node {
	if other == nil {
		return n
	}
	c := *n
	c.HeadComment = strings.TrimSpace(strings.Replace(c.HeadComment, other.HeadComment, "", 1))
	if c.LineComment == other.LineComment {
		c.LineComment = ""
	}
	if c.FootComment == other.FootComment {
		c.FootComment = ""
	}
	return &c
}

func copyComments(to, from *yaml.Node) {
	to.HeadComment, to.LineComment, to.FootComment = from.HeadComment, from.LineComment, from.FootComment
}

// keyOrder returns the keys of values as the hint has them, and the others sorted behind them.
func keyOrder(values map[string]any, hint *yaml.Node) []string {
	var order []string
	seen := map[string]bool{}
	if hint != nil && hint.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(hint.Content); i += 2 {
			if key := hint.Content[i].Value; !seen[key] {
				if _, has := values[key]; has {
					order, seen[key] = append(order, key), true
				}
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !seen[key] {
			order = append(order, key)
		}
	}
	return order
}

// objectNode is a Go value as its JSON form has it, with the fields in their order.
func objectNode(value any) (*yaml.Node, error) {
	source, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	return orderedNode(decoder)
}

func orderedNode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	delimiter, isDelimiter := token.(json.Delim)
	if !isDelimiter {
		return scalarNode(token), nil
	}
	node := &yaml.Node{Kind: yaml.MappingNode}
	if delimiter == '[' {
		node.Kind = yaml.SequenceNode
	}
	for decoder.More() {
		item, err := orderedNode(decoder)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, item)
	}
	_, err = decoder.Token() // the end
	return node, err
}

// scalarNode writes a scalar; a text that starts with punctuation in double quotes, as people do.
func scalarNode(token json.Token) *yaml.Node {
	node := safeyaml.Node(token)
	if written, isText := token.(string); isText && node.Style == 0 && strings.IndexAny(written, "-<>=*&!|%@`'\"#?:,[]{}~^") == 0 {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

// entry adds a key to a mapping.
func entry(in *yaml.Node, key string, value *yaml.Node) {
	in.Content = append(in.Content, safeyaml.Node(key), value)
}

// errNoMapping cannot happen: only structs are turned into nodes here.
var errNoMapping = errors.New("not a mapping")

func mappingNode(value any) (*yaml.Node, error) {
	node, err := objectNode(value)
	if err == nil && node.Kind != yaml.MappingNode {
		err = errNoMapping
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write %T: %w", value, err)
	}
	return node, nil
}
