package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/githttptest"
)

func (w *pinsWorld) branches(t *testing.T) []string {
	t.Helper()
	return lines(w.mustGit(t, "remote.git", "for-each-ref", "--format=%(refname:short)", "refs/heads"))
}

func (w *pinsWorld) hook(t *testing.T, repo, name, script string) {
	t.Helper()
	if err := os.MkdirAll(w.path(repo, "hooks"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.path(repo, "hooks", name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// A push over a bare repository on disk, and over HTTP, as GitLab serves it: a branch of the change's own, and no more.
func TestPush(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"file", "http"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2, 3)
			w.remote(t, "mine")
			if transport == "http" {
				server := githttptest.New(t, w.dir, githttptest.Options{})
				w.mustGit(t, "mine", "remote", "set-url", "origin", server.Repository("remote.git"))
			}
			start := w.mustGit(t, "mine", "rev-parse", "HEAD")
			branch := "bump/app/" + w.version(2) + "/beta+local"

			// What the same command changed before moves to the branch; what else is there stays.
			if err := w.write("mine", map[string]string{"notes.txt": "mine", "components/app/component.yaml": w.read(t, "mine", "components/app/component.yaml") + "# mine\n"}); err != nil {
				t.Fatal(err)
			}
			w.must(t, "mine", "bump", "app", w.commits[1])
			done := w.must(t, "mine", "bump", "app", w.commits[1], "--push")
			if !strings.Contains(done.stderr, " to "+branch+" of origin") {
				t.Error(done.stderr)
			}
			if got := w.mustGit(t, "mine", "status", "--porcelain"); got != "M components/app/component.yaml\n?? notes.txt" {
				t.Errorf("the working tree: %s", got)
			}
			pushed := w.mustGit(t, "remote.git", "rev-parse", branch)
			if got := lines(w.mustGit(t, "remote.git", "diff", "--name-only", start, pushed)); len(got) != 4 {
				t.Errorf("the branch changes %v", got)
			}
			if w.mustGit(t, "mine", "rev-parse", "HEAD") != start || w.mustGit(t, "remote.git", "rev-parse", "main") != start {
				t.Error("main moved")
			}

			// Once more: nothing changes.
			again := w.must(t, "mine", "bump", "app", w.commits[1], "--push")
			if w.mustGit(t, "remote.git", "rev-parse", branch) != pushed || !strings.Contains(again.stderr, "has this change already") {
				t.Error(again.stderr)
			}

			w.must(t, "mine", "bump", "app", w.commits[1], "--cluster", "beta", "--push", "--branch", "mine/own")
			if got := strings.Join(w.branches(t), " "); got != branch+" main mine/own" {
				t.Errorf("branches: %s", got)
			}

			done = w.must(t, "mine", "bump", "app", w.commits[2], "--direct")
			if got := w.mustGit(t, "remote.git", "log", "--format=%s", start+"..main"); got != "app: bump to "+w.version(3) {
				t.Errorf("main has %q", got)
			}
			if w.mustGit(t, "mine", "rev-parse", "HEAD") != start || !strings.Contains(done.stderr, "next: git pull") {
				t.Error(done.stderr)
			}
			main := w.mustGit(t, "remote.git", "rev-parse", "main")
			if done = w.must(t, "mine", "bump", "app", w.commits[2], "--direct"); w.mustGit(t, "remote.git", "rev-parse", "main") != main || !strings.Contains(done.stderr, "already pinned") {
				t.Error(done.stderr)
			}
		})
	}
}

// Whatever keeps a push from arriving is said, and nothing is ever forced.
func TestPushesThatDoNotArrive(t *testing.T) {
	t.Parallel()
	branch := func(w *pinsWorld) string { return "bump/app/" + w.version(2) + "/beta+local" }
	for _, c := range []struct {
		name  string
		setup func(*testing.T, *pinsWorld)
		args  []string
		says  string
		once  bool // the remote was asked once
	}{
		{"a branch with other content", func(t *testing.T, w *pinsWorld) { w.mustGit(t, "remote.git", "branch", branch(w), "main") }, []string{"--push"}, "with other content: look at it", false},
		{"a branch where a folder is to be", func(t *testing.T, w *pinsWorld) { w.mustGit(t, "remote.git", "branch", "bump", "main") }, []string{"--push"}, "bump", false},
		{"a hook", func(t *testing.T, w *pinsWorld) {
			w.hook(t, "remote.git", "pre-receive", "echo asked >> "+w.path("asked")+"\necho not on a Friday >&2\nexit 1\n")
		}, []string{"--push"}, "not on a Friday", true},
		{"a protected branch", func(t *testing.T, w *pinsWorld) {
			w.hook(t, "remote.git", "update", "echo asked >> "+w.path("asked")+"\necho GitLab: You are not allowed to push code to protected branches on this project. >&2\nexit 1\n")
		}, []string{"--direct"}, "not allowed to push code to protected branches", true},
		{"no such remote", func(t *testing.T, w *pinsWorld) { w.mustGit(t, "mine", "remote", "remove", "origin") }, []string{"--push"}, "origin", false},
		{"an empty remote", func(t *testing.T, w *pinsWorld) {
			w.mustGit(t, ".", "init", "-q", "--bare", "empty.git")
			w.mustGit(t, "mine", "remote", "set-url", "origin", w.path("empty.git"))
		}, []string{"--push"}, `remote "origin" has no default branch: push the control repo there first`, false},
		{"no history in common, and no control repo", func(t *testing.T, w *pinsWorld) {
			w.mustGit(t, "mine", "remote", "set-url", "origin", w.path("source"))
		}, []string{"--push"}, "tfgitops.yaml", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2)
			w.remote(t, "mine")
			c.setup(t, w)
			before := w.mustGit(t, "remote.git", "for-each-ref")
			done := w.tfgitops(t, "mine", append([]string{"bump", "app", w.commits[1]}, c.args...)...)
			if done.code != exitFailed || !strings.Contains(done.stderr, c.says) {
				t.Errorf("exit code %d, %q is not said:\n%s", done.code, c.says, done.stderr)
			}
			if got := w.mustGit(t, "remote.git", "for-each-ref"); got != before {
				t.Errorf("the remote changed:\n%s", got)
			}
			if strings.Contains(done.stderr, "attempts") {
				t.Error("it was tried again and again")
			}
			if c.once && w.read(t, "asked") != "asked\n" {
				t.Error("it was tried again")
			}
			if got := w.mustGit(t, "mine", "status", "--porcelain"); got != "" {
				t.Errorf("the working tree: %s", got)
			}
		})
	}
}

