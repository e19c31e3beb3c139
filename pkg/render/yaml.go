package render

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// Header is the first line of every file that render writes. A file without it is a person's.
const Header = "# Written by tfgitops render. Do not edit.\n"

// document returns the objects as one file: the header, then a YAML document each.
func document[T any](objects ...T) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(Header)
	for i, object := range objects {
		if i > 0 {
			out.WriteString("---\n")
		}
		if err := encode(&out, object); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// encode writes an object with its json tags, without its status, which Flux and Kubernetes write.
func encode(out *bytes.Buffer, object any) error {
	source, err := json.Marshal(object)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return err
	}
	delete(fields, "status")
	if spec, _ := fields["spec"].(map[string]any); len(spec) == 0 {
		delete(fields, "spec") // a Namespace's, which nobody sets
	}
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	if err := encoder.Encode(safeyaml.Node(fields)); err != nil {
		return err
	}
	return encoder.Close()
}
