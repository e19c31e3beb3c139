package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxObject bounds one YAML document: an object in etcd has at most 1.5 MiB.
const maxObject = 4 << 20

// object is the identity of a Kubernetes object, to which the version of its API does not belong.
type object struct{ group, kind, namespace, name string }

func (o object) String() string {
	return o.kind + " " + strings.TrimPrefix(o.namespace+"/"+o.name, "/")
}

// checkObjects reads YAML documents that must each be one Kubernetes object, adds them to those that were seen, with where
// that was, and returns how many there are.
func checkObjects(file string, content []byte, seen map[object]string) (int, error) {
	count := 0
	for _, d := range documents(content) {
		where := fmt.Sprintf("%s:%d", file, d.line)
		o, err := identify(d.text)
		if errors.Is(err, io.EOF) {
			continue // comments alone
		}
		if err != nil {
			return 0, fmt.Errorf("%s: the document that starts here: %w", where, err)
		}
		if first, duplicate := seen[o]; duplicate {
			return 0, fmt.Errorf("%s: %s is here a second time; the first is at %s", where, o, first)
		}
		seen[o] = where
		count++
	}
	if count == 0 {
		return 0, fmt.Errorf("%s: there is no Kubernetes object in it", file)
	}
	return count, nil
}

// document is one YAML document with the number of its first line.
type document struct {
	text []byte
	line int
}

// documents splits a YAML stream at its markers, which cannot stand inside of a document.
func documents(content []byte) []document {
	var found []document
	start, line, first := 0, 0, 1
	at := 0
	for text := range bytes.Lines(content) {
		line++
		if isMarker(text) && at > start {
			found = append(found, document{content[start:at], first})
			start, first = at, line
		}
		at += len(text)
	}
	return append(found, document{content[start:], first})
}

func isMarker(line []byte) bool {
	rest, marked := bytes.CutPrefix(line, []byte("---"))
	return marked && (len(rest) == 0 || strings.ContainsRune(" \t\r\n", rune(rest[0])))
}

// identify returns the identity of a document's object, or io.EOF if the document is empty.
func identify(text []byte) (object, error) {
	if len(text) > maxObject {
		return object{}, fmt.Errorf("it has %d bytes, and Kubernetes stores at most 1.5 MiB", len(text))
	}
	var node, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&node); err != nil {
		return object{}, err
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return object{}, errors.New("more follows where it ends: write --- between documents")
	}
	root := node.Content[0]
	if root.ShortTag() == "!!null" {
		return object{}, io.EOF
	}
	apiVersion, kind, name := textAt(root, "apiVersion"), textAt(root, "kind"), textAt(root, "metadata", "name")
	if apiVersion == "" || kind == "" || name == "" {
		return object{}, errors.New("no Kubernetes object: apiVersion, kind and metadata.name are wanted")
	}
	group, _, hasGroup := strings.Cut(apiVersion, "/")
	if !hasGroup {
		group = ""
	}
	return object{group, kind, textAt(root, "metadata", "namespace"), name}, nil
}

// textAt returns the string at keys of nested mappings, or nothing.
func textAt(n *yaml.Node, keys ...string) string {
	for _, key := range keys {
		var next *yaml.Node
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				next = n.Content[i+1]
			}
		}
		if next == nil {
			return ""
		}
		n = next
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return ""
	}
	return n.Value
}
