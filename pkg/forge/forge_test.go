package forge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

const deploy = "toolforge/deploy"

// world is a GitLab with one project, that has the branches main and some more, and a client of it.
type world struct {
	*gitlabtest.Server
	t      *testing.T
	dir    string
	client *forge.Client
}

func newWorld(t *testing.T, options gitlabtest.Options, branches ...string) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "git")}
	if err := os.MkdirAll(w.repository(), 0o755); err != nil {
		t.Fatal(err)
	}
	w.git("init", "-q", "--bare", "-b", "main")
	w.commit("main", "")
	for _, branch := range branches {
		w.commit(branch, "main")
	}
	w.Server = gitlabtest.New(t, w.dir, options)
	w.client = w.open(gitlabtest.Token)
	return w
}

func (w *world) repository() string { return filepath.Join(w.dir, deploy+".git") }

func (w *world) git(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.repository()
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org",
		"GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("git %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// commit puts a branch at a new commit on top of another, with a file of the branch's name.
func (w *world) commit(branch, on string) string {
	w.t.Helper()
	cmd := exec.Command("git", "hash-object", "-w", "--stdin")
	cmd.Dir, cmd.Stdin = w.repository(), strings.NewReader(branch)
	blob, err := cmd.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	tree := exec.Command("git", "mktree")
	tree.Dir = w.repository()
	list := fmt.Sprintf("100644 blob %s\t%s\n", strings.TrimSpace(string(blob)), strings.ReplaceAll(branch, "/", "-"))
	args := []string{"commit-tree", "-m", "Change " + branch}
	if on != "" {
		list += w.git("ls-tree", on) + "\n"
		args = append(args, "-p", on)
	}
	tree.Stdin = strings.NewReader(list)
	id, err := tree.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	commit := w.git(append(args, strings.TrimSpace(string(id)))...)
	w.git("update-ref", "refs/heads/"+branch, commit)
	return commit
}

func (w *world) open(token string) *forge.Client {
	w.t.Helper()
	project, err := forge.ProjectOf(w.Remote(deploy), func(string) string { return "" })
	if err != nil {
		w.t.Fatal(err)
	}
	client, err := forge.Open(forge.Options{Project: project, Token: forge.NewToken(token), UserAgent: "test", Pause: time.Millisecond, Timeout: time.Second})
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

func text(text string) func(context.Context) string {
	return func(context.Context) string { return text }
}

func proposal(branch string) forge.Proposal {
	return forge.Proposal{Source: branch, Target: "main", Title: "app: bump", Describe: text("text"), Labels: []string{"tfgitops"}, Reviewers: []string{gitlabtest.Reviewer}}
}

func (w *world) propose(p forge.Proposal) (forge.MergeRequest, bool) {
	w.t.Helper()
	found, created, err := w.client.Propose(w.t.Context(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	return found, created
}

// It is opened once; from then on nothing of it changes, and what people added stays.
func TestProposeCreatesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	p := proposal("bump/app")
	p.Draft = true
	first, created := w.propose(p)
	if !created || !first.Draft || first.Title != "Draft: app: bump" || first.SHA != w.git("rev-parse", "bump/app") {
		t.Errorf("created %v: %+v", created, first)
	}
	w.Label(deploy, 1, "people's own")
	w.Review(deploy, 1, gitlabtest.Stranger)
	writes := len(w.Writes())
	p.Draft, p.Title, p.Describe = false, "another", func(context.Context) string { t.Error("described again"); return "" }
	again, created := w.propose(p)
	if created || again.IID != first.IID || len(w.Writes()) != writes {
		t.Errorf("created %v, %v", created, w.Writes())
	}
	p.Labels, p.Reviewers = append(p.Labels, "urgent"), []string{gitlabtest.Bot}
	w.propose(p)
	want := gitlabtest.MergeRequest{
		IID: 1, State: "opened", Title: "Draft: app: bump", Description: "text", Source: "bump/app", Target: "main", SHA: first.SHA, Draft: true,
		Labels: []string{"tfgitops", "people's own", "urgent"}, Reviewers: []string{gitlabtest.Reviewer, gitlabtest.Stranger, gitlabtest.Bot}, Author: gitlabtest.Bot,
	}
	if diff := cmp.Diff([]gitlabtest.MergeRequest{want}, w.MergeRequests(deploy)); diff != "" {
		t.Error(diff)
	}
}

// Only an open merge request of the project itself, between the very branches, is taken for the one.
func TestProposeFindsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for _, keyset := range []bool{false, true} {
		t.Run(fmt.Sprint("keyset ", keyset), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, gitlabtest.Options{PageSize: 2, Keyset: keyset}, "bump/app", "release", "bump/app2")
			w.Open(deploy, "bump/app", "main", gitlabtest.Stranger, true)
			w.Open(deploy, "bump/app", "release", gitlabtest.Bot, false)
			w.Open(deploy, "bump/app2", "main", gitlabtest.Bot, false)
			w.CloseRequest(deploy, w.Open(deploy, "bump/app", "main", gitlabtest.Bot, false))
			found, created := w.propose(proposal("bump/app"))
			if !created || found.IID != 5 {
				t.Errorf("created %v: %+v", created, found)
			}
			for range 5 { // forks push it to a later page
				w.Open(deploy, "bump/app", "main", gitlabtest.Stranger, true)
			}
			if found, created = w.propose(proposal("bump/app")); created || found.IID != 5 {
				t.Errorf("created %v: %+v", created, found)
			}
			if open, err := w.client.Find(t.Context(), forge.Opened, "", "main"); err != nil || len(open) != 2 {
				t.Errorf("%v, %v", open, err)
			}
		})
	}
}

