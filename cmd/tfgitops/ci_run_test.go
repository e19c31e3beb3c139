package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/githttptest"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// ciRun runs a job of a template in a folder of the world, as a runner does: with the template's variables, and those that
// GitLab sets.
func (w *pinsWorld) ciRun(t *testing.T, dir, template, job string, inputs, variables map[string]string) outcome {
	t.Helper()
	found, known := ciTemplateNamed(t, template).jobs(t, inputs)[job]
	if !known {
		t.Fatalf("%s has no job %s", template, job)
	}
	environment := map[string]string{
		"PATH": w.path("bin") + ":" + os.Getenv("PATH"), "CI": "true", "CI_SERVER_HOST": "gitlab.example.org",
		"GITLAB_USER_NAME": "Someone", "GITLAB_USER_EMAIL": "someone@example.org",
	}
	maps.Copy(environment, variables)
	expand := func(text string) string {
		return os.Expand(text, func(name string) string { return environment[name] })
	}
	for name, value := range found.Variables {
		environment[name] = expand(value)
	}
	// Both shells that a runner takes: whichever the image has.
	shell := []string{"bash", "-o", "pipefail", "-c"}
	if len(job)%2 == 0 {
		shell = []string{"sh", "-c"}
	}
	cmd := exec.Command(shell[0], append(shell[1:], found.script())...)
	cmd.Dir, cmd.Env = w.path(dir), slices.Clone(w.variables)
	for name, value := range environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return finish(t, cmd)
}

// mergeRequestVariables are what GitLab sets in the pipeline of a merge request from a branch.
func mergeRequestVariables(server *gitlabtest.Server, branch, commit string) map[string]string {
	return map[string]string{
		"CI_SERVER_URL": server.URL, "CI_PROJECT_URL": server.URL + "/" + deploy, "CI_PROJECT_ID": "7", "CI_COMMIT_SHA": commit,
		"CI_MERGE_REQUEST_PROJECT_ID": "7", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
		"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": branch, "CI_MERGE_REQUEST_IID": "5", "CI_MERGE_REQUEST_PROJECT_PATH": deploy,
	}
}

// succeeds fails where a run does not, or where it shows the token.
func succeeds(t *testing.T, done outcome) {
	t.Helper()
	if done.code != 0 {
		t.Fatalf("exit code %d\n%s%s", done.code, done.out, done.stderr)
	}
	if strings.Contains(done.out+done.stderr, gitlabtest.Token) {
		t.Errorf("the token is shown:\n%s%s", done.out, done.stderr)
	}
}

