package gitlabtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/githttptest"
)

// The tokens and users of every server. A stranger may open merge requests from a fork and write notes.
const (
	Token    = "glpat-planted-by-a-test"
	Bot      = "tfgitops-bot"
	Stranger = "stranger"
	Reviewer = "reviewer"
)

// Options say how the server behaves. The zero value answers at once.
type Options struct {
	// PageSize is the most entries of one page; 0: 100.
	PageSize int
	// Keyset hands out pages by a cursor in the Link header alone, as GitLab does for large collections.
	Keyset bool
	// Unseen is how many requests to open a merge request are answered with 422 before a pushed branch is seen.
	Unseen int
	// Unchecked is how many times a new merge request is looked at before its mergeability is known.
	Unchecked int
	// NoPipelines leaves merge requests without a pipeline; otherwise each has one that runs.
	NoPipelines bool
	// FastForward is the merge method under which a branch must have the target's newest commit.
	FastForward bool
	// ReadOnly tokens lack the scope api.
	ReadOnly bool
	// Private asks for a token over Git, too, as the password of whatever user.
	Private bool
	// GitSays is what everyone who asks for a repository is refused with.
	GitSays string
	// Tokens are further tokens that are taken, with whose they are.
	Tokens map[string]string
}

// Server is a GitLab with the projects of a folder: DIR/group/name.git is the project group/name.
type Server struct {
	*httptest.Server
	t       testing.TB
	options Options
	dir     string

	mu       sync.Mutex
	users    []string // a user's number is the index and one
	projects map[string]*project
	faults   []*Fault
	calls    []Call
	unseen   map[string]int
}

type project struct {
	id     int
	path   string
	merges []*mergeRequest
	notes  int // the number of the newest
}

// Call is one request to the API.
type Call struct {
	Method, Path string
	Query        string
	Body         string
	Status       int
}

func (c Call) String() string { return fmt.Sprintf("%s %s %d", c.Method, c.Path, c.Status) }

// New serves until the test ends.
func New(t testing.TB, dir string, options Options) *Server {
	t.Helper()
	s := &Server{t: t, options: options, dir: dir, users: []string{Bot, Stranger, Reviewer}, projects: map[string]*project{}, unseen: map[string]int{}}
	if s.options.PageSize == 0 {
		s.options.PageSize = 100
	}
	git := githttptest.New(t, dir, githttptest.Options{Wrap: func(repositories http.Handler) http.Handler {
		api := s.api()
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				api.ServeHTTP(w, r)
				return
			}
			if _, password, _ := r.BasicAuth(); options.Private && password != Token {
				w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
				http.Error(w, "HTTP Basic: Access denied", http.StatusUnauthorized)
				return
			}
			if options.GitSays != "" {
				http.Error(w, options.GitSays, http.StatusForbidden)
				return
			}
			repositories.ServeHTTP(w, r)
		})
	}})
	s.Server = git.Server
	return s
}

// Remote is the Git URL of a project.
func (s *Server) Remote(path string) string { return s.URL + "/" + path + ".git" }

// Calls are the requests to the API so far; those that match a method ("" for all) and a part of the path.
func (s *Server) Calls(method, path string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Call
	for _, call := range s.calls {
		if (method == "" || call.Method == method) && strings.Contains(call.Path, path) {
			found = append(found, call)
		}
	}
	return found
}

// Writes are the requests so far that change something.
func (s *Server) Writes() []Call {
	var found []Call
	for _, call := range s.Calls("", "") {
		if call.Method != http.MethodGet {
			found = append(found, call)
		}
	}
	return found
}

// answer is what a handler gives back: a status, and what is written as JSON.
type answer struct {
	status int
	body   any
	header http.Header
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// refuse is GitLab's form of an error.
func refuse(status int, format string, args ...any) answer {
	return answer{status: status, body: map[string]any{"message": fmt.Sprintf(format, args...)}}
}

// request is one call, checked as far as all are.
type request struct {
	*http.Request
	s       *Server
	project *project
	user    int // the number of whose token it is
	body    []byte
}

// serve writes the answer of a handler, with the checks, faults and the record that are the same for all.
func (s *Server) serve(handle func(*request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call := &request{Request: r, s: s, body: readBody(r)}
		fault := s.fault(r)
		if fault != nil && !fault.before(w, r) {
			s.record(call, fault.Status)
			return
		}
		s.mu.Lock()
		given := s.checked(call, handle)
		s.mu.Unlock()
		s.record(call, given.status)
		if fault != nil && fault.Lost {
			hangUp(w)
			return
		}
		for name, values := range given.header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(given.status)
		if given.body != nil {
			_ = json.NewEncoder(w).Encode(given.body)
		}
	}
}

func (s *Server) record(call *request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, Call{call.Method, call.URL.EscapedPath(), call.URL.RawQuery, string(call.body), status})
}

// checked answers a call whose token is good.
func (s *Server) checked(call *request, handle func(*request) answer) answer {
	user, known := s.who(call)
	switch {
	case !known:
		return answer{status: http.StatusUnauthorized, body: map[string]any{"message": "401 Unauthorized"}}
	case s.options.ReadOnly && call.Method != http.MethodGet:
		return answer{status: http.StatusForbidden, body: map[string]any{"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"}}
	}
	call.user = user
	if len(call.body) > 0 && call.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("gitlabtest: %s %s has a body of type %q", call.Method, call.URL.Path, call.Header.Get("Content-Type"))
	}
	if path := call.PathValue("project"); path != "" {
		if call.project = s.project(path); call.project == nil {
			return answer{status: http.StatusNotFound, body: map[string]any{"message": "404 Project Not Found"}}
		}
	}
	return handle(call)
}

// who returns whose token a request has.
func (s *Server) who(call *request) (int, bool) {
	if call.Header.Get("JOB-TOKEN") != "" && call.Method == http.MethodGet && strings.HasPrefix(call.URL.Path, "/api/v4/projects/") {
		return s.userID(Bot), true
	}
	token := call.Header.Get("PRIVATE-TOKEN")
	if token == Token {
		return s.userID(Bot), true
	}
	name, known := s.options.Tokens[token]
	return s.userID(name), known && token != ""
}

// userID returns a user's number, giving one to a new user.
func (s *Server) userID(name string) int {
	for i, known := range s.users {
		if known == name {
			return i + 1
		}
	}
	s.users = append(s.users, name)
	return len(s.users)
}

// project returns the project of a path, made when it is first asked for; nil where there is no such repository.
func (s *Server) project(path string) *project {
	if found := s.projects[path]; found != nil {
		return found
	}
	if info, err := os.Stat(s.repository(path)); err != nil || !info.IsDir() {
		return nil
	}
	s.projects[path] = &project{id: len(s.projects) + 1, path: path}
	return s.projects[path]
}

func (s *Server) repository(path string) string {
	return filepath.Join(s.dir, filepath.FromSlash(path)+".git")
}

// git runs git in a project's repository. A failure is empty.
func (s *Server) git(p *project, args ...string) string {
	cmd := exec.Command("git", args...) //nolint:noctx // in a test, which ends it
	cmd.Dir = s.repository(p.path)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=GitLab", "GIT_AUTHOR_EMAIL=gitlab@example.org", "GIT_COMMITTER_NAME=GitLab", "GIT_COMMITTER_EMAIL=gitlab@example.org")
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// branch returns the commit that a branch is at; empty where it is not there.
func (s *Server) branch(p *project, name string) string {
	return s.git(p, "rev-parse", "--verify", "--quiet", "refs/heads/"+name)
}
