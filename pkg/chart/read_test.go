package chart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzRead compares what is read without kustomize with what kustomize reads.
func FuzzRead(f *testing.F) {
	for _, c := range equalityCases {
		for _, text := range c.chart {
			f.Add(text)
		}
	}
	const head = "apiVersion: v1\nkind: X\nmetadata: {name: x}\n"
	f.Add(head + "spec: {a: , b: [ , ]}")
	f.Add(head + "a:\n- \n- - \n  -\nb: |2\n   x\n")
	f.Add(head + "a: !!str 1\nb: !!binary aGk=\nc: !custom x\n")
	f.Add(head + "a: 0o17\nb: 0b1\nc: .inf\nd: -.5e3\ne: 18446744073709551615\nf: 1e400\ng: 9223372036854775808.0\nh: -0\ni: -0.0\nj: 1e20\n")
	f.Add(head + "a: \"\\u2028\"\nb: \"\\0\"\n? - x\n: y\n")
	f.Add(head + "...\n" + head)
	f.Add("apiVersion: v1\nkind: X\nmetadata: {name: 1, namespace: ~, labels: {a: 1}, annotations: {b: true}}\n")
	f.Add("apiVersion: v1\nkind: XList\nmetadata: {name: x}\nitems: []\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, got, ok := readPlain(text)
		if !ok {
			return
		}
		want, err := readByKustomize(text)
		if err != nil {
			t.Fatalf("%q is read, kustomize says: %v", text, err)
		}
		if diff := cmp.Diff(want, []map[string]any{got}); diff != "" {
			t.Fatalf("%q differs (-kustomize +ours):\n%s", text, diff)
		}
	})
}

// The reading without kustomize is worth nothing when nothing is plain.
func TestMostDocumentsArePlain(t *testing.T) {
	for _, text := range []string{configMap("a: b"), hook("x", "test", "1"), "# comment\n" + configMap("a: |", "  b", "c: ~", "d:")} {
		if _, _, ok := readPlain(text); !ok {
			t.Errorf("not plain: %s", text)
		}
	}
}
