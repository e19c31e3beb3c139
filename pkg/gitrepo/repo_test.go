package gitrepo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenFindsTheRepository(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"control/repo/a": "1"})
	linked := filepath.Join(t.TempDir(), "linked")
	runGit(t, dir, "worktree", "add", "-q", "-b", "side", linked)
	bare := filepath.Join(t.TempDir(), "bare.git")
	runGit(t, dir, "clone", "-q", "--bare", dir, bare)

	tests := []struct{ name, dir, prefix, branch string }{
		{"top", dir, "", "main"},
		{"subdirectory", filepath.Join(dir, "control/repo"), "control/repo/", "main"},
		{"linked worktree", linked, "", "side"},
		{"subdirectory of a linked worktree", filepath.Join(linked, "control"), "control/", "side"},
		{"bare", bare, "", "main"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			repo := openRepo(t, test.dir)
			if repo.Prefix() != test.prefix {
				t.Errorf("prefix %q, want %q", repo.Prefix(), test.prefix)
			}
			branch, err := repo.Branch(t.Context())
			if err != nil || branch != test.branch {
				t.Errorf("branch %q, %v, want %q", branch, err, test.branch)
			}
			fsys, err := repo.FS(t.Context(), "main")
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix("control/repo/a", test.prefix)
			if content, err := fsys.ReadFile(name); err != nil || string(content) != "1" {
				t.Errorf("%s holds %q, %v", name, content, err)
			}
			if commits := collect(t.Context(), t, repo, "HEAD", HistoryOptions{Paths: []string{name}}); len(commits) != 1 || commits[0].Changes[0].Path != name {
				t.Errorf("history of %s: %+v", name, commits)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.Context(), t.TempDir()); !errors.Is(err, ErrNotRepository) {
		t.Errorf("a plain directory: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	dir := t.TempDir()
	runGit(t, dir, "init", "-q", "--object-format=sha256")
	if _, err := Open(t.Context(), dir); !errors.Is(err, ErrUnsupported) {
		t.Errorf("sha256: %v", err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, nil)
	first := runGit(t, dir, "rev-parse", "HEAD")
	second := commitFiles(t, dir, "two", map[string]string{"a": "1"})
	runGit(t, dir, "tag", "-a", "-m", "tagged", "v1", first)
	runGit(t, dir, "update-ref", "refs/remotes/origin/topic", first)
	blob := runGit(t, dir, "rev-parse", "HEAD:a")
	repo := openRepo(t, dir)

	found := map[string]string{
		"main": second, "HEAD": second, "HEAD~1": first, "v1": first, "origin/topic": first,
		second: second, second[:7]: second, "refs/heads/main": second,
	}
	for rev, want := range found {
		if got, err := repo.Resolve(t.Context(), rev); err != nil || got != want {
			t.Errorf("Resolve(%q) = %q, %v, want %q", rev, got, err, want)
		}
	}
	for _, rev := range []string{"", "nope", "-h", "--all", "^main", "main..HEAD", "HEAD~9", "a\nb", blob, strings.Repeat("12", 20), "main:a"} {
		if got, err := repo.Resolve(t.Context(), rev); !errors.Is(err, ErrUnknownRevision) {
			t.Errorf("Resolve(%q) = %q, %v, want ErrUnknownRevision", rev, got, err)
		}
	}
}

func TestResolveAmbiguous(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, nil)
	seen := map[string]bool{}
	for i := range 1000 { // 4 digits: with a few hundred commits two share them
		tree := runGit(t, dir, "rev-parse", "HEAD^{tree}")
		id := runGit(t, dir, "commit-tree", "-m", strings.Repeat("x", i+1), tree)
		if seen[id[:4]] {
			_, err := openRepo(t, dir).Resolve(t.Context(), id[:4])
			if !errors.Is(err, ErrAmbiguousRevision) || !strings.Contains(err.Error(), id[:7]) {
				t.Errorf("want an ambiguity that lists the candidates: %v", err)
			}
			return
		}
		seen[id[:4]] = true
	}
	t.Fatal("no two commits of 1000 share 4 digits")
}

func TestRedact(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"fatal: https://oauth2:glpat-x@h/a.git: no":  "fatal: https://***@h/a.git: no",
		"https://TOKEN@h/a":                          "https://***@h/a",
		"http://a:b@c@h/":                            "http://***@h/",
		"ssh://git@h/a":                              "ssh://git@h/a",
		"ssh://git:pw@h/a":                           "ssh://git:***@h/a",
		"https://h/a?private_token=abc&x=1":          "https://h/a?private_token=***&x=1",
		"Authorization: Basic Zm9vOmJhcg==":          "Authorization: Basic ***",
		"https://h/a@v1 and me@example.org stay":     "https://h/a@v1 and me@example.org stay",
		"'https://u:p@h/a' and \"https://u:q@h/b\"!": "'https://***@h/a' and \"https://***@h/b\"!",
	}
	for in, want := range tests {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPresentable(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"remote: \x1b[1;31merror\x1b[m: no        \nmore \t\n": "remote: error: no\nmore\n",
		"\x1b[2J\x07a\rb\tc":    "ab\tc",
		"plain text\nstays  so": "plain text\nstays  so",
	}
	for in, want := range tests {
		if got := presentable(in); got != want {
			t.Errorf("presentable(%q) = %q, want %q", in, got, want)
		}
	}
}
