package overlay

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fluxcd/pkg/kustomize"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const release = `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: a
  namespace: flux-system
spec:
  values: `

// repo is a tree of files.
func repo(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, content := range files {
		tree[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return tree
}

// builtValues builds a HelmRelease whose values are written as text, and gives them as JSON.
func builtValues(t *testing.T, values string) any {
	t.Helper()
	result, err := Build(t.Context(), repo(map[string]string{
		"clusters/a/kustomization.yaml":           "resources: [manifests]\n",
		"clusters/a/manifests/kustomization.yaml": "resources: [a.yaml]\n",
		"clusters/a/manifests/a.yaml":             release + values + "\n",
	}), "clusters/a")
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Objects) != 1 {
		t.Fatalf("want one object, got %d", len(result.Objects))
	}
	return result.Objects[0].Content["spec"].(map[string]any)["values"]
}

func decodeJSON(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Values that are easily damaged. Each is written correctly, as YAML, and must come out as the same JSON,
// numbers by their digits.
func TestValuesSurviveTheBuild(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, yaml, json string }{
		{"date, quoted", `{d: "2024-04-01"}`, `{"d":"2024-04-01"}`},
		{"time, quoted", `{d: "2024-04-01T00:00:00Z", e: "12:30:45"}`, `{"d":"2024-04-01T00:00:00Z","e":"12:30:45"}`},
		{"null", `{a: null, b: ~, c: [null, ~], d: Null}`, `{"a":null,"b":null,"c":[null,null],"d":null}`},
		{"null, nothing written, in a block", "\n    a:\n    b: 1\n    c:\n", `{"a":null,"b":1,"c":null}`},
		{"null as text", `{a: "null", b: "~", c: ""}`, `{"a":"null","b":"~","c":""}`},
		{"octal-looking text", `{a: "0755", b: "0o755", c: "08", d: "09895639"}`, `{"a":"0755","b":"0o755","c":"08","d":"09895639"}`},
		{"commit ids that look like numbers", `{a: "12e4567", b: "40551e32", c: "36718366", d: "133498e3"}`, `{"a":"12e4567","b":"40551e32","c":"36718366","d":"133498e3"}`},
		{
			"other text that looks like numbers", `{a: "0x1F", b: "1_000", c: "0b11", d: ".5", e: "1.", f: "+1", g: ".inf", h: ".nan", i: "-.inf", j: "1e3", k: "190:20:30"}`,
			`{"a":"0x1F","b":"1_000","c":"0b11","d":".5","e":"1.","f":"+1","g":".inf","h":".nan","i":"-.inf","j":"1e3","k":"190:20:30"}`,
		},
		{"booleans", `{a: true, b: false}`, `{"a":true,"b":false}`},
		{
			"text that looks like booleans", `{a: "yes", b: "no", c: "on", d: "off", e: "y", f: "n", g: "true", h: "False"}`,
			`{"a":"yes","b":"no","c":"on","d":"off","e":"y","f":"n","g":"true","h":"False"}`,
		},
		{"multi-line, kept end", "{a: \"x\\ny\\n\"}", `{"a":"x\ny\n"}`},
		{"multi-line, no end", "{a: \"x\\ny\"}", `{"a":"x\ny"}`},
		{"multi-line, leading and trailing emptiness", "{a: \"\\n  x\\n\\n y \\n\\n\\n\"}", `{"a":"\n  x\n\n y \n\n\n"}`},
		{"multi-line, literal block", "\n    a: |\n      x\n       y\n\n      z\n", `{"a":"x\n y\n\nz\n"}`},
		{"multi-line, literal block stripped", "\n    a: |-\n      x\n      y", `{"a":"x\ny"}`},
		{"multi-line, folded block", "\n    a: >-\n      x\n      y", `{"a":"x y"}`},
		{"spaces", `{a: " x", b: "x ", c: "  ", d: "a\tb", e: "\t"}`, `{"a":" x","b":"x ","c":"  ","d":"a\tb","e":"\t"}`},
		{"line ends of others", `{a: "x\r\ny", b: "\r"}`, `{"a":"x\r\ny","b":"\r"}`},
		{"empty maps and lists", `{a: {}, b: [], c: {d: {}}, e: [[], {}]}`, `{"a":{},"b":[],"c":{"d":{}},"e":[[],{}]}`},
		{
			"64-bit integers", `{a: 9007199254740993, b: 9223372036854775807, c: -9223372036854775808, d: 18446744073709551615, e: -9007199254740993}`,
			`{"a":9007199254740993,"b":9223372036854775807,"c":-9223372036854775808,"d":18446744073709551615,"e":-9007199254740993}`,
		},
		{
			"decimals", `{a: 0.1, b: 1.5, c: -2.25, d: 0.30000000000000004, e: 1e-7, f: 1e+21, g: 1.5e+300}`,
			`{"a":0.1,"b":1.5,"c":-2.25,"d":0.30000000000000004,"e":1e-7,"f":1e+21,"g":1.5e+300}`,
		},
		{"unicode", `{a: "žluťoučký 𝄞 日本 \u202e \u200b\u2028\u2029\ufeff", "é": 1}`, `{"a":"žluťoučký 𝄞 日本 \u202e \u200b\u2028\u2029\ufeff","é":1}`},
		{"low control characters", `{a: "\0\a\b\e\x1f"}`, `{"a":"\u0000\u0007\u0008\u001b\u001f"}`},
		{
			"keys that need quotes", `{"service:x": 1, "y": 2, "1": 3, "true": 4, "null": 5, "": 6, "a b": 7, "2024-04-01": 8, "0x1": 9, "#": 11, "- a": 12, "~": 13, "1.5": 14, "*a": 15}`,
			`{"service:x":1,"y":2,"1":3,"true":4,"null":5,"":6,"a b":7,"2024-04-01":8,"0x1":9,"#":11,"- a":12,"~":13,"1.5":14,"*a":15}`,
		},
		{
			"text that needs quotes", `{a: "- x", b: "a: b", c: "#c", d: "&e", e: "*f", f: "!g", g: "%h", h: "@i", i: "` + "`" + `j", j: "{{ .k }}", k: "[l]", l: "'", m: "\"", n: "\\", o: "?", p: "---", q: "...", r: "=", s: "|", t: ">"}`,
			`{"a":"- x","b":"a: b","c":"#c","d":"&e","e":"*f","f":"!g","g":"%h","h":"@i","i":"` + "`" + `j","j":"{{ .k }}","k":"[l]","l":"'","m":"\"","n":"\\","o":"?","p":"---","q":"...","r":"=","s":"|","t":">"}`,
		},
		{"substitution of Flux's", `{a: "${b}", c: "$(D)", e: "$f"}`, `{"a":"${b}","c":"$(D)","e":"$f"}`},
		{"HTML", `{a: "<b>&amp;</b>"}`, `{"a":"<b>&amp;</b>"}`},
		{"long line", `{a: "` + strings.Repeat("word ", 200) + `"}`, `{"a":"` + strings.Repeat("word ", 200) + `"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := decodeJSON(t, tt.json)
			if diff := cmp.Diff(want, builtValues(t, tt.yaml)); diff != "" {
				t.Errorf("as written (-in +out):\n%s", diff)
			}
			if diff := cmp.Diff(want, builtValues(t, tt.json)); diff != "" {
				t.Errorf("written as JSON (-in +out):\n%s", diff)
			}
		})
	}
}

// What kustomize changes even in what is correct YAML: an emitter must not write the left form, except
// for numbers, where the right one has the same value or is all that Kubernetes could keep.
func TestWhatTheBuildChanges(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, yaml, want string }{
		{"date, unquoted", `{a: 2024-04-01}`, `{"a":"2024-04-01T00:00:00Z"}`},
		{"time stamp, unquoted", `{a: 2024-04-01T10:00:00+02:00, b: 2024-04-01 10:00:00}`, `{"a":"2024-04-01T10:00:00+02:00","b":"2024-04-01 10:00:00"}`},
		{"yes and no, unquoted, become text", `{a: yes, b: off}`, `{"a":"yes","b":"off"}`},
		{"unquoted commit ids become numbers", `{a: 12e4, b: 09895639, c: 40551e32}`, `{"a":120000,"b":9895639,"c":4.0551e+36}`},
		{"octal, hexadecimal and grouped digits are resolved", `{a: 0755, b: 0o755, c: 0x1F, d: 1_000}`, `{"a":493,"b":493,"c":31,"d":1000}`},
		{"a float without a fraction loses its point", `{a: 1.0, b: 1e3, c: 100000000000000000000.0}`, `{"a":1,"b":1000,"c":100000000000000000000}`},
		{"an integer over 64 bits is rounded", `{a: 18446744073709551616, b: -9223372036854775809}`, `{"a":18446744073709552000,"b":-9223372036854776000}`},
		{"more digits than a float has are rounded", `{a: 0.1234567890123456789}`, `{"a":0.12345678901234568}`},
		{"null, nothing written, between braces, becomes text", `{a: , b: 1}`, `{"a":"","b":1}`},
		{"the key << is lost, even in quotes", `{"<<": {a: 1}, b: 2}`, `{"b":2}`},
		{"next line, U+0085, becomes a space", `{a: "x\Ny"}`, `{"a":"x y"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(decodeJSON(t, tt.want), builtValues(t, tt.yaml)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestControlCharactersAreRefusedAsInFlux(t *testing.T) {
	t.Parallel()
	for _, escape := range []string{`\x7f`, `\x80`, `\x9f`, `\uffff`} {
		files := map[string]string{
			"kustomization.yaml": "resources: [a.yaml]\n",
			"a.yaml":             release + `{a: "hunter2` + escape + `"}` + "\n",
		}
		_, err := Build(t.Context(), repo(files), ".")
		if err == nil || !strings.Contains(err.Error(), "control character") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error that names the reason and not the value", escape, err)
		}
		if _, err := fluxBytes(repo(files), "."); err == nil {
			t.Errorf("%s: Flux accepts it, so should we", escape)
		}
	}
}

// fluxBytes are what kustomize-controller applies: the build's own YAML.
func fluxBytes(tree fstest.MapFS, dir string) ([]byte, error) {
	built, err := kustomize.Build(kustomizeFS{newTree(context.Background(), tree)}, mounted(dir))
	if err != nil {
		return nil, err
	}
	return built.AsYaml()
}

// The bytes that Build gives are those of Flux, for each of the awkward values above and some more.
func TestResultIsWhatFluxApplies(t *testing.T) {
	t.Parallel()
	for _, values := range awkward {
		tree := repo(map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": release + values + "\n"})
		result, err := Build(t.Context(), tree, ".")
		if err != nil {
			t.Fatal(err)
		}
		got, err := result.YAML()
		if err != nil {
			t.Fatal(err)
		}
		want, err := fluxBytes(tree, ".")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: YAML (-Flux +ours):\n%s", values, diff)
		}
		if diff := cmp.Diff(asApplied(t, want), any(result.Objects[0].Content)); diff != "" {
			t.Errorf("%s: content (-Flux +ours):\n%s", values, diff)
		}
	}
}

var awkward = []string{
	`{"a": 1}`, `[1.5, 0, 1e21, 18446744073709551615, -9223372036854775808, 0.1, 1e-7]`, `"2024-04-01"`, `"yes"`, `"\u2028"`, `"a\u0085b"`,
	`{"y": "0o7", "1": "1_0", "k": "=", "": "12:30:45", "0755": "08", "~": "~"}`, `{"a": "x\n y\n\n"}`, `{"a": "<&>", "b": [], "c": {}, "d": null}`,
}

// FuzzShortcut holds that an object taken as JSON is what Flux reads back from the YAML that it writes,
// unless needsYAML says so.
func FuzzShortcut(f *testing.F) {
	for _, seed := range awkward {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			t.Skip()
		}
		data, err := json.Marshal(map[string]any{"v": value}) // as kustomize's MarshalJSON ends
		if err != nil || needsYAML(data) {
			t.Skip()
		}
		document, err := yaml.JSONToYAML(data)
		if err != nil {
			t.Fatalf("Flux cannot write %q: %v", data, err)
		}
		if strings.Contains(string(data), "-0") {
			t.Skip() // the minus of -0 is lost on the way; no chart can see it
		}
		if diff := cmp.Diff(decodeJSON(t, string(data)), asApplied(t, document)); diff != "" {
			t.Errorf("(-JSON +Flux):\n%s", diff)
		}
	})
}

// asApplied is what a Kubernetes client sends for a document.
func asApplied(t *testing.T, document []byte) any {
	t.Helper()
	data, err := yaml.YAMLToJSON(document)
	if err != nil {
		t.Fatal(err)
	}
	return decodeJSON(t, string(data))
}

func TestManyDocumentsInOneFile(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	for i := range 3 {
		fmt.Fprintf(&file, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
	}
	tree := repo(map[string]string{"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": file.String()})
	result, err := Build(t.Context(), tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := result.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want, err := fluxBytes(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-Flux +ours):\n%s", diff)
	}
}
