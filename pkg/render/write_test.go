package render_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

const prodApp = "clusters/prod/manifests/app.yaml"

// workingTree writes a golden case to disk, without what is rendered.
func workingTree(t *testing.T) (string, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	archive, err := txtar.ParseFile(goldenDir + "/releases.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		if isRendered(f.Name) {
			continue
		}
		file := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return dir, root
}

func plan(t *testing.T, root *os.Root) []render.Change {
	t.Helper()
	changes, err := render.Plan(t.Context(), root.FS(), control.Only{})
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func verbs(changes []render.Change) []string {
	var all []string
	for _, change := range changes {
		all = append(all, change.Verb()+" "+change.Path)
	}
	return all
}

func TestWriteThenNothingChanges(t *testing.T) {
	_, root := workingTree(t)
	changes := plan(t, root)
	if len(changes) == 0 {
		t.Fatal("nothing to render")
	}
	if err := render.Write(t.Context(), root, changes); err != nil {
		t.Fatal(err)
	}
	if again := plan(t, root); len(again) > 0 {
		t.Errorf("rendered again: %v", verbs(again))
	}
}

func TestWriteTouchesOnlyWhatDiffers(t *testing.T) {
	dir, root := workingTree(t)
	if err := render.Write(t.Context(), root, plan(t, root)); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "clusters/prod/manifests/db.yaml")
	before, _ := os.Stat(other)
	if err := os.WriteFile(filepath.Join(dir, "clusters/prod/values/app.yaml"), []byte("replicas: 6\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, "clusters/prod/manifests/gone.yaml")
	mine := filepath.Join(dir, "clusters/prod/manifests/notes.yaml")
	for file, content := range map[string]string{stale: render.Header + "x: 1\n", mine: "# mine\n"} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	changes := plan(t, root)
	if diff := cmp.Diff([]string{"updated " + prodApp, "deleted clusters/prod/manifests/gone.yaml"}, verbs(changes)); diff != "" {
		t.Fatalf("changes (-want +got):\n%s", diff)
	}
	if err := render.Write(t.Context(), root, changes); err != nil {
		t.Fatal(err)
	}
	after, _ := os.Stat(other)
	if !os.SameFile(before, after) || before.ModTime() != after.ModTime() {
		t.Error("a file was written that does not differ")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error("a person's file is gone")
	}
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Error("a file that belongs to nothing is still there")
	}
}

func TestAPersonsFileInTheWayIsAnError(t *testing.T) {
	dir, root := workingTree(t)
	file := filepath.Join(dir, prodApp)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("mine: true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := render.Plan(t.Context(), root.FS(), control.Only{}); !errors.Is(err, render.ErrNotOurs) {
		t.Errorf("error %v, want ErrNotOurs", err)
	}
}

func TestAReadOnlyFileIsAnErrorOfOneLine(t *testing.T) {
	dir, root := workingTree(t)
	if err := render.Write(t.Context(), root, plan(t, root)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, prodApp), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "clusters/prod/values/app.yaml"), []byte("replicas: 6\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := render.Write(t.Context(), root, plan(t, root))
	if got := fmt.Sprint(err); got != "cannot write "+prodApp+": write app.yaml: permission denied" {
		t.Errorf("error %q", got)
	}
}

// TestAnInterruptedWriteLeavesEveryFileWhole cancels after each of the files in turn: every file is then old or new, and
// rendering again ends as if nothing had happened.
func TestAnInterruptedWriteLeavesEveryFileWhole(t *testing.T) {
	_, root := workingTree(t)
	changes := plan(t, root)
	for n := range changes {
		if err := render.Write(t.Context(), root, changes[:n]); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := render.Write(ctx, root, changes[n:]); !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want context.Canceled", err)
		}
		for i, change := range changes {
			content, err := root.ReadFile(change.Path)
			if i < n && (err != nil || string(content) != string(change.New)) {
				t.Fatalf("%s is not whole: %v", change.Path, err)
			}
			if i >= n && !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("%s was written after the interruption", change.Path)
			}
		}
		if err := render.Write(t.Context(), root, plan(t, root)); err != nil {
			t.Fatal(err)
		}
		if left := plan(t, root); len(left) > 0 {
			t.Fatalf("rendering again left %v", verbs(left))
		}
		for _, change := range changes {
			if err := root.Remove(change.Path); err != nil {
				t.Fatal(err)
			}
		}
	}
}
