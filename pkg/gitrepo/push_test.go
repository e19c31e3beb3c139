package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/githttptest"
)

// remotes is a bare repository, reached by file and by HTTP, and two clones.
type remotes struct {
	bare       string
	server     *githttptest.Server
	mine       string
	other      string
	start      string
	transports map[string]string
}

func newRemotes(t *testing.T, opts githttptest.Options) *remotes {
	t.Helper()
	root := t.TempDir()
	r := &remotes{bare: filepath.Join(root, "control.git"), mine: newRepo(t, map[string]string{"a": "1"})}
	runGit(t, root, "clone", "-q", "--bare", r.mine, r.bare)
	r.server = githttptest.New(t, root, opts)
	r.other = filepath.Join(t.TempDir(), "other")
	runGit(t, root, "clone", "-q", r.bare, r.other)
	r.transports = map[string]string{"file": "file://" + r.bare, "http": r.server.Repository("control.git")}
	runGit(t, r.mine, "remote", "add", "origin", r.transports["http"])
	runGit(t, r.mine, "remote", "add", "file", r.transports["file"])
	r.start = runGit(t, r.mine, "rev-parse", "HEAD")
	return r
}

func (r *remotes) at(t *testing.T, branch string) string {
	t.Helper()
	out, _ := tryGit(r.bare, "rev-parse", "--verify", "--quiet", "refs/heads/"+branch)
	return out
}

func TestPush(t *testing.T) {
	t.Parallel()
	for name := range map[string]bool{"file": true, "origin": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemotes(t, githttptest.Options{})
			repo := openRepo(t, r.mine)
			next := commitFiles(t, r.mine, "next", map[string]string{"a": "2"})
			push := func(rev, branch string, opts PushOptions) PushResult {
				t.Helper()
				result, err := repo.Push(t.Context(), name, rev, branch, opts)
				if err != nil {
					t.Fatal(err)
				}
				if at := r.at(t, branch); at != result.ID {
					t.Errorf("%s is at %s, the result says %s", branch, at, result.ID)
				}
				return result
			}
			if got, want := push("HEAD", "main", PushOptions{}), (PushResult{ID: next}); got != want {
				t.Errorf("forward: %+v", got)
			}
			if got, want := push("HEAD", "main", PushOptions{}), (PushResult{ID: next, UpToDate: true}); got != want {
				t.Errorf("again: %+v", got)
			}
			if got, want := push("HEAD", "bump/x-1", PushOptions{New: true}), (PushResult{ID: next, Created: true}); got != want {
				t.Errorf("new: %+v", got)
			}
			if got, want := push("HEAD", "bump/x-1", PushOptions{New: true}), (PushResult{ID: next, UpToDate: true}); got != want {
				t.Errorf("new again: %+v", got)
			}
			if got, want := push("HEAD~1", "bump/x-1", PushOptions{Expect: next}), (PushResult{ID: r.start, Forced: true}); got != want {
				t.Errorf("replaced: %+v", got)
			}
		})
	}
}

func TestPushRejected(t *testing.T) {
	t.Parallel()
	r := newRemotes(t, githttptest.Options{})
	theirs := commitFiles(t, r.other, "theirs", map[string]string{"b": "1"})
	runGit(t, r.other, "push", "-q", "origin", "main", "main:topic")
	commitFiles(t, r.mine, "mine", map[string]string{"a": "2"})
	repo := openRepo(t, r.mine)
	tests := []struct {
		name   string
		branch string
		opts   PushOptions
		kind   error
	}{
		{"the branch moved", "main", PushOptions{}, ErrRace},
		{"the lease is stale", "main", PushOptions{Expect: r.start}, ErrRace},
		{"the branch is not new", "topic", PushOptions{New: true}, ErrBranchExists},
		{"a branch in the way", "topic/sub", PushOptions{}, ErrRefused},
	}
	for _, test := range tests {
		for _, remote := range []string{"file", "origin"} {
			before := r.at(t, "main")
			_, err := repo.Push(t.Context(), remote, "HEAD", test.branch, test.opts)
			var failed *PushError
			if !errors.As(err, &failed) || !errors.Is(err, test.kind) || failed.Branch != test.branch || failed.Reason == "" {
				t.Errorf("%s over %s: %v, want %v", test.name, remote, err, test.kind)
			}
			if after := r.at(t, "main"); after != before {
				t.Errorf("%s over %s: main moved to %s", test.name, remote, after)
			}
		}
	}
	// Known to be behind, git calls it a non-fast-forward instead of "fetch first".
	if id, err := repo.Fetch(t.Context(), "origin", "main"); err != nil || id != theirs {
		t.Errorf("fetch: %q, %v", id, err)
	}
	if _, err := repo.Push(t.Context(), "origin", "HEAD", "main", PushOptions{}); !errors.Is(err, ErrRace) {
		t.Errorf("after the fetch: %v", err)
	}
	if at := runGit(t, r.mine, "rev-parse", "origin/main"); at != theirs {
		t.Errorf("origin/main is at %s", at)
	}
}

