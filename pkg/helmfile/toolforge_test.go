package helmfile_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
)

// toolforge opens the helmfile control repo that this project began with, or skips the test where it is not there.
func toolforge(t testing.TB) *os.Root {
	t.Helper()
	dir := os.Getenv("TOOLFORGE_DEPLOY")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "toolforge-deploy")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Skipf("Toolforge's former control repo is not in %s: set TOOLFORGE_DEPLOY to where it is", dir)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func TestQuick(t *testing.T) {
	start := time.Now()
	result, err := helmfile.Import(t.Context(), toolforge(t).FS(), fstest.MapFS{}, "toolforge", helmfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(start))
	for _, i := range result.Report.Items {
		if i.Status == helmfile.Failed || i.Status == helmfile.Todo {
			t.Log(i.Status, i.Position, i.Construct, i.Text, "|", i.Help)
		}
	}
	n := map[helmfile.Status]int{}
	for _, i := range result.Report.Items {
		n[i.Status]++
	}
	t.Log(n, len(result.Report.Proof), len(result.Report.Different()), len(result.Changes), result.Report.Components)
	for _, c := range result.Report.Different() {
		t.Log(c)
	}
	if p := os.Getenv("HELMFILE"); p != "" { c, err := result.CompareWithHelmfile(t.Context(), p); if err != nil { t.Fatal(err) }; for _, o := range c { for _, d := range o.Differences { t.Log(o.Release, o.Cluster, d) } }; t.Log("compared with helmfile", len(c)) }
	os.RemoveAll("/tmp/imp")
	for _, c := range result.Changes {
		f := filepath.Join("/tmp/imp", c.Path)
		os.MkdirAll(filepath.Dir(f), 0o755)
		os.WriteFile(f, c.New, 0o644)
	}
}
