package gitlabtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// api are the routes. GitLab takes a project's path as one segment, with its slashes escaped.
func (s *Server) api() http.Handler {
	mux := http.NewServeMux()
	for route, handle := range map[string]func(*request) answer{
		"GET /api/v4/user":  getUser,
		"GET /api/v4/users": findUsers,
		"GET /api/v4/projects/{project}/merge_requests":                             listMergeRequests,
		"POST /api/v4/projects/{project}/merge_requests":                            createMergeRequest,
		"GET /api/v4/projects/{project}/merge_requests/{iid}":                       one(getMergeRequest),
		"PUT /api/v4/projects/{project}/merge_requests/{iid}":                       one(updateMergeRequest),
		"PUT /api/v4/projects/{project}/merge_requests/{iid}/merge":                 one(acceptMergeRequest),
		"PUT /api/v4/projects/{project}/merge_requests/{iid}/rebase":                one(rebaseMergeRequest),
		"GET /api/v4/projects/{project}/merge_requests/{iid}/notes":                 one(listNotes),
		"POST /api/v4/projects/{project}/merge_requests/{iid}/notes":                one(createNote),
		"PUT /api/v4/projects/{project}/merge_requests/{iid}/notes/{note}":          one(updateNote),
		"DELETE /api/v4/projects/{project}/merge_requests/{iid}/notes/{note}":       one(deleteNote),
		"GET /api/v4/projects/{project}/repository/commits/{commit}/merge_requests": ofCommit,
	} {
		mux.HandleFunc(route, s.serve(handle))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.t.Errorf("gitlabtest: there is no %s %s", r.Method, r.URL.Path)
		http.Error(w, `{"error":"404 Not Found"}`, http.StatusNotFound)
	})
	return mux
}

// one hands a handler the merge request that the path names.
func one(handle func(*request, *mergeRequest) answer) func(*request) answer {
	return func(r *request) answer {
		for _, m := range r.project.merges {
			if strconv.Itoa(m.IID) == r.PathValue("iid") {
				return handle(r, m)
			}
		}
		return answer{status: http.StatusNotFound, body: map[string]any{"message": "404 Not found"}}
	}
}

func readBody(r *http.Request) []byte {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	return data
}

// decode reads a body, and fails the test where it has what GitLab does not know there.
func (r *request) decode(into any) bool {
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		r.s.t.Errorf("gitlabtest: the body of %s %s: %v\n%s", r.Method, r.URL.Path, err, r.body)
		return false
	}
	return true
}

// query holds a call to the parameters that GitLab knows for it.
func (r *request) query(known ...string) url.Values {
	values := r.URL.Query()
	for name := range values {
		if !slices.Contains(append(known, "page", "per_page", "cursor"), name) {
			r.s.t.Errorf("gitlabtest: %s %s has a parameter %q", r.Method, r.URL.Path, name)
		}
	}
	return values
}

// page is the part of a collection that a call asks for.
func page[T any](r *request, all []T) answer {
	values := r.URL.Query()
	size := r.s.options.PageSize
	if asked, err := strconv.Atoi(values.Get("per_page")); err == nil && asked > 0 {
		size = min(size, asked)
	}
	number := 1
	if asked, err := strconv.Atoi(values.Get("page")); err == nil && asked > 1 {
		number = asked
	}
	if cursor, err := base64.URLEncoding.DecodeString(values.Get("cursor")); err == nil && len(cursor) > 0 {
		number, _ = strconv.Atoi(string(cursor))
	}
	from := min((number-1)*size, len(all))
	to := min(from+size, len(all))
	header := http.Header{}
	if to < len(all) {
		r.nextPage(header, number+1)
	}
	items := all[from:to]
	if items == nil {
		items = []T{}
	}
	return answer{status: http.StatusOK, body: items, header: header}
}

func (r *request) nextPage(header http.Header, number int) {
	values := r.URL.Query()
	if r.s.options.Keyset {
		values.Del("page")
		values.Set("cursor", base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(number))))
	} else {
		values.Set("page", strconv.Itoa(number))
		header.Set("X-Next-Page", strconv.Itoa(number))
	}
	header.Set("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.EscapedPath(), values.Encode()))
}

type user struct {
	ID       int    `json:"id"`
	Username string `json:"username"`
}

func (s *Server) user(id int) user { return user{id, s.users[id-1]} }

func getUser(r *request) answer { return ok(r.s.user(r.user)) }

func findUsers(r *request) answer {
	found := []user{}
	for i, name := range r.s.users {
		if strings.EqualFold(name, r.query("username").Get("username")) {
			found = append(found, user{i + 1, name})
		}
	}
	return ok(found)
}
