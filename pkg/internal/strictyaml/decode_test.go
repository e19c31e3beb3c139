package strictyaml

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

type colour string

func (c colour) Check() error {
	if c == "red" || c == "blue" {
		return nil
	}
	return fmt.Errorf("%q is no colour: write red or blue", string(c))
}

type inner struct {
	Commit string `json:"commit,omitempty"`
	Colour colour `json:"colour,omitempty"`
}

type sample struct {
	inner  `json:",inline"`
	Name   string                `json:"name" jsonschema:"required"`
	On     *bool                 `json:"on,omitempty"`
	Count  int                   `json:"count,omitempty"`
	Items  []inner               `json:"items,omitempty"`
	ByName map[string]inner      `json:"byName,omitempty"`
	Values *apiextensionsv1.JSON `json:"values,omitempty"`
}

func decode(t *testing.T, text string) (sample, []string) {
	t.Helper()
	var out sample
	var problems []string
	for _, p := range SchemaOf[sample]().Decode([]byte(text), &out) {
		problems = append(problems, fmt.Sprintf("%d:%d: %s", p.Line, p.Column, p.Message))
	}
	return out, problems
}

func TestDecodeFillsEveryKind(t *testing.T) {
	got, problems := decode(t, `
name: "x"
commit: "09895639"
colour: red
on: false
count: 0x10
items: [{commit: "40551e32"}, {colour: blue}]
byName: {"1": {commit: abc}}
values: {date: 2024-04-01, none: ~, big: 9007199254740993, yes: yes}
`)
	if problems != nil {
		t.Fatalf("problems: %v", problems)
	}
	off := false
	want := sample{
		inner: inner{Commit: "09895639", Colour: "red"}, Name: "x", On: &off, Count: 16,
		Items:  []inner{{Commit: "40551e32"}, {Colour: "blue"}},
		ByName: map[string]inner{"1": {Commit: "abc"}},
		Values: &apiextensionsv1.JSON{Raw: []byte(`{"big":9007199254740993,"date":"2024-04-01","none":null,"true":true}`)},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sample{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDecodeReportsProblems(t *testing.T) {
	deep := "name: x\nvalues: " + strings.Repeat("[", 200) + strings.Repeat("]", 200)
	bomb := "name: x\nvalues:\n  a: &a [x,x]\n  b: [*a,*a]\n"
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"unknown key, near":      {"name: x\ncomit: abc\n", []string{`2:1: unknown key "comit"; did you mean "commit"?`}},
		"unknown key, far":       {"name: x\nzzzzzzzz: abc\n", []string{`2:1: unknown key "zzzzzzzz": accepted are byName, colour, commit, count, items, name, on, values`}},
		"merge key":              {"name: x\n<<: {commit: abc}\n", []string{`2:1: the key << reads as YAML's !!merge: quote it`}},
		"duplicate key":          {"name: x\nname: y\n", []string{`2:1: the key "name" stands here a second time; the first is in line 1`}},
		"duplicate free-form":    {"name: x\nvalues: {a: 1, a: 2}\n", []string{`2:16: the key "a" stands here a second time; the first is in line 2`}},
		"unquoted commit, int":   {"name: x\ncommit: 36718366\n", []string{`2:9: 36718366 reads as a number, and a string is wanted: quote it ("36718366")`}},
		"unquoted commit, zero":  {"name: x\ncommit: 09895639\n", []string{`2:9: 09895639 reads as a number, and a string is wanted: quote it ("09895639")`}},
		"unquoted commit, float": {"name: x\ncommit: 40551e32\n", []string{`2:9: 40551e32 reads as a number, and a string is wanted: quote it ("40551e32")`}},
		"unquoted date":          {"name: 2024-04-01\n", []string{`1:7: 2024-04-01 reads as a date, and a string is wanted: quote it ("2024-04-01")`}},
		"unquoted bool":          {"name: true\n", []string{`1:7: true reads as true or false, and a string is wanted: quote it ("true")`}},
		"number key":             {"name: x\nbyName: {1: {}}\n", []string{`2:10: the key 1 reads as a number: quote it`}},
		"own check":              {"name: x\ncolour: green\n", []string{`2:9: "green" is no colour: write red or blue`}},
		"bool":                   {"name: x\non: maybe\n", []string{`2:5: "maybe" is not accepted here: write true or false`}},
		"integer":                {"name: x\ncount: 99999999999999999999999\n", []string{`2:8: "99999999999999999999999" is not accepted here: write a whole number`}},
		"list for mapping":       {"- x\n", []string{`1:1: a list is not accepted here: write a mapping with the keys byName, colour, commit, count, items, name, on, values`}},
		"mapping for list":       {"name: x\nitems: {}\n", []string{`2:8: a mapping is not accepted here: write a list`}},
		"mapping for string":     {"name: {}\n", []string{`1:7: a mapping is not accepted here: write a string`}},
		"missing":                {"commit: abc\n", []string{`1:1: the key "name" is missing or empty`}},
		"null for required":      {"name:\n", []string{`1:1: the key "name" is missing or empty`}},
		"empty for required":     {"name: ''\n", []string{`1:1: the key "name" is missing or empty`}},
		"empty file":             {"# nothing\n", []string{`0:0: the file is empty`}},
		"second document":        {"name: x\n---\nname: y\n", []string{`2:1: a second document starts here: one file holds one document`}},
		"syntax":                 {"name: x\n  on: [\n", []string{`2:1: not YAML: mapping values are not allowed in this context`}},
		"nesting":                {deep, []string{`2:109: nested deeper than 100 levels`}},
		"alias bomb":             {bomb, []string{`3:6: anchors and aliases are not accepted here: write the value out`, `4:7: anchors and aliases are not accepted here: write the value out`, `4:10: anchors and aliases are not accepted here: write the value out`}},
		"several":                {"comit: 1\ncount: x\n", []string{`1:1: unknown key "comit"; did you mean "commit"?`, `2:8: "x" is not accepted here: write a whole number`, `1:1: the key "name" is missing or empty`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, got := decode(t, test.text)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	text := []byte("name: x\nitems:\n  - commit: a\n  - commit: b\n")
	for path, want := range map[string][2]int{"name": {1, 7}, "items/1/commit": {4, 13}, "items/7/commit": {3, 3}, "nothing": {1, 1}} {
		line, column := Locate(text, strings.Split(path, "/")...)
		if got := [2]int{line, column}; got != want {
			t.Errorf("Locate(%s) = %v, want %v", path, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("name: x\nvalues: {a: [1, 2024-04-01]}\n"))
	f.Add([]byte("name: &a x\nitems: [*a]\n"))
	schema := SchemaOf[sample]()
	f.Fuzz(func(_ *testing.T, data []byte) {
		var out sample
		schema.Decode(data, &out)
	})
}
