package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// The secrets of a run besides gitlabtest.Token: what a runner puts into the address of the remote, and what it gives every job.
const (
	remoteSecret = "remote-planted-by-a-test"
	jobSecret    = "job-planted-by-a-test"
)

// echo is a text of a server or hook that tells all that it was sent.
const echo = gitlabtest.Token + " https://oauth2:" + remoteSecret + "@gitlab.example.org/x " + jobSecret

// planted finds which secret a text tells; empty for none.
func planted(text string) string {
	for _, secret := range []string{gitlabtest.Token, remoteSecret, jobSecret} {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte("oauth2:" + secret))} {
			if strings.Contains(text, form) {
				return form
			}
		}
	}
	return ""
}

// Whatever fails, and whatever a server, a proxy or a hook makes of it: no secret is in what is said, posted, committed or kept.
func TestNoSecretIsTold(t *testing.T) {
	t.Parallel()
	body := func(format string) string { return fmt.Sprintf(format, echo) }
	for _, c := range []struct {
		name    string
		options gitlabtest.Options
		fault   *gitlabtest.Fault
		setup   func(*testing.T, *pinsWorld, *gitlabtest.Server)
		says    string
	}{
		{name: "all is well", says: "opened merge request !1"},
		{name: "Git traces", setup: func(_ *testing.T, w *pinsWorld, _ *gitlabtest.Server) {
			w.variables = append(w.variables, "GIT_TRACE=1", "GIT_TRACE_CURL=1", "GIT_CURL_VERBOSE=1")
		}, says: "opened merge request !1"},
		{name: "401", fault: &gitlabtest.Fault{Status: http.StatusUnauthorized, Body: body(`{"message":"401 %s"}`)}, says: "does not accept the token"},
		{name: "403", fault: &gitlabtest.Fault{Status: http.StatusForbidden, Body: body(`{"error":"insufficient_scope","error_description":%q}`)}, says: "may not do this"},
		{name: "404", fault: &gitlabtest.Fault{Status: http.StatusNotFound, Body: body(`{"message":{"project":[%q]}}`)}, says: "not found"},
		{name: "409 for ever", fault: &gitlabtest.Fault{Method: http.MethodPost, Status: http.StatusConflict, Body: body(`{"message":[%q]}`)}, says: "409"},
		{name: "422 for ever", fault: &gitlabtest.Fault{Method: http.MethodPost, Status: http.StatusUnprocessableEntity, Body: body(`{"message":%q}`)}, says: "422"},
		{name: "429", fault: &gitlabtest.Fault{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "3600"}, Body: body("%s")}, says: "too many requests"},
		{name: "500", fault: &gitlabtest.Fault{Status: http.StatusInternalServerError, Body: body("<html>%s</html>")}, says: "not available"},
		{name: "501", fault: &gitlabtest.Fault{Status: http.StatusNotImplemented, Body: body(`{"message":%q}`)}, says: "501"},
		{name: "no answer", fault: &gitlabtest.Fault{Lost: true}, says: "not available"},
		{name: "no JSON", fault: &gitlabtest.Fault{Status: http.StatusOK, Body: body("[{%s")}, says: "invalid character"},
		{name: "JSON of another type", fault: &gitlabtest.Fault{Status: http.StatusOK, Body: body(`[{"iid":%q}]`)}, says: "cannot unmarshal"},
		{name: "a time that is none", fault: &gitlabtest.Fault{Status: http.StatusOK, Body: body(`[{"created_at":%q}]`)}, says: "parsing time"},
		{name: "a merge request of secrets", fault: &gitlabtest.Fault{Method: http.MethodPost, Status: http.StatusCreated, Body: body(`{"iid":1,"state":"opened","web_url":"https://gitlab.example.org/%[1]s","title":%[1]q,"sha":%[1]q,"labels":[%[1]q]}`)}, says: "opened merge request !1"},
		{name: "a merge status", setup: func(_ *testing.T, _ *pinsWorld, server *gitlabtest.Server) {
			server.Open(deploy, "x", "main", gitlabtest.Bot, false)
			server.Fail(gitlabtest.Fault{Method: http.MethodGet, Path: "/merge_requests/2", Status: http.StatusOK, Body: body(`{"iid":2,"state":"opened \u001b[2J %[1]s","sha":%[1]q,"detailed_merge_status":%[1]q}`)})
		}, says: "not merged"},
		{name: "Git is refused", options: gitlabtest.Options{GitSays: echo}, says: `asking the remote "origin": declined: git ls-remote: `},
		{name: "a hook says no", setup: func(t *testing.T, w *pinsWorld, _ *gitlabtest.Server) {
			t.Helper()
			hook := w.path(deploy+".git", "hooks", "pre-receive")
			if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'you sent "+echo+"'\nexit 1\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, says: "pre-receive hook declined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2)
			server := w.gitlab(t, c.options)
			w.mustGit(t, ".", "clone", "-q", "repo", "mine")
			w.mustGit(t, "mine", "remote", "set-url", "origin", strings.Replace(server.Remote(deploy), "://", "://oauth2:"+remoteSecret+"@", 1))
			w.variables = append(w.variables, "CI_JOB_TOKEN="+jobSecret)
			if c.setup != nil {
				c.setup(t, w, server)
			}
			if c.fault != nil {
				server.Fail(*c.fault)
			}
			done := w.tfgitops(t, "mine", "bump", "app", w.commits[1], "--merge-request", "--auto-merge")
			if says(t, done, c.says); (done.code == exitDone) != (c.name == "all is well" || c.name == "Git traces") {
				t.Errorf("exit code %d", done.code)
			}
			w.nothingPlanted(t, server, done)
			w.nothingPlanted(t, server, w.tfgitops(t, "mine", "diff", "--post=1"))
		})
	}
}

