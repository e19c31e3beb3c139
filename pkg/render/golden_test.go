package render_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

var update = flag.Bool("update", false, "write what render gives into the golden files")

const goldenDir = "../../testdata/golden/render"

// TestGolden renders each case's control repo and compares every file below clusters/*/manifests, no more and no fewer.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(goldenDir + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, want := fstest.MapFS{}, map[string]string{}
			for _, f := range archive.Files {
				if isRendered(f.Name) {
					want[f.Name] = string(f.Data)
				} else {
					in[f.Name] = &fstest.MapFile{Data: f.Data}
				}
			}
			got := renderAll(t, in)
			if *update {
				writeGolden(t, file, archive, got)
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rendered files (-want +got):\n%s", diff)
			}
		})
	}
}

func isRendered(name string) bool {
	return strings.HasPrefix(name, "clusters/") && strings.Contains(name, "/manifests/")
}

func renderAll(t *testing.T, in fstest.MapFS) map[string]string {
	t.Helper()
	changes, err := render.Plan(t.Context(), in, control.Only{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, change := range changes {
		got[change.Path] = string(change.New)
	}
	return got
}

func writeGolden(t *testing.T, file string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return isRendered(f.Name) })
	for _, name := range slices.Sorted(maps.Keys(got)) {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got[name])})
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
