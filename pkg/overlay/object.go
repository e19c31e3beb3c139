package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/yaml"
)

// Object is one object as Flux applies it.
type Object struct {
	// Content is the object as decoded JSON, its numbers as json.Number: none is rounded.
	Content map[string]any

	json []byte
}

// APIVersion is the object's apiVersion.
func (o Object) APIVersion() string { return text(o.Content["apiVersion"]) }

// Kind is the object's kind.
func (o Object) Kind() string { return text(o.Content["kind"]) }

// Name is metadata.name.
func (o Object) Name() string { return o.metadata("name") }

// Namespace is metadata.namespace, "" where there is none.
func (o Object) Namespace() string { return o.metadata("namespace") }

// JSON gives the object in one line, keys sorted. The caller must not change it.
func (o Object) JSON() []byte { return o.json }

// YAML gives the object as Flux applies it.
func (o Object) YAML() ([]byte, error) {
	data, err := yaml.JSONToYAML(o.json)
	if err != nil {
		// The cause quotes the whole object.
		return nil, fmt.Errorf("writing %s %q as YAML failed", o.Kind(), o.Name())
	}
	return data, nil
}

func (o Object) metadata(field string) string {
	metadata, _ := o.Content["metadata"].(map[string]any)
	return text(metadata[field])
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// YAML gives all objects as Flux applies them: documents separated by "---".
func (r *Result) YAML() ([]byte, error) {
	var out bytes.Buffer
	for i, object := range r.Objects {
		document, err := object.YAML()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(document)
	}
	return out.Bytes(), nil
}

func newObject(r *resource.Resource) (Object, error) {
	data, err := r.MarshalJSON()
	if err != nil {
		return Object{}, fmt.Errorf("cannot be written as JSON: %w", err)
	}
	if needsYAML(data) {
		if data, err = throughYAML(data); err != nil {
			return Object{}, err
		}
	}
	content, err := decode(data)
	if err != nil {
		return Object{}, err
	}
	object := Object{Content: content, json: data}
	if object.Name() == "" || object.Kind() == "" || object.APIVersion() == "" {
		return Object{}, errors.New("has no apiVersion, kind or name") // Flux refuses it with the same reason
	}
	return object, nil
}

func decode(data []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var content map[string]any
	if err := decoder.Decode(&content); err != nil {
		return nil, fmt.Errorf("cannot be read back: %w", err)
	}
	return content, nil
}

// needsYAML reports whether an object holds a character that does not survive being written as YAML and
// read again, as Flux does with every object: YAML has no unescaped control characters (DEL, C1, U+FFFE,
// U+FFFF), and takes U+0085 for the end of a line. For all else the detour changes nothing, which a fuzz
// test holds, and would take as long as the build.
func needsYAML(data []byte) bool {
	return bytes.ContainsFunc(data, func(r rune) bool {
		return r >= 0x7f && r <= 0x9f || r == 0xfffe || r == 0xffff
	})
}

var errControlCharacter = errors.New("holds a control character that YAML cannot carry (U+007F to U+009F, U+FFFE, U+FFFF): Flux fails on it")

func throughYAML(data []byte) ([]byte, error) {
	document, err := yaml.JSONToYAML(data)
	if err != nil {
		return nil, errControlCharacter
	}
	if data, err = yaml.YAMLToJSON(document); err != nil {
		return nil, errControlCharacter
	}
	return data, nil
}
