package gitrepo

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/githttptest"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://gitlab.wikimedia.org/repos/a", "https://user@h/a.git", "http://127.0.0.1:8080/a", "http://localhost/a", "http://[::1]:1/a",
		"ssh://git@h:22/a", "file:///srv/a.git", "file://localhost/a", "/srv/a.git",
	} {
		if err := CheckURL(url); err != nil {
			t.Errorf("%q is refused: %v", url, err)
		}
	}
	for _, url := range []string{
		"", "-oProxyCommand=x", "--upload-pack=x", "ext::sh -c id", "fd::3", "http://example.org/a", "http://127.0.0.1.example.org/a",
		"git://h/a", "ftp://h/a", "ssh://-oProxyCommand=x/a", "ssh://-x@h/a", "https:///a", "https://", "file://host/a", "git@host:a.git",
		"relative/path", "../up", "https://h/a\nb", "https://h/\x00", "https::https://h/a", "transport::/a", "https://h:port/a",
	} {
		if err := CheckURL(url); !errors.Is(err, ErrRefusedURL) {
			t.Errorf("%q: %v, want ErrRefusedURL", url, err)
		}
	}
	for _, url := range []string{"https://me:s3cret@h/a", "http://me:s3cret@example.org/a", "https://me:s3cret@h:x/a"} {
		if err := CheckURL(url); !errors.Is(err, ErrRefusedURL) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("a password: %v", err)
		}
	}
}

// serveSource makes a bare repository with some history and serves it.
func serveSource(t *testing.T, opts githttptest.Options) (server *githttptest.Server, work string) {
	t.Helper()
	work = newRepo(t, map[string]string{"a": "1"})
	root := t.TempDir()
	runGit(t, work, "clone", "-q", "--bare", work, filepath.Join(root, "source.git"))
	runGit(t, work, "remote", "add", "origin", filepath.Join(root, "source.git"))
	return githttptest.New(t, root, opts), work
}

func TestSourceFetchesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	server, work := serveSource(t, githttptest.Options{})
	first := runGit(t, work, "rev-parse", "HEAD")
	cache := t.TempDir()
	for name, url := range map[string]string{
		"http": server.Repository("source.git"), "file": "file://" + server.Path("source.git"), "path": server.Path("source.git"),
	} {
		source, err := OpenSource(t.Context(), url, cache)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer source.Close()
		if id, err := source.Ensure(t.Context(), first[:8]); err != nil || id != first {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
	source, err := OpenSource(t.Context(), server.Repository("source.git"), cache)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if out := runGit(t, source.Dir(), "rev-list", "--objects", "--missing=print", "main"); !strings.Contains(out, "\n?") {
		t.Errorf("the clone is not partial:\n%s", out)
	}
	second := commitFiles(t, work, "two\n\nBug: T1", map[string]string{"a": "2"})
	runGit(t, work, "push", "-q", "origin", "main")
	if _, err := source.Resolve(t.Context(), "main~1"); err == nil {
		t.Error("the clone is newer than it can be")
	}
	if id, err := source.Ensure(t.Context(), second[:9]); err != nil || id != second {
		t.Errorf("the new commit: %q, %v", id, err)
	}
	if got, err := source.IsAncestor(t.Context(), first, second); err != nil || got != Yes {
		t.Errorf("ancestry: %v, %v", got, err)
	}
	if span, err := source.Commits(t.Context(), first, second, 10); err != nil || len(span.Commits) != 1 || span.Commits[0].Trailer("bug")[0] != "T1" {
		t.Errorf("changelog: %+v, %v", span, err)
	}
	for _, rev := range []string{"abcdef12", strings.Repeat("ab", 20), "nobranch"} {
		if _, err := source.Ensure(t.Context(), rev); !errors.Is(err, ErrUnknownRevision) {
			t.Errorf("Ensure(%q): %v, want ErrUnknownRevision", rev, err)
		}
	}
}

// A force-push leaves the built commit on no branch; the server still has it.
// What was cloned is read without the server, and the server is not asked for more.
func TestCachedSource(t *testing.T) {
	t.Parallel()
	server, work := serveSource(t, githttptest.Options{})
	first, cache, url := runGit(t, work, "rev-parse", "HEAD"), t.TempDir(), server.Repository("source.git")
	if _, err := OpenCachedSource(t.Context(), url, cache); !errors.Is(err, ErrNotRepository) {
		t.Errorf("before it is cloned: %v", err)
	}
	cloned, err := OpenSource(t.Context(), url, cache)
	if err != nil {
		t.Fatal(err)
	}
	cloned.Close()
	runGit(t, work, "commit", "-q", "--allow-empty", "-m", "later")
	runGit(t, work, "push", "-q", "origin", "HEAD")
	second := runGit(t, work, "rev-parse", "HEAD")
	source, err := OpenCachedSource(t.Context(), url, cache)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if id, err := source.Ensure(t.Context(), first[:8]); err != nil || id != first {
		t.Errorf("a commit that is there: %q, %v", id, err)
	}
	for _, commit := range []string{second, second[:8]} {
		if _, err := source.Ensure(t.Context(), commit); !errors.Is(err, ErrUnknownRevision) {
			t.Errorf("%s, a commit that is not there: %v", commit, err)
		}
	}
}

func TestSourceFindsCommitsOnNoBranch(t *testing.T) {
	t.Parallel()
	server, work := serveSource(t, githttptest.Options{})
	first := runGit(t, work, "rev-parse", "HEAD")
	lost := commitFiles(t, work, "lost", map[string]string{"a": "2"})
	runGit(t, work, "push", "-q", "origin", "main")
	runGit(t, work, "push", "-q", "--force", "origin", first+":main")

	source, err := OpenSource(t.Context(), server.Repository("source.git"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if id, err := source.Ensure(t.Context(), lost); err != nil || id != lost {
		t.Errorf("%q, %v", id, err)
	}
	if got, err := source.OnBranch(t.Context(), "main", lost); err != nil || got != No {
		t.Errorf("on main: %v, %v", got, err)
	}
	runGit(t, work, "push", "-q", "origin", lost+":main")
	if got, err := source.OnBranch(t.Context(), "main", lost); err != nil || got != Yes {
		t.Errorf("on main after it was pushed again: %v, %v", got, err)
	}
}

func TestSourceWithoutFilters(t *testing.T) {
	t.Parallel()
	work := newRepo(t, map[string]string{"a": "1"})
	tests := map[string][]string{
		"no filters":  {"uploadpack.allowFilter", "false"},
		"not tree:0":  {"uploadpackfilter.tree.allow", "false"},
		"no commands": {"uploadpackfilter.allow", "false"},
	}
	for name, setting := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bare := filepath.Join(t.TempDir(), "source.git")
			runGit(t, work, "clone", "-q", "--bare", work, bare)
			runGit(t, bare, "config", "uploadpack.allowFilter", "true")
			runGit(t, bare, "config", setting[0], setting[1])
			source, err := OpenSource(t.Context(), "file://"+bare, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			if _, err := source.Ensure(t.Context(), "main"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSourceConcurrently(t *testing.T) {
	t.Parallel()
	server, work := serveSource(t, githttptest.Options{})
	head := runGit(t, work, "rev-parse", "HEAD")
	cache := t.TempDir()
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			source, err := OpenSource(t.Context(), server.Repository("source.git"), cache)
			if err != nil {
				t.Error(err)
				return
			}
			defer source.Close()
			if err := source.Fetch(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := source.Ensure(t.Context(), head); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	entries, err := os.ReadDir(cache)
	if err != nil || len(entries) != 2 {
		t.Errorf("want one clone and its lock: %v, %v", entries, err)
	}
}

func TestSourceSurvivesAnInterruptedClone(t *testing.T) {
	t.Parallel()
	server, _ := serveSource(t, githttptest.Options{})
	url, cache := server.Repository("source.git"), t.TempDir()
	dir := filepath.Join(cache, cacheName(url))
	write(t, dir+".part", map[string]string{"objects/junk": "x", "HEAD": "ref"})
	write(t, dir, map[string]string{"objects/junk": "x"})
	source, err := OpenSource(t.Context(), url, cache)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if _, err := source.Ensure(t.Context(), "main"); err != nil {
		t.Error(err)
	}
}

func TestSourceCredentials(t *testing.T) {
	t.Parallel()
	server, _ := serveSource(t, githttptest.Options{User: "me", Password: "s3cret"})
	url := server.Repository("source.git")
	_, err := OpenSource(t.Context(), url, t.TempDir())
	if !errors.Is(err, ErrAuth) {
		t.Errorf("without credentials: %v, want ErrAuth", err)
	}
}

// Credential helpers are people's own and keep working.
func TestSourceCredentialHelper(t *testing.T) {
	server, _ := serveSource(t, githttptest.Options{User: "me", Password: "s3cret"})
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "credential.helper")
	t.Setenv("GIT_CONFIG_VALUE_0", "!f() { echo username=me; echo password=s3cret; }; f")
	source, err := OpenSource(t.Context(), server.Repository("source.git"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	source.Close()
}

func TestSourceErrors(t *testing.T) {
	t.Parallel()
	server, _ := serveSource(t, githttptest.Options{})
	if _, err := OpenSource(t.Context(), server.Repository("none.git"), t.TempDir()); !errors.Is(err, ErrNoRemoteRepository) {
		t.Errorf("no such repository over HTTP: %v", err)
	}
	if _, err := OpenSource(t.Context(), "/nonexistent/none.git", t.TempDir()); !errors.Is(err, ErrNoRemoteRepository) {
		t.Errorf("no such directory: %v", err)
	}
	if _, err := OpenSource(t.Context(), "http://127.0.0.1:1/a.git", t.TempDir()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := OpenSource(t.Context(), "ext::sh -c id", t.TempDir()); !errors.Is(err, ErrRefusedURL) {
		t.Errorf("ext: %v", err)
	}
}

func TestSourceTimesOut(t *testing.T) {
	t.Parallel()
	ctx, timeOut := context.WithCancelCause(t.Context())
	var start time.Time
	server, _ := serveSource(t, githttptest.Options{Wrap: func(http.Handler) http.Handler {
		// Until git hangs up: a transport program that outlives it would keep the server open.
		return http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			start = time.Now()
			timeOut(context.DeadlineExceeded) // now, however long it took to come here
			select {
			case <-req.Context().Done():
			case <-time.After(20 * time.Second):
				t.Error("the connection outlived the time-out")
			}
		})
	}})
	_, err := OpenSource(ctx, server.Repository("source.git"), t.TempDir())
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > graceTime {
		t.Errorf("took %v: git had to be killed", took)
	}
}

// A configured insteadOf, or a server's redirect, cannot bring in a protocol
// that CheckURL would refuse.
func TestSourceProtocolsAreHeldInside(t *testing.T) {
	server, _ := serveSource(t, githttptest.Options{})
	marker := filepath.Join(t.TempDir(), "ran")
	t.Setenv("GIT_CONFIG_COUNT", "2")
	t.Setenv("GIT_CONFIG_KEY_0", "url.ext::touch "+marker+" .insteadOf")
	t.Setenv("GIT_CONFIG_VALUE_0", server.URL)
	t.Setenv("GIT_CONFIG_KEY_1", "protocol.ext.allow")
	t.Setenv("GIT_CONFIG_VALUE_1", "always")
	if _, err := OpenSource(t.Context(), server.Repository("source.git"), t.TempDir()); err == nil {
		t.Error("ext was used")
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a program ran")
	}
}

// A process that dies holding the lock does not hold it any more.
func TestSourceLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("the flock program is not installed")
	}
	server, _ := serveSource(t, githttptest.Options{})
	url, cache := server.Repository("source.git"), t.TempDir()
	holder := exec.Command("flock", "--no-fork", filepath.Join(cache, cacheName(url)+".lock"), "sleep", "60")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := OpenSource(ctx, url, cache); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the lock is held: %v", err)
	}
	holder.Process.Kill()
	holder.Wait()
	source, err := OpenSource(t.Context(), url, cache)
	if err != nil {
		t.Fatalf("after its holder died: %v", err)
	}
	source.Close()
}
