package chart

import (
	"math"
	"strings"

	"go.yaml.in/yaml/v2"
	sigsyaml "sigs.k8s.io/yaml"
)

// toYAML is Helm's template function toYaml, for which charts spend a third of
// their time. Helm writes a value as JSON, reads that as YAML, and writes what it
// read. What the first two steps make of a plain value is known, so it is written
// at once; Helm's way is left for all others.
func toYAML(v any) string {
	marshal := sigsyaml.Marshal
	if value, ok := asWritten(v); ok {
		v, marshal = value, yaml.Marshal
	}
	data, err := marshal(v)
	if err != nil {
		return "" // as Helm does
	}
	return strings.TrimSuffix(string(data), "\n")
}

// asWritten returns what a value is after it was written as JSON and read as
// YAML. ok is false where that is not known.
func asWritten(v any) (written any, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		return mapAsWritten(v)
	case []any:
		if v == nil {
			return nil, true
		}
		list := make([]any, len(v))
		for i := range v {
			if list[i], ok = asWritten(v[i]); !ok {
				return nil, false
			}
		}
		return list, true
	case string:
		return v, isSimple(v)
	case float64:
		return floatAsWritten(v)
	case nil, bool, int, int64:
		return v, true
	}
	return nil, false
}

func mapAsWritten(v map[string]any) (written any, ok bool) {
	const longestKey = 128 // what reads YAML refuses keys of more than 1024 bytes, escapes included
	if v == nil {
		return nil, true
	}
	table := make(map[string]any, len(v))
	for key, item := range v {
		if len(key) > longestKey || !isSimple(key) {
			return nil, false
		}
		if table[key], ok = asWritten(item); !ok {
			return nil, false
		}
	}
	return table, true
}

// floatAsWritten makes whole numbers integers: JSON writes them without a point.
func floatAsWritten(f float64) (written any, ok bool) {
	const exact = 1 << 53
	switch {
	case math.IsNaN(f), math.Abs(f) > exact:
		return nil, false
	case f == math.Trunc(f):
		return int64(f), true
	}
	return f, true
}

// isSimple reports whether text is in ASCII and has no characters that have to
// be escaped beyond the usual.
func isSimple(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}