// The connection breaks after the push has arrived: the remote is read before anything is said.
func TestConnectionBreaksAfterThePush(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.remote(t, "mine")
	w.hook(t, "remote.git", "post-receive", "echo arrived >> "+w.path("arrived"))
	server := githttptest.New(t, w.dir, githttptest.Options{Wrap: func(repositories http.Handler) http.Handler {
		return http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
			if !githttptest.IsPush(req) {
				repositories.ServeHTTP(out, req)
				return
			}
			repositories.ServeHTTP(discarded{http.Header{}}, req)
			panic(http.ErrAbortHandler)
		})
	}})
	w.mustGit(t, "mine", "remote", "set-url", "origin", server.Repository("remote.git"))
	for _, how := range []string{"--push", "--direct"} {
		done := w.must(t, "mine", "bump", "app", w.commits[1], how)
		if !strings.Contains(done.stderr, "pushed") {
			t.Error(done.stderr)
		}
	}
	if got := w.read(t, "arrived"); got != "arrived\narrived\n" {
		t.Errorf("it was pushed again: %q", got)
	}
	if got := w.mustGit(t, "remote.git", "log", "-1", "--format=%s", "main"); got != "app: bump to "+w.version(2) {
		t.Error(got)
	}
}

// discarded is an answer that nobody gets.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header       { return d.header }
func (discarded) Write(p []byte) (int, error) { return len(p), nil }
func (discarded) WriteHeader(int)             {}

// components adds components c1, c2 … to the control repo, all of chart app.
func (w *pinsWorld) components(t *testing.T, n int) {
	t.Helper()
	files := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("c%d", i+1)
		files["components/"+name+"/component.yaml"] = strings.NewReplacer("name: app}\nspec", "name: "+name+"}\nspec", "- {name: app,", "- {name: "+name+", chart: app,", "namespace: app", "namespace: "+name).
			Replace(w.read(t, "repo", "components", "app", "component.yaml"))
		for _, cluster := range []string{"beta", "local", "prod"} {
			files["clusters/"+cluster+"/pins/"+name+".yaml"] = strings.NewReplacer("name: app\n", "name: "+name+"\n", "    app:\n", "    "+name+":\n").
				Replace(w.read(t, "repo", "clusters", cluster, "pins", "app.yaml"))
			files["clusters/"+cluster+"/values/"+name+".yaml"] = w.read(t, "repo", "clusters", cluster, "values", "app.yaml")
		}
	}
	if err := w.write("repo", files); err != nil {
		t.Fatal(err)
	}
	w.must(t, "repo", "render")
	w.mustGit(t, "repo", "add", "-A")
	w.mustGit(t, "repo", "commit", "-q", "-m", "More components")
}

// race runs a command in each clone at once, as processes.
func (w *pinsWorld) race(t *testing.T, clones []string, args func(i int) []string) []outcome {
	t.Helper()
	outcomes := make([]outcome, len(clones))
	var group sync.WaitGroup
	for i, clone := range clones {
		group.Go(func() { outcomes[i] = finish(t, w.command(clone, "tfgitops", args(i)...)) })
	}
	group.Wait()
	for i, done := range outcomes {
		if done.code != exitDone && strings.TrimSpace(done.stderr) == "" {
			t.Errorf("%v failed without a word", args(i))
		}
	}
	return outcomes
}

func clones(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("clone%d", i+1)
	}
	return names
}

