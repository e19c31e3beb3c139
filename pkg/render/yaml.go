package render

import (
	"bytes"
	"encoding/json"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// Header is the first line of every file that render writes. A file without it is a person's.
const Header = "# Written by tfgitops render. Do not edit.\n"

// manifest is an object on its way into a file. A HelmRelease's values are kept beside it: they are JSON values already,
// and most of what there is to write.
type manifest struct {
	object any
	values control.Values
}

// plain are manifests without values.
func plain[T any](objects []T) []manifest {
	manifests := make([]manifest, len(objects))
	for i, object := range objects {
		manifests[i] = manifest{object: object}
	}
	return manifests
}

// document returns the manifests as one file: the header, then a YAML document each.
func document(encoder *safeyaml.Encoder, manifests []manifest) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(Header)
	for i, m := range manifests {
		if i > 0 {
			out.WriteString("---\n")
		}
		fields, err := m.fields()
		if err != nil {
			return nil, err
		}
		if err := encoder.Encode(&out, fields); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// fields returns the object by its json tags, without its status, which Flux and Kubernetes write.
func (m manifest) fields() (map[string]any, error) {
	source, err := json.Marshal(m.object)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	delete(fields, "status")
	spec, _ := fields["spec"].(map[string]any)
	if len(m.values) > 0 {
		spec["values"] = m.values
	}
	if len(spec) == 0 {
		delete(fields, "spec") // a Namespace's, which nobody sets
	}
	return fields, nil
}
