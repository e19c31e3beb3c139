package control_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

func values(t *testing.T, text string) control.Values {
	t.Helper()
	v, err := control.ParseValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMergeValues(t *testing.T) {
	for name, test := range map[string]struct {
		layers []string
		want   string
	}{
		"nothing":              {nil, `{}`},
		"later wins":           {[]string{"a: 1", "a: 2", "a: 3"}, `{"a":3}`},
		"mappings merge":       {[]string{"a: {x: 1, w: {p: 1}}", "a: {z: 2, w: {q: 2}}"}, `{"a":{"w":{"p":1,"q":2},"x":1,"z":2}}`},
		"lists replace":        {[]string{"a: [1, 2, 3]", "a: [4]"}, `{"a":[4]}`},
		"empty list replaces":  {[]string{"a: [1]", "a: []"}, `{"a":[]}`},
		"empty mapping merges": {[]string{"a: {x: 1}", "a: {}"}, `{"a":{"x":1}}`},
		"null stays":           {[]string{"a: {x: 1}", "a: ~"}, `{"a":null}`},
		"null below":           {[]string{"a: {x: 1, z: 2}", "a: {x: null}"}, `{"a":{"x":null,"z":2}}`},
		"false, zero, empty":   {[]string{"a: true\nb: 1\nc: x", "a: false\nb: 0\nc: ''"}, `{"a":false,"b":0,"c":""}`},
		"kind changes":         {[]string{"a: {x: 1}", "a: 1", "a: {z: 2}"}, `{"a":{"z":2}}`},
		"big integer":          {[]string{"a: 9007199254740993"}, `{"a":9007199254740993}`},
	} {
		t.Run(name, func(t *testing.T) {
			var layers []control.Values
			for _, text := range test.layers {
				layers = append(layers, values(t, text))
			}
			got, err := json.Marshal(control.MergeValues(layers...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMergeValuesLeavesLayersAlone(t *testing.T) {
	base, over := values(t, "a: {x: 1, v: {z: 1}}"), values(t, "a: {x: 2, v: {z: 2, w: 3}}")
	control.MergeValues(base, over)
	if diff := cmp.Diff(values(t, "a: {x: 1, v: {z: 1}}"), base); diff != "" {
		t.Errorf("the lower layer changed:\n%s", diff)
	}
	if diff := cmp.Diff(values(t, "a: {x: 2, v: {z: 2, w: 3}}"), over); diff != "" {
		t.Errorf("the upper layer changed:\n%s", diff)
	}
}

func TestParseValues(t *testing.T) {
	for name, test := range map[string]struct{ text, want, wantErr string }{
		"nothing":        {"", `{}`, ""},
		"comments only":  {"# nothing here\n", `{}`, ""},
		"dates":          {"a: 2024-04-01\nb: 2024-04-01T00:00:00Z", `{"a":"2024-04-01","b":"2024-04-01T00:00:00Z"}`, ""},
		"words":          {"a: [yes, no, on, off, y]", `{"a":[true,false,true,false,true]}`, ""},
		"numbers":        {"a: [0777, 0x1F, 1_000, 1e3, 09895639]", `{"a":[511,31,1000,1000,9895639]}`, ""},
		"anchors":        {"a: &x {p: 1}\nb: *x\nc: {<<: *x, q: 2}", `{"a":{"p":1},"b":{"p":1},"c":{"p":1,"q":2}}`, ""},
		"a list":         {"[1, 2]", "", "values must be a mapping"},
		"a duplicate":    {"a: 1\na: 2", "", `line 2: key "a" already set`},
		"broken":         {"a: [", "", "did not find expected"},
		"nested deeply":  {"a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "", "nested deeper than 100"},
		"nested deepest": {"a: " + strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "", "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := control.ParseValues([]byte(test.text))
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Fatalf("error %v, want one with %q", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			encoded, _ := json.Marshal(got)
			if diff := cmp.Diff(test.want, string(encoded)); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzMergeValues holds that values merge as Helm merges values files, that layers stay as they were, and that nothing
// panics or grows without bounds.
func FuzzMergeValues(f *testing.F) {
	f.Add([]byte("a: {x: 1, l: [1]}\nb: ~\n"), []byte("a: {x: null, y: 2, l: []}\nb: {c: 1}\n"))
	f.Add([]byte("a: &a [1]\nb: [*a, *a]"), []byte("a: 2024-04-01"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		base, err := control.ParseValues(first)
		if err != nil {
			return
		}
		over, err := control.ParseValues(second)
		if err != nil {
			return
		}
		before, _ := json.Marshal([]control.Values{base, over})
		got := control.MergeValues(base, over)
		if diff := cmp.Diff(loader.MergeMaps(base, over), got); diff != "" {
			t.Errorf("Helm merges otherwise (-Helm +ours):\n%s", diff)
		}
		if after, _ := json.Marshal([]control.Values{base, over}); string(after) != string(before) {
			t.Errorf("a layer changed")
		}
	})
}
