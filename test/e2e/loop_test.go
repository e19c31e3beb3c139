package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// loop is a cluster with the whole of Flux that is deployed from a Git repository, and a clone of that in which people work.
type loop struct {
	*harness.Cluster
	registry *registrytest.Server
	host     *harness.GitServer
	clone    string
	// name is that of the test's component, of its release and of its chart. Its namespace is "e2e-" + name.
	name string
	// source is the name of what Flux reads and of the Kustomization that applies it.
	source string
}

// flux is the one cluster with the whole of Flux that the tests take turns with.
var flux struct {
	once    sync.Once
	cluster *harness.Cluster
	err     error
}

// fluxCluster returns a cluster with the whole of Flux, or skips the test.
func fluxCluster(t *testing.T) *harness.Cluster {
	t.Helper()
	kubeconfig := os.Getenv(anyKubeconfig)
	if kubeconfig == "" && os.Getenv(fluxBin) == "" {
		env.skip(t)
	}
	run := env.run
	flux.once.Do(func() {
		started := time.Now()
		if kubeconfig != "" {
			flux.cluster, flux.err = run.Connect(kubeconfig)
			return
		}
		flux.cluster, flux.err = newFlux(t, run, "flux")
		t.Logf("the API server and Flux are up after %s", since(started))
	})
	if flux.err != nil {
		t.Fatal(flux.err)
	}
	return flux.cluster
}

func newFlux(t *testing.T, run *harness.Run, name string) (*harness.Cluster, error) {
	t.Helper()
	cluster, err := run.NewCluster(t.Context(), name)
	if err != nil {
		return nil, err
	}
	return cluster, cluster.StartFlux(t.Context())
}

// skip skips a test and counts it for the note at the end.
func (e *environment) skip(t *testing.T) {
	t.Helper()
	e.mu.Lock()
	e.skipped = append(e.skipped, t.Name())
	e.mu.Unlock()
	t.Skipf("needs the whole of Flux: set %s or %s", fluxBin, anyKubeconfig)
}

// loopSource names the tests' source and Kustomization. They have a name of their own: a cluster that somebody lends has a flux-system.
const loopSource = "tfgitops-e2e"

// loopRepo is a control repo with a test and a production cluster and one component, which nothing is pinned to yet. NAME and
// REGISTRY are filled in.
const loopRepo = `
-- tfgitops.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: ControlRepo
metadata: {name: example}
spec:
  repositories:
    e2e-NAME: {url: "oci://REGISTRY/apps", insecure: true}
  stages:
    - {name: test, clusters: [beta]}
    - {name: production, clusters: [tools]}
  releaseDefaults: {timeout: 20s}
-- components/NAME/component.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: NAME}
spec:
  namespace: e2e-NAME
  releases:
    - {name: NAME, repository: e2e-NAME}
-- components/NAME/values/NAME.yaml --
greeting: hello
-- clusters/beta/cluster.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Cluster
metadata: {name: beta}
spec: {kubeVersion: "1.32.4", fluxVersion: "2.9"}
-- clusters/beta/kustomization.yaml --
resources: [manifests, flux-system]
-- clusters/tools/cluster.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Cluster
metadata: {name: tools}
spec: {kubeVersion: "1.32.4", fluxVersion: "2.9"}
-- clusters/tools/kustomization.yaml --
resources: [manifests, flux-system]
`

// bootstrapped is what `flux bootstrap git --path=clusters/CLUSTER` writes into clusters/CLUSTER/flux-system, beside Flux itself.
const bootstrapped = `
-- clusters/CLUSTER/flux-system/kustomization.yaml --
resources: [gotk-sync.yaml]
-- clusters/CLUSTER/flux-system/gotk-sync.yaml --
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: SOURCE, namespace: flux-system}
spec:
  interval: 2s
  ref: {branch: main}
  url: URL
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: SOURCE, namespace: flux-system}
spec:
  interval: 10m
  path: ./clusters/CLUSTER
  prune: true
  sourceRef: {kind: GitRepository, name: SOURCE}
`

// newLoop makes a control repo with the component name pinned to a version on both clusters, and the cluster deployed from
// clusters/tools. Edits are files over those of the control repo.
func newLoop(t *testing.T, name, version string, edits ...string) *loop {
	t.Helper()
	l := startLoop(t, fluxCluster(t), name, edits...)
	pushEcho(t, l.registry, "apps", name, version)
	l.deploy(t, version, "--install")
	l.bootstrap(t, "tools")
	l.ready(t, version)
	return l
}

