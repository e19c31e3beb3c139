package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// TestPinScripts runs the sessions of testdata/pins: changes of pins in a control repo under Git, with a component whose
// source and registries are real. Each session starts in $WORK/repo, with
//
//	$C1 … $C6   the commits of the component's source, oldest first
//	$V1 … $V6   the chart versions that CI makes of them
//
// and with the commands
//
//	publish N beta|prod…   publishes the build of a commit in one or more registries
//	republish N beta       publishes it again: the same version, another digest
//	fault PATH STATUS      makes the registry answer so; "fault none" ends that
//	registry stop          ends the registry
func TestPinScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/pins",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:         setupPins,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"publish": publishCmd, "republish": publishCmd, "fault": faultCmd, "registry": registryCmd,
		},
	})
}

// builds is how many commits the component's source has.
const builds = 6

// world is what a session's commands act on.
type world struct {
	server  *registrytest.Server
	commits []string
	pushes  int
}

type worldKey struct{}

func setupPins(env *testscript.Env) error {
	for key, value := range map[string]string{
		"HOME": env.WorkDir, "XDG_CACHE_HOME": filepath.Join(env.WorkDir, ".cache"), "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Someone", "GIT_AUTHOR_EMAIL": "someone@example.org", "GIT_COMMITTER_NAME": "Someone", "GIT_COMMITTER_EMAIL": "someone@example.org",
	} {
		env.Setenv(key, value)
	}
	server, err := registrytest.Start(registrytest.Options{PageSize: 2})
	if err != nil {
		return err
	}
	env.Defer(func() { _ = server.Close() })
	w := &world{server: server}
	env.Values[worldKey{}] = w
	source := filepath.Join(env.WorkDir, "source")
	if w.commits, err = makeSource(env, source); err != nil {
		return err
	}
	for i, commit := range w.commits {
		env.Setenv(fmt.Sprintf("C%d", i+1), commit)
		env.Setenv(fmt.Sprintf("V%d", i+1), versionOf(i+1, commit))
	}
	if err := w.publish(1, "beta", "prod"); err != nil {
		return err
	}
	if err := makeControlRepo(env, w, "file://"+source); err != nil {
		return err
	}
	env.Cd = filepath.Join(env.WorkDir, "repo")
	return nil
}

// versionOf is what CI names the build of the n-th commit.
func versionOf(n int, commit string) string {
	return fmt.Sprintf("0.0.%d-2026080%d120000-%s", n, n, commit[:8])
}

func makeSource(env *testscript.Env, dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var commits []string
	if err := git(env, dir, "init", "-q", "-b", "main"); err != nil {
		return nil, err
	}
	for i := range builds {
		message := fmt.Sprintf("Change number %d\n\nBug: T%d\nBug: T7", i+1, 100+i)
		if err := git(env, dir, "commit", "-q", "--allow-empty", "-m", message); err != nil {
			return nil, err
		}
		out, err := gitOutput(env, dir, "rev-parse", "HEAD")
		if err != nil {
			return nil, err
		}
		commits = append(commits, strings.TrimSpace(out))
	}
	return commits, nil
}

func git(env *testscript.Env, dir string, args ...string) error {
	_, err := gitOutput(env, dir, args...)
	return err
}

func gitOutput(env *testscript.Env, dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, env.Vars
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %v: %w\n%s", args, err, out)
	}
	return string(out), nil
}

const appDeployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
        - name: app
          image: {{ required "image.name" .Values.image.name }}:image-{{ .Chart.Version }}