// What GitLab answers while it is busy, or a connection that breaks, never opens a second one and loses none.
func TestProposeIsTriedAgain(t *testing.T) {
	t.Parallel()
	limited := map[string]string{"Retry-After": "0"}
	for _, c := range []struct {
		name    string
		options gitlabtest.Options
		fault   *gitlabtest.Fault
		says    string
		is      error
	}{
		{name: "a branch that is not seen yet", options: gitlabtest.Options{Unseen: 3}},
		{name: "a branch that is never seen", options: gitlabtest.Options{Unseen: 100}, says: "does not exist"},
		{name: "the answer gets lost", fault: &gitlabtest.Fault{Method: http.MethodPost, Times: 1, Lost: true}},
		{name: "a bad gateway, and it was not done", fault: &gitlabtest.Fault{Method: http.MethodPost, Times: 2, Status: 502}},
		{name: "too many requests", fault: &gitlabtest.Fault{Times: 3, Status: 429, Header: limited}},
		{name: "lists fail for a while", fault: &gitlabtest.Fault{Method: http.MethodGet, Times: 3, Status: 503}},
		{name: "lists break off", fault: &gitlabtest.Fault{Method: http.MethodGet, Times: 2, Lost: true}},
		{name: "a slow answer", fault: &gitlabtest.Fault{Method: http.MethodPost, Times: 1, Delay: 1500 * time.Millisecond}},
		{name: "always down", fault: &gitlabtest.Fault{Status: 503, Body: "<html>down</html>"}, is: forge.ErrUnavailable, says: "503"},
		{name: "asked to wait for an hour", fault: &gitlabtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "3600"}}, is: forge.ErrUnavailable, says: "too many requests: try again later"},
		{name: "the project moved", fault: &gitlabtest.Fault{Status: 301, Header: map[string]string{"Location": "http://127.0.0.1:1/"}}, is: forge.ErrNotFound, says: "moved"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.options, "bump/app")
			if c.fault != nil {
				w.Fail(*c.fault)
			}
			_, created, err := w.client.Propose(t.Context(), proposal("bump/app"))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || !created {
				t.Fatalf("created %v: %v", created, err)
			}
			if got := w.MergeRequests(deploy); len(got) != 1 {
				t.Errorf("%d merge requests", len(got))
			}
		})
	}
}

// A server says how long to wait, and is obeyed.
func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	date := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC) // the server's clock, which counts
	for _, header := range []map[string]string{
		{"Retry-After": "1"},
		{"Retry-After": date.Add(time.Second).Format(http.TimeFormat), "Date": date.Format(http.TimeFormat)},
		{"RateLimit-Reset": fmt.Sprint(date.Unix() + 1), "Date": date.Format(http.TimeFormat)},
	} {
		w.Fail(gitlabtest.Fault{Times: 1, Status: 429, Header: header})
		start := time.Now()
		w.propose(proposal("bump/app"))
		if took := time.Since(start); took < time.Second {
			t.Errorf("%v: it waited for %s", header, took)
		}
	}
}

// Many at once: one is opened, and all get the same.
func TestProposeAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if found, _, err := w.client.Propose(t.Context(), proposal("bump/app")); err != nil || found.IID != 1 {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
	group.Wait()
	if got := w.MergeRequests(deploy); len(got) != 1 {
		t.Errorf("%d merge requests", len(got))
	}
}

