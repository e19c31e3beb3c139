package validate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
)

// toolforge is the control repo at the project's root.
const toolforge = "../.."

// documents returns the objects of YAML files by kind, namespace and name, every number as it is written.
func documents(t *testing.T, content []byte) map[string]any {
	t.Helper()
	objects := map[string]any{}
	for _, document := range bytes.Split(content, []byte("\n---\n")) {
		converted, err := yaml.YAMLToJSON(document)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(bytes.NewReader(converted))
		decoder.UseNumber()
		var object map[string]any
		if err := decoder.Decode(&object); err != nil {
			t.Fatal(err)
		}
		if object != nil {
			objects[id(object)] = object
		}
	}
	return objects
}

func id(object map[string]any) string {
	metadata, _ := object["metadata"].(map[string]any)
	return fmt.Sprint(object["kind"], "/", metadata["namespace"], "/", metadata["name"])
}

func built(t *testing.T, fsys fs.FS, cluster string) map[string]any {
	t.Helper()
	result, err := overlay.Build(t.Context(), fsys, control.ClusterDir(cluster))
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]any{}
	for _, object := range result.Objects {
		objects[id(object.Content)] = object.Content
	}
	return objects
}

// rendered returns what render wrote for a cluster.
func rendered(t *testing.T, fsys fs.FS, cluster string) map[string]any {
	t.Helper()
	files, err := fs.Glob(fsys, control.RenderedDir(cluster)+"/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing rendered for %s: %v", cluster, err)
	}
	objects := map[string]any{}
	for _, file := range files {
		if path.Base(file) == "kustomization.yaml" {
			continue
		}
		content, err := fs.ReadFile(fsys, file)
		if err != nil {
			t.Fatal(err)
		}
		for id, object := range documents(t, content) {
			objects[id] = object
		}
	}
	return objects
}

// TestOverlayEqualsRendered holds that an overlay that adds nothing builds what render wrote, value for value: dates, nulls,
// numbers that look like octal or exponents, strings that look like numbers, text, empty maps, 64-bit integers.
func TestOverlayEqualsRendered(t *testing.T) {
	archive, err := txtar.ParseFile("../../testdata/golden/render/values.txtar")
	if err != nil {
		t.Fatal(err)
	}
	nasty := fstest.MapFS{"clusters/prod/kustomization.yaml": {Data: []byte("resources: [manifests]\n")}}
	for _, f := range archive.Files {
		// Flux fails on control characters in every form: validate says so.
		nasty[f.Name] = &fstest.MapFile{Data: bytes.ReplaceAll(f.Data, []byte(`control: "a\x01b\Nc\Ld"`), []byte(`control: "abcd"`))}
	}
	real := os.DirFS(toolforge)
	for _, test := range []struct {
		fsys    fs.FS
		cluster string
	}{{nasty, "prod"}, {real, "local"}, {real, "toolsbeta"}, {real, "tools"}} {
		t.Run(test.cluster, func(t *testing.T) {
			t.Parallel()
			want, got := rendered(t, test.fsys, test.cluster), built(t, test.fsys, test.cluster)
			for id := range got {
				if _, ours := want[id]; !ours {
					delete(got, id) // from a component of plain manifests
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("objects (-rendered +built):\n%s", diff)
			}
		})
	}
}

// TestKubectlBuildsTheSame compares with another program's kustomize.
func TestKubectlBuildsTheSame(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not on PATH: its kustomize is not compared with pkg/overlay")
	}
	for _, cluster := range []string{"local", "toolsbeta", "tools"} {
		t.Run(cluster, func(t *testing.T) {
			t.Parallel()
			var problems strings.Builder
			cmd := exec.CommandContext(t.Context(), kubectl, "kustomize", control.ClusterDir(cluster))
			cmd.Dir, cmd.Stderr = toolforge, &problems
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("kubectl kustomize: %v\n%s", err, &problems)
			}
			if diff := cmp.Diff(documents(t, out), built(t, os.DirFS(toolforge), cluster)); diff != "" {
				t.Errorf("objects (-kubectl +ours):\n%s", diff)
			}
		})
	}
}
