package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// state is everything of a work tree that a commit must leave alone: what is
// staged and modified, by content.
func state(t *testing.T, dir string) string {
	t.Helper()
	return runGit(t, dir, "-c", "color.ui=never", "status", "--porcelain=v2", "--untracked-files=all", "--no-renames") +
		"\n" + runGit(t, dir, "-c", "color.ui=never", "diff", "--cached", "--no-relative") +
		"\n" + runGit(t, dir, "-c", "color.ui=never", "diff", "--no-relative")
}

func TestCommitTakesExactlyThesePaths(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{
		"c/edit": "1", "c/delete": "1", "c/removed": "1", "c/same": "1", "c/partly": "1\n2\n3\n",
		"c/other": "1", "c/otherstaged": "1", "c/-dash [x]* ü\t\"": "1", "out": "1",
	})
	if err := os.Remove(filepath.Join(dir, "c/delete")); err != nil {
		t.Fatal(err)
	}
	runGit(t, dir, "rm", "-q", "c/removed")
	write(t, dir, map[string]string{"c/otherstaged": "staged", "c/newstaged": "new"})
	runGit(t, dir, "add", "c/otherstaged", "c/newstaged")
	write(t, dir, map[string]string{
		"c/edit": "2", "c/new": "n", "c/deep/er/new": "n", "c/other": "2", "out": "2", "c/untracked": "u",
		"c/otherstaged": "and modified", "c/newstaged": "and modified", "c/-dash [x]* ü\t\"": "2",
	})
	repo := openRepo(t, filepath.Join(dir, "c"))
	paths := []string{"edit", "delete", "removed", "same", "new", "deep/er/new", "-dash [x]* ü\t\"", "never-was"}
	id, err := repo.Commit(t.Context(), paths, "c: bump\n\n# kept\n\nBug: T1\n", CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"-dash [x]* ü\t\" M", "deep/er/new A", "delete D", "edit M", "new A", "removed D",
	}
	commits := collect(t.Context(), t, repo, "HEAD", HistoryOptions{Limit: 1})
	if commits[0].ID != id || commits[0].Body != "# kept\n\nBug: T1" {
		t.Errorf("%+v", commits[0])
	}
	var got []string
	for _, change := range commits[0].Changes {
		kind := " M"
		if change.Before.ID == "" {
			kind = " A"
		} else if change.After.ID == "" {
			kind = " D"
		}
		got = append(got, change.Path+kind)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	dirty, err := openRepo(t, dir).Dirty(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantDirty := []DirtyPath{
		{Path: "c/newstaged", Staged: true, Modified: true},
		{Path: "c/other", Modified: true},
		{Path: "c/otherstaged", Staged: true, Modified: true},
		{Path: "c/untracked", Untracked: true},
		{Path: "out", Modified: true},
	}
	if diff := cmp.Diff(wantDirty, dirty); diff != "" {
		t.Error(diff)
	}
	if staged := runGit(t, dir, "show", ":c/otherstaged"); staged != "staged" {
		t.Errorf("the index holds %q", staged)
	}
	if _, err := repo.Commit(t.Context(), paths, "again", CommitOptions{}); !errors.Is(err, ErrNothingToCommit) {
		t.Errorf("again: %v", err)
	}
}

func TestCommitRefusesPaths(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"d/x": "1", ".gitignore": "*.log\n"})
	write(t, dir, map[string]string{"a.log": "1"})
	repo := openRepo(t, dir)
	for _, path := range []string{"", ".", "..", "../x", "/etc/passwd", "a//b", "d", "a/../b", ".git/config", "x/.GIT/y", "a\x00b", "a.log"} {
		if _, err := repo.Commit(t.Context(), []string{path}, "m", CommitOptions{}); !errors.Is(err, ErrBadPath) {
			t.Errorf("%q: %v, want ErrBadPath", path, err)
		}
	}
	if _, err := repo.Commit(t.Context(), nil, "m", CommitOptions{}); !errors.Is(err, ErrNothingToCommit) {
		t.Errorf("no paths: %v", err)
	}
	write(t, dir, map[string]string{"d/x": "2"})
	if _, err := repo.Commit(t.Context(), []string{"d/x"}, " \n", CommitOptions{}); err == nil {
		t.Error("an empty message")
	}
}

