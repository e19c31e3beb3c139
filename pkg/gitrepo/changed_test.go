package gitrepo

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// All files of the repository, also those beside the directory that was opened.
func TestChangedFiles(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"c/a": "1", "c/gone": "x", "other": "x", "same": "x"})
	commitFiles(t, dir, "edit", map[string]string{"c/a": "2", "c/new ü\n": "x", "other": "y"})
	runGit(t, dir, "rm", "-q", "c/gone")
	commitFiles(t, dir, "remove", nil)
	got, err := openRepo(t, filepath.Join(dir, "c")).ChangedFiles(t.Context(), "HEAD~2", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"c/a", "c/gone", "c/new ü\n", "other"}, got); diff != "" {
		t.Error(diff)
	}
}
