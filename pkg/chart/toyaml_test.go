package chart

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	sigsyaml "sigs.k8s.io/yaml"
)

// helmToYAML is Helm's own function, which it does not export.
func helmToYAML(v any) string {
	data, err := sigsyaml.Marshal(v)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(data), "\n")
}

// FuzzToYAML compares with Helm's way on values as a chart has them: read from JSON.
func FuzzToYAML(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5,"x",null,true,{},[]],"b":{"c":"yes","y":"no","1":"1","0x1":"1_000","~":"~"}}`,
		`"line\nline\n"`, `"- a"`, `"2024-04-01"`, `" lead"`, `"tab\there"`, `"<<"`, `{"<<":{"a":1}}`, `{"":"", "?":": ", "#":" #"}`, `"é\u2028\u0000"`, `null`, `[]`, `{}`,
		`[1e6,1e7,30000000,1e20,1e21,1e-7,-0.0,9007199254740993,0.1,123456789.5,1.5e300]`, `"<a href=\"&\">"`, `"\u007f"`, `{"` + strings.Repeat("<", 200) + `":1}`, `"=" `, `"1:30"`, `"0o17"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		if got, want := toYAML(v), helmToYAML(v); got != want {
			t.Errorf("%s\ngot  %q\nhelm %q", text, got, want)
		}
	})
}

// Templates make values that JSON does not.
func TestToYAMLOfOtherTypes(t *testing.T) {
	type named map[string]any
	for _, v := range []any{
		map[string]any(nil), []any(nil),
		[]string{"a", "1"},
		map[string]string{"a": "y"},
		int64(math.MaxInt64), uint64(math.MaxUint64), float32(1.5),
		math.NaN(), math.Inf(1),
		named{"a": 1.0},
		map[string]any{"a": named{"b": 3e7}},
		map[int]string{1: "a"},
		json.Number("1e3"), []byte("x"), fmt.Errorf("x"), "\xff",
		[]any{map[string]any(nil), []any(nil)},
		func() {},
	} {
		if got, want := toYAML(v), helmToYAML(v); got != want {
			t.Errorf("%T %v\ngot  %q\nhelm %q", v, v, got, want)
		}
	}
}

// The short way is worth nothing when nothing takes it.
func TestMostValuesAreWrittenAtOnce(t *testing.T) {
	if _, ok := asWritten(map[string]any{"limits": map[string]any{"cpu": "100m", "n": 2.0}, "list": []any{"a: b", 0.5, nil, true}}); !ok {
		t.Error("a plain value is not written at once")
	}
}