func TestCommitHooks(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1", "b": "1"})
	write(t, dir, map[string]string{"a": "2", "new": "1", "b": "2"})
	runGit(t, dir, "add", "b")
	hook(t, filepath.Join(dir, ".git"), "pre-commit", "git diff --cached --name-only -- 'n*' ; echo 'märz: no https://u:s3cret@h/x' >&2; exit 1")
	before := state(t, dir)
	repo := openRepo(t, dir)
	_, err := repo.Commit(t.Context(), []string{"a", "new"}, "m", CommitOptions{})
	if err == nil || !strings.Contains(err.Error(), "märz: no") || !strings.Contains(err.Error(), "new") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("want the hook's output, without the secret: %v", err)
	}
	if diff := cmp.Diff(before, state(t, dir)); diff != "" {
		t.Errorf("the failed commit changed something:\n%s", diff)
	}
	hook(t, filepath.Join(dir, ".git"), "pre-commit", "exit 0")
	hook(t, filepath.Join(dir, ".git"), "commit-msg", `echo "Change-Id: I1234" >> "$1"`)
	if _, err := repo.Commit(t.Context(), []string{"a", "new"}, "m\n\nBug: T1", CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := collect(t.Context(), t, repo, "HEAD", HistoryOptions{Limit: 1})[0]; len(got.Trailers) != 2 || len(got.Changes) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestCommitSignoff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		asked      bool
		configured string
		want       int
	}{{"neither", false, "", 0}, {"asked for", true, "", 1}, {"configured", false, "yes", 1}, {"both", true, "true", 1}, {"configured off", false, "off", 0}} {
		dir := newRepo(t, map[string]string{"a": "1"})
		if test.configured != "" {
			runGit(t, dir, "config", "format.signOff", test.configured)
		}
		write(t, dir, map[string]string{"a": "2"})
		repo := openRepo(t, dir)
		if _, err := repo.Commit(t.Context(), []string{"a"}, "m\n\nBug: T1\n", CommitOptions{Signoff: test.asked}); err != nil {
			t.Fatal(err)
		}
		commit := collect(t.Context(), t, repo, "HEAD", HistoryOptions{Limit: 1})[0]
		if got := commit.Trailer("Signed-off-by"); len(got) != test.want || len(commit.Trailer("Bug")) != 1 {
			t.Errorf("%s: %+v", test.name, commit.Trailers)
		}
	}
}

