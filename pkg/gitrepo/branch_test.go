package gitrepo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// onto makes a repository in which nothing of the person's may move.
func onto(t *testing.T) (dir string, repo *Repo) {
	t.Helper()
	dir = newRepo(t, map[string]string{"c/edit": "1", "c/run": "1", "c/delete": "1", "c/keep": "1", "top": "1"})
	if err := os.Chmod(filepath.Join(dir, "c/run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "c/link")); err != nil {
		t.Fatal(err)
	}
	commitFiles(t, dir, "modes", nil)
	write(t, dir, map[string]string{"c/edit": "mine", "c/new": "mine", "top": "staged"})
	runGit(t, dir, "add", "top")
	return dir, openRepo(t, filepath.Join(dir, "c"))
}

var ontoChanges = []FileChange{
	{Path: "edit", Content: []byte("2")},
	{Path: "run", Content: []byte("2")},
	{Path: "delete", Remove: true},
	{Path: "new/dir [*]/x", Content: []byte("n")},
	{Path: "never-was", Remove: true},
}

func TestCommitOntoTouchesNothing(t *testing.T) {
	t.Parallel()
	for _, hooked := range []bool{false, true} {
		dir, repo := onto(t)
		if hooked { // sees the whole tree, and the changes as staged
			hook(t, filepath.Join(dir, ".git"), "pre-commit",
				`test -f top && test -f c/keep && test "$(cat c/edit)" = 2 && test "$(git diff --cached --name-only | wc -l)" = 4`)
		}
		before, branches := state(t, dir), runGit(t, dir, "for-each-ref")
		head := runGit(t, dir, "rev-parse", "HEAD")
		id, err := repo.CommitOnto(t.Context(), "main", ontoChanges, "m\n\nBug: T1", CommitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before+branches, state(t, dir)+runGit(t, dir, "for-each-ref")); diff != "" {
			t.Errorf("something moved:\n%s", diff)
		}
		commit := collect(t.Context(), t, repo, id, HistoryOptions{})[0]
		if commit.Parents[0] != head || commit.Author.Name != "Test Er" {
			t.Errorf("%+v", commit)
		}
		want := []string{"m: delete 1→- edit 1→2 new/dir [*]/x -→n run 1→2"}
		if diff := cmp.Diff(want, summary(t, repo, []*Commit{commit})); diff != "" {
			t.Error(diff)
		}
		if mode := runGit(t, dir, "ls-tree", id, "c/run"); !strings.HasPrefix(mode, "100755") {
			t.Errorf("the executable became %s", mode)
		}
		if list := runGit(t, dir, "worktree", "list"); strings.Contains(list, "\n") {
			t.Errorf("a worktree is left:\n%s", list)
		}
	}
}

func TestCommitOntoRefuses(t *testing.T) {
	t.Parallel()
	dir, repo := onto(t)
	same := []FileChange{{Path: "keep", Content: []byte("1")}}
	if _, err := repo.CommitOnto(t.Context(), "main", same, "m", CommitOptions{}); !errors.Is(err, ErrNothingToCommit) {
		t.Errorf("no difference: %v", err)
	}
	if _, err := repo.CommitOnto(t.Context(), "nope", ontoChanges, "m", CommitOptions{}); !errors.Is(err, ErrUnknownRevision) {
		t.Errorf("no such base: %v", err)
	}
	for _, path := range []string{"../top", "/etc/x", ".git/hooks/x", "link", "link/x"} {
		if _, err := repo.CommitOnto(t.Context(), "main", []FileChange{{Path: path, Content: []byte("x")}}, "m", CommitOptions{}); err == nil {
			t.Errorf("%q was written", path)
		}
	}
	hook(t, filepath.Join(dir, ".git"), "commit-msg", "echo no such message >&2; exit 1")
	before := runGit(t, dir, "for-each-ref")
	_, err := repo.CommitToBranch(t.Context(), "topic", "main", ontoChanges, "m", CommitOptions{})
	if err == nil || !strings.Contains(err.Error(), "no such message") {
		t.Errorf("a hook's no: %v", err)
	}
	if after := runGit(t, dir, "for-each-ref"); after != before {
		t.Errorf("refs moved:\n%s", after)
	}
	if list := runGit(t, dir, "worktree", "list"); strings.Contains(list, "\n") {
		t.Errorf("a worktree is left:\n%s", list)
	}
}

// Hooks kept in the repository (core.hooksPath=.hooks) run too.
func TestCommitOntoRunsHooksOfTheTree(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1"})
	write(t, dir, map[string]string{".hooks/pre-commit": "#!/bin/sh\necho from the tree >&2\nexit 1\n"})
	if err := os.Chmod(filepath.Join(dir, ".hooks/pre-commit"), 0o755); err != nil {
		t.Fatal(err)
	}
	commitFiles(t, dir, "hooks", nil)
	runGit(t, dir, "config", "core.hooksPath", ".hooks")
	_, err := openRepo(t, dir).CommitOnto(t.Context(), "HEAD", []FileChange{{Path: "a", Content: []byte("2")}}, "m", CommitOptions{})
	if err == nil || !strings.Contains(err.Error(), "from the tree") {
		t.Errorf("%v", err)
	}
}

func TestCommitToBranch(t *testing.T) {
	t.Parallel()
	dir, repo := onto(t)
	before := state(t, dir)
	id, err := repo.CommitToBranch(t.Context(), "bump/a-1", "main", ontoChanges, "m", CommitOptions{})
	if err != nil || runGit(t, dir, "rev-parse", "bump/a-1") != id {
		t.Fatalf("%q, %v", id, err)
	}
	if diff := cmp.Diff(before, state(t, dir)); diff != "" {
		t.Error(diff)
	}
	if _, err := repo.CommitToBranch(t.Context(), "bump/a-1", "main", ontoChanges, "again", CommitOptions{}); !errors.Is(err, ErrBranchExists) {
		t.Errorf("the branch is there: %v", err)
	}
	if at := runGit(t, dir, "rev-parse", "bump/a-1"); at != id {
		t.Errorf("the branch moved to %s", at)
	}
	if err := repo.CreateBranch(t.Context(), "bump/a-1", id); err != nil {
		t.Errorf("where it is already: %v", err)
	}
	for _, name := range []string{"", "-d", "a..b", "a b", "a.lock", "a~1", "@{", "a\nb"} {
		if _, err := repo.CommitToBranch(t.Context(), name, "main", ontoChanges, "m", CommitOptions{}); !errors.Is(err, ErrBadBranch) {
			t.Errorf("branch %q: %v", name, err)
		}
	}
}

func TestCommitOntoInABareRepository(t *testing.T) {
	t.Parallel()
	dir, _ := onto(t)
	bare := filepath.Join(t.TempDir(), "bare.git")
	runGit(t, dir, "clone", "-q", "--bare", dir, bare)
	repo := openRepo(t, bare)
	id, err := repo.CommitToBranch(t.Context(), "topic", "main", []FileChange{{Path: "top", Content: []byte("2")}}, "m", CommitOptions{})
	if err != nil || runGit(t, bare, "show", id+":top") != "2" {
		t.Errorf("%q, %v", id, err)
	}
	if _, err := repo.Commit(t.Context(), []string{"top"}, "m", CommitOptions{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a commit of the work tree that is not there: %v", err)
	}
}

// A tfgitops that was killed leaves a worktree and Git's record of it.
func TestCommitOntoSweepsAfterTheKilled(t *testing.T) {
	t.Parallel()
	dir, repo := onto(t)
	leftover := func(age time.Duration) string {
		tree, err := repo.addWorktree(t.Context(), runGit(t, dir, "rev-parse", "HEAD"), nil)
		if err != nil {
			t.Fatal(err)
		}
		record := filepath.Join(dir, ".git/worktrees", filepath.Base(tree.dir))
		if err := os.Chtimes(record, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(filepath.Dir(tree.dir)) })
		return tree.dir
	}
	inUse, old := leftover(time.Minute), leftover(2*staleAfter)
	if _, err := repo.CommitOnto(t.Context(), "main", ontoChanges, "m", CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	list := runGit(t, dir, "worktree", "list")
	if strings.Contains(list, old) || !strings.Contains(list, inUse) {
		t.Errorf("want only the old one gone:\n%s", list)
	}
	if _, err := os.Stat(filepath.Dir(old)); err == nil {
		t.Error("its directory is left")
	}
}
