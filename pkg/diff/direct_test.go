package diff

import (
	"io/fs"
	"maps"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// TestDirectEqualsBuild reads this repository's clusters both ways.
func TestDirectEqualsBuild(t *testing.T) {
	t.Parallel()
	fsys := os.DirFS("../..")
	clusters := control.ClusterFolders(fsys)
	if len(clusters) == 0 {
		t.Fatal("this repository has no clusters")
	}
	repo, _ := control.Load(t.Context(), fsys, control.Only{})
	for _, cluster := range clusters {
		t.Run(cluster, func(t *testing.T) {
			t.Parallel()
			want, err := built(t.Context(), fsys, repo, cluster)
			if err != nil {
				t.Fatal(err)
			}
			got, err := newReader().direct(t.Context(), fixedIDs{fsys}, fixedIDs{fsys}, repo, cluster)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(contents(want), contents(got)); diff != "" {
				t.Errorf("(-built +read directly):\n%s", diff)
			}
		})
	}
}

// fixedIDs is a file system in which everything has one id, so that it is the same as itself.
type fixedIDs struct{ fs.FS }

func (fixedIDs) ObjectID(name string) (string, bool) { return name, true }

func contents(s *snapshot) map[string]map[string]any {
	all := maps.Clone(s.byRef)
	if s.rest != nil {
		maps.Copy(all, s.rest())
	}
	found := map[string]map[string]any{}
	for r, it := range all {
		if r.kind != "CustomResourceDefinition" { // the cluster's patch of them is the same on both sides
			found[r.String()] = it.content
		}
	}
	return found
}

// TestNotDirect lists what has to be left to kustomize.
func TestNotDirect(t *testing.T) {
	t.Parallel()
	const (
		header    = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
		configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	)
	plain := map[string]string{"clusters/c/kustomization.yaml": header + "resources: [a.yaml]\n", "clusters/c/a.yaml": configMap}
	tests := map[string]struct {
		files  map[string]string
		direct bool
	}{
		"files":                    {nil, true},
		"a folder of files":        {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [b]\n", "clusters/c/b/kustomization.yaml": header + "resources: [../a.yaml]\n"}, true},
		"a label":                  {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [a.yaml]\nlabels: [{pairs: {a: b}}]\n"}, false},
		"a patch of another kind":  {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [a.yaml]\npatches: [{patch: x, target: {kind: Secret}}]\n"}, true},
		"a patch of this kind":     {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [a.yaml]\npatches: [{patch: x, target: {kind: ConfigMap}}]\n"}, false},
		"a patch of a pattern":     {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [a.yaml]\npatches: [{patch: x, target: {kind: Conf.*}}]\n"}, false},
		"a patch by name":          {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [a.yaml]\npatches: [{patch: x, target: {kind: Secret, name: b}}]\n"}, false},
		"a patch of a file":        {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [a.yaml]\npatches: [{path: p.yaml}]\n"}, false},
		"an object twice":          {map[string]string{"clusters/c/a.yaml": configMap + "---\n" + configMap}, false},
		"a list":                   {map[string]string{"clusters/c/a.yaml": "apiVersion: v1\nkind: List\nmetadata: {name: l}\nitems: []\n"}, false},
		"no name":                  {map[string]string{"clusters/c/a.yaml": "apiVersion: v1\nkind: ConfigMap\n"}, false},
		"no YAML":                  {map[string]string{"clusters/c/a.yaml": "a: [\n"}, false},
		"a key twice":              {map[string]string{"clusters/c/a.yaml": configMap + "data: {}\ndata: {}\n"}, false},
		"a URL":                    {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [https://example.org/a.yaml]\n"}, false},
		"out of the repo":          {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [../../../a.yaml]\n"}, false},
		"a folder that holds it":   {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [../c]\n"}, false},
		"no kustomization":         {map[string]string{"clusters/c/kustomization.yaml": ""}, false},
		"two kustomizations":       {map[string]string{"clusters/c/Kustomization": header}, false},
		"a file that is not there": {map[string]string{"clusters/c/kustomization.yaml": header + "resources: [b.yaml]\n"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{}
			for _, files := range []map[string]string{plain, test.files} {
				for file, content := range files {
					fsys[file] = &fstest.MapFile{Data: []byte(content)}
				}
			}
			_, err := newReader().direct(t.Context(), fsys, fsys, &control.Repo{}, "c")
			if (err == nil) != test.direct {
				t.Errorf("read directly: %v (%v)", err == nil, err)
			}
		})
	}
}
