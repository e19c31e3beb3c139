package strictyaml

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Locate returns the position, counted from 1, of the value at path: keys of mappings, and indexes of lists as
// decimal numbers. Where the path ends early, it is the position of the last element that is there; 0, 0 if data is
// no YAML.
func Locate(data []byte, path ...string) (line, column int) {
	node, problem := parse(data)
	if problem != nil {
		return 0, 0
	}
	for _, name := range path {
		next := step(node, name)
		if next == nil {
			break
		}
		node = next
	}
	return node.Line, node.Column
}

func step(node *yaml.Node, name string) *yaml.Node {
	switch node.Kind {
	case yaml.MappingNode:
		return child(node, name)
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
	}
	return nil
}
