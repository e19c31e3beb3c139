package helmfile_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	sigsyaml "sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// What Toolforge's former control repo had in August 2026.
const (
	toolforgeReleases   = 30
	toolforgeClusters   = 3
	toolforgeComponents = 24
)

// toolforge opens the helmfile control repo that this project began with, or skips the test where it is not there.
func toolforge(t testing.TB) fs.FS {
	t.Helper()
	dir := os.Getenv("TOOLFORGE_DEPLOY")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "toolforge-deploy")
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("Toolforge's former control repo is not in %s: set TOOLFORGE_DEPLOY to where it is", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root.FS()
}

// toolforgeOptions are what no helmfile says. The value reaches a chart that has no use for it, and holds a secret.
func toolforgeOptions() helmfile.Options {
	return helmfile.Options{
		Stages:       []helmfile.Stage{{Name: "test", Clusters: []string{"toolsbeta"}, Followers: []string{"local"}}, {Name: "production", Clusters: []string{"tools"}}},
		KubeVersions: map[string]string{"": "1.32.4"},
		Drop:         map[string][]string{"infra-tracing-loki": {"infraTracingLoki"}},
		Strict:       true,
	}
}

func importToolforge(t testing.TB, target fs.FS) *helmfile.Result {
	t.Helper()
	result, err := helmfile.Import(t.Context(), toolforge(t), target, "toolforge", toolforgeOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range result.Report.Failed() {
		t.Errorf("%s: %s", item.Position, item.Text)
	}
	for _, c := range result.Report.Different() {
		t.Errorf("%s on %s: %s", c.Release, c.Cluster, strings.Join(c.Differences, "\n"))
	}
	return result
}

func TestToolforgeIsProved(t *testing.T) {
	t.Parallel()
	start := time.Now()
	result := importToolforge(t, fstest.MapFS{})
	if took := time.Since(start); took > 2*time.Second {
		t.Logf("the import took %s: 2 s is the aim on an idle machine", took)
	}
	if n := len(result.Report.Proof); n != toolforgeReleases*toolforgeClusters {
		t.Errorf("%d releases are proved, want %d", n, toolforgeReleases*toolforgeClusters)
	}
	if n := len(result.Report.Components); n != toolforgeComponents {
		t.Errorf("%d components are imported, want %d", n, toolforgeComponents)
	}
	if again := importToolforge(t, fstest.MapFS{}); cmp.Diff(texts(result.Changes), texts(again.Changes)) != "" {
		t.Error("a second import gives other bytes")
	}
	if again := importToolforge(t, written(result.Changes)); len(again.Changes) != 0 {
		t.Errorf("an import into its own result changes %v", again.Report.Files)
	}
}

// TestToolforgeGivesTheSameObjects compares what an import renders with what is checked in, object by object. People added
// to the latter what no helmfile says: which components wait for others, and what Flux never prunes.
func TestToolforgeGivesTheSameObjects(t *testing.T) {
	t.Parallel()
	imported := objects(t, written(importToolforge(t, fstest.MapFS{}).Changes))
	checkedIn := objects(t, os.DirFS(filepath.Join("..", "..")))
	if len(imported) != len(checkedIn) || len(imported) < toolforgeReleases*toolforgeClusters {
		t.Errorf("%d objects are rendered, and %d are checked in", len(imported), len(checkedIn))
	}
	for name, want := range checkedIn {
		if difference := cmp.Diff(withoutPeoples(want), imported[name]); difference != "" {
			t.Errorf("%s (-checked in +imported):\n%s", name, difference)
		}
	}
}

// TestToolforgeIntoTheCheckedIn holds that what people added stays, and that nothing else needs a change.
func TestToolforgeIntoTheCheckedIn(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, change := range importToolforge(t, root.FS()).Changes {
		t.Errorf("%s would be %s:\n%s", change.Path, change.Verb(), change.Diff())
	}
}

func TestToolforgeIsWhatHelmfileWrites(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("helmfile")
	if err != nil {
		t.Skip("helmfile (0.x) is not on PATH, so its own values are not compared")
	}
	result := importToolforge(t, fstest.MapFS{})
	if err := result.CompareWithHelmfile(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	for _, c := range result.Report.Different() {
		t.Errorf("%s on %s: %s", c.Release, c.Cluster, strings.Join(c.Differences, "\n"))
	}
	if n := len(result.Report.Helmfile); n != toolforgeReleases*toolforgeClusters {
		t.Errorf("%d releases are compared, want %d", n, toolforgeReleases*toolforgeClusters)
	}
}

func BenchmarkToolforge(b *testing.B) {
	source := toolforge(b)
	for b.Loop() {
		if _, err := helmfile.Import(b.Context(), source, fstest.MapFS{}, "toolforge", toolforgeOptions()); err != nil {
			b.Fatal(err)
		}
	}
}

// written is a control repo as the changes make it.
func written(changes []render.Change) fstest.MapFS {
	made := fstest.MapFS{}
	for name, text := range texts(changes) {
		made[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return made
}

func texts(changes []render.Change) map[string]string {
	made := map[string]string{}
	for _, change := range changes {
		made[change.Path] = string(change.New)
	}
	return made
}

// objects reads every rendered object, by cluster, kind and name.
func objects(t *testing.T, repo fs.FS) map[string]map[string]any {
	t.Helper()
	files, err := fs.Glob(repo, "clusters/*/manifests/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]any{}
	for _, file := range files {
		content, err := fs.ReadFile(repo, file)
		if err != nil {
			t.Fatal(err)
		}
		for text := range strings.SplitSeq(string(content), "\n---\n") {
			source, err := sigsyaml.YAMLToJSON([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			decoder := json.NewDecoder(strings.NewReader(string(source)))
			decoder.UseNumber()
			var object map[string]any
			if err := decoder.Decode(&object); err != nil {
				t.Fatal(err)
			}
			metadata, _ := object["metadata"].(map[string]any)
			name, _ := metadata["name"].(string)
			kind, _ := object["kind"].(string)
			found[path.Join(path.Dir(path.Dir(file)), kind, name)] = object
		}
	}
	return found
}

// withoutPeoples takes out of a HelmRelease what people decided.
func withoutPeoples(object map[string]any) map[string]any {
	if object["kind"] != "HelmRelease" {
		return object
	}
	object = maps.Clone(object)
	spec, _ := object["spec"].(map[string]any)
	metadata, _ := object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	spec, metadata, annotations = maps.Clone(spec), maps.Clone(metadata), maps.Clone(annotations)
	delete(spec, "dependsOn")
	delete(annotations, "kustomize.toolkit.fluxcd.io/prune")
	metadata["annotations"] = annotations
	object["spec"], object["metadata"] = spec, metadata
	return object
}
