package githttptest_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/githttptest"
)

// git runs git without the configuration of whoever runs the tests.
func git(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := git(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return out
}

func TestPushAndClone(t *testing.T) {
	t.Parallel()
	root, work := t.TempDir(), t.TempDir()
	mustGit(t, root, "init", "-q", "--bare", "a.git")
	server := githttptest.New(t, root, githttptest.Options{})

	mustGit(t, work, "init", "-q", "-b", "main")
	// Over http.postBuffer, so that git sends it chunked; random enough not to shrink.
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * i >> 7 * 31)
	}
	if err := os.WriteFile(filepath.Join(work, "big"), big, 0o644); err != nil {
		t.Fatal(err)
	}
	mustGit(t, work, "add", "big")
	mustGit(t, work, "commit", "-q", "-m", "one")
	mustGit(t, work, "-c", "http.postBuffer=65536", "-c", "core.compression=0", "push", "-q", server.Repository("a.git"), "main")
	if got, want := mustGit(t, server.Path("a.git"), "rev-parse", "main"), mustGit(t, work, "rev-parse", "main"); got != want {
		t.Errorf("after the push the server is at %s, want %s", got, want)
	}
	mustGit(t, work, "clone", "-q", "--filter=blob:none", "--no-checkout", server.Repository("a.git"), "copy")
	if out := mustGit(t, filepath.Join(work, "copy"), "rev-list", "--objects", "--missing=print", "origin/main"); !strings.Contains(out, "?") {
		t.Errorf("a partial clone misses nothing:\n%s", out)
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	mustGit(t, root, "init", "-q", "--bare", "a.git")
	server := githttptest.New(t, root, githttptest.Options{User: "me", Password: "secret"})
	if out, err := git(t, root, "ls-remote", server.Repository("a.git")); err == nil {
		t.Errorf("no credentials were accepted: %s", out)
	}
	withCredentials := strings.Replace(server.Repository("a.git"), "://", "://me:secret@", 1)
	mustGit(t, root, "ls-remote", withCredentials)
}

func TestWrap(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	mustGit(t, root, "init", "-q", "--bare", "a.git")
	server := githttptest.New(t, root, githttptest.Options{Wrap: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}})
	if out, err := git(t, root, "ls-remote", server.Repository("a.git")); err == nil || !strings.Contains(out, "418") {
		t.Errorf("the wrapper did not answer: %v %s", err, out)
	}
}
