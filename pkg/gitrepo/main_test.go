package gitrepo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain gives every test Git's defaults, and the variables that Git sets for
// hooks: were they to leak into a git that this package starts, every test
// would fail.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		home, err := os.MkdirTemp("", "gitrepo-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(home)
		config := filepath.Join(home, "config")
		settings := "[user]\n\tname = Test Er\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n" +
			"[color]\n\tui = always\n[log]\n\tshowSignature = true\n\tdiffMerges = combined\n\tfollow = true\n[diff]\n\trelative = true\n\trenames = copies\n"
		if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
			panic(err)
		}
		for name, value := range map[string]string{
			"HOME": home, "GIT_CONFIG_GLOBAL": config, "GIT_CONFIG_NOSYSTEM": "1",
			"GIT_DIR": "/nonexistent/leaked.git", "GIT_INDEX_FILE": "/nonexistent/leaked.index", "GIT_WORK_TREE": "/nonexistent",
			"LC_ALL": "C.UTF-8", "GIT_ASKPASS": "", "SSH_ASKPASS": "",
		} {
			os.Setenv(name, value)
		}
		return m.Run()
	}())
}

// runGit runs git in dir and returns its output without the last newline.
func runGit(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, gitEnv(os.Environ())
	out, err := cmd.CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// newRepo makes a work tree on branch main with one commit of the files.
func newRepo(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "work")
	runGit(t, filepath.Dir(dir), "init", "-q", dir)
	write(t, dir, files)
	runGit(t, dir, "add", "-A")
	runGit(t, dir, "commit", "-q", "--allow-empty", "-m", "start")
	return dir
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// commitFiles writes the files and commits everything.
func commitFiles(t testing.TB, dir, message string, files map[string]string) string {
	t.Helper()
	write(t, dir, files)
	runGit(t, dir, "add", "-A")
	runGit(t, dir, "commit", "-q", "--allow-empty", "-m", message)
	return runGit(t, dir, "rev-parse", "HEAD")
}

func openRepo(t testing.TB, dir string) *Repo {
	t.Helper()
	repo, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() })
	return repo
}

// hook installs a hook in a repository's Git directory.
func hook(t testing.TB, gitDir, name, script string) {
	t.Helper()
	write(t, filepath.Join(gitDir, "hooks"), map[string]string{name: "#!/bin/sh\n" + script + "\n"})
	if err := os.Chmod(filepath.Join(gitDir, "hooks", name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// collect reads a whole history.
func collect(ctx context.Context, t testing.TB, repo *Repo, rev string, opts HistoryOptions) []*Commit {
	t.Helper()
	var commits []*Commit
	for commit, err := range repo.History(ctx, rev, opts) {
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, commit)
	}
	return commits
}
