package safeyaml_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	yamlv3 "go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

func decode(t *testing.T, source []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Skip("no JSON")
	}
	if err := json.Unmarshal(source, new(any)); err != nil {
		t.Skip("a number that no YAML parser takes")
	}
	return value
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := safeyaml.NewEncoder().Encode(&out, value); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestStringsStayStrings holds that what some YAML parser would read as something else is quoted, and nothing more than
// that.
func TestStringsStayStrings(t *testing.T) {
	for value, want := range map[string]string{
		"09895639": `"09895639"`, "40551e32": `"40551e32"`, "12e4567": `"12e4567"`, "36718366": `"36718366"`, "1.29.0": `"1.29.0"`,
		"0.0.213-20230705073411-09895639": `"0.0.213-20230705073411-09895639"`,
		"2024-04-01":                      `"2024-04-01"`, "12:30:45": `"12:30:45"`, "1_000": `"1_000"`, "0x1F": `"0x1F"`, ".5": `".5"`, "-1": `"-1"`,
		"yes": `"yes"`, "No": `"No"`, "on": `"on"`, "y": `"y"`, "TRUE": `"TRUE"`, "~": `"~"`, "null": `"null"`, "": `""`, "=": `"="`, "<<": `"<<"`, ".inf": `".inf"`,
		"10m": "10m", "5m0s": "5m0s", "v1.20.3": "v1.20.3", "tools.local": "tools.local", "image-0.0.1": "image-0.0.1", "yesterday": "yesterday",
		"a\nb\n": "|\n  a\n  b", "a\n b": "|-\n  a\n   b", " a\nb": `" a\nb"`, "a \nb": `"a \nb"`, "a\r\nb": `"a\r\nb"`,
	} {
		got := string(encode(t, map[string]any{"k": value}))
		if want := "k: " + want + "\n"; got != want {
			t.Errorf("%q is written %q, want %q", value, got, want)
		}
	}
}

// TestManyDocumentsAreAllAlike holds that the encoder's own state never shows.
func TestManyDocumentsAreAllAlike(t *testing.T) {
	encoder := safeyaml.NewEncoder()
	for n := range 100 {
		var out bytes.Buffer
		if err := encoder.Encode(&out, map[string]any{"a": []any{"b", json.Number("1")}}); err != nil {
			t.Fatal(err)
		}
		if want := "a:\n  - b\n  - 1\n"; out.String() != want {
			t.Fatalf("document %d is %q", n, out.String())
		}
	}
}

// FuzzEveryParserReadsTheSame holds that a YAML 1.1 and a YAML 1.2 parser read back what was written.
func FuzzEveryParserReadsTheSame(f *testing.F) {
	for _, seed := range []string{
		`{"a":"09895639","b":["yes","12e4567",null,true,{"<":"~"}],"c":{"y":1,"":2}}`, `"a\n b\n"`, `[1e21,-0.5,9007199254740993,18446744073709551615,101000100000000000000,-9223372036854775809]`,
		`{"t":"# no comment\nkey: value\n- item"}`, `" \t\n"`, `"---\nx"`, `"...\nx"`, `"%YAML\n1"`, `"\u0085\u2028\ufeff"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		if !utf8.Valid(source) {
			t.Skip("JSON is UTF-8")
		}
		value := map[string]any{"v": decode(t, source)}
		written := encode(t, value)
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		fromSigs, err := sigsyaml.YAMLToJSON(written)
		if err != nil {
			t.Fatalf("sigs.k8s.io/yaml: %v\n%s", err, written)
		}
		var node map[string]any
		if err := yamlv3.Unmarshal(written, &node); err != nil {
			t.Fatalf("yaml.v3: %v\n%s", err, written)
		}
		fromV3, err := json.Marshal(node)
		if err != nil {
			t.Skip("JSON has no such number")
		}
		for parser, got := range map[string][]byte{"sigs.k8s.io/yaml": fromSigs, "yaml.v3": fromV3} {
			if diff := cmp.Diff(numbersAside(t, want), numbersAside(t, got)); diff != "" {
				t.Errorf("%s reads (-written +read):\n%s\n%s", parser, diff, written)
			}
		}
	})
}

// numbersAside decodes with numbers as floats: the parsers write them in forms of their own.
func numbersAside(t *testing.T, source []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(source, &value); err != nil {
		t.Skip("a number beyond what JSON's decoder takes")
	}
	return value
}