// Whatever a server makes of the token, the error says what to do, and never holds it.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		token   string
		options gitlabtest.Options
		fault   *gitlabtest.Fault
		is      error
		says    string
	}{
		{"unknown", "glpat-not-taken", gitlabtest.Options{}, nil, forge.ErrUnauthorized, "make a new project access token, and set GITLAB_TOKEN to it"},
		{"no rights", gitlabtest.Token, gitlabtest.Options{ReadOnly: true}, nil, forge.ErrForbidden, "needs the scope api and the role Developer"},
		{"hidden project", gitlabtest.Token, gitlabtest.Options{}, &gitlabtest.Fault{Status: 404, Path: "merge_requests"}, forge.ErrNotFound, "look at the remote's URL"},
		{"a server that echoes", gitlabtest.Token, gitlabtest.Options{}, &gitlabtest.Fault{Status: 400, Body: `{"message":"bad header ` + gitlabtest.Token + "\u202e\\u001b[2J" + `"}`}, nil, "bad header ***"},
		{"a page for people", gitlabtest.Token, gitlabtest.Options{}, &gitlabtest.Fault{Status: 400, Body: strings.Repeat("<p>"+gitlabtest.Token+"</p>", 1000)}, nil, "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.options, "bump/app")
			if c.fault != nil {
				w.Fail(*c.fault)
			}
			p := proposal("bump/app")
			p.Reviewers = nil
			_, _, err := w.open(c.token).Propose(t.Context(), p)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, c.token) || strings.ContainsAny(text, "\u202e\x1b") || len(err.Error()) > 700 {
				t.Errorf("%q", text)
			}
		})
	}
}

// A server whose certificate nobody signed does not get the token.
func TestUntrustedServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("it was asked: %v", r.Header) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	client, err := forge.Open(forge.Options{Project: forge.Project{Server: server.URL, Path: deploy}, Token: forge.NewToken(gitlabtest.Token), Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Find(t.Context(), forge.Opened, "", ""); !errors.Is(err, forge.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), gitlabtest.Token) {
		t.Error(err)
	}
}

func TestUnknownReviewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	p := proposal("bump/app")
	p.Reviewers = []string{"nobody"}
	if _, _, err := w.client.Propose(t.Context(), p); !errors.Is(err, forge.ErrNoUser) || len(w.MergeRequests(deploy)) != 0 {
		t.Error(err)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	p := proposal("bump/app")
	p.Draft = true
	draft, _ := w.propose(p)
	ready, err := w.client.Ready(t.Context(), draft)
	if err != nil || ready.Draft || ready.Title != "app: bump" {
		t.Errorf("%+v, %v", ready, err)
	}
	writes := len(w.Writes())
	if _, err = w.client.Ready(t.Context(), ready); err != nil || len(w.Writes()) != writes {
		t.Errorf("%v, %v", w.Writes(), err)
	}
}

// A superseded merge request keeps its commits, title and description, and its label, note and end come once.
func TestSupersede(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app/1", "bump/app/2")
	old, _ := w.propose(proposal("bump/app/1"))
	new, _ := w.propose(proposal("bump/app/2"))
	w.Label(deploy, 1, "people's own")
	before := w.MergeRequests(deploy)[0]
	for _, closes := range []bool{false, false, true, true} {
		current, err := w.client.Get(t.Context(), old.IID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.client.Supersede(t.Context(), current, new, closes); err != nil {
			t.Fatal(err)
		}
	}
	want := before
	want.State, want.Labels = "closed", []string{"tfgitops", "people's own", forge.Superseded}
	got := w.MergeRequests(deploy)[0]
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0].Body, "Superseded by !2") {
		t.Errorf("notes: %v", got.Notes)
	}
	got.Notes = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if puts := w.Calls(http.MethodPut, "/merge_requests/1"); len(puts) != 2 {
		t.Errorf("%v", puts)
	}
}

