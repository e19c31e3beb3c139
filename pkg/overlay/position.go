package overlay

import "go.yaml.in/yaml/v3"

// lines tells on which line of a YAML file a scalar, key or value, first stands.
type lines map[string]int

// linesOf indexes a file; what is no YAML has no lines.
func linesOf(content []byte) lines {
	var document yaml.Node
	if yaml.Unmarshal(content, &document) != nil {
		return nil
	}
	index := lines{}
	index.add(&document)
	return index
}

func (l lines) add(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode {
		if _, seen := l[node.Value]; !seen {
			l[node.Value] = node.Line
		}
	}
	for _, child := range node.Content {
		l.add(child)
	}
}

// of gives the line of a value, 0 where it is not known.
func (l lines) of(value string) int { return l[value] }
