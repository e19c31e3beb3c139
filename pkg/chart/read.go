package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resource"
	yaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// object is a resource on its way through post-rendering, with the types of
// Kubernetes' JSON.
type object struct {
	source string
	fields map[string]any
}

// read reads a document as helm-controller does, through kustomize: lists
// become their items, a date becomes a full timestamp, and what has no kind or
// name is refused. Most documents are plain, and what kustomize makes of these
// is known; for all others it is asked.
func read(d document) ([]object, error) {
	if d.fields != nil {
		return []object{{d.source, d.fields}}, nil
	}
	all, err := readByKustomize(d.text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.source, err)
	}
	objects := make([]object, len(all))
	for i, fields := range all {
		objects[i] = object{d.source, fields}
	}
	return objects, nil
}

// readByKustomize reads and writes as the chain of Helm and kustomize does.
// Helm writes a document before kustomize gets it, so one that this changes is
// read once more.
func readByKustomize(text string) ([]map[string]any, error) {
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	resources, err := factory.SliceFromBytes([]byte(text))
	if err != nil {
		return nil, err
	}
	var again strings.Builder
	for _, r := range resources {
		written, err := r.RNode.String()
		if err != nil {
			return nil, err
		}
		again.WriteString("---\n" + written)
	}
	return readWritten(again.String())
}

// readWritten reads what Helm has written already.
func readWritten(text string) ([]map[string]any, error) {
	resources, err := provider.NewDefaultDepProvider().GetResourceFactory().SliceFromBytes([]byte(text))
	if err != nil {
		return nil, err
	}
	all := make([]map[string]any, len(resources))
	for i, r := range resources {
		if all[i], err = decodeResource(r); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// decodeResource takes kustomize's own way to JSON.
func decodeResource(r *resource.Resource) (map[string]any, error) {
	text, err := r.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", r.GetKind(), r.GetName(), err)
	}
	fields := map[string]any{}
	if err := utiljson.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("%s %q: %w", r.GetKind(), r.GetName(), err)
	}
	return fields, nil
}

// readPlain reads a document that writing and reading does not change. ok is
// false for every other, and for every mistake: kustomize has the last word.
// node is the mapping as it is written.
func readPlain(text string) (node *yaml.Node, fields map[string]any, ok bool) {
	if strings.Contains(text, "\r") {
		return nil, nil, false
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document, second yaml.Node
	if decoder.Decode(&document) != nil || !errors.Is(decoder.Decode(&second), io.EOF) {
		return nil, nil, false
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode || !plain(document.Content[0]) {
		return nil, nil, false
	}
	fields = map[string]any{}
	if document.Decode(&fields) != nil || !identified(fields) {
		return nil, nil, false
	}
	_, err := jsonValue(fields)
	return document.Content[0], fields, err == nil
}

// identified reports whether the fields that kustomize reads itself are there
// and are text, and the object is no list.
func identified(fields map[string]any) bool {
	metadata, _ := fields["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	kind, _ := fields["kind"].(string)
	_, versioned := fields["apiVersion"].(string)
	namespace, spaced := metadata["namespace"]
	if _, isText := namespace.(string); spaced && !isText {
		return false
	}
	return name != "" && kind != "" && versioned && !strings.HasSuffix(kind, "List") &&
		texts(metadata["labels"]) && texts(metadata["annotations"])
}

// texts reports whether v is a mapping of nothing but text, or not there.
func texts(v any) bool {
	table, ok := v.(map[string]any)
	for _, item := range table {
		if _, isText := item.(string); !isText {
			return false
		}
	}
	return ok || v == nil
}

// plain reports whether writing a node as YAML and reading it gives the node.
// It does not for an empty value in flow style, `{a: }`, which becomes empty
// text, nor for folded text, which may gain lines. Tags, anchors and keys that
// are no text are left to kustomize.
func plain(node *yaml.Node) bool {
	if node.Style&(yaml.TaggedStyle|yaml.FoldedStyle) != 0 || node.Anchor != "" || node.Kind == yaml.AliasNode {
		return false
	}
	if node.Kind == yaml.ScalarNode {
		return node.Value != "" || node.Style != 0
	}
	for i, child := range node.Content {
		isKey := node.Kind == yaml.MappingNode && i%2 == 0
		isEmpty := child.Kind == yaml.ScalarNode && child.Value == "" && child.Style == 0 && child.Anchor == ""
		switch {
		case isKey && child.ShortTag() != yaml.NodeTagString:
			return false
		case isEmpty && !isKey && node.Style&yaml.FlowStyle == 0:
			continue // `a:` in block style is null either way
		case !plain(child):
			return false
		}
	}
	return true
}

// jsonValue gives a value decoded from YAML the type it has after it was
// written and read as JSON, in place. kustomize writes by way of encoding/json,
// so its rules hold: a date becomes a full timestamp and 1.0 becomes 1.
func jsonValue(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if v[key], err = jsonValue(item); err != nil {
				return nil, err
			}
		}
		return v, nil
	case []any:
		for i, item := range v {
			if v[i], err = jsonValue(item); err != nil {
				return nil, err
			}
		}
		return v, nil
	case nil, string, bool, int64:
		return v, nil
	case int:
		return int64(v), nil
	case uint64:
		return float64(v), nil // beyond int64
	case float64:
		return jsonNumber(v)
	case time.Time:
		text, err := v.MarshalText()
		return string(text), err
	}
	return nil, fmt.Errorf("a %T cannot be in an object: keys have to be text", v)
}

// jsonNumber is what a number is after encoding/json: whole ones are integers.
func jsonNumber(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v is no number in JSON", f)
	}
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	if whole, err := json.Number(text).Int64(); err == nil && !slices.Contains(text, 'e') {
		return whole, nil
	}
	return f, nil
}
