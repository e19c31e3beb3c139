package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// published is a control repo with values that a YAML parser may misread, and a patch.
var published = map[string]string{
	"tfgitops.yaml": "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: ControlRepo\nmetadata: {name: example}\nspec: {repositories: {apps: {url: \"oci://registry.example.org/apps\"}}}\n",
	"components/app/component.yaml": "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Component\nmetadata: {name: app}\n" +
		"spec: {namespace: app, releases: [{name: app, repository: apps}]}\n",
	"components/app/values/app.yaml": "date: \"2024-04-01\"\ngone: null\nbig: 9007199254740993\ncommit: \"36718366\"\noctal: \"0o17\"\nword: \"yes\"\ntext: |\n  a: ${b}\n\n  c\n",
	"clusters/tools/cluster.yaml":    "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Cluster\nmetadata: {name: tools}\nspec: {kubeVersion: \"1.32.4\", fluxVersion: \"2.9\"}\n",
	"clusters/tools/pins/app.yaml":   "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Pin\nmetadata:\n  name: app\nspec:\n  releases:\n    app:\n      version: \"1.2.3\"\n",
	"clusters/tools/kustomization.yaml": "resources: [manifests]\npatches:\n  - target: {kind: HelmRelease, name: app}\n" +
		"    patch: |\n      - {op: add, path: /spec/maxHistory, value: 7}\n",
}

// publishRepo is published, rendered and committed.
func publishRepo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for file, content := range published {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tfgitops(t, dir, exitDone, "render")
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"add", "-A"},
		{"commit", "-q", "-m", "Start"},
		{"remote", "add", "origin", "https://bot:hunter2@git.example.org/control.git"},
	} {
		cmd := exec.Command("git", append([]string{"-c", "user.name=Someone", "-c", "user.email=someone@example.org"}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_COMMITTER_DATE=2026-08-04T10:04:41Z")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// tfgitops runs a command line in a control repo, with the exit code that is wanted.
func tfgitops(t *testing.T, dir string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, messages bytes.Buffer
	d := deps{in: strings.NewReader(""), out: &out, err: &messages, getenv: func(string) string { return "" }, now: time.Now}
	if code := run(t.Context(), append([]string{"-C", dir}, args...), d); code != want {
		t.Fatalf("tfgitops %v exits %d, want %d:\n%s%s", args, code, want, out.String(), messages.String())
	}
	return out.String(), messages.String()
}

func TestPublishedBuildIsTheBuild(t *testing.T) {
	t.Parallel()
	dir, s := publishRepo(t), registrytest.ForTest(t, registrytest.Options{})
	stdout, stderr := tfgitops(t, dir, exitDone, "publish", "--cluster", "tools", "--to", s.OCI("clusters/tools"), "--insecure", "-o", "json")
	var got publication
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || !got.Pushed || len(got.Commit) != 40 || !cmp.Equal(got.Tags, []string{got.Commit, "latest"}) || strings.Contains(stdout+stderr, "hunter2") {
		t.Errorf("unexpected output:\n%s%s", stdout, stderr)
	}
	want, err := overlay.Build(t.Context(), os.DirFS(dir), "clusters/tools")
	if err != nil {
		t.Fatal(err)
	}
	files := pullBundle(t, s.Host()+"/clusters/tools@"+got.Digest)
	have, err := overlay.Build(t.Context(), files, ".")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(want), contents(have)); diff != "" {
		t.Errorf("objects (-built +pulled):\n%s", diff)
	}
	if len(want.Objects) < 3 { // a namespace, a repository, a release
		t.Errorf("only %d objects", len(want.Objects))
	}
	again, stderr := tfgitops(t, dir, exitDone, "publish", "--cluster", "tools", "--to", s.OCI("clusters/tools"), "--insecure")
	if again != got.Reference+"\n" || !strings.Contains(stderr, "published already") {
		t.Errorf("a second time:\n%s%s, want %s", again, stderr, got.Reference)
	}
}

func contents(r *overlay.Result) []map[string]any {
	var all []map[string]any
	for _, object := range r.Objects {
		all = append(all, object.Content)
	}
	return all
}

func pullBundle(t *testing.T, at string) fstest.MapFS {
	t.Helper()
	ref, err := name.ParseReference(at, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if created := manifest.Annotations["org.opencontainers.image.created"]; created != "2026-08-04T10:04:41Z" {
		t.Errorf("created is %q, not the commit's time", created)
	}
	if source := manifest.Annotations["org.opencontainers.image.source"]; source != "https://***@git.example.org/control.git" {
		t.Errorf("source is %q", source)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers: %v", len(layers), err)
	}
	body, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	return unpack(t, body)
}

func unpack(t *testing.T, body io.Reader) fstest.MapFS {
	t.Helper()
	unzipped, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = &fstest.MapFile{Data: content}
	}
}

func TestPublishUncommitted(t *testing.T) {
	t.Parallel()
	dir, s := publishRepo(t), registrytest.ForTest(t, registrytest.Options{})
	command := []string{"publish", "--cluster", "tools", "--to", s.OCI("clusters/tools"), "--insecure"}
	clean, _ := tfgitops(t, dir, exitDone, append(command, "--dry-run")...)
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("of no concern"), 0o600); err != nil {
		t.Fatal(err)
	}
	tfgitops(t, dir, exitDone, append(command, "--dry-run")...)
	if err := os.WriteFile(filepath.Join(dir, "clusters/tools/manifests/more.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr := tfgitops(t, dir, exitRefused, command...)
	if !strings.Contains(stderr, "clusters/tools/manifests/more.yaml") || !strings.Contains(stderr, "--revision HEAD") {
		t.Errorf("the refusal does not help:\n%s", stderr)
	}
	for _, r := range s.Requests() {
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			t.Fatalf("%s %s was sent", r.Method, r.Path)
		}
	}
	named, _ := tfgitops(t, dir, exitDone, append(command, "--revision", "HEAD")...)
	if named != clean {
		t.Errorf("the commit gives %s, without changes it gave %s", named, clean)
	}
}

func TestPublishMistakes(t *testing.T) {
	t.Parallel()
	dir, s := publishRepo(t), registrytest.ForTest(t, registrytest.Options{})
	to := s.OCI("clusters/tools")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no such cluster", []string{"--cluster", "tool", "--to", to}, `no cluster "tool": it has tools`},
		{"a tag in the address", []string{"--cluster", "tools", "--to", to + ":latest"}, "without a tag"},
		{"no such revision", []string{"--cluster", "tools", "--to", to, "--revision", "nowhere"}, "nowhere"},
		{"no such format", []string{"--cluster", "tools", "--to", to, "-o", "xml"}, "json, table, yaml"},
		{"plain HTTP that nobody asked for", []string{"--cluster", "tools", "--to", to}, "plain HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, stderr := tfgitops(t, dir, exitFailed, append([]string{"publish"}, c.args...)...)
			if !strings.Contains(stderr, c.want) {
				t.Errorf("want %q in:\n%s", c.want, stderr)
			}
		})
	}
}
