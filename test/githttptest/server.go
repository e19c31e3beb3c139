package githttptest

import (
	"bytes"
	"crypto/subtle"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Options says how the server behaves. The zero value serves everyone.
type Options struct {
	// User and Password are demanded of every request when User is set.
	User, Password string
	// Wrap, when set, stands before the repositories: it can refuse, delay or cut
	// off requests.
	Wrap func(repositories http.Handler) http.Handler
}

// Server serves the bare repositories below a directory.
type Server struct {
	*httptest.Server
	dir string
}

// New serves the bare repositories below dir until the test ends: dir/a.git is
// at URL + "/a.git". Fetching, partial clones and pushing are allowed.
func New(t testing.TB, dir string, opts Options) *Server {
	t.Helper()
	handler := backend(t, dir)
	if opts.Wrap != nil {
		handler = opts.Wrap(handler)
	}
	if opts.User != "" {
		handler = authenticated(handler, opts.User, opts.Password)
	}
	server := &Server{Server: httptest.NewServer(handler), dir: dir}
	t.Cleanup(server.Close)
	return server
}

// Repository is the URL of the repository in dir/name.
func (s *Server) Repository(name string) string { return s.URL + "/" + name }

// Path is the directory of that repository.
func (s *Server) Path(name string) string { return filepath.Join(s.dir, name) }

// settings are given to the backend whatever the repositories configure.
var settings = []string{
	"GIT_CONFIG_COUNT=3",
	"GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
	"GIT_CONFIG_KEY_1=uploadpack.allowFilter", "GIT_CONFIG_VALUE_1=true",
	"GIT_CONFIG_KEY_2=safe.directory", "GIT_CONFIG_VALUE_2=*",
}

// backend runs `git http-backend` for each request.
func backend(t testing.TB, dir string) http.Handler {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("the git program is not installed")
	}
	script := &cgi.Handler{
		Path: git,
		Args: []string{"http-backend"},
		Dir:  dir,
		Env: append([]string{
			"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_NOSYSTEM=1", "HOME=" + t.TempDir(),
		}, settings...),
		Stderr: io.Discard,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := unchunk(req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		script.ServeHTTP(w, req)
	})
}

// unchunk gives a request a length: CGI has no chunked bodies, which Git sends
// for packs over http.postBuffer.
func unchunk(req *http.Request) error {
	if len(req.TransferEncoding) == 0 {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	req.ContentLength, req.TransferEncoding = int64(len(body)), nil
	return nil
}

// authenticated demands basic authentication.
func authenticated(next http.Handler, user, password string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		gotUser, gotPassword, _ := req.BasicAuth()
		if !equal(gotUser, user) || !equal(gotPassword, password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, req)
	})
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// IsPush reports whether a request carries a push's objects, for Wrap.
func IsPush(req *http.Request) bool {
	return req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/git-receive-pack")
}
