package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// builds is how many commits the component's source has.
const builds = 6

// pinsWorld is a folder with a control repo under Git in "repo" and the source of its component in "source", and the
// registries that both speak of: clusters beta (with its follower local) and prod, all of which run build 1 of app.
type pinsWorld struct {
	dir       string
	variables []string // the environment of every program
	server    *registrytest.Server
	commits   []string
	pushes    int
}

func newPinsWorld(dir string) (*pinsWorld, error) {
	server, err := registrytest.Start(registrytest.Options{PageSize: 2})
	if err != nil {
		return nil, err
	}
	w := &pinsWorld{dir: dir, server: server, variables: []string{
		"HOME=" + dir, "XDG_CACHE_HOME=" + filepath.Join(dir, ".cache"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=Someone", "GIT_AUTHOR_EMAIL=someone@example.org", "GIT_COMMITTER_NAME=Someone", "GIT_COMMITTER_EMAIL=someone@example.org",
	}}
	if err := errors.Join(w.makeSource(), w.publish(1, "beta", "prod"), w.makeControlRepo()); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return w, nil
}

// worldForTest is a world with builds published, which ends with the test.
func worldForTest(t *testing.T, published ...int) *pinsWorld {
	t.Helper()
	w, err := newPinsWorld(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.server.Close() })
	for _, n := range published {
		if err := w.publish(n, "beta", "prod"); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// versionOf is what CI names the build of the n-th commit.
func versionOf(n int, commit string) string {
	return fmt.Sprintf("0.0.%d-2026080%d120000-%s", n, n, commit[:8])
}

func (w *pinsWorld) version(n int) string { return versionOf(n, w.commits[n-1]) }

func (w *pinsWorld) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

func (w *pinsWorld) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = w.path(dir), append([]string{"PATH=" + os.Getenv("PATH")}, w.variables...)
	return cmd
}

func (w *pinsWorld) git(dir string, args ...string) (string, error) {
	out, err := w.command(dir, "git", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %v: %w\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (w *pinsWorld) makeSource() error {
	if err := os.MkdirAll(w.path("source"), 0o755); err != nil {
		return err
	}
	if _, err := w.git("source", "init", "-q", "-b", "main"); err != nil {
		return err
	}
	for i := range builds {
		if _, err := w.git("source", "commit", "-q", "--allow-empty", "-m", fmt.Sprintf("Change number %d\n\nBug: T%d\nBug: T7", i+1, 100+i)); err != nil {
			return err
		}
		commit, err := w.git("source", "rev-parse", "HEAD")
		if err != nil {
			return err
		}
		w.commits = append(w.commits, commit)
	}
	return nil
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
func (w *pinsWorld) publish(n int, registries ...string) error {
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

func (w *pinsWorld) makeControlRepo() error {
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
`, "file://"+w.path("source")),
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
	if err := w.write("repo", files); err != nil {
		return err
	}
	if out, err := w.command("repo", "tfgitops", "render").CombinedOutput(); err != nil {
		return fmt.Errorf("render: %w\n%s", err, out)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "Start"}} {
		if _, err := w.git("repo", args...); err != nil {
			return err
		}
	}
	return nil
}

// write writes files below a folder of the world.
func (w *pinsWorld) write(dir string, files map[string]string) error {
	for name, content := range files {
		file := w.path(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what a run of the program came to.
type outcome struct {
	code        int
	out, stderr string
}

func (w *pinsWorld) tfgitops(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	return finish(t, w.command(dir, "tfgitops", args...))
}

// must is tfgitops that is to succeed.
func (w *pinsWorld) must(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	done := w.tfgitops(t, dir, args...)
	if done.code != exitDone {
		t.Fatalf("tfgitops %s: exit code %d\n%s%s", strings.Join(args, " "), done.code, done.out, done.stderr)
	}
	return done
}

func finish(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(out.String()+messages.String(), gitlabtest.Token) {
		t.Errorf("%v tells the token:\n%s%s", cmd.Args, out.String(), messages.String())
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), messages.String()}
}

// mustGit returns what git says.
func (w *pinsWorld) mustGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// remote makes a bare repository of the control repo and clones of it, each of them somebody's.
func (w *pinsWorld) remote(t *testing.T, clones ...string) {
	t.Helper()
	w.mustGit(t, ".", "clone", "-q", "--bare", "repo", "remote.git")
	for _, name := range clones {
		w.mustGit(t, ".", "clone", "-q", w.path("remote.git"), name)
	}
}

func (w *pinsWorld) read(t *testing.T, names ...string) string {
	t.Helper()
	content, err := os.ReadFile(w.path(names...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// lines splits what git lists.
func lines(text string) []string {
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return line == "" })
}
