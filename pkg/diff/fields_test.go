package diff

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t testing.TB, text string) map[string]any {
	t.Helper()
	data, err := asJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if data == nil {
		return object
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestCompareFields(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		old, new string
		want     []string
	}{
		"equal":                  {"a: {b: [1, {c: d}]}", "a: {b: [1, {c: d}]}", nil},
		"a scalar":               {"a: {b: 1}", "a: {b: 2}", []string{"changed a.b: 1 → 2"}},
		"a type":                 {"a: 1", "a: '1'", []string{`changed a: 1 → "1"`}},
		"null is not absence":    {"a: null", "{}", []string{"removed a: null"}},
		"null is not empty":      {"a: null", "a: ''", []string{`changed a: null → ""`}},
		"an empty map":           {"a: {}", "a: {b: 1}", []string{"added a.b: 1"}},
		"a map for a list":       {"a: {}", "a: []", []string{"changed a: {} → []"}},
		"a big number":           {"a: 12345678901234567", "a: 12345678901234568", []string{"changed a: 12345678901234567 → 12345678901234568"}},
		"keys":                   {"a: {x: 1}", "a: {y: {z: 2}}", []string{`removed a.x: 1`, `added a.y: {"z":2}`}},
		"a key with dots":        {`a: {"b.c/d": 1}`, `a: {"b.c/d": 2}`, []string{`changed a["b.c/d"]: 1 → 2`}},
		"an empty key":           {`{"": 1}`, `{"": 2}`, []string{`changed [""]: 1 → 2`}},
		"an entry by name":       {"a: [{name: x, v: 1}, {name: y, v: 1}]", "a: [{name: x, v: 1}, {name: y, v: 2}]", []string{"changed a[name=y].v: 1 → 2"}},
		"a new entry":            {"a: [{name: x}]", "a: [{name: x}, {name: y}]", []string{`added a[name=y]: {"name":"y"}`}},
		"moved entries":          {"a: [{name: x}, {name: y}]", "a: [{name: y}, {name: x}]", []string{`reordered a: ["x","y"] → ["y","x"]`}},
		"a list of words":        {"a: [x, y]", "a: [x, z]", []string{`removed a[]: "y"`, `added a[]: "z"`}},
		"a name twice":           {"a: [{name: x, v: 1}, {name: x, v: 2}]", "a: [{name: x, v: 1}, {name: x, v: 3}]", []string{`removed a[name=x]: {"name":"x","v":2}`, `added a[name=x]: {"name":"x","v":3}`}},
		"an entry without names": {"a: [{v: 1}]", "a: [{v: 2}]", []string{"changed a[0].v: 1 → 2"}},
		"too many entries":       {"a: [" + strings.Repeat("x, ", maxEntries) + "y]", "a: [" + strings.Repeat("x, ", maxEntries) + "z]", []string{"changed a: (1001 entries"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes, err := compareFields(parse(t, test.old), parse(t, test.new))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range changes {
				got = append(got, describe(c))
			}
			if name == "too many entries" && len(got) == 1 && strings.HasPrefix(strings.ReplaceAll(got[0], `"`, ""), test.want[0]) {
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func describe(c change) string {
	text := func(v any) string { data, _ := json.Marshal(v); return string(data) }
	switch c.Op {
	case OpAdded:
		return fmt.Sprintf("added %s: %s", c.Path, text(c.New))
	case OpRemoved:
		return fmt.Sprintf("removed %s: %s", c.Path, text(c.Old))
	}
	return fmt.Sprintf("%s %s: %s → %s", c.Op, c.Path, text(c.Old), text(c.New))
}

// FuzzCompareFields holds that what differs is found, what is equal is not, and nothing panics, whatever the objects hold.
func FuzzCompareFields(f *testing.F) {
	f.Add(`{"a": [{"name": "x"}, {"name": 1}, null, [1]]}`, `{"a": [{"name": "y"}], "": {"[]": {}}}`)
	f.Add(`{"a": {"name": null}}`, `{"a": [{"name": {"b": 1}}, {"name": []}]}`)
	f.Add(`{"k": [{"key": "a", "id": 1}, {"id": 2}]}`, `{"k": [{"mountPath": "a"}, {"containerPort": 8}]}`)
	f.Fuzz(func(t *testing.T, oldText, newText string) {
		old, okOld := object(oldText)
		new, okNew := object(newText)
		if !okOld || !okNew {
			t.Skip()
		}
		changes, err := compareFields(old, new)
		if err != nil {
			return
		}
		if same := equal(old, new); same && len(changes) != 0 {
			t.Errorf("%d changes between equal objects: %v", len(changes), changes)
		} else if !same && len(changes) == 0 {
			t.Errorf("no change between %s and %s", oldText, newText)
		}
		for _, c := range changes {
			_ = lines(c.Field)
			_ = noiseOf(c)
		}
	})
}

func object(text string) (map[string]any, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v map[string]any
	err := decoder.Decode(&v)
	return v, err == nil && v != nil
}

func TestNoise(t *testing.T) {
	t.Parallel()
	certificate := func(text string) string {
		return "-----BEGIN CERTIFICATE-----\n" + text + "\n-----END CERTIFICATE-----\n"
	}
	tests := map[string]struct {
		change change
		want   Noise
	}{
		"checksum":                {newChange([]string{"spec", "template", "metadata", "annotations", "checksum/config"}, OpChanged, "a", "b"), NoiseChecksum},
		"a value so named":        {newChange([]string{"data", "checksum/config"}, OpChanged, "a", "b"), ""},
		"chart label":             {newChange([]string{"metadata", "labels", "helm.sh/chart"}, OpChanged, "a", "b"), NoiseChartLabel},
		"another label":           {newChange([]string{"metadata", "labels", "app"}, OpChanged, "a", "b"), ""},
		"a selector":              {newChange([]string{"spec", "selector", "matchLabels", "helm.sh/chart"}, OpChanged, "a", "b"), ""},
		"certificate":             {newChange([]string{"data", "ca.crt"}, OpChanged, certificate("a"), certificate("b")), NoiseCertificate},
		"a certificate gone":      {newChange([]string{"data", "ca.crt"}, OpRemoved, certificate("a"), nil), ""},
		"no longer a certificate": {newChange([]string{"data", "ca.crt"}, OpChanged, certificate("a"), "b"), ""},
		"SOPS":                    {newChange([]string{"sops", "mac"}, OpChanged, "a", "b"), NoiseEncryption},
		"a mac":                   {newChange([]string{"spec", "mac"}, OpChanged, "a", "b"), ""},
	}
	for name, test := range tests {
		if got := noiseOf(test.change); got != test.want {
			t.Errorf("%s: noise %q, want %q", name, got, test.want)
		}
	}
}

func TestRenames(t *testing.T) {
	t.Parallel()
	items := func(texts ...string) []item {
		var list []item
		for _, text := range texts {
			object := parse(t, text)
			list = append(list, item{ref: refOf(object), content: object})
		}
		return list
	}
	const a = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf-1}\ndata: {a: '1', b: '2', c: '3', d: '4'}\n"
	renamed := strings.ReplaceAll(strings.ReplaceAll(a, "conf-1", "conf-2"), "d: '4'", "d: '5'")
	other := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf-3}\ndata: {x: '1', y: '2', z: '3', w: '4'}\n"
	tests := map[string]struct {
		old, new []string
		want     []string
	}{
		"renamed":             {[]string{a}, []string{renamed}, []string{"ConfigMap conf-1 → ConfigMap conf-2 true"}},
		"the likest":          {[]string{a, other}, []string{renamed}, []string{"ConfigMap conf-1 → ConfigMap conf-2 true", "ConfigMap conf-3 →  false"}},
		"another object":      {[]string{a}, []string{other}, []string{"ConfigMap conf-1 →  false", " → ConfigMap conf-3 false"}},
		"another kind":        {[]string{a}, []string{strings.Replace(renamed, "ConfigMap", "Thing", 1)}, []string{"ConfigMap conf-1 →  false", " → Thing conf-2 false"}},
		"both are there":      {[]string{a, renamed}, []string{a, renamed}, nil},
		"too small to tell":   {[]string{"apiVersion: v1\nkind: A\nmetadata: {name: x}\n"}, []string{"apiVersion: v1\nkind: A\nmetadata: {name: y}\n"}, []string{"A x →  false", " → A y false"}},
		"another API version": {[]string{a}, []string{strings.Replace(a, "v1", "v2", 1)}, []string{"ConfigMap conf-1 → ConfigMap conf-1 false"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, m := range match(items(test.old...), items(test.new...), sameContent) {
				sides := [2]string{}
				for i, it := range []*item{m.old, m.new} {
					if it != nil {
						sides[i] = it.ref.String()
					}
				}
				got = append(got, fmt.Sprintf("%s → %s %v", sides[0], sides[1], m.renamed))
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
