package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// pageStep is a block of commands of a page, or what GitLab and people do in between.
var pageStep = regexp.MustCompile("(?s)<!-- (tested|not run: [^>]+) -->\n```sh\n(.*?)```|<!-- test: (\\w+) !(\\d) ?(\\w*) -->|```sh\n")

// TestGitLabPage follows docs/gitlab.md from top to bottom, as the pipelines and people would.
func TestGitLabPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "gitlab.md"))
	if err != nil {
		t.Fatal(err)
	}
	w := worldForTest(t, 2)
	w.edit(t, "repo/tfgitops.yaml", "clusters: [prod]}", "clusters: [prod], requires: [ready, tests]}\n  test: {command: ['true']}")
	w.edit(t, "repo/components/app/component.yaml", "  namespace: app\n", "  namespace: app\n  test: {tags: [app]}\n")
	w.edit(t, "repo/clusters/beta/cluster.yaml", "  kubeVersion", "  context: beta\n  kubeVersion")
	w.mustGit(t, "repo", "commit", "-q", "-am", "Let production wait")
	server := w.gitlab(t, gitlabtest.Options{FastForward: true, Private: true})
	cluster := releaseServer(t, "app", w.version(2), w.version(2), "True", "UpgradeSucceeded")
	if err := os.WriteFile(w.path("kubeconfig"), []byte(kubeconfigOf(cluster, "beta")), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("tfgitops")
	if err != nil {
		t.Fatal(err)
	}
	w.variables = append(w.variables, "GIT_CONFIG_GLOBAL="+w.path("gitconfig"), "GIT_TERMINAL_PROMPT=0", "KUBECONFIG="+w.path("kubeconfig"),
		"CI_COMMIT_SHA="+w.commits[1], "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	names := strings.NewReplacer("https://gitlab.example.org", server.URL, "toolsbeta", "beta", "--cluster tools ", "--cluster prod ")

	dir, ran := ".", 0
	for _, step := range pageStep.FindAllStringSubmatch(string(page), -1) {
		switch {
		case step[3] != "":
			w.between(t, server, step[3], int(step[4][0]-'0'), step[5])
		case step[1] == "":
			t.Fatal("a block of commands is not marked as tested or not run")
		case step[1] == "tested":
			done := finish(t, w.command(dir, "bash", "-euo", "pipefail", "-c", names.Replace(step[2])))
			t.Logf("%s\n%s%s", step[2], done.out, done.stderr)
			if done.code != exitDone {
				t.Fatalf("exit code %d", done.code)
			}
			dir, ran = "deploy", ran+1
		}
	}
	if ran < 8 {
		t.Errorf("%d blocks were run", ran)
	}
	w.checkGitLabPage(t, server)
}

// between does what GitLab and people do between two blocks.
func (w *pinsWorld) between(t *testing.T, server *gitlabtest.Server, what string, iid int, how string) {
	t.Helper()
	switch what {
	case "checkout":
		w.mustGit(t, "deploy", "fetch", "--quiet")
		w.mustGit(t, "deploy", "checkout", "--quiet", "--detach", server.MergeRequests(deploy)[iid-1].SHA)
	case "merge":
		server.Merge(deploy, iid)
		w.mustGit(t, "deploy", "checkout", "--quiet", "main")
	case "pipeline":
		server.SetPipeline(deploy, iid, how)
	default:
		t.Fatalf("what is %q?", what)
	}
}

// checkGitLabPage holds the walk to what the page says of it.
func (w *pinsWorld) checkGitLabPage(t *testing.T, server *gitlabtest.Server) {
	t.Helper()
	all := server.MergeRequests(deploy)
	if len(all) != 3 || all[0].State != "merged" || all[1].State != "merged" || all[2].State != "opened" || !strings.HasPrefix(all[2].Source, "rollback/app/") {
		t.Errorf("%+v", all)
	}
	var bodies []string
	for _, n := range all[0].Notes {
		bodies = append(bodies, n.Body)
	}
	if text := strings.Join(bodies, "\n"); len(bodies) != 2 || !strings.Contains(text, "## tfgitops diff") || !strings.Contains(text, "PASSED") {
		t.Errorf("the notes: %s", text)
	}
	if pin := w.read(t, "deploy/clusters/prod/pins/app.yaml"); !strings.Contains(pin, w.version(2)) {
		t.Errorf("production: %s", pin)
	}
	if config, err := os.ReadFile(w.path("gitconfig")); err != nil || strings.Contains(string(config), gitlabtest.Token) {
		t.Errorf("the token is in a file: %s", errors.Join(err))
	}
	w.secretNowhere(t, "deploy")
}

// secretNowhere looks for the token in every file below a folder.
func (w *pinsWorld) secretNowhere(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(w.path(dir), func(file string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		if strings.Contains(string(content), gitlabtest.Token) {
			t.Errorf("the token is in %s", file)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
