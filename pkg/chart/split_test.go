package chart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// sorted are documents as Helm sorts them.
type sorted struct {
	Source, Text string
	Hook         bool
}

// FuzzSplit compares the order of documents, and what is refused, with Helm's own sorting of the whole text.
func FuzzSplit(f *testing.F) {
	const tail = "data: {k: v}\n"
	head := func(annotations string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations: {" + annotations + "}\n" + tail
	}
	for _, c := range equalityCases {
		for _, text := range c.chart {
			f.Add(text, deployment("x"))
		}
	}
	for _, annotations := range []string{
		"a: on", "a: y", "a: No", "on: a", "a: 'on'", "a: 2024-04-01", "a: 1:30", "a: 0o17", "a: 1_000", "a: ~", "helm.sh/hook: test", "helm.sh/hook: 'pre-upgrade, test'",
		"helm.sh/hook: odd", "helm.sh/hook: test, helm.sh/hook-weight: '5'", "helm.sh/hook: test, helm.sh/hook-weight: 5", "a: =", "a: <<", "a: 0x1F", "a: \"\\u2028\"",
	} {
		f.Add(head(annotations), hook("x", "pre-upgrade", "1"))
	}
	f.Add("apiVersion: v1\nKind: Namespace\nkind: ConfigMap\nmetadata: {name: a}\n", "")
	f.Add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, Annotations: {helm.sh/hook: test}}\n", "")
	f.Add("apiVersion: v1\nkind: yes\nmetadata: {name: no}\n", "---\n---\n\n--- \n"+tail)
	for _, kind := range []string{"yes", "1e3", "1:30", "0x1F", "~", "'yes'"} { // among kinds that stand before and after it
		f.Add("apiVersion: v1\nkind: "+kind+"\nmetadata: {name: a}\n", "apiVersion: v1\nkind: u\nmetadata: {name: a}\n---\napiVersion: v1\nkind: '5'\nmetadata: {name: a}\n")
	}
	f.Add("---apiVersion: v1\nkind: B\nmetadata: {name: a}\n ---\n", "# nothing\n")
	f.Fuzz(func(t *testing.T, first, second string) {
		files := map[string]string{"demo/templates/a.yaml": first, "demo/templates/b.yaml": second, "demo/templates/_c.yaml": first}
		var want []sorted
		hooks, manifests, theirs := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
		for _, m := range manifests {
			want = append(want, sorted{m.Name, m.Content, false})
		}
		for _, h := range hooks {
			want = append(want, sorted{h.Path, h.Manifest, true})
		}
		read := &documentsRead{}
		documents, ours := split(files, read)
		if again, _ := split(files, read); !cmp.Equal(documents, again, cmp.AllowUnexported(document{})) {
			t.Fatalf("once more, split says:\n%s", cmp.Diff(documents, again, cmp.AllowUnexported(document{})))
		}
		if (ours == nil) != (theirs == nil) {
			t.Fatalf("Helm says %v, split says %v", theirs, ours)
		}
		if theirs != nil {
			return
		}
		var got []sorted
		for _, d := range documents {
			got = append(got, sorted{d.source, d.text, d.hook})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-helm +ours):\n%s", diff)
		}
	})
}