// Signing is git's and the person's: a signing program that is configured runs,
// and when it fails nothing is committed.
func TestCommitSigns(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1"})
	signer := filepath.Join(t.TempDir(), "signer")
	script := "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho '-----BEGIN PGP SIGNATURE-----'\necho fake\necho '-----END PGP SIGNATURE-----'\n"
	if err := os.WriteFile(signer, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	runGit(t, dir, "config", "commit.gpgSign", "true")
	runGit(t, dir, "config", "gpg.program", signer)
	write(t, dir, map[string]string{"a": "2"})
	repo := openRepo(t, dir)
	id, err := repo.Commit(t.Context(), []string{"a"}, "m", CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	onto, err := repo.CommitOnto(t.Context(), "HEAD", []FileChange{{Path: "b", Content: []byte("1")}}, "m", CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, commit := range []string{id, onto} {
		if out := runGit(t, dir, "cat-file", "commit", commit); !strings.Contains(out, "gpgsig") {
			t.Errorf("not signed:\n%s", out)
		}
	}
	runGit(t, dir, "config", "gpg.program", "false")
	write(t, dir, map[string]string{"a": "3", "n": "1"})
	before := state(t, dir)
	if _, err := repo.Commit(t.Context(), []string{"a", "n"}, "m", CommitOptions{}); err == nil {
		t.Error("committed without a signature")
	}
	if diff := cmp.Diff(before, state(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// A git that is killed outright leaves its lock. The error names it and says
// what to do; afterwards the same commit succeeds.
func TestCommitKilled(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1", "b": "1"})
	write(t, dir, map[string]string{"a": "2", "new": "1", "b": "2"})
	runGit(t, dir, "add", "b")
	gitDir := filepath.Join(dir, ".git")
	hook(t, gitDir, "pre-commit", "kill -9 $PPID; sleep 0.2")
	repo := openRepo(t, dir)
	if _, err := repo.Commit(t.Context(), []string{"a", "new"}, "m", CommitOptions{}); err == nil {
		t.Fatal("git was not killed")
	}
	lock := filepath.Join(gitDir, "index.lock")
	if _, err := os.Stat(lock); err != nil {
		t.Fatalf("git left no lock: %v", err)
	}
	hook(t, gitDir, "pre-commit", "exit 0")
	_, err := repo.Commit(t.Context(), []string{"a", "new"}, "m", CommitOptions{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), lock) || !strings.Contains(err.Error(), "remove that file") {
		t.Fatalf("want ErrLocked with the next step: %v", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Commit(t.Context(), []string{"a", "new"}, "m", CommitOptions{}); err != nil {
		t.Fatal(err)
	}
	dirty, err := repo.Dirty(t.Context(), nil)
	if diff := cmp.Diff([]DirtyPath{{Path: "b", Staged: true}}, dirty); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// Ctrl-C and time-outs reach git as a request to stop: it removes its lock.
func TestCommitCancelled(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1"})
	write(t, dir, map[string]string{"a": "2", "new": "1"})
	started := filepath.Join(t.TempDir(), "started")
	hook(t, filepath.Join(dir, ".git"), "pre-commit", "touch '"+started+"'; exec sleep 3")
	before := state(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for _, err := os.Stat(started); err != nil; _, err = os.Stat(started) {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	repo := openRepo(t, dir)
	if _, err := repo.Commit(ctx, []string{"a", "new"}, "m", CommitOptions{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(before, state(t, dir)); diff != "" {
		t.Errorf("the cancelled commit changed something:\n%s", diff)
	}
	if err := os.Remove(filepath.Join(dir, ".git/hooks/pre-commit")); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Commit(t.Context(), []string{"a", "new"}, "m", CommitOptions{}); err != nil {
		t.Error(err)
	}
}

// A tfgitops that runs in a hook is given GIT_DIR and GIT_INDEX_FILE of the
// repository whose hook it is.
func TestCommitInsideAHook(t *testing.T) {
	dir, other := newRepo(t, map[string]string{"a": "1"}), newRepo(t, map[string]string{"x": "1"})
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other, ".git/index"))
	write(t, dir, map[string]string{"a": "2"})
	before := runGit(t, other, "rev-parse", "HEAD")
	id, err := openRepo(t, dir).Commit(t.Context(), []string{"a"}, "m", CommitOptions{})
	if err != nil || runGit(t, dir, "rev-parse", "HEAD") != id || runGit(t, other, "rev-parse", "HEAD") != before {
		t.Errorf("%q, %v", id, err)
	}
}

func TestDirtyManyPaths(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"d/a": "1", "e/b": "1"})
	write(t, dir, map[string]string{"d/a": "2", "e/b": "2", "d/new": "1", "f": "1"})
	paths := []string{"d", "f"}
	few, err := openRepo(t, dir).Dirty(t.Context(), paths)
	if err != nil || len(few) != 3 {
		t.Fatalf("%+v, %v", few, err)
	}
	for i := range manyPaths {
		paths = append(paths, fmt.Sprintf("none/%d", i))
	}
	many, err := openRepo(t, dir).Dirty(t.Context(), paths)
	if diff := cmp.Diff(few, many); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func FuzzStatus(f *testing.F) {
	hash := strings.Repeat("a", 40)
	f.Add("1 .M N... 100644 100644 100644 " + hash + " " + hash + " c/a b\x00? new\x00! ignored\x00")
	f.Add("u UU N... 1 2 3 4 " + hash + " " + hash + " " + hash + " x\x00")
	f.Add("1 .\x00")
	repo := &Repo{prefix: "c/"}
	f.Fuzz(func(t *testing.T, out string) {
		dirty, err := repo.parseStatus(out)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%v", err)
		}
		for i := 1; i < len(dirty); i++ {
			if dirty[i-1].Path >= dirty[i].Path {
				t.Errorf("not sorted: %+v", dirty)
			}
		}
	})
}
