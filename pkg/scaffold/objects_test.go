package scaffold

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// FuzzObjects holds that what is accepted has as many objects as a YAML parser finds documents in it: none is hidden.
func FuzzObjects(f *testing.F) {
	const one = "apiVersion: v1\nkind: A\nmetadata: {name: b}\n"
	for _, seed := range []string{
		one, one + "---\n" + strings.ReplaceAll(one, "b", "c"), "---\n# nothing\n---\n" + one, one + "...\n" + one,
		"--- {apiVersion: v1, kind: A, metadata: {name: b}}\n", "%YAML 1.1\n---\n" + one, one + "data:\n  a: |\n    ---\n    x\n", "--- |\n ---\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		count, err := checkObjects("a.yaml", content, map[object]string{})
		if err != nil {
			return
		}
		decoder, found := yaml.NewDecoder(bytes.NewReader(content)), 0
		for {
			var node yaml.Node
			err := decoder.Decode(&node)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("accepted, and no YAML as a whole: %v", err)
			}
			if node.Content[0].Kind == yaml.MappingNode {
				found++
			}
		}
		if count != found {
			t.Errorf("%d objects of %d in %q", count, found, content)
		}
	})
}
