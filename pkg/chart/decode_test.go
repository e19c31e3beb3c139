package chart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// FuzzDecode compares the decoding without text with kustomize's through text.
func FuzzDecode(f *testing.F) {
	for _, c := range equalityCases {
		for _, text := range c.chart {
			f.Add(text)
		}
	}
	f.Add("{a: , b: [ , ]}")
	f.Add("a:\n- \n- - \n  -\nb: |2\n   x\n")
	f.Add("a: !!str 1\nb: !!binary aGk=\nc: !custom x\n")
	f.Add("a: 0o17\nb: 0b1\nc: .inf\nd: -.5e3\ne: 18446744073709551615\nf: 1e400\ng: 9223372036854775808.0\nh: -0\ni: -0.0\nj: 1e20\n")
	f.Add("a: \"\\u2028\"\nb: \"\\0\"\n? - x\n: y\n")
	f.Fuzz(func(t *testing.T, text string) {
		node, err := kyaml.Parse(text)
		if err != nil || node.YNode() == nil || node.YNode().Kind != kyaml.MappingNode || !ordinary(node.YNode()) {
			return
		}
		want, wantErr := decodeText(node)
		got, gotErr := decodeNode(node.YNode())
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%q: error %v, kustomize has %v", text, gotErr, wantErr)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); wantErr == nil && diff != "" {
			t.Fatalf("%q differs (-kustomize +ours):\n%s", text, diff)
		}
	})
}
