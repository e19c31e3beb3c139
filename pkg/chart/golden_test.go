package chart

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// goldenCharts are those of the cases that pkg/diff is tested with, packaged, by "FILE NAME/VERSION".
func goldenCharts(t *testing.T) map[string][]byte {
	t.Helper()
	charts := map[string]registrytest.Chart{}
	golden := os.DirFS("../../testdata/golden/diff")
	err := fs.WalkDir(golden, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(golden, file)
		for _, f := range txtar.Parse(content).Files {
			parts := strings.SplitN(f.Name, "/", 4)
			if parts[0] != "charts" {
				continue
			}
			id := file + " " + parts[1] + "/" + parts[2]
			if charts[id].Files == nil {
				charts[id] = registrytest.Chart{Name: parts[1], Version: parts[2], Files: map[string]string{}}
			}
			charts[id].Files[parts[3]] = string(f.Data)
		}
		return err
	})
	archives := map[string][]byte{}
	for id, chart := range charts {
		if err == nil {
			archives[id], err = chart.Archive()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return archives
}

// TestManifestOfEveryChartIsHelms expands every chart that is there to test with, as Helm does.
func TestManifestOfEveryChartIsHelms(t *testing.T) {
	rendered := 0
	for id, archive := range goldenCharts(t) {
		t.Run(id, func(t *testing.T) {
			parsed, err := Load(archive, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			in := Input{Release: helmRelease(t, ""), Chart: parsed, Capabilities: capabilities, Upgrade: true, Revision: 1}
			want, theirs := runHelm(t, in, archive, nil, nil)
			got, ours := Expand(t.Context(), in)
			if (theirs == nil) != (ours == nil) {
				t.Fatalf("Helm says %v, expanding %v", theirs, ours)
			}
			if theirs != nil {
				return
			}
			rendered++
			if diff := cmp.Diff(want.Manifest, got.Manifest); diff != "" {
				t.Errorf("(-helm +ours):\n%s", diff)
			}
		})
	}
	if rendered < 40 {
		t.Errorf("only %d charts were rendered", rendered)
	}
}
