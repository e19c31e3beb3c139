package diff

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Helpers to look into decoded objects: a field that is missing or of another type is the zero value.

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

// at follows keys into an object.
func at(object map[string]any, keys ...string) any {
	var v any = object
	for _, key := range keys {
		v = asMap(v)[key]
	}
	return v
}

func mapAt(object map[string]any, keys ...string) map[string]any { return asMap(at(object, keys...)) }

func listAt(object map[string]any, keys ...string) []any { return asList(at(object, keys...)) }

func textAt(object map[string]any, keys ...string) string { return asText(at(object, keys...)) }

func annotation(object map[string]any, name string) string {
	return textAt(object, "metadata", "annotations", name)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// texts returns the strings of a list.
func texts(list []any) []string {
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// ref identifies an object in a cluster, whatever the version of its API.
type ref struct{ group, kind, namespace, name string }

func refOf(object map[string]any) ref {
	group, _, versioned := strings.Cut(textAt(object, "apiVersion"), "/")
	if !versioned {
		group = ""
	}
	return ref{group, textAt(object, "kind"), textAt(object, "metadata", "namespace"), textAt(object, "metadata", "name")}
}

// String is KIND NAMESPACE/NAME.
func (r ref) String() string {
	if r.namespace == "" {
		return r.kind + " " + r.name
	}
	return r.kind + " " + r.namespace + "/" + r.name
}

func (r ref) compare(o ref) int {
	return cmp.Or(cmp.Compare(r.kind, o.kind), cmp.Compare(r.namespace, o.namespace), cmp.Compare(r.name, o.name), cmp.Compare(r.group, o.group))
}

// digest identifies a JSON value.
func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic("a decoded JSON value cannot be encoded: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