`

// publish pushes chart and image of the n-th commit, as the component's CI does.
func (w *world) publish(n int, registries ...string) error {
	commit := w.commits[n-1]
	for _, registry := range registries {
		w.pushes++
		_, err := w.server.PushChart(registry, registrytest.Chart{
			Name: "app", Version: versionOf(n, commit), Files: map[string]string{"templates/deployment.yaml": appDeployment},
			Annotations: map[string]string{"org.opencontainers.image.revision": commit},
			Created:     time.Date(2026, 8, 1, 0, 0, w.pushes, 0, time.UTC), // Helm stamps each push
		})
		if err != nil {
			return err
		}
		if _, err := w.server.PushImage(registry+"/app", "image-"+versionOf(n, commit), "linux/amd64", strconv.Itoa(n)); err != nil {
			return err
		}
	}
	return nil
}

func makeControlRepo(env *testscript.Env, w *world, source string) error {
	beta, prod := w.server.OCI("beta"), w.server.OCI("prod")
	files := map[string]string{
		"tfgitops.yaml": fmt.Sprintf(`apiVersion: tfgitops.toolforge.org/v1alpha1
kind: ControlRepo
metadata: {name: example}
spec:
  repositories:
    apps: {url: %q, insecure: true, versionPattern: "-(?P<commit>[0-9a-f]{8})$"}
  stages:
    - {name: test, clusters: [beta], followers: [local]}
    - {name: production, clusters: [prod]}
`, prod),
		"components/app/component.yaml": fmt.Sprintf(`apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: app}
spec:
  source: {url: %q, branch: main}
  namespace: app
  releases:
    - {name: app, repository: apps, platforms: [linux/amd64]}
`, source),
	}
	for _, cluster := range []struct{ name, registry, extra string }{
		{"beta", "beta", fmt.Sprintf("  repositories: {apps: {url: %q}}\n", beta)},
		{"local", "beta", fmt.Sprintf("  repositories: {apps: {url: %q}}\n  allowApply: true\n", beta)},
		{"prod", "prod", ""},
	} {
		dir := "clusters/" + cluster.name
		files[dir+"/cluster.yaml"] = fmt.Sprintf("apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Cluster\nmetadata: {name: %s}\nspec:\n  kubeVersion: \"1.32.4\"\n  fluxVersion: \"2.9\"\n%s", cluster.name, cluster.extra)
		files[dir+"/kustomization.yaml"] = "resources:\n  - manifests\n"
		files[dir+"/values/app.yaml"] = fmt.Sprintf("image: {name: %s/%s/app}\n", w.server.Host(), cluster.registry)
		files[dir+"/pins/app.yaml"] = fmt.Sprintf(`apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata:
  name: app
spec:
  commit: %q
  releases:
    app:
      version: %q
`, w.commits[0], versionOf(1, w.commits[0]))
	}
	repo := filepath.Join(env.WorkDir, "repo")
	for name, content := range files {
		file := filepath.Join(repo, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
	}
	render := exec.Command("tfgitops", "-C", repo, "render")
	render.Env = env.Vars
	render.Path = lookPath(env.Getenv("PATH"), "tfgitops")
	if out, err := render.CombinedOutput(); err != nil {
		return fmt.Errorf("render: %w\n%s", err, out)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "Start"}} {
		if err := git(env, repo, args...); err != nil {
			return err
		}
	}
	return nil
}

// lookPath finds a program in the session's PATH, which is not this process'.
func lookPath(path, program string) string {
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, program); isExecutable(file) {
			return file
		}
	}
	return program
}

func isExecutable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode()&0o111 != 0
}

func publishCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: publish N REGISTRY…")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(ts.Value(worldKey{}).(*world).publish(n, args[1:]...))
}

func faultCmd(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(worldKey{}).(*world).server
	if len(args) == 1 && args[0] == "none" {
		server.ClearFaults()
		return
	}
	if len(args) != 2 {
		ts.Fatalf("usage: fault PATH STATUS, or fault none")
	}
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	server.Fail(registrytest.Fault{Path: args[0], Status: status})
}

func registryCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || args[0] != "stop" {
		ts.Fatalf("usage: registry stop")
	}
	ts.Check(ts.Value(worldKey{}).(*world).server.Close())
}