// startLoop makes the control repo, its Git server and the registry.
func startLoop(t *testing.T, c *harness.Cluster, name string, edits ...string) *loop {
	t.Helper()
	git, err := harness.NewGitServer(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(git.Close)
	l := &loop{Cluster: c, name: name, registry: registrytest.ForTest(t, registrytest.Options{}), host: git, clone: t.TempDir(), source: loopSource}
	url, err := git.Create(t.Context(), "control")
	if err != nil {
		t.Fatal(err)
	}
	tree := treeOf(append([]string{loopRepo, strings.ReplaceAll(bootstrapped, "CLUSTER", "tools"), strings.ReplaceAll(bootstrapped, "CLUSTER", "beta")}, edits...)...)
	fill := strings.NewReplacer("NAME", name, "REGISTRY", l.registry.Host(), "SOURCE", l.source, "URL", url)
	l.git(t, "clone", "--quiet", url, ".")
	l.write(t, filled(tree, fill))
	l.tfgitops(t, "render")
	l.commitAll(t, "Start")
	l.git(t, "push", "--quiet", "origin", "HEAD:main")
	return l
}

func filled(tree fstest.MapFS, fill *strings.Replacer) fstest.MapFS {
	result := fstest.MapFS{}
	for name, file := range tree {
		result[fill.Replace(name)] = &fstest.MapFile{Data: []byte(fill.Replace(string(file.Data))), Mode: 0o644}
	}
	return result
}

// bootstrap applies what `flux bootstrap` does once Flux runs: from then on Flux applies it itself. When the test is over
// the cluster is left as it was.
func (l *loop) bootstrap(t *testing.T, cluster string) {
	t.Helper()
	sync, err := os.ReadFile(filepath.Join(l.clone, "clusters", cluster, "flux-system/gotk-sync.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	afterwards(t, l.leave)
	if err := l.ApplyYAML(t.Context(), string(sync)); err != nil {
		t.Fatal(err)
	}
}

// leave removes the Kustomization, with which Flux removes all that it applied, and waits until that is gone.
func (l *loop) leave(ctx context.Context) error {
	key := metav1.ObjectMeta{Name: l.source, Namespace: harness.FluxNamespace}
	sync := []client.Object{
		&kustomizev1.Kustomization{ObjectMeta: key}, &sourcev1.GitRepository{ObjectMeta: key}, &sourcev1.OCIRepository{ObjectMeta: key},
	}
	for _, object := range sync {
		if err := client.IgnoreNotFound(l.Delete(ctx, object)); err != nil {
			return err
		}
	}
	return harness.Poll(ctx, "Flux to remove what it applied", func(ctx context.Context) error {
		for _, object := range append(sync, release(l.name)) {
			if err := l.Get(ctx, client.ObjectKeyFromObject(object), object); client.IgnoreNotFound(err) != nil || err == nil {
				return errors.Join(err, fmt.Errorf("%T %q is still there", object, object.GetName()))
			}
		}
		return nil
	})
}

func (l *loop) write(t *testing.T, tree fstest.MapFS) {
	t.Helper()
	writeTree(t, l.clone, tree)
}

func (l *loop) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := harness.Git(t.Context(), l.clone, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (l *loop) commitAll(t *testing.T, message string) {
	t.Helper()
	l.git(t, "add", "--all")
	l.git(t, "commit", "--quiet", "--message", message)
}

// tfgitops runs the program in the clone and returns what it printed.
func (l *loop) tfgitops(t *testing.T, args ...string) string {
	t.Helper()
	return tfgitops(t, l.clone, 0, args...)
}

// tfgitops runs the program in a folder, where nobody can be asked, wants that exit code, and returns all that it printed.
func tfgitops(t *testing.T, dir string, want int, args ...string) string {
	t.Helper()
	return tfgitopsFrom(t, nil, dir, want, args...)
}

// tfgitopsFrom does it with a terminal, or none, for its questions.
func tfgitopsFrom(t *testing.T, terminal *os.File, dir string, want int, args ...string) string {
	t.Helper()
	program := tfgitopsProgram(t) // before the time is taken: the first time it is built
	cmd := exec.CommandContext(within(t, 2*time.Minute), program, args...)
	if terminal != nil {
		cmd.Stdin = terminal
	}
	cmd.Dir = dir
	cmd.Env = append(harness.GitEnvironment(t.TempDir()), "XDG_CACHE_HOME="+t.TempDir(), "USER=someone")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		t.Fatalf("tfgitops %s: %v, want exit code %d\n%s", strings.Join(args, " "), err, want, out)
	}
	return string(out)
}

// tfgitopsProgram builds tfgitops, from the sources beside these tests.
func tfgitopsProgram(t *testing.T) string {
	t.Helper()
	dir, err := env.run.Folder("bin")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tfgitops")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/tfgitops")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building tfgitops: %v\n%s", err, out)
	}
	return path
}

// deploy takes a version through the stages, pushing each change, and returns when it pushed the last.
func (l *loop) deploy(t *testing.T, version string, flags ...string) time.Time {
	t.Helper()
	l.pushed(t, append([]string{"bump", l.name, version}, flags...)...)
	return l.pushed(t, append([]string{"promote", l.name}, flags...)...)
}

// pushed pushes what tfgitops does when it runs with these arguments, and returns when.
func (l *loop) pushed(t *testing.T, args ...string) time.Time {
	t.Helper()
	l.tfgitops(t, append(args, "--direct")...)
	from := time.Now()
	l.git(t, "pull", "--quiet", "--ff-only", "origin", "main") // --direct leaves the clone as it was
	return from
}

// loopTimeout bounds the way from a push to a release.
const loopTimeout = 90 * time.Second

// get returns the HelmRelease of the test's component.
func (l *loop) get(ctx context.Context) (*helmv2.HelmRelease, error) {
	var hr helmv2.HelmRelease
	err := l.Get(ctx, client.ObjectKey{Namespace: harness.FluxNamespace, Name: l.name}, &hr)
	return &hr, err
}

// ready waits until the release is ready at exactly that version, and not on what Flux said before it saw the change.
func (l *loop) ready(t *testing.T, version string) *helmv2.HelmRelease {
	t.Helper()
	return l.until(t, "ready at "+version, func(hr *helmv2.HelmRelease) bool {
		running := hr.Status.History.Latest()
		condition := apimeta.FindStatusCondition(hr.Status.Conditions, meta.ReadyCondition)
		return isObserved(hr, version) && running != nil && withoutDigest(running.ChartVersion) == version &&
			running.Status == "deployed" && condition != nil && condition.Status == metav1.ConditionTrue
	})
}

// failed waits until Flux says that it could not bring the release to that version, naming it. Where the chart is not to be had,
// status.observedGeneration stays behind for ever: only the condition's own tells that Flux has seen the change.
func (l *loop) failed(t *testing.T, version string) *helmv2.HelmRelease {
	t.Helper()
	return l.until(t, "failed at "+version, func(hr *helmv2.HelmRelease) bool {
		condition := apimeta.FindStatusCondition(hr.Status.Conditions, meta.ReadyCondition)
		return condition != nil && condition.Status == metav1.ConditionFalse && condition.ObservedGeneration == hr.Generation &&
			hr.Spec.Chart.Spec.Version == version && strings.Contains(condition.Message, version)
	})
}

// isObserved reports whether Flux has seen the release with that version pinned.
func isObserved(hr *helmv2.HelmRelease, version string) bool {
	pinned := hr.Spec.Chart == nil || hr.Spec.Chart.Spec.Version == version
	return pinned && hr.Status.ObservedGeneration == hr.Generation
}

// withoutDigest is a chart version without what helm-controller adds for a chart pinned by digest.
func withoutDigest(version string) string {
	version, _, _ = strings.Cut(version, "+")
	return version
}

func (l *loop) until(t *testing.T, what string, reached func(*helmv2.HelmRelease) bool) *helmv2.HelmRelease {
	t.Helper()
	var hr *helmv2.HelmRelease
	err := harness.Poll(within(t, loopTimeout), l.name+" to be "+what, func(ctx context.Context) (err error) {
		if hr, err = l.get(ctx); err != nil {
			return fmt.Errorf("%w; %s", err, l.why(ctx))
		}
		if !reached(hr) {
			return fmt.Errorf("generation %d, status %+v; %s", hr.Generation, hr.Status, l.why(ctx))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hr
}

// why is what Flux says of its source and of the cluster's objects.
func (l *loop) why(ctx context.Context) string {
	key := client.ObjectKey{Namespace: harness.FluxNamespace, Name: l.source}
	var k kustomizev1.Kustomization
	var git sourcev1.GitRepository
	var oci sourcev1.OCIRepository
	return fmt.Sprint(l.Get(ctx, key, &git), git.Status.Conditions, l.Get(ctx, key, &oci), oci.Status.Conditions, l.Get(ctx, key, &k), k.Status.Conditions)
}

// took prints how long Flux took from a push.
func took(t *testing.T, what string, from time.Time) {
	t.Helper()
	t.Logf("TIME %s: %s", what, since(from))
}