func TestPushArguments(t *testing.T) {
	t.Parallel()
	r := newRemotes(t, githttptest.Options{})
	repo := openRepo(t, r.mine)
	tests := []struct {
		name, remote, rev, branch string
		opts                      PushOptions
		want                      error
	}{
		{"a remote that is an option", "--receive-pack=x", "HEAD", "main", PushOptions{}, ErrRefusedURL},
		{"a remote that is a program", "ext::sh -c id", "HEAD", "main", PushOptions{}, ErrRefusedURL},
		{"a rev that forces", "origin", "+HEAD", "main", PushOptions{}, ErrUnknownRevision},
		{"no rev, which deletes", "origin", "", "main", PushOptions{}, ErrUnknownRevision},
		{"a branch that is two", "origin", "HEAD", "main:other", PushOptions{}, ErrBadBranch},
		{"a lease by name", "origin", "HEAD", "main", PushOptions{Expect: "main"}, ErrUnknownRevision},
		{"an abbreviated lease", "origin", "HEAD", "main", PushOptions{Expect: r.start[:8]}, ErrUnknownRevision},
	}
	for _, test := range tests {
		if _, err := repo.Push(t.Context(), test.remote, test.rev, test.branch, test.opts); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestPushHooks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"pre-receive", "update"} {
		r := newRemotes(t, githttptest.Options{})
		// The hook's words must not pass for a race.
		hook(t, r.bare, name, "echo 'protected: non-fast-forward, fetch first, see https://u:s3cret@h/'; exit 1")
		commitFiles(t, r.mine, "mine", map[string]string{"a": "2"})
		for _, remote := range []string{"file", "origin"} {
			_, err := openRepo(t, r.mine).Push(t.Context(), remote, "HEAD", "main", PushOptions{})
			if !errors.Is(err, ErrRefused) || errors.Is(err, ErrRace) || !strings.Contains(err.Error(), "protected:") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s over %s: %v", name, remote, err)
			}
		}
	}
	r := newRemotes(t, githttptest.Options{})
	hook(t, filepath.Join(r.mine, ".git"), "pre-push", "echo not today >&2; exit 1")
	commitFiles(t, r.mine, "mine", map[string]string{"a": "2"})
	_, err := openRepo(t, r.mine).Push(t.Context(), "origin", "HEAD", "main", PushOptions{})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not today") || r.at(t, "main") != r.start {
		t.Errorf("pre-push: %v", err)
	}
}

func TestPushAuth(t *testing.T) {
	t.Parallel()
	r := newRemotes(t, githttptest.Options{User: "me", Password: "s3cret"})
	repo := openRepo(t, r.mine)
	commitFiles(t, r.mine, "mine", map[string]string{"a": "2"})
	if _, err := repo.Push(t.Context(), "origin", "HEAD", "main", PushOptions{}); !errors.Is(err, ErrAuth) {
		t.Errorf("no credentials: %v", err)
	}
	if _, err := repo.Fetch(t.Context(), "origin", "main"); !errors.Is(err, ErrAuth) {
		t.Errorf("fetch: %v", err)
	}
	wrong := strings.Replace(r.transports["http"], "://", "://me:wr0ng@", 1)
	runGit(t, r.mine, "remote", "set-url", "origin", wrong)
	if _, err := repo.Push(t.Context(), "origin", "HEAD", "main", PushOptions{}); !errors.Is(err, ErrAuth) || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("wrong credentials: %v", err)
	}
	if url, err := repo.RemoteURL(t.Context(), "origin"); err != nil || strings.Contains(url, "wr0ng") {
		t.Errorf("%q, %v", url, err)
	}
	runGit(t, r.mine, "remote", "set-url", "origin", strings.Replace(wrong, "wr0ng", "s3cret", 1))
	if _, err := repo.Push(t.Context(), "origin", "HEAD", "main", PushOptions{}); err != nil {
		t.Errorf("right credentials: %v", err)
	}
}

