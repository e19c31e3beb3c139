package synthetic_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/bench/synthetic"
)

func TestWriteMakesAPinForEveryRelease(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "repo")
	size := synthetic.Size{Clusters: 3, Components: 12}
	if err := synthetic.Write(dir, size); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]int{
		"tfgitops.yaml":                 1,
		"components/*/component.yaml":   12,
		"components/*/values/*.yaml":    12,
		"clusters/*/cluster.yaml":       3,
		"clusters/*/kustomization.yaml": 3,
		"clusters/*/pins/*.yaml":        size.Releases(),
		"clusters/*/values/*.yaml":      7, // (cluster+component)%5 == 0
	} {
		found, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != want {
			t.Errorf("%s: got %d files, want %d", pattern, len(found), want)
		}
	}
}

func TestAllClustersAreInAStage(t *testing.T) {
	t.Parallel()
	for _, clusters := range []int{1, 2, 25} {
		dir := t.TempDir()
		if err := synthetic.Write(dir, synthetic.Size{Clusters: clusters, Components: 1}); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(dir, "tfgitops.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(content), "        - cluster-"); got != clusters {
			t.Errorf("of %d clusters, %d are in a stage", clusters, got)
		}
	}
}

func TestWriteTellsWhatFailed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := synthetic.Write(file, synthetic.Size{Clusters: 1, Components: 1}); err == nil {
		t.Error("writing below a file gave no error")
	}
}
