package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	sigsyaml "sigs.k8s.io/yaml"
)

// Values are Helm values as encoding/json decodes them, with every number as a json.Number: Helm's own decoding would
// lose the digits of big integers.
type Values = map[string]any

// maxValuesDepth is deeper than any chart's values, and far from what would exhaust a stack.
const maxValuesDepth = 100

// ParseValues reads a values file as Helm does: dates stay strings, yes and no are booleans. A file with no content has
// no values. Unlike Helm it refuses duplicate keys.
func ParseValues(data []byte) (Values, error) {
	converted, err := sigsyaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, err
	}
	return decodeValues(converted)
}

func decodeValues(source []byte) (Values, error) {
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return nil, err
	}
	values, isMap := decoded.(map[string]any)
	switch {
	case decoded == nil:
		return Values{}, nil
	case !isMap:
		return nil, fmt.Errorf("values must be a mapping, not %T", decoded)
	case depth(decoded) > maxValuesDepth:
		return nil, fmt.Errorf("nested deeper than %d levels", maxValuesDepth)
	}
	return values, nil
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	case []any:
		for _, child := range v {
			deepest = max(deepest, depth(child))
		}
	default:
		return 0
	}
	return deepest + 1
}

// MergeValues merges layers as Helm merges values files: mappings key by key, later layers over earlier ones; a list
// replaces a list; null, false, 0 and "" override, and a null stays, to delete the chart's default later. The layers
// are not changed; the result shares what is the same.
func MergeValues(layers ...Values) Values {
	merged := Values{}
	for _, layer := range layers {
		merged = mergeInto(merged, layer)
	}
	return merged
}

func mergeInto(base, over Values) Values {
	if len(over) == 0 {
		return base
	}
	merged := maps.Clone(base)
	for key, value := range over {
		baseMap, baseIsMap := merged[key].(map[string]any)
		overMap, overIsMap := value.(map[string]any)
		if baseIsMap && overIsMap {
			value = mergeInto(baseMap, overMap)
		}
		merged[key] = value
	}
	return merged
}