// One note of a kind, by its marker and our own authorship; parts come and go.
func TestPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{PageSize: 2}, "bump/app")
	w.propose(proposal("bump/app"))
	post := func(parts ...string) forge.Posted {
		t.Helper()
		posted, err := w.client.Post(t.Context(), 1, "diff", parts...)
		if err != nil {
			t.Fatal(err)
		}
		return posted
	}
	bodies := func() []string {
		var found []string
		for _, n := range w.MergeRequests(deploy)[0].Notes {
			_, text, _ := strings.Cut(n.Body, "\n")
			found = append(found, n.Author+": "+text)
		}
		return found
	}
	if posted := post("one", "two"); posted.Created != 2 || !strings.HasSuffix(posted.URL, "/toolforge/deploy/-/merge_requests/1#note_1") {
		t.Errorf("%+v", posted)
	}
	marker, _, _ := strings.Cut(w.MergeRequests(deploy)[0].Notes[0].Body, "\n")
	for range 3 { // over several pages
		w.Write(deploy, 1, gitlabtest.Stranger, marker+"\na stranger's")
	}
	writes := len(w.Writes())
	if posted := post("one", "two"); posted.Created+posted.Updated != 0 || len(w.Writes()) != writes {
		t.Errorf("it was posted again: %+v", posted)
	}
	if posted := post("three"); posted.Updated != 1 {
		t.Errorf("%+v", posted)
	}
	want := []string{"tfgitops-bot: three", "stranger: a stranger's", "stranger: a stranger's", "stranger: a stranger's"}
	if diff := cmp.Diff(want, bodies()); diff != "" {
		t.Error(diff)
	}
	if text, err := w.client.Note(t.Context(), 1, "diff"); err != nil || text != "three" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := w.client.Note(t.Context(), 1, "status"); err != nil || text != "" {
		t.Errorf("%q, %v", text, err)
	}
	w.Fail(gitlabtest.Fault{Method: http.MethodPost, Path: "/notes", Times: 1, Lost: true})
	if _, err := w.client.Post(t.Context(), 1, "status", "lost"); err != nil {
		t.Error(err)
	}
	if got := bodies(); len(got) != 5 {
		t.Errorf("%v", got)
	}
	if _, err := w.client.Post(t.Context(), 1, "diff", strings.Repeat("x", forge.MaxNote)); err == nil || !strings.Contains(err.Error(), "GitLab takes a million") {
		t.Error(err)
	}
}

// Many pipelines at once leave one note.
func TestPostAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	w.propose(proposal("bump/app"))
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if posted, err := w.client.Post(t.Context(), 1, "diff", "the same", "two"); err != nil || !strings.HasSuffix(posted.URL, "#note_1") {
				t.Errorf("%+v, %v", posted, err)
			}
		})
	}
	group.Wait()
	if got := w.MergeRequests(deploy)[0].Notes; len(got) != 2 {
		t.Errorf("%d notes: %v", len(got), got)
	}
}

