package chart

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	yaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// decode reads the fields as Kubernetes gets them from helm-controller.
// kustomize writes a resource by way of encoding/json, so its rules hold: a
// date becomes a full timestamp and 1.0 becomes 1. Then integers are int64, as
// Kubernetes has them.
func (r *located) decode() error {
	if r.fields != nil {
		return nil
	}
	var err error
	if ordinary(r.YNode()) {
		r.fields, err = decodeNode(r.YNode())
	} else {
		r.fields, err = decodeText(r)
	}
	if err != nil {
		return fmt.Errorf("%s: %s %q: %w", r.source, r.GetKind(), r.GetName(), err)
	}
	return nil
}

// decodeText takes kustomize's own way: it writes the resource as YAML, reads
// that and writes JSON.
func decodeText(r json.Marshaler) (map[string]any, error) {
	text, err := r.MarshalJSON()
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	return fields, utiljson.Unmarshal(text, &fields)
}

// decodeNode does the same for ordinary nodes and without text.
func decodeNode(node *yaml.Node) (map[string]any, error) {
	fields := map[string]any{}
	if err := node.Decode(&fields); err != nil {
		return nil, err
	}
	_, err := jsonValue(fields)
	return fields, err
}

// ordinary reports whether writing a node as YAML and reading it gives the node.
// It does not for an empty value in flow style, `{a: }`, which becomes empty
// text, nor for folded text, which may gain lines. Tags are left to kustomize
// too.
func ordinary(node *yaml.Node) bool {
	if node.Style&(yaml.TaggedStyle|yaml.FoldedStyle) != 0 || node.Kind == yaml.AliasNode {
		return false
	}
	if node.Kind == yaml.ScalarNode {
		return node.Value != "" || node.Style != 0
	}
	for i, child := range node.Content {
		isKey := node.Kind == yaml.MappingNode && i%2 == 0
		isEmpty := child.Kind == yaml.ScalarNode && child.Value == "" && child.Style == 0
		switch {
		case isEmpty && !isKey && node.Style&yaml.FlowStyle == 0:
			continue // `a:` in block style is null on both ways
		case !ordinary(child):
			return false
		}
	}
	return true
}

// jsonValue gives a value decoded from YAML the type it has after it was
// written and read as JSON.
func jsonValue(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			value, err := jsonValue(item)
			if err != nil {
				return nil, err
			}
			v[key] = value
		}
		return v, nil
	case []any:
		for i, item := range v {
			value, err := jsonValue(item)
			if err != nil {
				return nil, err
			}
			v[i] = value
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

// wholeBelow is where encoding/json starts to write floating point numbers with
// an exponent.
const wholeBelow = 1e21

// jsonNumber is what a number is after encoding/json: whole ones are integers.
func jsonNumber(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("%v is no number in JSON", f)
	}
	if math.Trunc(f) == f && math.Abs(f) < wholeBelow && math.Abs(f) <= math.MaxInt64 {
		var n json.Number
		text, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		n = json.Number(text)
		if i, err := n.Int64(); err == nil {
			return i, nil
		}
	}
	return f, nil
}
