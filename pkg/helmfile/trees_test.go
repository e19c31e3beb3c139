package helmfile_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
)

var update = flag.Bool("update", false, "write what the imports of testdata/trees come to, instead of comparing it")

// treeOptions are those of the trees that need some.
var treeOptions = map[string]helmfile.Options{
	"repositories": {Stages: []helmfile.Stage{{Name: "test", Clusters: []string{"test"}, Followers: []string{"dev"}}, {Name: "production", Clusters: []string{"prod"}}}},
	"v1":           {V1: true, Env: map[string]string{"HOME": "given"}, StateValues: map[string]any{"domain": "override.example.org"}},
	"accepted":     {Accept: []string{"releases[].strategicMergePatches"}, Suspend: true, Environments: map[string]string{"prod": "live"}},
}

// TestTrees imports the trees of testdata/trees. Each file has what is imported below in/, and then what comes of it: the
// files that people keep, and the report's lines. What is rendered of them is proved, as always.
func TestTrees(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/trees/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no trees: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := txtar.Format(imported(t, archive, treeOptions[name]))
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if difference := cmp.Diff(string(txtar.Format(archive)), string(got)); difference != "" {
				t.Errorf("(-want +got)\n%s", difference)
			}
		})
	}
}

// imported returns the archive with what its import comes to.
func imported(t *testing.T, archive *txtar.Archive, options helmfile.Options) *txtar.Archive {
	t.Helper()
	result, err := helmfile.Import(t.Context(), tree(archive), fstest.MapFS{}, "example", options)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range result.Report.Different() {
		t.Errorf("%s on %s: %s", c.Release, c.Cluster, strings.Join(c.Differences, "\n"))
	}
	if again, err := helmfile.Import(t.Context(), tree(archive), written(result.Changes), "example", options); err != nil {
		t.Errorf("a second import: %v", err)
	} else if len(again.Changes) != 0 {
		t.Errorf("a second import changes %v", again.Report.Files)
	}
	made := &txtar.Archive{Comment: archive.Comment}
	for _, file := range archive.Files {
		if strings.HasPrefix(file.Name, "in/") {
			made.Files = append(made.Files, file)
		}
	}
	for _, change := range result.Changes {
		if bytes.Contains(change.New, []byte("TfgitopsSecret")) {
			t.Errorf("%s has a placeholder in it", change.Path)
		}
		if isPeoples(change.Path) {
			made.Files = append(made.Files, txtar.File{Name: "out/" + change.Path, Data: change.New})
		}
	}
	return &txtar.Archive{Comment: made.Comment, Files: append(made.Files, txtar.File{Name: "report", Data: reportLines(result.Report)})}
}

func tree(archive *txtar.Archive) fstest.MapFS {
	made := fstest.MapFS{}
	for _, file := range archive.Files {
		if name, in := strings.CutPrefix(file.Name, "in/"); in {
			made[name] = &fstest.MapFile{Data: file.Data}
		}
	}
	return made
}

// isPeoples reports whether a file is one that people keep, and that differs from tree to tree.
func isPeoples(name string) bool {
	return !strings.HasPrefix(name, "schemas/") && name != ".gitattributes" && !strings.HasPrefix(name, "clusters/") ||
		strings.HasPrefix(name, "clusters/") && !strings.Contains(name, "/manifests/") && !strings.HasSuffix(name, "kustomization.yaml")
}

// reportLines are the report's items but for what is the same in every tree.
func reportLines(report helmfile.Report) []byte {
	var out bytes.Buffer
	for _, item := range report.Items {
		switch item.Construct {
		case "protect", "dependsOn", "cluster", "stages", "source":
			continue
		}
		fmt.Fprintf(&out, "%s: %s %s: %s\n", item.Position, item.Status, item.Construct, item.Text)
	}
	for _, key := range report.Secrets {
		fmt.Fprintf(&out, "%s: Secret %s, key %s, for %q: %q\n", key.Cluster, key.Secret, key.Key, key.TargetPath, key.Content)
	}
	return out.Bytes()
}

// comparable are the trees that helmfile itself can read as a whole: the others have something on purpose that it refuses,
// or charts in places that only a registry has.
var comparable = []string{"bases", "needs", "repositories", "set", "switched-off", "templates"}

// TestTreesAreWhatHelmfileWrites compares the trees with the helmfile program, where it is on PATH.
func TestTreesAreWhatHelmfileWrites(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("helmfile")
	if err != nil {
		t.Skip("helmfile (0.x) is not on PATH, so its own values are not compared")
	}
	for _, name := range comparable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile("testdata/trees/" + name + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			result, err := helmfile.Import(t.Context(), tree(archive), fstest.MapFS{}, "example", treeOptions[name])
			if err != nil {
				t.Fatal(err)
			}
			if err := result.CompareWithHelmfile(t.Context(), program); err != nil {
				t.Fatal(err)
			}
			for _, c := range result.Report.Different() {
				t.Errorf("%s on %s: %s", c.Release, c.Cluster, strings.Join(c.Differences, "\n"))
			}
			if len(result.Report.Helmfile) == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}
