package stagedfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
)

func TestStaged(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, content := range map[string]string{
		"kept": "kept", "changed": "old", "gone": "old", "a/b/gone": "old", "c/kept": "kept", "c/gone": "old", "untouched/file": "kept",
	} {
		write(t, filepath.Join(root, name), content)
	}
	staged := stagedfs.New(os.DirFS(root), map[string][]byte{
		"changed": []byte("new"), "gone": nil, "a/b/gone": nil, "c/gone": nil, "d/e/new": []byte("new"), "c/empty": {}, "never": nil,
	})
	want := map[string]string{
		"kept": "kept", "changed": "new", "c/kept": "kept", "c/empty": "", "untouched/file": "kept", "d/e/new": "new",
	}
	if diff := cmp.Diff(want, tree(t, staged)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"gone", "a", "a/b", "a/b/gone", "never"} {
		if _, err := fs.Stat(staged, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want that it does not exist", name, err)
		}
	}
	if err := fstest.TestFS(staged, "kept", "changed", "c/kept", "c/empty", "untouched/file", "d/e/new"); err != nil {
		t.Error(err)
	}
}

func tree(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
