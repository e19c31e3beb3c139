package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// GitServer serves bare repositories over HTTP, for fetching and pushing, with Git's own server program.
type GitServer struct {
	server *httptest.Server
	dir    string
	down   atomic.Bool
}

// NewGitServer serves the repositories in dir. Close ends it.
func NewGitServer(ctx context.Context, dir string) (*GitServer, error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, git, "--exec-path").Output(); err != nil || len(out) == 0 {
		return nil, fmt.Errorf("git --exec-path: %w", err)
	}
	script := &cgi.Handler{
		Path: git, Args: []string{"http-backend"}, Dir: dir, Stderr: io.Discard,
		Env: []string{
			"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + dir,
			"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
			"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
		},
	}
	g := &GitServer{dir: dir}
	g.server = httptest.NewServer(g.whileUp(withLength(script)))
	return g, nil
}

// SetDown makes the server end every connection without an answer, or answer again.
func (g *GitServer) SetDown(down bool) { g.down.Store(down) }

func (g *GitServer) whileUp(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.down.Load() {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

// withLength gives a request its length: CGI has no chunked bodies, which Git sends for big packs.
func withLength(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
		}
		next.ServeHTTP(w, r)
	})
}

// Close ends serving.
func (g *GitServer) Close() { g.server.Close() }

// Create makes a bare repository and returns its URL.
func (g *GitServer) Create(ctx context.Context, name string) (string, error) {
	_, err := Git(ctx, g.dir, "init", "--quiet", "--bare", "--initial-branch=main", name+".git")
	return g.server.URL + "/" + name + ".git", err
}

// WriteTree writes a tree of files into a folder.
func WriteTree(dir string, tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o600)
	})
}

// Git runs git in a folder, with nobody's configuration, and returns what it printed, trimmed.
func Git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = GitEnvironment(dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// GitEnvironment is the environment of a program that commits: nobody's configuration, and a name.
func GitEnvironment(home string) []string {
	return append(os.Environ(), "HOME="+home, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=E2E", "GIT_AUTHOR_EMAIL=e2e@example.org", "GIT_COMMITTER_NAME=E2E", "GIT_COMMITTER_EMAIL=e2e@example.org")
}
