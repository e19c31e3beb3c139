package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// notes are those on a merge request, without their markers.
func notes(server *gitlabtest.Server, iid int) []string {
	var found []string
	for _, n := range server.MergeRequests(deploy)[iid-1].Notes {
		_, text, _ := strings.Cut(n.Body, "\n")
		found = append(found, text)
	}
	return found
}

// diff --post keeps one note on the merge request of the checked out commit, or on the one that is named.
func TestDiffPost(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	w.must(t, "mine", "bump", "app", w.commits[1], "--merge-request")
	w.mustGit(t, "mine", "fetch", "-q", "origin", "bump/app/"+w.version(2)+"/beta+local")
	w.mustGit(t, "mine", "checkout", "-q", "FETCH_HEAD")
	done := w.must(t, "mine", "diff", "--charts", "--post")
	says(t, done, "posted: "+server.URL+"/toolforge/deploy/-/merge_requests/1#note_1")
	if got := notes(server, 1); len(got) != 1 || !strings.Contains(got[0], "## tfgitops diff") || !strings.Contains(got[0], w.version(2)) || !strings.Contains(got[0], "spec.chart.spec.version") {
		t.Errorf("%q", got)
	}
	// As often as a pipeline runs; and its own variables name the merge request.
	w.variables = append(w.variables, "CI_MERGE_REQUEST_IID=1")
	writes := len(server.Writes())
	says(t, w.must(t, "mine", "diff", "--charts", "--post"), "it is there already")
	if len(server.Writes()) != writes {
		t.Errorf("%v", server.Writes()[writes:])
	}
	says(t, w.must(t, "mine", "diff", "--post=1"), "posted: ") // without charts it is another text
	if got := notes(server, 1); len(got) != 1 {
		t.Errorf("%q", got)
	}
	done = w.tfgitops(t, "mine", "diff", "--post=x")
	if done.code != exitFailed || !strings.Contains(done.stderr, "write the number of a merge request, as in --post=42") {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
	// A risk decides the exit code, whatever becomes of the note.
	server.Fail(gitlabtest.Fault{Path: "/notes", Status: http.StatusForbidden})
	done = w.tfgitops(t, "mine", "diff", "--post", "--exit-code")
	if says(t, done, "not posted: "); done.code != exitFound {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
	if done = w.tfgitops(t, "mine", "diff", "--post"); done.code != exitFailed {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
}

// A commit without a merge request.
func TestPostWithoutAMergeRequest(t *testing.T) {
	t.Parallel()
	w := worldForTest(t)
	w.gitlab(t, gitlabtest.Options{}, "mine")
	for _, args := range [][]string{{"diff", "--post"}, {"status", "--post", "--upstream=false"}, {"wait", "app", "--cluster", "beta", "--post"}} {
		if done := w.tfgitops(t, "mine", args...); done.code != exitFailed || !strings.Contains(done.stderr, "is of none; name one, as in --post=42") {
			t.Errorf("%v: exit code %d\n%s", args, done.code, done.stderr)
		}
	}
}

// --post=auto is for pipelines that may lack a merge request, or a token: then nothing is posted, and nothing fails.
func TestPostIfAny(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	w.must(t, "mine", "bump", "app", w.commits[1], "--merge-request")
	for _, c := range []struct {
		name, to  string
		variables []string
		code      int
		says      string
		notes     int
	}{
		{"no merge request", "auto", nil, exitDone, "not posted: there is no merge request to post on: commit ", 0},
		{"no token", "auto", []string{"CI_MERGE_REQUEST_IID=1", "GITLAB_TOKEN=", "CI_JOB_TOKEN=job"}, exitDone, "not posted: no token for GitLab", 0},
		{"a fork's pipeline", "auto", []string{"CI_MERGE_REQUEST_IID=1", "CI_MERGE_REQUEST_PROJECT_PATH=upstream/deploy"}, exitDone, "not posted: there is no merge request to post on: !1 is of project upstream/deploy", 0},
		{"a fork's pipeline, and it must be", "own", []string{"CI_MERGE_REQUEST_IID=1", "CI_MERGE_REQUEST_PROJECT_PATH=upstream/deploy"}, exitFailed, "!1 is of project upstream/deploy", 0},
		{"a refused token", "auto", []string{"CI_MERGE_REQUEST_IID=1", "GITLAB_TOKEN=glpat-refused"}, exitFailed, "GitLab does not accept the token", 0},
		{"a merge request", "auto", []string{"CI_MERGE_REQUEST_IID=1", "CI_MERGE_REQUEST_PROJECT_PATH=" + deploy}, exitDone, "posted: ", 1},
	} {
		before := w.variables
		w.variables = append(slices.Clone(w.variables), c.variables...)
		done := w.tfgitops(t, "mine", "diff", "--post="+c.to)
		w.variables = before
		if got := len(server.MergeRequests(deploy)[0].Notes); done.code != c.code || !strings.Contains(done.stderr, c.says) || got != c.notes {
			t.Errorf("%s: exit code %d, %d notes\n%s", c.name, done.code, got, done.stderr)
		}
	}
}

// wait posts on the merge request that brought the version, whatever was merged since.
func TestWaitPostsOnTheMergeRequestThatBroughtIt(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.edit(t, "repo/clusters/beta/cluster.yaml", "  kubeVersion", "  context: beta\n  kubeVersion")
	w.mustGit(t, "repo", "commit", "-q", "-am", "Say how to reach beta")
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	cluster := releaseServer(t, "app", w.version(2), w.version(2), "True", "UpgradeSucceeded")
	if err := os.WriteFile(w.path("kubeconfig"), []byte(kubeconfigOf(cluster, "beta")), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must(t, "mine", "bump", "app", w.commits[1], "--merge-request")
	server.Merge(deploy, 1)
	w.mustGit(t, "mine", "pull", "-q")
	w.mustGit(t, "mine", "commit", "-q", "--allow-empty", "-m", "Something else")
	w.mustGit(t, "mine", "push", "-q", "origin", "main")
	done := w.must(t, "mine", "wait", "app", "--cluster", "beta", "--kubeconfig", w.path("kubeconfig"), "--post")
	says(t, done, "posted: "+server.URL+"/toolforge/deploy/-/merge_requests/1#note_1")
}

// What wait posts on the merge request that brought a version opens the gate "tests" of the next stage, and nothing else does.
func TestTestsGate(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.edit(t, "repo/tfgitops.yaml", "clusters: [prod]}", "clusters: [prod], requires: [ready, tests]}\n  test: {command: [sh, -c, 'test -z \"$GITLAB_TOKEN\" && test ! -e ../fail']}")
	w.edit(t, "repo/clusters/beta/cluster.yaml", "  kubeVersion", "  context: beta\n  kubeVersion")
	w.edit(t, "repo/components/app/component.yaml", "  namespace: app\n", "  namespace: app\n  test: {tags: [app]}\n")
	w.mustGit(t, "repo", "commit", "-q", "-am", "Let production wait for tests")
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	cluster := releaseServer(t, "app", w.version(2), w.version(2), "True", "UpgradeSucceeded")
	kubeconfig := w.path("kubeconfig")
	if err := errors.Join(os.WriteFile(kubeconfig, []byte(kubeconfigOf(cluster, "beta")), 0o600), os.WriteFile(w.path("fail"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	w.must(t, "mine", "bump", "app", w.commits[1], "--through", "production", "--merge-request")
	server.Merge(deploy, 1)
	w.mustGit(t, "mine", "pull", "-q")

	refused := func(text string) {
		t.Helper()
		done := w.tfgitops(t, "mine", "promote", "app", "--merge-request", "--ready", "--kubeconfig", kubeconfig)
		if says(t, done, text); done.code != exitRefused || !server.MergeRequests(deploy)[1].Draft {
			t.Errorf("exit code %d\n%s", done.code, done.stderr)
		}
	}
	wait := func(code int, more ...string) {
		t.Helper()
		if done := w.tfgitops(t, "mine", append([]string{"wait", "app", "--cluster", "beta", "--kubeconfig", kubeconfig, "--post"}, more...)...); done.code != code {
			t.Errorf("exit code %d\n%s%s", done.code, done.out, done.stderr)
		}
	}
	refused("nothing says that the tests ran: `tfgitops wait app --cluster beta --post` on commit ")
	server.Write(deploy, 1, gitlabtest.Stranger, fmt.Sprintf("<!-- tfgitops: wait for app on beta, part 1 -->\n<!-- tfgitops-result: {\"component\":\"app\",\"cluster\":\"beta\",\"version\":%q,\"result\":\"passed\",\"tested\":true} -->", w.version(2)))
	refused("nothing says that the tests ran")
	wait(exitDone, "--skip-tests")
	refused(`the gate "tests" of stage "production" is not open`)
	wait(exitFound)
	if got := notes(server, 1); len(got) != 2 || !strings.Contains(got[1], "### `app` on `beta`: FAILED") || !strings.Contains(got[1], "the tests failed") {
		t.Errorf("%q", got)
	}
	refused(`the gate "tests" of stage "production" is not open`)
	if err := os.Remove(w.path("fail")); err != nil {
		t.Fatal(err)
	}
	wait(exitDone)
	if got := notes(server, 1); len(got) != 2 || !strings.Contains(got[1], "### `app` on `beta`: PASSED") || !strings.Contains(got[1], "| `app` | `"+w.version(2)+"` | `"+w.version(2)+"` | ok |") {
		t.Errorf("%q", got)
	}
	says(t, w.must(t, "mine", "promote", "app", "--merge-request", "--ready", "--kubeconfig", kubeconfig), "marked !2 ready")
}

// status --post shows what runs, worst first.
func TestStatusPost(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.edit(t, "repo/clusters/beta/cluster.yaml", "  kubeVersion", "  context: beta\n  kubeVersion")
	w.mustGit(t, "repo", "commit", "-q", "-am", "Say how to reach beta")
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	w.must(t, "mine", "bump", "app", w.commits[1], "--merge-request")
	cluster := releaseServer(t, "app", w.version(1), w.version(1), "True", "UpgradeSucceeded")
	if err := os.WriteFile(w.path("kubeconfig"), []byte(kubeconfigOf(cluster, "beta")), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"status", "--upstream=false", "--kubeconfig", w.path("kubeconfig"), "--post=1"}
	says(t, w.must(t, "mine", args...), "posted: ")
	got := notes(server, 1)
	if len(got) != 1 || !strings.Contains(got[0], "**unknown**: 2 unknown, 1 ok") || !strings.Contains(got[0], "| ✔ | `app` | `beta` |") {
		t.Fatalf("%q", got)
	}
	rows := slices.DeleteFunc(strings.Split(got[0], "\n"), func(line string) bool { return !strings.Contains(line, "`app`") })
	if len(rows) != 3 || !strings.Contains(rows[2], "`ok`") {
		t.Errorf("%q", rows)
	}
	if done := w.tfgitops(t, "mine", append(args, "--exit-code")...); done.code != exitFound {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
	if got := notes(server, 1); len(got) != 1 {
		t.Errorf("%q", got)
	}
}