// Nothing is set to merge but the very commit that was reviewed, with a pipeline whose state is known.
func TestAutoMerge(t *testing.T) {
	t.Parallel()
	differs := errors.New("it differs")
	for _, c := range []struct {
		name    string
		options gitlabtest.Options
		setup   func(*world)
		review  error
		merged  bool
		auto    bool
		says    string
	}{
		{name: "a running pipeline", auto: true},
		{name: "mergeability not known yet", options: gitlabtest.Options{Unchecked: 3}, auto: true},
		{name: "a passed pipeline", setup: func(w *world) { w.SetPipeline(deploy, 1, "success") }, merged: true},
		{name: "not approved yet", setup: func(w *world) { w.SetStatus(deploy, 1, "not_approved") }, auto: true},
		{name: "no pipeline", options: gitlabtest.Options{NoPipelines: true}, says: "knows no pipeline"},
		{name: "a failed pipeline", setup: func(w *world) { w.SetPipeline(deploy, 1, "failed") }, says: `its pipeline is "failed"`},
		{name: "a pipeline in a state that is new", setup: func(w *world) { w.SetPipeline(deploy, 1, "levitating") }, says: `its pipeline is "levitating"`},
		{name: "a skipped pipeline", setup: func(w *world) { w.SetPipeline(deploy, 1, "skipped") }, says: `its pipeline is "skipped"`},
		{name: "a conflict", setup: func(w *world) { w.SetStatus(deploy, 1, "conflict") }, says: `GitLab says "conflict"`},
		{name: "a status that is new", setup: func(w *world) { w.SetStatus(deploy, 1, "bewitched") }, says: `GitLab says "bewitched"`},
		{name: "never decided", options: gitlabtest.Options{Unchecked: 1000}, says: "has not made up its mind"},
		{name: "another commit", setup: func(w *world) { w.commit("bump/app", "main~0") }, says: "which was reviewed"},
		{name: "closed", setup: func(w *world) { w.CloseRequest(deploy, 1) }, says: "it is closed"},
		{name: "405 once", setup: func(w *world) {
			w.Fail(gitlabtest.Fault{Path: "/merge", Method: http.MethodPut, Times: 1, Status: 405})
		}, auto: true},
		{name: "a rebase with the same change", options: gitlabtest.Options{FastForward: true}, setup: func(w *world) { w.commit("main", "main") }, auto: true},
		{name: "a rebase with another change", options: gitlabtest.Options{FastForward: true}, setup: func(w *world) { w.commit("main", "main") }, review: differs, says: "after the rebase: it differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.options, "bump/app")
			found, _ := w.propose(proposal("bump/app"))
			if c.setup != nil {
				c.setup(w)
			}
			if strings.HasPrefix(c.name, "another") { // a file more
				w.git("update-ref", "refs/heads/bump/app", w.commit("x", "bump/app"))
			}
			reviews := 0
			merged, err := w.client.AutoMerge(t.Context(), 1, found.SHA, func(context.Context, string) error { reviews++; return c.review })
			after := w.MergeRequests(deploy)[0]
			if merged != c.merged || after.AutoMerge != c.auto || (after.State == "merged") != c.merged {
				t.Errorf("merged %v, %+v, %v", merged, after, err)
			}
			if c.says != "" && (!errors.Is(err, forge.ErrNotMergeable) || !strings.Contains(err.Error(), c.says)) || c.says == "" && err != nil {
				t.Error(err)
			}
			writes := len(w.Writes())
			if merged, err = w.client.AutoMerge(t.Context(), 1, after.SHA, nil); c.auto && (merged || err != nil || len(w.Writes()) != writes) {
				t.Errorf("again: merged %v, %v, %v", merged, w.Writes()[writes:], err)
			}
			if wanted := strings.Contains(c.name, "rebase"); wanted != (reviews == 1) {
				t.Errorf("%d reviews", reviews)
			}
		})
	}
}

// A rebase that fails, that changes something, or that never ends, is told.
func TestRebase(t *testing.T) {
	t.Parallel()
	differs := errors.New("it differs")
	for _, c := range []struct {
		name   string
		setup  func(*world)
		review error
		says   string
	}{
		{name: "the same change"},
		{name: "another change", review: differs, says: "after the rebase: it differs"},
		{name: "a conflict", setup: func(w *world) { w.SetMergeError(deploy, 1, "conflict in clusters\u202e"+gitlabtest.Token) }, says: "it does not rebase: conflict in clusters***"},
		{name: "refused", setup: func(w *world) { w.Fail(gitlabtest.Fault{Path: "/rebase", Status: http.StatusForbidden}) }, says: "the token may not do this"},
		{name: "nothing happens", setup: func(w *world) { w.Fail(gitlabtest.Fault{Path: "/rebase", Status: http.StatusAccepted, Body: "{}"}) }, says: "GitLab has not rebased it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, gitlabtest.Options{}, "bump/app")
			found, _ := w.propose(proposal("bump/app"))
			w.commit("main", "main")
			if c.setup != nil {
				c.setup(w)
			}
			commit, err := w.client.Rebase(t.Context(), 1, found.SHA, func(context.Context, string) error { return c.review })
			if c.says == "" && (err != nil || commit == found.SHA || commit != w.git("rev-parse", "bump/app")) {
				t.Errorf("%s, %v", commit, err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), gitlabtest.Token) || commit != found.SHA) {
				t.Errorf("%s, %v", commit, err)
			}
		})
	}
}

