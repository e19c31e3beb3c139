package gitrepo

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestAncestry(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, nil)
	first := runGit(t, dir, "rev-parse", "HEAD")
	second := commitFiles(t, dir, "two", nil)
	runGit(t, dir, "checkout", "-q", "-b", "side", first)
	side := commitFiles(t, dir, "side", nil)
	runGit(t, dir, "checkout", "-q", "--orphan", "island")
	island := commitFiles(t, dir, "island", nil)
	missing := strings.Repeat("ab", 20)
	repo := openRepo(t, dir)

	tests := []struct {
		name, old, new string
		want           Relation
	}{
		{"parent", first, second, Yes},
		{"itself", second, second, Yes},
		{"abbreviated", first[:8], "main", Yes},
		{"backwards", second, first, No},
		{"cousins", side, second, No},
		{"no common history", island, second, No},
		{"old is missing", missing, second, Unknown},
		{"new is missing", first, missing, Unknown},
	}
	for _, test := range tests {
		if got, err := repo.IsAncestor(t.Context(), test.old, test.new); err != nil || got != test.want {
			t.Errorf("%s: %v, %v, want %v", test.name, got, err, test.want)
		}
	}
	if got, err := repo.Contains(t.Context(), "main", side); err != nil || got != No {
		t.Errorf("main contains side: %v, %v", got, err)
	}
	if base, err := repo.MergeBase(t.Context(), "main", "side"); err != nil || base != first {
		t.Errorf("merge base %q, %v, want %q", base, err, first)
	}
	if _, err := repo.MergeBase(t.Context(), "main", "island"); !errors.Is(err, ErrNoMergeBase) {
		t.Errorf("no merge base: %v", err)
	}
	if repo.Shallow() {
		t.Error("a full repository is shallow")
	}
}

func TestShallowIsUnknown(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "0"})
	first := runGit(t, dir, "rev-parse", "HEAD")
	second := commitFiles(t, dir, "two", map[string]string{"a": "1"})
	runGit(t, dir, "branch", "old", first)
	third := commitFiles(t, dir, "three", map[string]string{"a": "2"})
	shallow := filepath.Join(t.TempDir(), "shallow")
	runGit(t, dir, "clone", "-q", "--depth=2", "--no-single-branch", "file://"+dir, shallow)
	repo := openRepo(t, shallow)
	if !repo.Shallow() {
		t.Fatal("not shallow")
	}
	// The clone has three commits: main's two, and the branch old, cut off from them.
	for _, test := range []struct {
		old, new string
		want     Relation
	}{{second, third, Yes}, {third, second, No}, {first, third, Unknown}, {strings.Repeat("ab", 20), third, Unknown}} {
		if got, err := repo.IsAncestor(t.Context(), test.old, test.new); err != nil || got != test.want {
			t.Errorf("%s..%s: %v, %v, want %v", test.old[:7], test.new[:7], got, err, test.want)
		}
	}
	if _, err := repo.MergeBase(t.Context(), "origin/old", "main"); !errors.Is(err, ErrShallow) {
		t.Errorf("merge base: %v", err)
	}
	commits := collect(t.Context(), t, repo, "HEAD", HistoryOptions{})
	if len(commits) != 2 || commits[0].CutOff || !commits[1].CutOff {
		t.Errorf("want two commits, the second cut off: %+v", commits)
	}
	runGit(t, shallow, "fetch", "-q", "--unshallow")
	if got, err := repo.IsAncestor(t.Context(), first, third); repo.Shallow() || err != nil || got != Yes {
		t.Errorf("after unshallowing: %v, %v", got, err)
	}
}