// program writes a stand-in for a program that there is not here: it writes down what it is called with.
func (w *pinsWorld) program(t *testing.T, name, more string) {
	t.Helper()
	text := "#!/bin/sh\nset -e\necho \"" + name + " $*\" >>" + w.path("calls") + "\n" + more
	if err := w.write("bin", map[string]string{name: text}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(w.path("bin", name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestCIComponent runs the pipeline of a component: what is pushed where under which version, and the merge request in the end.
func TestCIComponent(t *testing.T) {
	t.Parallel()
	w := worldForTest(t)
	server := w.gitlab(t, gitlabtest.Options{Unseen: 1})
	w.program(t, "buildah", `case "$1" in login) cat >>`+w.path("calls")+`; echo >>`+w.path("calls")+`;; esac`)
	w.program(t, "helm", `case "$1" in package) mkdir packaged; touch "packaged/app-$4.tgz";; registry) cat >>`+w.path("calls")+`; echo >>`+w.path("calls")+`;; esac`)
	inputs := map[string]string{"control_repo": deploy, "registries": "one.example.org/apps two.example.org/apps", "chart": "deployment/chart", "bump_arguments": "--label deploy --reviewer " + gitlabtest.Reviewer}
	variables := map[string]string{
		"CI_SERVER_URL": server.URL, "CI_PROJECT_NAME": "app", "CI_PROJECT_URL": server.URL + "/group/app", "CI_PIPELINE_IID": "2",
		"CI_PIPELINE_CREATED_AT": "2026-08-02T12:00:00.123Z", "CI_COMMIT_SHA": w.commits[1], "CI_COMMIT_SHORT_SHA": w.commits[1][:8],
		"REGISTRY_USER": "robot", "REGISTRY_PASSWORD": "a password",
	}
	succeeds(t, w.ciRun(t, "source", "component", "tfgitops-image", inputs, variables))
	succeeds(t, w.ciRun(t, "source", "component", "tfgitops-chart", inputs, variables))
	want := strings.NewReplacer("VERSION", w.version(2), "COMMIT", w.commits[1], "URL", server.URL).Replace(
		`buildah build --label org.opencontainers.image.revision=COMMIT --label org.opencontainers.image.source=URL/group/app --tag built --file ./Dockerfile .
buildah login --username robot --password-stdin one.example.org
a password
buildah push --tls-verify=true built docker://one.example.org/apps/app:image-VERSION
buildah login --username robot --password-stdin two.example.org
a password
buildah push --tls-verify=true built docker://two.example.org/apps/app:image-VERSION
helm package deployment/chart --version VERSION --app-version COMMIT --destination packaged
helm registry login --username robot --password-stdin one.example.org
a password
helm push packaged/app-VERSION.tgz oci://one.example.org/apps
helm registry login --username robot --password-stdin two.example.org
a password
helm push packaged/app-VERSION.tgz oci://two.example.org/apps
`)
	if diff := cmp.Diff(want, w.read(t, "calls")); diff != "" {
		t.Error(diff)
	}
	if err := w.publish(2, "beta", "prod"); err != nil { // as the stand-ins did not
		t.Fatal(err)
	}
	for range 2 { // a retried job finds it
		done := w.ciRun(t, "source", "component", "tfgitops-bump", inputs, variables)
		succeeds(t, done)
		says(t, done, "merge request !1")
	}
	if diff := cmp.Diff([]string{"!1 bump/app/" + w.version(2) + "/beta+local"}, open(server)); diff != "" {
		t.Error(diff)
	}
	if got := server.MergeRequests(deploy)[0]; !slices.Equal(got.Labels, []string{"deploy"}) || !slices.Equal(got.Reviewers, []string{gitlabtest.Reviewer}) {
		t.Errorf("labels and reviewers: %v %v", got.Labels, got.Reviewers)
	}
	if got := w.mustGit(t, deploy+".git", "log", "-1", "--format=%an, %cn", "bump/app/"+w.version(2)+"/beta+local"); got != "Someone, tfgitops" {
		t.Errorf("author and committer: %s", got)
	}
}

// TestCIUpdate runs the scheduled job.
func TestCIUpdate(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2, 3)
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	variables := map[string]string{"CI_SERVER_URL": server.URL, "CI_PROJECT_URL": server.URL + "/" + deploy}
	done := w.ciRun(t, "mine", "update", "tfgitops-update", map[string]string{"bump_arguments": "--label update"}, variables)
	succeeds(t, done)
	if diff := cmp.Diff([]string{"!1 bump/app/" + w.version(3) + "/beta+local"}, open(server)); diff != "" {
		t.Error(diff)
	}
}

// TestCICheck runs the jobs of a merge request: one that is in order, and one that takes a pin back.
func TestCICheck(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	server := w.gitlab(t, gitlabtest.Options{}, "mine")
	w.must(t, "mine", "bump", "app", w.commits[1], "--branch", "good")
	w.mustGit(t, "mine", "checkout", "-q", "good")
	variables := mergeRequestVariables(server, "good", w.mustGit(t, "mine", "rev-parse", "HEAD"))
	variables["CI_MERGE_REQUEST_IID"] = fmt.Sprint(server.Open(deploy, "good", "main", gitlabtest.Reviewer, false))
	inputs := map[string]string{"strict": "true", "online": "true", "fail_on": "high"}
	for _, job := range []string{"tfgitops-validate", "tfgitops-render-check", "tfgitops-diff"} {
		succeeds(t, w.ciRun(t, "mine", "check", job, inputs, variables))
	}
	if got := w.read(t, "mine", "tfgitops-diff.html"); !strings.Contains(got, w.version(2)) {
		t.Errorf("the page does not show the change:\n%s", got)
	}
	if got := w.read(t, "mine", "gl-code-quality-report.json"); !strings.HasPrefix(got, "[") {
		t.Errorf("the report: %s", got)
	}
	if got := notes(server, 1); len(got) != 1 || !strings.Contains(got[0], "## tfgitops diff") || !strings.Contains(got[0], w.version(2)) {
		t.Errorf("the notes: %q", got)
	}
	// A job without the token, which a protected variable is to it, shows the differences alone.
	w.variables = append(w.variables, "GITLAB_TOKEN=", "CI_JOB_TOKEN=job")
	done := w.ciRun(t, "mine", "check", "tfgitops-diff", inputs, variables)
	succeeds(t, done)
	says(t, done, "not posted: no token for GitLab")

	// From an old state of main, which has gone on.
	w.mustGit(t, "mine", "push", "-q", "origin", "good:main")
	w.mustGit(t, "mine", "checkout", "-q", "-B", "stale", "good")
	w.mustGit(t, "mine", "checkout", "-q", "origin/main~0", "--", ".")
	w.mustGit(t, "mine", "checkout", "-q", "main", "--", "clusters/beta/pins", "clusters/beta/manifests")
	w.mustGit(t, "mine", "commit", "-q", "-m", "Raise a quota")
	variables = mergeRequestVariables(server, "stale", w.mustGit(t, "mine", "rev-parse", "HEAD"))
	done = w.ciRun(t, "mine", "check", "tfgitops-validate", nil, variables)
	if done.code != 1 || !strings.Contains(done.out, "[pin-lowered]") {
		t.Errorf("exit code %d\n%s%s", done.code, done.out, done.stderr)
	}
	var issues []struct {
		Check string `json:"check_name"`
	}
	if err := json.Unmarshal([]byte(w.read(t, "mine", "gl-code-quality-report.json")), &issues); err != nil || len(issues) != 1 || issues[0].Check != "pin-lowered" {
		t.Errorf("the report: %v %v", issues, err)
	}

	// A pipeline of a fork finds the branch in the project that the merge request goes to.
	w.mustGit(t, ".", "clone", "-q", "--bare", "mine", "forks/deploy.git")
	w.mustGit(t, ".", "clone", "-q", "--branch", "stale", server.Remote("forks/deploy"), "fork")
	w.mustGit(t, "fork", "push", "-q", "origin", ":main")
	variables["CI_PROJECT_ID"], variables["CI_MERGE_REQUEST_PROJECT_URL"] = "8", server.URL+"/"+deploy
	if done := w.ciRun(t, "fork", "check", "tfgitops-validate", nil, variables); done.code != 1 || !strings.Contains(done.out, "[pin-lowered]") {
		t.Errorf("exit code %d\n%s%s", done.code, done.out, done.stderr)
	}
}

// TestCIThroughProduction runs a deployment from the component's pipeline to production: one command opens both merge requests,
// people merge the first, and the pipelines do all else until the second is ready for them.
func TestCIThroughProduction(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.edit(t, "repo/tfgitops.yaml", "clusters: [prod]}", "clusters: [prod], requires: [ready, tests], soak: 2s}\n  test: {command: ['true']}")
	w.edit(t, "repo/components/app/component.yaml", "  namespace: app\n", "  namespace: app\n  test: {tags: [app]}\n")
	w.edit(t, "repo/clusters/beta/cluster.yaml", "  kubeVersion", "  context: beta\n  kubeVersion")
	w.mustGit(t, "repo", "commit", "-q", "-am", "Let production wait")
	server := w.gitlab(t, gitlabtest.Options{FastForward: true}, "mine")
	cluster := releaseServer(t, "app", w.version(2), w.version(2), "True", "UpgradeSucceeded")
	if err := os.WriteFile(w.path("kubeconfig"), []byte(kubeconfigOf(cluster, "beta")), 0o600); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{
		"CI_SERVER_URL": server.URL, "CI_PROJECT_URL": server.URL + "/" + deploy, "CI_PROJECT_NAME": "app", "CI_COMMIT_SHA": w.commits[1],
		"KUBECONFIG": w.path("kubeconfig"),
	}
	isDraft := func() bool { return server.MergeRequests(deploy)[1].Draft }

	succeeds(t, w.ciRun(t, "source", "component", "tfgitops-bump", map[string]string{"control_repo": deploy, "registries": "x", "bump_arguments": "--through production"}, variables))
	if got := open(server); len(got) != 2 || !isDraft() {
		t.Fatalf("%v", got)
	}
	server.Merge(deploy, 1)
	w.mustGit(t, "mine", "pull", "-q")

	// The first has no note yet that says how it went.
	done := w.ciRun(t, "mine", "promote", "tfgitops-promote", nil, variables)
	succeeds(t, done)
	says(t, done, "nothing says that the tests ran")
	if !isDraft() {
		t.Fatal("it is ready before the tests ran")
	}
	variables["CI_COMMIT_SHA"], variables["CI_COMMIT_BEFORE_SHA"] = w.mustGit(t, "mine", "rev-parse", "HEAD"), w.mustGit(t, "mine", "rev-parse", "HEAD~1")
	done = w.ciRun(t, "mine", "deployed", "tfgitops-deployed", map[string]string{"clusters": "beta", "timeout": "20s"}, variables)
	succeeds(t, done)
	says(t, done, "posted: "+server.URL+"/"+deploy+"/-/merge_requests/1#note_")

	time.Sleep(2 * time.Second) // to soak
	done = w.ciRun(t, "mine", "promote", "tfgitops-promote", map[string]string{"promote_arguments": "--to production --label deploy"}, variables)
	succeeds(t, done)
	says(t, done, "marked !2 ready")
	if got := open(server); len(got) != 1 || isDraft() {
		t.Errorf("%v, a draft: %v", got, isDraft())
	}
	writes := len(server.Writes()) // as often as there is a schedule
	succeeds(t, w.ciRun(t, "mine", "promote", "tfgitops-promote", map[string]string{"promote_arguments": "--to production --label deploy"}, variables))
	if len(server.Writes()) != writes {
		t.Errorf("again: %v", server.Writes()[writes:])
	}
}

// TestCIDeployed runs the job after a merge, against an API server.
func TestCIDeployed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		running, ready, reason string
		inputs                 map[string]string
		code                   int
		want                   string
	}{
		"it is deployed":          {"1.0.0", "True", "UpgradeSucceeded", nil, 0, "waiting for web on prod"},
		"it fails":                {"0.9.0", "False", "UpgradeFailed", nil, 1, "UpgradeFailed"},
		"of other clusters alone": {"0.9.0", "False", "UpgradeFailed", map[string]string{"clusters": "beta test"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, kubeconfig := liveRepo(t, "", liveServer(t, test.running, test.ready, test.reason))
			w := &pinsWorld{dir: dir, variables: []string{"HOME=" + t.TempDir(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}}
			if err := w.write(".", plainManifests); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{
				{"init", "-q"},
				{"add", "-A"},
				{"rm", "-q", "--cached", "clusters/prod/pins/web.yaml", "clusters/prod/pins/crds.yaml"},
				{"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "Start"},
				{"add", "-A"},
				{"-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-q", "-m", "web"},
			} {
				w.mustGit(t, ".", args...)
			}
			inputs := map[string]string{"timeout": "20s", "wait_arguments": "--skip-tests --no-announce"}
			maps.Copy(inputs, test.inputs)
			done := w.ciRun(t, ".", "deployed", "tfgitops-deployed", inputs, map[string]string{
				"KUBECONFIG": kubeconfig, "CI_COMMIT_SHA": w.mustGit(t, ".", "rev-parse", "HEAD"), "CI_COMMIT_BEFORE_SHA": strings.Repeat("0", 40),
			})
			if done.code != test.code || !strings.Contains(done.out+done.stderr, test.want) {
				t.Errorf("exit code %d\n%s%s", done.code, done.out, done.stderr)
			}
			if page := w.read(t, "tfgitops-status.html"); !strings.Contains(page, "prod") {
				t.Errorf("the page:\n%s", page)
			}
			if told := strings.Contains(done.out, "not waiting for crds on prod: it is plain manifests"); told == (test.inputs != nil) {
				t.Errorf("%s", done.out)
			}
			if waited := strings.Contains(done.out, "\nwaiting for"); waited == (test.inputs != nil) {
				t.Errorf("waited: %v\n%s", waited, done.out)
			}
		})
	}
}

// plainManifests are a component that is no chart, pinned on prod.
var plainManifests = map[string]string{
	"components/crds/component.yaml":                     "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Component\nmetadata: {name: crds}\nspec: {}\n",
	"components/crds/manifests/1.0.0/kustomization.yaml": "resources: [configmap.yaml]\n",
	"components/crds/manifests/1.0.0/configmap.yaml":     "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: crds, namespace: default}\n",
	"clusters/prod/pins/crds.yaml":                       "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Pin\nmetadata:\n  name: crds\nspec:\n  manifests:\n    version: \"1.0.0\"\n    digest: \"sha256:" + strings.Repeat("0", 64) + "\"\n",
}

// gitlabSays is what GitLab answers to the questions of the job that renders.
type gitlabSays struct {
	protected bool
	approved  string
	reviewer  string
	silent    bool
}

func (g gitlabSays) serve(t *testing.T, branch string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path string, format string, args ...any) {
		mux.HandleFunc("GET /projects/7/"+path, func(w http.ResponseWriter, r *http.Request) {
			if g.silent || r.Header.Get("PRIVATE-TOKEN") != gitlabtest.Token {
				http.Error(w, "{}", http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, format, args...)
		})
	}
	answer("repository/branches/{branch}", `{"name":%q,"merged":false,"protected":%v,"default":false}`, branch, g.protected)
	answer("merge_requests/5/approvals", `{"approved":true,"approved_by":[%s]}`, g.approved)
	answer("merge_requests/5/reviewers", `[{"user":{"username":"reviewer","state":"active"},"state":%q}]`, g.reviewer)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestCIRerender runs the job that renders an edit made in the web editor, where it may push and where it must not.
func TestCIRerender(t *testing.T) {
	t.Parallel()
	const branch = "edit/quota+more"
	pushes := []string{"Render", "Raise replicas"}
	for name, test := range map[string]struct {
		gitlab gitlabSays
		before func(t *testing.T, w *pinsWorld) // what happened to the branch
		code   int
		says   string
		want   []string // the branch's commits
	}{
		"an edit": {gitlabSays{reviewer: "unreviewed"}, nil, 0, "pushed the rendered files to " + branch, pushes},
		"rendered already": {gitlabSays{reviewer: "unreviewed"}, func(t *testing.T, w *pinsWorld) {
			w.must(t, "mine", "render")
			w.mustGit(t, "mine", "commit", "-q", "-a", "--amend", "--no-edit")
		}, 0, "it is rendered already", pushes[1:]},
		"protected":    {gitlabSays{protected: true, reviewer: "unreviewed"}, nil, 1, "the branch is protected", pushes[1:]},
		"approved":     {gitlabSays{approved: `{"user":{"username":"reviewer"}}`, reviewer: "unreviewed"}, nil, 1, "has been approved", pushes[1:]},
		"under review": {gitlabSays{reviewer: "requested_changes"}, nil, 1, "is under review", pushes[1:]},
		"no answer":    {gitlabSays{silent: true}, nil, 22, "401", pushes[1:]},
		"a loop": {gitlabSays{reviewer: "unreviewed"}, func(t *testing.T, w *pinsWorld) {
			w.mustGit(t, "mine", "commit", "-q", "--amend", "-m", "Render", "-m", "Tfgitops-Op: render")
		}, 1, "it is not tried again", []string{"Render"}},
		"cannot be rendered": {gitlabSays{reviewer: "unreviewed"}, func(t *testing.T, w *pinsWorld) {
			if err := w.write("mine", map[string]string{"clusters/prod/values/app.yaml": "replicas: [\n"}); err != nil {
				t.Fatal(err)
			}
			w.mustGit(t, "mine", "commit", "-q", "-a", "--amend", "--no-edit")
		}, 2, "clusters/prod/values/app.yaml", pushes[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t)
			server := w.gitlab(t, gitlabtest.Options{}, "mine")
			w.mustGit(t, "mine", "checkout", "-q", "-b", branch)
			values := w.read(t, "mine", "clusters", "prod", "values", "app.yaml") + "replicas: 3\n"
			if err := w.write("mine", map[string]string{"clusters/prod/values/app.yaml": values}); err != nil {
				t.Fatal(err)
			}
			w.mustGit(t, "mine", "commit", "-q", "-a", "-m", "Raise replicas")
			if test.before != nil {
				test.before(t, w)
			}
			w.mustGit(t, "mine", "push", "-q", "origin", branch)
			variables := mergeRequestVariables(server, branch, w.mustGit(t, "mine", "rev-parse", "HEAD"))
			variables["CI_API_V4_URL"] = test.gitlab.serve(t, branch).URL
			done := w.ciRun(t, "mine", "rerender", "tfgitops-rerender", nil, variables)
			if done.code != test.code || !strings.Contains(done.out+done.stderr, test.says) {
				t.Errorf("exit code %d\n%s%s", done.code, done.out, done.stderr)
			}
			if strings.Contains(done.out+done.stderr, gitlabtest.Token) {
				t.Error("the token is shown")
			}
			got := lines(w.mustGit(t, deploy+".git", "log", "--format=%s", "main.."+branch))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if name != "an edit" {
				return
			}
			// The pipeline of what was pushed has nothing to do; one of the commit before leaves it alone.
			if done := w.ciRun(t, "mine", "rerender", "tfgitops-rerender", nil, variables); done.code != 0 || !strings.Contains(done.out, "the branch has moved on") {
				t.Errorf("exit code %d\n%s%s", done.code, done.out, done.stderr)
			}
			variables["CI_COMMIT_SHA"] = w.mustGit(t, deploy+".git", "rev-parse", branch)
			if done := w.ciRun(t, "mine", "rerender", "tfgitops-rerender", nil, variables); !strings.Contains(done.out, "it is rendered already") {
				t.Errorf("%s%s", done.out, done.stderr)
			}
			if again := lines(w.mustGit(t, deploy+".git", "log", "--format=%s", "main.."+branch)); !slices.Equal(again, got) {
				t.Errorf("it pushed again: %v", again)
			}
		})
	}
}

// TestCICredentials has Git ask for the token where a server wants it, from a variable and from a file.
func TestCICredentials(t *testing.T) {
	t.Parallel()
	w := worldForTest(t)
	w.mustGit(t, ".", "clone", "-q", "--bare", "repo", "deploy.git")
	server := githttptest.New(t, w.dir, githttptest.Options{User: "oauth2", Password: gitlabtest.Token})
	if err := w.write(".", map[string]string{"token": gitlabtest.Token + "\n"}); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"a variable": gitlabtest.Token, "a file": w.path("token"), "a wrong one": "glpat-other"} {
		for _, template := range []string{"component", "update", "rerender"} {
			job := ciTemplateNamed(t, template).jobs(t, ciTemplateNamed(t, template).required())["tfgitops-"+map[string]string{"component": "bump", "update": "update", "rerender": "rerender"}[template]]
			script := strings.Join(append(job.BeforeScript, "git ls-remote --heads "+server.Repository("deploy.git")), "\n")
			cmd := exec.Command("sh", "-ec", script)
			cmd.Dir = w.dir
			cmd.Env = append(slices.Clone(w.variables), "PATH="+os.Getenv("PATH"), "CI_SERVER_URL="+server.URL, "CI_SERVER_HOST=x", "GITLAB_TOKEN="+token, "GIT_TERMINAL_PROMPT=0", "GITLAB_USER_NAME=x", "GITLAB_USER_EMAIL=x")
			done := finish(t, cmd)
			if works := done.code == 0 && strings.Contains(done.out, "refs/heads/main"); works != (name != "a wrong one") {
				t.Errorf("%s, %s: exit code %d\n%s%s", template, name, done.code, done.out, done.stderr)
			}
			if strings.Contains(done.out+done.stderr, gitlabtest.Token) {
				t.Errorf("%s: the token is shown", template)
			}
		}
	}
	if found, err := filepath.Glob(w.path(".git-credentials")); err != nil || len(found) > 0 {
		t.Errorf("credentials were stored: %v", found)
	}
}