// The merge request of a commit, before and after it was merged.
func TestOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	w.Open(deploy, "bump/app", "main", gitlabtest.Stranger, true)
	found, _ := w.propose(proposal("bump/app"))
	for _, merge := range []bool{false, true} {
		if merge {
			w.Merge(deploy, int(found.IID))
		}
		got, err := w.client.Of(t.Context(), found.SHA)
		if err != nil || len(got) != 1 || got[0].IID != found.IID {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestProjectOf(t *testing.T) {
	t.Parallel()
	inCI := map[string]string{"CI_SERVER_URL": "https://git.example.org/gitlab", "CI_PROJECT_URL": "https://git.example.org/gitlab/own/project"}
	for _, c := range []struct {
		remote string
		ci     bool
		want   string // the server, a blank, the path; or what the error says
	}{
		{"https://gitlab.example.org/group/sub/name.git", false, "https://gitlab.example.org group/sub/name"},
		{"https://oauth2:secret@gitlab.example.org/group/name", false, "https://gitlab.example.org group/name"},
		{"https://***@gitlab.example.org:8443/group/name.git/", false, "https://gitlab.example.org:8443 group/name"},
		{"git@gitlab.example.org:group/name.git", false, "https://gitlab.example.org group/name"},
		{"ssh://git@gitlab.example.org:2222/group/name.git", false, "https://gitlab.example.org group/name"},
		{"http://127.0.0.1:1234/group/name.git", false, "http://127.0.0.1:1234 group/name"},
		{"https://git.example.org/gitlab/group/name.git", true, "https://git.example.org/gitlab group/name"},
		{"git@git.example.org:group/name.git", true, "https://git.example.org/gitlab group/name"},
		{"https://other.example.org/group/name.git", true, "https://other.example.org group/name"},
		{"/srv/git/name.git", true, "https://git.example.org/gitlab own/project"},
		{"/srv/git/name.git", false, "it is a folder"},
		{"http://gitlab.example.org/group/name.git", false, "in the clear"},
		{"https://gitlab.example.org/name.git", false, "no GROUP/PROJECT"},
		{"https://gitlab.example.org/group/../name", false, "no GROUP/PROJECT"},
		{"ftp://user:secret@gitlab.example.org/group/name", false, `its scheme is "ftp"`},
		{"https://user:secret@gitlab.example.org:x/group/name", false, "cannot be parsed"},
	} {
		getenv := func(name string) string {
			if c.ci {
				return inCI[name]
			}
			return ""
		}
		got, err := forge.ProjectOf(c.remote, getenv)
		if err != nil {
			if !errors.Is(err, forge.ErrNoProject) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v", c.remote, err)
			}
			continue
		}
		if got.Server+" "+got.Path != c.want {
			t.Errorf("%s: %+v, want %s", c.remote, got, c.want)
		}
	}
}

func TestReadToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, empty := filepath.Join(dir, "token"), filepath.Join(dir, "empty")
	if err := errors.Join(os.WriteFile(file, []byte("glpat-in-a-file\n"), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		variables map[string]string
		says      string
	}{
		{"a token", map[string]string{"GITLAB_TOKEN": "glpat-x"}, ""},
		{"a file", map[string]string{"GITLAB_TOKEN": file}, ""},
		{"the job's", map[string]string{"CI_JOB_TOKEN": "job"}, ""},
		{"none", nil, "set GITLAB_TOKEN"},
		{"an empty file", map[string]string{"GITLAB_TOKEN": empty}, "holds no token"},
		{"no such file", map[string]string{"GITLAB_TOKEN": filepath.Join(dir, "no")}, "reading the token"},
		{"a header more", map[string]string{"GITLAB_TOKEN": "glpat-x\r\nX-Other: 1"}, "GITLAB_TOKEN holds no token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			token, err := forge.ReadToken(func(name string) string { return c.variables[name] })
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Error(err)
			}
			shown := fmt.Sprintf("%v %+v %#v %s %v", token, token, token, token, struct{ t forge.Token }{token})
			for _, secret := range append(slices.Collect(mapValues(c.variables)), "glpat-in-a-file") {
				if strings.Contains(shown, secret) || err != nil && strings.Contains(err.Error(), "glpat") {
					t.Errorf("%s is in %s, %v", secret, shown, err)
				}
			}
		})
	}
}

func mapValues(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, value := range m {
			if !yield(value) {
				return
			}
		}
	}
}

// A job's token is told apart from one that does not suffice.
func TestJobToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gitlabtest.Options{}, "bump/app")
	token, err := forge.ReadToken(func(name string) string { return map[string]string{"CI_JOB_TOKEN": "job-token"}[name] })
	if err != nil {
		t.Fatal(err)
	}
	project, _ := forge.ProjectOf(w.Remote(deploy), func(string) string { return "" })
	client, err := forge.Open(forge.Options{Project: project, Token: token, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Find(t.Context(), "", "", ""); err != nil {
		t.Error(err)
	}
	p := proposal("bump/app")
	p.Reviewers = nil
	if _, _, err := client.Propose(t.Context(), p); !errors.Is(err, forge.ErrUnauthorized) || !strings.Contains(err.Error(), "CI_JOB_TOKEN does not suffice") || strings.Contains(err.Error(), "job-token") {
		t.Error(err)
	}
}
