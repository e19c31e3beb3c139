package crds

import (
	"encoding/json"
	"math"
)

// jsonCopy copies a decoded JSON value with every number as int64 or float64, the only two that the API
// server's code knows: an integer that fits is int64, everything else float64, as in its own decoder.
func jsonCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, value := range v {
			c[key] = jsonCopy(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, value := range v {
			c[i] = jsonCopy(value)
		}
		return c
	}
	return jsonNumber(v)
}

// jsonNumber converts a number and returns anything else as it is.
func jsonNumber(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
		return float64(v)
	case float32:
		return float64(v)
	}
	return v
}