func TestPushForbidden(t *testing.T) {
	t.Parallel()
	forbid := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.Contains(req.URL.RequestURI(), "git-receive-pack") {
				http.Error(w, "You are not allowed to push code", http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, req)
		})
	}
	r := newRemotes(t, githttptest.Options{Wrap: forbid})
	commitFiles(t, r.mine, "mine", map[string]string{"a": "2"})
	if _, err := openRepo(t, r.mine).Push(t.Context(), "origin", "HEAD", "main", PushOptions{}); !errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
}

func TestPushUnreachable(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, nil)
	runGit(t, dir, "remote", "add", "origin", "http://127.0.0.1:1/control.git")
	runGit(t, dir, "remote", "add", "gone", "/nonexistent/control.git")
	repo := openRepo(t, dir)
	var failed *PushError
	_, err := repo.Push(t.Context(), "origin", "HEAD", "main", PushOptions{})
	if !errors.As(err, &failed) || !errors.Is(err, ErrUnreachable) || failed.Reread || !strings.Contains(err.Error(), "ls-remote") {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := repo.Push(t.Context(), "gone", "HEAD", "main", PushOptions{}); !errors.Is(err, ErrNoRemoteRepository) {
		t.Errorf("no such directory: %v", err)
	}
}

// brokenPush lets a push reach the repository, or not, and then never answers.
func brokenPush(arrives bool, answer func(w http.ResponseWriter, req *http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if !githttptest.IsPush(req) {
				next.ServeHTTP(w, req)
				return
			}
			if arrives {
				next.ServeHTTP(httptest.NewRecorder(), req)
			}
			answer(w, req)
		})
	}
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func stall(_ http.ResponseWriter, req *http.Request) {
	io.Copy(io.Discard, req.Body) // the server notices a hang-up only after the body
	select {
	case <-req.Context().Done():
	case <-time.After(20 * time.Second):
	}
}

func TestPushReadsAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		arrives bool
		answer  func(http.ResponseWriter, *http.Request)
		opts    PushOptions
		ctx     time.Duration // the caller's own time, 0: enough
	}{
		{"arrived, then the connection broke", true, hangUp, PushOptions{}, 0},
		{"the connection broke", false, hangUp, PushOptions{}, 0},
		{"arrived, then the push timed out", true, stall, PushOptions{Timeout: 2 * time.Second}, 0},
		{"arrived, then the caller's time ran out", true, stall, PushOptions{}, 2 * time.Second},
		{"the push timed out", false, stall, PushOptions{Timeout: time.Second}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRemotes(t, githttptest.Options{Wrap: brokenPush(test.arrives, test.answer)})
			next := commitFiles(t, r.mine, "mine", map[string]string{"a": "2"})
			ctx := t.Context()
			if test.ctx > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.ctx)
				defer cancel()
			}
			result, err := openRepo(t, r.mine).Push(ctx, "origin", "HEAD", "main", test.opts)
			if test.arrives {
				if want := (PushResult{ID: next, Reread: true}); err != nil || result != want {
					t.Errorf("%+v, %v", result, err)
				}
				return
			}
			var failed *PushError
			if !errors.As(err, &failed) || !errors.Is(err, ErrUnreachable) || !failed.Reread || failed.RemoteID != r.start {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}

// Everyone pushes at once until everyone's commit is there: what the loop of
// pkg/bump does. Every failure on the way is a race, and nothing is lost.
func TestPushRaces(t *testing.T) {
	t.Parallel()
	const writers = 5
	for _, transport := range []string{"file", "origin"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			r := newRemotes(t, githttptest.Options{})
			var group sync.WaitGroup
			for i := range writers {
				clone := filepath.Join(t.TempDir(), "clone")
				runGit(t, r.mine, "clone", "-q", "-o", transport, r.transports[map[string]string{"file": "file", "origin": "http"}[transport]], clone)
				repo := openRepo(t, clone)
				group.Go(func() { pushUntilThere(t, repo, transport, i) })
			}
			group.Wait()
			if got := runGit(t, r.bare, "rev-list", "--count", "--first-parent", "main"); got != fmt.Sprint(writers+1) {
				t.Errorf("%s commits", got)
			}
			if merges := runGit(t, r.bare, "rev-list", "--merges", "main"); merges != "" {
				t.Errorf("history is not linear: %s", merges)
			}
		})
	}
}

