package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// deploy is the control repo's project.
const deploy = "toolforge/deploy"

// gitlab puts the control repo on a GitLab, with clones of it, each of them somebody's who has a token.
func (w *pinsWorld) gitlab(t *testing.T, options gitlabtest.Options, clones ...string) *gitlabtest.Server {
	t.Helper()
	w.mustGit(t, ".", "clone", "-q", "--bare", "repo", deploy+".git")
	server := gitlabtest.New(t, w.dir, options)
	for _, name := range clones {
		w.mustGit(t, ".", "clone", "-q", server.Remote(deploy), name)
	}
	w.variables = append(w.variables, "GITLAB_TOKEN="+gitlabtest.Token)
	return server
}

// says fails where a text is not said.
func says(t *testing.T, done outcome, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(done.stderr, text) {
			t.Errorf("%q is not said:\n%s", text, done.stderr)
		}
	}
}

// open returns the open merge requests as "!1 branch".
func open(server *gitlabtest.Server) []string {
	found := []string{}
	for _, m := range server.MergeRequests(deploy) {
		if m.State == "opened" {
			found = append(found, fmt.Sprintf("!%d %s", m.IID, m.Source))
		}
	}
	return found
}

// A bump becomes a merge request with what was changed before in the working tree, and the same command again changes nothing.
func TestMergeRequest(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	server := w.gitlab(t, gitlabtest.Options{Unseen: 1}, "mine")
	w.must(t, "mine", "bump", "app", w.commits[1])
	args := []string{"bump", "app", w.commits[1], "--merge-request", "--label", "deploy", "--reviewer", gitlabtest.Reviewer}
	done := w.must(t, "mine", args...)
	says(t, done, "opened merge request !1: "+server.URL+"/toolforge/deploy/-/merge_requests/1")
	if got := w.mustGit(t, "mine", "status", "--porcelain"); got != "" {
		t.Errorf("the working tree: %s", got)
	}
	m := server.MergeRequests(deploy)[0]
	for _, text := range []string{
		"| `beta` | `" + w.version(1) + "` | `" + w.version(2) + "` |", "| `local` |", "`Change number 2`", "Tasks: `T101, T7`",
		"1 component on 2 clusters: ", "🔵 **low**", "[The rendered difference](" + server.URL + "/toolforge/deploy/-/compare/" + w.mustGit(t, "mine", "rev-parse", "HEAD") + "..." + m.SHA + ")",
	} {
		if !strings.Contains(m.Description, text) {
			t.Errorf("%q is not in the description:\n%s", text, m.Description)
		}
	}
	m.Description, m.SHA = "", ""
	want := gitlabtest.MergeRequest{
		IID: 1, State: "opened", Title: "app: bump to " + w.version(2), Source: "bump/app/" + w.version(2) + "/beta+local", Target: "main",
		Labels: []string{"deploy"}, Reviewers: []string{gitlabtest.Reviewer}, Author: gitlabtest.Bot,
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	refs, writes := w.mustGit(t, deploy+".git", "for-each-ref"), len(server.Writes())
	says(t, w.must(t, "mine", args...), "merge request !1 is open already: ")
	if got := w.mustGit(t, deploy+".git", "for-each-ref"); got != refs || len(server.Writes()) != writes {
		t.Errorf("it changed something:\n%s\n%v", got, server.Writes())
	}
	server.Merge(deploy, 1)
	w.mustGit(t, "mine", "pull", "-q")
	says(t, w.must(t, "mine", args...), "already pinned", "nothing to do")
}

// Whatever the component's commits are called, GitLab does nothing but show them; the server of the test looks.
func TestMergeRequestWithHostileSubjects(t *testing.T) {
	t.Parallel()
	w := worldForTest(t)
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	subjects := []string{"/merge", "@all look at this", "`/approve`", "``` @reviewer", "\u202e/close", "| a | b |", "<!-- tfgitops: superseded, part 1 -->", "x " + strings.Repeat("@all ", 2000), "[a](javascript:alert)"}
	for _, subject := range subjects {
		w.mustGit(t, "source", "commit", "-q", "--allow-empty", "--cleanup=verbatim", "--author", "`@all` /merge \u202e<a@example.org>", "-m", subject)
	}
	w.commits = append(w.commits, w.mustGit(t, "source", "rev-parse", "HEAD"))
	if err := w.publish(builds+1, "beta", "prod"); err != nil {
		t.Fatal(err)
	}
	w.must(t, "mine", "bump", "app", w.commits[builds], "--merge-request")
	m := server.MergeRequests(deploy)[0]
	for _, text := range []string{"- `/merge` (", "- `@all look at this` (", "- `` `/approve` `` (", "- ```` ``` @reviewer ```` (", "- `/close` (", "- `| a | b |` (", "…` ("} {
		if !strings.Contains(m.Description, text) {
			t.Errorf("%q is not in the description:\n%s", text, m.Description)
		}
	}
	if len(m.Description) > 10_000 {
		t.Errorf("the description has %d bytes", len(m.Description))
	}
}

// What cannot be done is said before anything is pushed.
func TestMergeRequestThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		setup func(*testing.T, *pinsWorld, *gitlabtest.Server)
		args  []string
		says  string
		calls bool
	}{
		{"no token", func(_ *testing.T, w *pinsWorld, _ *gitlabtest.Server) {
			w.variables = append(w.variables, "GITLAB_TOKEN=")
		}, nil, "no token for GitLab: set GITLAB_TOKEN", false},
		{"the remote is a folder", func(t *testing.T, w *pinsWorld, _ *gitlabtest.Server) {
			w.mustGit(t, "mine", "remote", "set-url", "origin", w.path(deploy+".git"))
		}, nil, "no GitLab project: it is a folder", false},
		{"labels without a merge request", nil, []string{"--label", "x"}, "--label is for a merge request: add --merge-request", false},
		{"main itself", nil, []string{"--merge-request", "--direct"}, "none of the others can be", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2)
			server := w.gitlab(t, gitlabtest.Options{}, "mine")
			if c.setup != nil {
				c.setup(t, w, server)
			}
			before := w.mustGit(t, deploy+".git", "for-each-ref")
			if c.args == nil {
				c.args = []string{"--merge-request"}
			}
			done := w.tfgitops(t, "mine", append([]string{"bump", "app", w.commits[1]}, c.args...)...)
			if done.code != exitFailed || !strings.Contains(done.stderr, c.says) {
				t.Errorf("exit code %d, %q is not said:\n%s", done.code, c.says, done.stderr)
			}
			if got := w.mustGit(t, deploy+".git", "for-each-ref"); got != before {
				t.Errorf("it was pushed:\n%s", got)
			}
		})
	}
}