// checkMain holds the remote's main branch to be linear, each commit a whole and rendered control repo at the end.
func (w *pinsWorld) checkMain(t *testing.T, want int) {
	t.Helper()
	if got := w.mustGit(t, "remote.git", "rev-list", "--merges", "--count", "main"); got != "0" {
		t.Errorf("%s merges on main", got)
	}
	if got := len(lines(w.mustGit(t, "remote.git", "log", "--format=%s", "--grep=^Tfgitops-Op:", "main"))); got != want {
		t.Errorf("%d changes on main, want %d", got, want)
	}
	w.mustGit(t, ".", "clone", "-q", w.path("remote.git"), "result")
	w.must(t, "result", "render", "--check")
	w.must(t, "result", "validate")
}

// Two, and twenty, push changes of different components to main at the same time: every one arrives.
func TestConcurrentPushesOfDifferentComponents(t *testing.T) {
	t.Parallel()
	for _, n := range concurrency(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2)
			w.components(t, n)
			names := clones(n)
			w.remote(t, names...)
			for i, done := range w.race(t, names, func(i int) []string {
				return []string{"bump", fmt.Sprintf("c%d", i+1), w.commits[1], "--direct"}
			}) {
				if done.code != exitDone {
					t.Errorf("c%d: exit code %d\n%s", i+1, done.code, done.stderr)
				}
			}
			w.checkMain(t, n)
			for i := range n {
				if pin := w.read(t, "result", "clusters", "beta", "pins", fmt.Sprintf("c%d.yaml", i+1)); !strings.Contains(pin, w.version(2)) {
					t.Errorf("c%d is lost:\n%s", i+1, pin)
				}
			}
		})
	}
}

// concurrency is how many are at it at once.
func concurrency(t *testing.T) []int {
	t.Helper()
	if testing.Short() {
		return []int{2}
	}
	return []int{2, 20}
}

// Two, and twenty, push the same change: it arrives once, and the others are told that it is there.
func TestConcurrentPushesOfTheSameChange(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"--direct", "--push"} {
		for _, n := range concurrency(t) {
			t.Run(fmt.Sprint(how, n), func(t *testing.T) {
				t.Parallel()
				w := worldForTest(t, 2)
				names := clones(n)
				w.remote(t, names...)
				pushed := 0
				for _, done := range w.race(t, names, func(int) []string { return []string{"bump", "app", w.commits[1], how} }) {
					switch {
					case done.code != exitDone:
						t.Errorf("exit code %d\n%s", done.code, done.stderr)
					case strings.Contains(done.stderr, "already"):
					default:
						pushed++
					}
				}
				if pushed != 1 {
					t.Errorf("%d say that they pushed it", pushed)
				}
				if how == "--direct" {
					w.checkMain(t, 1)
				} else if got := len(w.branches(t)); got != 2 {
					t.Errorf("%d branches", got)
				}
			})
		}
	}
}

// Different versions of one component race to main: who comes too late is refused, because a newer one is there, and told
// so. The newest is there in the end.
func TestConcurrentPushesOfDifferentVersions(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2, 3, 4, 5, 6)
	names := clones(5)
	w.remote(t, names...)
	landed := 0
	for i, done := range w.race(t, names, func(i int) []string { return []string{"bump", "app", w.commits[i+1], "--direct"} }) {
		switch {
		case done.code == exitDone:
			landed++
		case done.code != exitRefused || !strings.Contains(done.stderr, "refused by downgrade on beta, local: "+w.version(i+2)+" is older than the pinned "):
			t.Errorf("exit code %d\n%s", done.code, done.stderr)
		}
	}
	w.checkMain(t, landed)
	if pin := w.read(t, "result", "clusters", "beta", "pins", "app.yaml"); !strings.Contains(pin, w.version(6)) {
		t.Error(pin)
	}
	w.checkTruth(t)
}

// checkTruth follows From and To through the history of main: each change starts where the one before it ended.
func (w *pinsWorld) checkTruth(t *testing.T) {
	t.Helper()
	at := map[string]string{"beta": w.version(1), "local": w.version(1), "prod": w.version(1)}
	for _, line := range lines(w.mustGit(t, "remote.git", "log", "--reverse", "--format=%(trailers:key=Tfgitops-From)%(trailers:key=Tfgitops-To)", "main")) {
		fields := strings.Fields(line)
		switch {
		case fields[0] == "Tfgitops-From:" && at[fields[1]] != fields[2]:
			t.Errorf("%s is said to come from %s, and was at %s", fields[1], fields[2], at[fields[1]])
		case fields[0] == "Tfgitops-To:":
			at[fields[1]] = fields[2]
		}
	}
}

// A repository that twenty work in at once: nothing of theirs is mixed up.
func TestConcurrentPushesFromOneClone(t *testing.T) {
	t.Parallel()
	const n = 4
	w := worldForTest(t, 2)
	w.components(t, n)
	w.remote(t, "mine")
	for i, done := range w.race(t, []string{"mine", "mine", "mine", "mine"}, func(i int) []string {
		return []string{"bump", fmt.Sprintf("c%d", i+1), w.commits[1], "--push"}
	}) {
		if done.code != exitDone {
			t.Errorf("c%d: exit code %d\n%s", i+1, done.code, done.stderr)
		}
	}
	if got := len(w.branches(t)); got != n+1 {
		t.Errorf("%d branches, want %d", got, n+1)
	}
}