func pushUntilThere(t *testing.T, repo *Repo, remote string, i int) {
	change := []FileChange{{Path: fmt.Sprintf("pins/%d", i), Content: []byte("1")}}
	for range 50 {
		base, err := repo.Fetch(t.Context(), remote, "main")
		if err != nil {
			t.Error(err)
			return
		}
		id, err := repo.CommitOnto(t.Context(), base, change, "pin", CommitOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		_, err = repo.Push(t.Context(), remote, id, "main", PushOptions{})
		if err == nil {
			return
		}
		if !errors.Is(err, ErrRace) {
			t.Errorf("writer %d: %v", i, err)
			return
		}
	}
	t.Errorf("writer %d never got through", i)
}

func TestRemoteRefs(t *testing.T) {
	t.Parallel()
	r := newRemotes(t, githttptest.Options{})
	repo := openRepo(t, r.mine)
	if branch, id, err := repo.RemoteHead(t.Context(), "origin"); err != nil || branch != "main" || id != r.start {
		t.Errorf("head: %q %q %v", branch, id, err)
	}
	if id, err := repo.RemoteRef(t.Context(), "origin", "main"); err != nil || id != r.start {
		t.Errorf("main: %q %v", id, err)
	}
	if id, err := repo.RemoteRef(t.Context(), "origin", "none"); err != nil || id != "" {
		t.Errorf("none: %q %v", id, err)
	}
	if _, err := repo.Fetch(t.Context(), "origin", "none"); !errors.Is(err, ErrUnknownRevision) {
		t.Errorf("fetch none: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.git")
	runGit(t, r.mine, "init", "-q", "--bare", empty)
	if _, id, err := repo.RemoteHead(t.Context(), empty); err != nil || id != "" {
		t.Errorf("an empty remote: %q %v", id, err)
	}
}

func TestRejections(t *testing.T) {
	t.Parallel()
	tests := map[string]error{
		"[rejected] (non-fast-forward)": ErrRace,
		"[rejected] (fetch first)":      ErrRace,
		"[rejected] (stale info)":       ErrRace,
		"[remote rejected] (cannot lock ref 'refs/heads/main': is at a but expected b)": ErrRace,
		"[remote rejected] (incorrect old value provided)":                              ErrRace,
		"[remote rejected] (failed to update ref)":                                      ErrRace,
		"[remote rejected] (pre-receive hook declined)":                                 ErrRefused,
		"[remote rejected] (protected branch hook declined)":                            ErrRefused,
		"[remote rejected] (hook declined)":                                             ErrRefused,
		"[remote rejected] (shallow update not allowed)":                                ErrRefused,
		"[remote failure] (remote failed to report status)":                             ErrUnreachable,
	}
	for summary, want := range tests {
		report := parseReport("To x\n!\tabc:refs/heads/main\t"+summary+"\nDone\n", "refs/heads/main")
		if got := rejection(report.summary, PushOptions{}); report.flag != '!' || got != want {
			t.Errorf("%s: %v, want %v", summary, got, want)
		}
	}
}

// A server that speaks nonsense is a failure with a kind or without, never a success.
func TestPushToNonsense(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<p>= abc:refs/heads/main up to date")
			conn.Close()
		}
	}()
	dir := newRepo(t, nil)
	runGit(t, dir, "remote", "add", "origin", "http://"+listener.Addr().String()+"/a.git")
	if result, err := openRepo(t, dir).Push(t.Context(), "origin", "HEAD", "main", PushOptions{}); err == nil {
		t.Errorf("%+v", result)
	}
}

func FuzzPushReport(f *testing.F) {
	f.Add("To x\n!\tabc:refs/heads/main\t[rejected] (fetch first)\nDone\n")
	f.Add("=\tHEAD:refs/heads/main\t[up to date]\n")
	f.Add("*\t:refs/heads/main\t\x00")
	f.Fuzz(func(t *testing.T, out string) {
		report := parseReport(out, "refs/heads/main")
		if report.flag != 0 && !strings.Contains(out, ":refs/heads/main\t") {
			t.Errorf("%+v", report)
		}
	})
}