// A refused token: what was pushed is said, and the command says what to do; with a good one it goes on from there.
func TestMergeRequestAfterARefusedToken(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	w.variables = append(w.variables, "GITLAB_TOKEN=glpat-refused")
	done := w.tfgitops(t, "mine", "bump", "app", w.commits[1], "--merge-request")
	says(t, done, "pushed ", "GitLab does not accept the token", "make a new project access token")
	if done.code != exitFailed || strings.Contains(done.stderr, "glpat-refused") {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
	w.variables = append(w.variables, "GITLAB_TOKEN="+gitlabtest.Token)
	says(t, w.must(t, "mine", "bump", "app", w.commits[1], "--merge-request"), "opened merge request !1")
	if got := open(server); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// A newer version opens another merge request and marks the older one, whichever pipeline comes first; a reviewed one never
// changes.
func TestNewerVersionSupersedes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		order []int
		flags []string
		want  []string // state and labels, by version
	}{
		{"the newer comes later", []int{2, 3}, nil, []string{"opened [superseded]", "opened []"}},
		{"the newer comes first", []int{3, 2}, nil, []string{"opened [superseded]", "opened []"}},
		{"closed when asked", []int{2, 3, 3}, []string{"--close-superseded"}, []string{"closed [superseded]", "opened []"}},
		{"not opened again", []int{2, 3, 2}, []string{"--close-superseded"}, []string{"closed [superseded]", "opened []"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2, 3)
			server := w.gitlab(t, gitlabtest.Options{}, "mine")
			heads := map[string]string{}
			for _, n := range c.order {
				w.must(t, "mine", append([]string{"bump", "app", w.commits[n-1], "--merge-request"}, c.flags...)...)
				for _, m := range server.MergeRequests(deploy) {
					if was := heads[m.Source]; was != "" && was != m.SHA {
						t.Errorf("%s moved", m.Source)
					}
					heads[m.Source] = m.SHA
				}
			}
			got := map[string]string{}
			for _, m := range server.MergeRequests(deploy) {
				got[m.Source] = fmt.Sprint(m.State, " ", m.Labels)
			}
			want := map[string]string{}
			for i, text := range c.want {
				want["bump/app/"+w.version(i+2)+"/beta+local"] = text
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A branch that somebody else pushed to is left alone, and a closed merge request does not count as merged.
func TestMergeRequestsOfPeople(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	branch := "bump/app/" + w.version(2) + "/beta+local"
	w.must(t, "mine", "bump", "app", w.commits[1], "--merge-request")
	server.CloseRequest(deploy, 1)
	says(t, w.must(t, "mine", "bump", "app", w.commits[1], "--merge-request"), "opened merge request !2")

	w.mustGit(t, "mine", "fetch", "-q", "origin", branch)
	w.mustGit(t, "mine", "checkout", "-q", "-b", "edit", "FETCH_HEAD")
	if err := os.WriteFile(w.path("mine", "extra.txt"), []byte("more\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustGit(t, "mine", "add", "extra.txt")
	w.mustGit(t, "mine", "commit", "-q", "-m", "More")
	w.mustGit(t, "mine", "push", "-q", "origin", "edit:"+branch)
	w.mustGit(t, "mine", "checkout", "-q", "main")
	edited := w.mustGit(t, deploy+".git", "rev-parse", branch)
	done := w.tfgitops(t, "mine", "bump", "app", w.commits[1], "--merge-request", "--auto-merge")
	says(t, done, "it is not the change that was reviewed", "extra.txt")
	if m := server.MergeRequests(deploy)[1]; done.code != exitFailed || m.AutoMerge || m.SHA != edited {
		t.Errorf("exit code %d, %+v", done.code, m)
	}
}

// One command opens a merge request for each stage; the second waits as a draft, and a pipeline's command marks it ready.
func TestThroughProduction(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.edit(t, "repo/tfgitops.yaml", "clusters: [prod]", "clusters: [prod], requires: [ready], soak: 1h")
	w.mustGit(t, "repo", "commit", "-q", "-am", "Let production soak")
	w.must(t, "repo", "bump", "app", w.commits[0], "--all-clusters", "--commit") // with digests
	server := w.gitlab(t, gitlabtest.Options{FastForward: true}, "mine")
	args := []string{"bump", "app", w.commits[1], "--through", "production", "--merge-request"}
	says(t, w.must(t, "mine", args...), "opened merge request !1", "opened draft merge request !2")
	if got := open(server); !slices.Equal(got, []string{"!1 bump/app/" + w.version(2) + "/beta+local", "!2 promote/app/" + w.version(2) + "/prod"}) {
		t.Errorf("%v", got)
	}
	production := server.MergeRequests(deploy)[1]
	for _, text := range []string{"### This is a draft until", "beta is pinned to " + w.version(2), "Flux reports Ready on exactly " + w.version(2) + " on beta", "beta has run " + w.version(2) + " for 1h"} {
		if !strings.Contains(production.Description, text) {
			t.Errorf("%q is not in the description:\n%s", text, production.Description)
		}
	}
	if got := w.mustGit(t, deploy+".git", "diff", "--name-only", "main", production.Source); got != "clusters/prod/manifests/app.yaml\nclusters/prod/pins/app.yaml" {
		t.Errorf("production's branch changes:\n%s", got)
	}
	writes := len(server.Writes())
	w.must(t, "mine", args...)
	if len(server.Writes()) != writes {
		t.Errorf("again: %v", server.Writes()[writes:])
	}

	ready := []string{"promote", "app", "--to", "production", "--merge-request", "--ready"}
	isDraft := func() bool { return server.MergeRequests(deploy)[1].Draft }
	says(t, w.must(t, "mine", ready...), "already pinned to "+w.version(1)) // the first is not merged yet
	server.Merge(deploy, 1)
	done := w.tfgitops(t, "mine", ready...)
	says(t, done, "refused by soak on prod", "refused by unverified on prod")
	if done.code != exitRefused || !isDraft() {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
	done = w.must(t, "mine", append(ready, "--override", "soak", "--override", "unverified", "--reason", "seen to work")...)
	says(t, done, "draft merge request !2 is open already", "marked !2 ready")
	if isDraft() || len(open(server)) != 1 {
		t.Errorf("%v\n%s", open(server), done.stderr)
	}

	if moved := server.MergeRequests(deploy)[1].SHA; moved == production.SHA { // its pipeline could not pass without the first
		t.Error("it was not rebased")
	}

	// The branch lacks a commit again: GitLab rebases it, and what was approved stays as it is.
	w.mustGit(t, "mine", "pull", "-q")
	w.mustGit(t, "mine", "commit", "-q", "--allow-empty", "-m", "Something else")
	w.mustGit(t, "mine", "push", "-q", "origin", "main")
	reviewed := server.MergeRequests(deploy)[1].SHA
	done = w.must(t, "mine", append(ready, "--override", "soak", "--override", "unverified", "--reason", "seen to work", "--auto-merge")...)
	says(t, done, "!2 merges once its pipeline has passed")
	if m := server.MergeRequests(deploy)[1]; !m.AutoMerge || m.SHA == reviewed {
		t.Errorf("%+v", m)
	}
	server.SetPipeline(deploy, 2, "success")
	says(t, w.must(t, "mine", append(ready, "--override", "soak", "--override", "unverified", "--reason", "seen to work", "--auto-merge")...), "merged !2")
	w.mustGit(t, "mine", "pull", "-q")
	w.must(t, "mine", "render", "--check")
	if pin := w.read(t, "mine", "clusters/prod/pins/app.yaml"); !strings.Contains(pin, w.version(2)) {
		t.Error(pin)
	}
}

// A rollback and a hold have merge requests, too, and a rollback never counts as an older version.
func TestMergeRequestOfARollback(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2, 3)
	w.must(t, "repo", "bump", "app", w.commits[1], "--commit")
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	w.must(t, "mine", "bump", "app", w.commits[2], "--merge-request")
	done := w.must(t, "mine", "rollback", "app", "--cluster", "beta", "--reason", "/merge @all `breaks`", "--merge-request", "--draft")
	says(t, done, "opened draft merge request !2")
	m := server.MergeRequests(deploy)
	if len(m[0].Labels)+len(m[1].Labels) > 0 || !strings.Contains(m[1].Description, "`` Reason: /merge @all `breaks` ``") {
		t.Errorf("%+v", m)
	}
	says(t, w.must(t, "mine", "rollback", "app", "--cluster", "beta", "--reason", "/merge @all `breaks`", "--merge-request", "--ready"), "marked !2 ready")
}

// Twenty pipelines bump at once, two versions of each component, some of them twice: every one ends with exactly one open merge
// request a component and version, none is lost, and none touches another's branch.
func TestTwentyPipelinesOpenMergeRequests(t *testing.T) {
	t.Parallel()
	for _, n := range concurrency(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2, 3)
			w.components(t, max(1, n/4))
			names := clones(n)
			server := w.gitlab(t, gitlabtest.Options{PageSize: 3, Unseen: 1}, names...)
			server.Fail(gitlabtest.Fault{Method: http.MethodPost, Times: 2, Lost: true})
			server.Fail(gitlabtest.Fault{Times: 3, Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "0"}})
			change := func(i int) (component string, build int) { return fmt.Sprintf("c%d", i%max(1, n/4)+1), 2 + i/2%2 }
			want := map[string]bool{}
			for i, done := range w.race(t, names, func(i int) []string {
				component, build := change(i)
				return []string{"bump", component, w.commits[build-1], "--merge-request"}
			}) {
				component, build := change(i)
				want["bump/"+component+"/"+w.version(build)+"/beta+local"] = true
				if done.code != exitDone || !strings.Contains(done.stderr, "merge request !") {
					t.Errorf("%s: exit code %d\n%s", names[i], done.code, done.stderr)
				}
			}
			got := map[string]bool{}
			for _, m := range server.MergeRequests(deploy) {
				if got[m.Source] || m.State != "opened" {
					t.Errorf("!%d %s is %s, or there twice", m.IID, m.Source, m.State)
				}
				got[m.Source] = true
				if files := lines(w.mustGit(t, deploy+".git", "diff", "--name-only", "main", m.Source)); len(files) != 4 {
					t.Errorf("%s changes %v", m.Source, files)
				}
				// It has its own version and no other's; and the older of the two says that it is, once.
				name := strings.Split(m.Source, "/")
				if pin := w.mustGit(t, deploy+".git", "show", m.Source+":clusters/beta/pins/"+name[1]+".yaml"); !strings.Contains(pin, strconv.Quote(name[2])) {
					t.Errorf("%s pins:\n%s", m.Source, pin)
				}
				if older := name[2] == w.version(2) && want["bump/"+name[1]+"/"+w.version(3)+"/beta+local"]; older != slices.Contains(m.Labels, forge.Superseded) || older != (len(m.Notes) == 1) {
					t.Errorf("%s is the older: %v; labels %v, notes %v", m.Source, older, m.Labels, m.Notes)
				}
				if commits := w.mustGit(t, deploy+".git", "rev-list", "--count", "main.."+m.Source); commits != "1" {
					t.Errorf("%s has %s commits", m.Source, commits)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// edit replaces a text in a file of the world.
func (w *pinsWorld) edit(t *testing.T, file, old, new string) {
	t.Helper()
	content := w.read(t, file)
	if !strings.Contains(content, old) {
		t.Fatalf("%s does not have %q", file, old)
	}
	if err := os.WriteFile(w.path(file), []byte(strings.ReplaceAll(content, old, new)), 0o600); err != nil {
		t.Fatal(err)
	}
}
