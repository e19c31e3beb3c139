package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// block is a fenced block of shell commands in a page, after a comment that says whether a test runs it.
type block struct {
	tested   bool
	why      string // why not
	commands string
}

var (
	anyBlock    = regexp.MustCompile("(?s)```sh\n(.*?)```")
	markedBlock = regexp.MustCompile("(?s)<!-- (tested|not run: [^>]+) -->\n```sh\n(.*?)```")
)

// blocksOf returns the blocks of a page, all of which must be marked.
func blocksOf(t *testing.T, file string) []block {
	t.Helper()
	var blocks []block
	page := readFile(t, root, file)
	for _, found := range markedBlock.FindAllStringSubmatch(page, -1) {
		why, notRun := strings.CutPrefix(found[1], "not run: ")
		blocks = append(blocks, block{tested: !notRun, why: why, commands: found[2]})
	}
	if all := anyBlock.FindAllString(page, -1); len(all) != len(blocks) || len(blocks) == 0 {
		t.Fatalf("%s: %d blocks of commands, of which %d are marked as tested or not run", file, len(all), len(blocks))
	}
	return blocks
}

// TestFluxPage runs the commands of docs/flux.md, block after block, in a control repo that knows no cluster yet. What
// `flux bootstrap` and `git push` would do, the test does.
func TestFluxPage(t *testing.T) {
	c := sharedCluster(t)
	dir := t.TempDir()
	shell := pageShell(t, c, dir)
	sources := newSources(t)
	startPageRepo(t, dir, shell)
	afterwards(t, func(ctx context.Context) error { return removeSecrets(ctx, c, "sops-age", "app-values", "harbor") })
	for _, block := range blocksOf(t, "docs/flux.md") {
		switch {
		case block.tested:
			t.Log(shell(block.commands))
		case strings.Contains(block.commands, "flux bootstrap"):
			writeTree(t, dir, bootstrapFolder)
			publish(t, sources, c, sourceOnly(t, os.DirFS(dir)))
			shell("kubectl apply -f clusters/tools/flux-system/gotk-sync.yaml")
		case strings.Contains(block.commands, "git push"):
			applied(t, c, publish(t, sources, c, committed(t, dir)))
		default:
			t.Logf("not run (%s):\n%s", block.why, block.commands)
		}
	}
	var secret corev1.Secret
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: harness.FluxNamespace, Name: "app-values"}, &secret); err != nil {
		t.Fatal(err)
	}
	if got := string(secret.Data["password"]); got != "correct-horse" {
		t.Errorf("Flux decrypted the password as %q", got)
	}
	if encrypted := readFile(t, dir, "clusters/tools/app-secret.yaml"); strings.Contains(encrypted, "correct-horse") {
		t.Errorf("the password is in Git:\n%s", encrypted)
	}
}

// TestByHandPage runs the commands of docs/by-hand.md, block after block. The app on the cluster tools is played by that of
// byHand, which is at version 2.0.0, and was at 1.0.0 before.
func TestByHandPage(t *testing.T) {
	b := newByHand(t)
	b.upgrade(t)
	b.hosted(t)
	writeTree(t, filepath.Join(filepath.Dir(b.dir), "by-hand/chart"), fstest.MapFS{
		"Chart.yaml": {Data: []byte("apiVersion: v2\nname: by-hand\nversion: 2.1.0\n")}, "templates/show.yaml": {Data: []byte(byHandShow)},
	})
	shell := pageShell(t, b.Cluster, b.dir)
	players := strings.NewReplacer(" app ", " by-hand ", "../app/", "../by-hand/", "--cluster tools", "--cluster laptop")
	var said strings.Builder
	for _, block := range blocksOf(t, "docs/by-hand.md") {
		if block.tested {
			said.WriteString(shell(players.Replace(block.commands)))
		}
	}
	for _, want := range []string{
		"revision 2 (2.0.0, deployed) → revision 1 (1.0.0)", "by-hand: 1.0.0 is deployed", "true {", `"tfgitops.toolforge.org/suspended-because":"all logins fail"`,
		"by-hand: 2.0.0 is deployed", "by-hand: 2.1.0+local is deployed", "by-hand is Flux's again",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in:\n%s", want, said.String())
		}
	}
	if got := b.shows(t)["version"]; got != "1.0.0" {
		t.Errorf("%s runs in the end", got)
	}
}

func removeSecrets(ctx context.Context, c *harness.Cluster, names ...string) error {
	for _, name := range names {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: harness.FluxNamespace}}
		if err := client.IgnoreNotFound(c.Delete(ctx, secret)); err != nil {
			return err
		}
	}
	return nil
}

// startPageRepo makes the control repo that the page begins with.
func startPageRepo(t *testing.T, dir string, shell func(string) string) {
	t.Helper()
	shell("git init --quiet --initial-branch=main && tfgitops init --name example --chart-repository oci://registry.example/apps")
	writeTree(t, dir, fstest.MapFS{".gitignore": {Data: []byte(".home/\n")}})
	shell("git add --all && git commit --quiet --message Start")
}

// bootstrapFolder stands for what `flux bootstrap` pushes. The controllers themselves run already.
var bootstrapFolder = treeOf(`
-- clusters/tools/flux-system/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- gotk-sync.yaml
-- clusters/tools/flux-system/gotk-sync.yaml --
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m0s
  path: ./clusters/tools
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
`)

// committed is what the last commit holds of what Flux reads.
func committed(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	if _, err := harness.Git(t.Context(), dir, "clone", "--quiet", dir, clone); err != nil {
		t.Fatal(err)
	}
	return sourceOnly(t, os.DirFS(clone))
}

// pageShell runs commands in dir, as someone would who has the programs and the cluster's kubeconfig.
func pageShell(t *testing.T, c *harness.Cluster, dir string) func(commands string) string {
	t.Helper()
	bin := t.TempDir()
	link(t, tfgitopsProgram(t), filepath.Join(bin, "tfgitops"))
	for _, name := range []string{"kubectl", "sops", "age-keygen"} {
		path, err := env.run.Programs.Path(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		link(t, path, filepath.Join(bin, name))
	}
	home := filepath.Join(dir, ".home")
	environment := append(harness.GitEnvironment(home),
		"PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+c.Kubeconfig, "HARBOR_PASSWORD=secret", "XDG_CACHE_HOME="+home)
	return func(commands string) string {
		t.Helper()
		cmd := exec.CommandContext(within(t, 3*time.Minute), "bash", "-euo", "pipefail", "-c", commands)
		cmd.Dir, cmd.Env = dir, slices.Clone(environment)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v:\n%s\n%s", err, commands, out)
		}
		return commands + string(out)
	}
}

func link(t *testing.T, to, from string) {
	t.Helper()
	if err := os.Symlink(to, from); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