// nothingPlanted looks for secrets in what a run said, in what it sent to GitLab, in the commits that it made, and in what it keeps.
func (w *pinsWorld) nothingPlanted(t *testing.T, server *gitlabtest.Server, done outcome) {
	t.Helper()
	texts := map[string]string{
		"its output": done.out, "its messages": done.stderr,
		"a commit": w.mustGit(t, deploy+".git", "log", "--all", "-p", "--format=%an %ae %cn %ce %B"), "a branch": w.mustGit(t, deploy+".git", "for-each-ref"),
	}
	for _, call := range server.Writes() {
		texts[call.String()] = call.Path + call.Query + call.Body
	}
	err := filepath.WalkDir(w.path(".cache"), func(file string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) || err == nil && entry.IsDir() {
			return nil // nothing was kept
		}
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		texts[file] = string(content)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for where, text := range texts {
		if secret := planted(text); secret != "" {
			t.Errorf("%s tells %s:\n%s", where, secret, text)
		}
	}
}

// The token goes to the GitLab that the remote names, and to nobody whom an answer names.
func TestTheTokenGoesNowhereElse(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var came []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		came = append(came, fmt.Sprint(r.Method, " ", r.URL, r.Header))
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		w := worldForTest(t, 2)
		server := w.gitlab(t, gitlabtest.Options{}, "mine")
		server.Fail(gitlabtest.Fault{Status: status, Header: map[string]string{"Location": other.URL + "/" + echo}})
		done := w.tfgitops(t, "mine", "bump", "app", w.commits[1], "--merge-request")
		if done.code != exitFailed {
			t.Errorf("%d: exit code %d\n%s", status, done.code, done.stderr)
		}
		w.nothingPlanted(t, server, done)
	}
	server := worldForTest(t, 2)
	gitlab := server.gitlab(t, gitlabtest.Options{}, "mine")
	gitlab.Fail(gitlabtest.Fault{Method: http.MethodGet, Times: 1, Status: http.StatusOK, Header: map[string]string{"Link": "<" + other.URL + `>; rel="next"`, "X-Next-Page": "2"}, Body: "[]"})
	server.tfgitops(t, "mine", "bump", "app", server.commits[1], "--merge-request")
	if len(came) > 0 {
		t.Errorf("the other server was asked: %v", came)
	}
}
