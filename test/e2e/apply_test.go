package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// byHand is a control repo whose one cluster people apply to themselves.
type byHand struct {
	*harness.Cluster
	dir      string
	registry *registrytest.Server
}

// The chart has a CustomResourceDefinition, an object of that kind, and what shows its values.
const (
	byHandCRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.byhand.example.org}
spec:
  group: byhand.example.org
  scope: Namespaced
  names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`
	byHandWidget = "apiVersion: byhand.example.org/v1\nkind: Widget\nmetadata: {name: by-hand}\n"
	byHandShow   = `apiVersion: v1
kind: ConfigMap
metadata: {name: by-hand}
data:
  version: {{ .Chart.Version | quote }}
  word: {{ .Values.word | quote }}
  password: {{ .Values.password | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  namespaceSeen: {{ dig "metadata" "name" "" (lookup "v1" "Namespace" "" "flux-system") | quote }}
`
)

func newByHand(t *testing.T) *byHand {
	t.Helper()
	b := &byHand{Cluster: sharedCluster(t), dir: t.TempDir(), registry: registrytest.ForTest(t, registrytest.Options{})}
	for _, version := range []string{"1.0.0", "2.0.0"} {
		push(t, b.registry, "byhand", registrytest.Chart{Name: "by-hand", Version: version, Files: map[string]string{
			"crds/widget.yaml": byHandCRD, "templates/widget.yaml": byHandWidget, "templates/show.yaml": byHandShow,
		}})
	}
	const head = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: %s\nmetadata: {name: %s}\nspec:\n%s"
	file := func(kind, name, spec string) *fstest.MapFile {
		return &fstest.MapFile{Data: fmt.Appendf(nil, head, kind, name, spec)}
	}
	writeTree(t, b.dir, fstest.MapFS{
		"tfgitops.yaml":                       file("ControlRepo", "example", fmt.Sprintf("  repositories: {byhand: {url: %q, insecure: true}}\n", b.registry.OCI("byhand"))),
		"components/by-hand/component.yaml":   file("Component", "by-hand", "  namespace: by-hand\n  releases: [{name: by-hand, repository: byhand, valuesFrom: [{kind: Secret, name: by-hand, valuesKey: password, targetPath: password}]}]\n"),
		"clusters/laptop/cluster.yaml":        file("Cluster", "laptop", "  kubeVersion: \"1.36.3\"\n  fluxVersion: \"2.7\"\n  context: e2e\n  allowApply: true\n"),
		"clusters/laptop/kustomization.yaml":  &fstest.MapFile{Data: []byte("resources: [manifests]\n")},
		"clusters/laptop/values/by-hand.yaml": &fstest.MapFile{Data: []byte("word: \"2024-04-01\"\n")},
		"clusters/laptop/pins/by-hand.yaml":   file("Pin", "by-hand", "  releases:\n    by-hand:\n      version: \"1.0.0\"\n"),
	})
	b.run(t, 0, "render")
	for _, args := range [][]string{{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "--message", "Start"}} {
		if _, err := harness.Git(t.Context(), b.dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	password := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "by-hand", Namespace: harness.FluxNamespace}, Data: map[string][]byte{"password": []byte(secretValue)}}
	if err := b.Create(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	afterwards(t, func(ctx context.Context) error { return b.leave(ctx, password) })
	return b
}

// leave removes what the next test would find: Helm's records, what it installed, and the Secret.
func (b *byHand) leave(ctx context.Context, password *corev1.Secret) error {
	helm, err := b.NewHelm()
	if err != nil {
		return err
	}
	return errors.Join(helm.Uninstall("by-hand", "by-hand", "by-hand"), client.IgnoreNotFound(b.Delete(ctx, password)))
}

// run runs tfgitops with the exit code that is wanted, and returns all that it printed, which has no secret.
func (b *byHand) run(t *testing.T, want int, args ...string) string {
	t.Helper()
	out := tfgitops(t, b.dir, want, args...)
	if strings.Contains(out, secretValue) {
		t.Errorf("tfgitops %s shows the secret:\n%s", strings.Join(args, " "), out)
	}
	return out
}

func (b *byHand) apply(t *testing.T, want int, args ...string) string {
	t.Helper()
	return b.run(t, want, append([]string{"apply", "by-hand", "--cluster", "laptop", "--kubeconfig", b.Kubeconfig}, args...)...)
}

// upgrade leaves 2.0.0 running, 1.0.0 before it, and a HelmRelease of which Flux knows.
func (b *byHand) upgrade(t *testing.T) {
	t.Helper()
	b.apply(t, 0, "--yes")
	b.run(t, 0, "bump", "by-hand", "2.0.0", "--cluster", "laptop", "--commit")
	b.apply(t, 0, "--yes")
	if err := b.ApplyYAML(t.Context(), b.read(t, "clusters/laptop/manifests/by-hand.yaml")); err != nil {
		t.Fatal(err)
	}
}

// hosted pushes the control repo to a Git host of its own, which it returns.
func (b *byHand) hosted(t *testing.T) *harness.GitServer {
	t.Helper()
	host, err := harness.NewGitServer(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	url, err := host.Create(t.Context(), "control")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"remote", "add", "origin", url}, {"push", "--quiet", "--set-upstream", "origin", "main"}} {
		if _, err := harness.Git(t.Context(), b.dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

func (b *byHand) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// shows is what the chart wrote.
func (b *byHand) shows(t *testing.T) map[string]string {
	t.Helper()
	var shown corev1.ConfigMap
	if err := b.Get(t.Context(), client.ObjectKey{Namespace: "by-hand", Name: "by-hand"}, &shown); err != nil {
		t.Fatal(err)
	}
	if got := shown.Labels["helm.toolkit.fluxcd.io/name"] + "/" + shown.Labels["helm.toolkit.fluxcd.io/namespace"]; got != "by-hand/"+harness.FluxNamespace {
		t.Errorf("origin labels are %q", got)
	}
	return shown.Data
}

// TestRollbackNow returns a release to what Helm keeps of it in the cluster, with the registry and the Git host down.
func TestRollbackNow(t *testing.T) {
	b := newByHand(t)
	b.upgrade(t)
	if got := b.shows(t)["version"]; got != "2.0.0" {
		t.Fatalf("%s runs before", got)
	}
	b.registry.Fail(registrytest.Fault{Close: true})
	host := b.hosted(t)
	host.SetDown(true)
	back := []string{"rollback", "by-hand", "--cluster", "laptop", "--now", "--kubeconfig", b.Kubeconfig, "--reason", "it broke"}
	b.run(t, 2, back...) // nobody to ask
	if got := b.run(t, 0, append(back, "--dry-run")...); !strings.Contains(got, "revision 2 (2.0.0, deployed) → revision 1 (1.0.0)") || strings.Contains(got, "once Flux can read") {
		t.Errorf("with --dry-run:\n%s", got)
	}
	if got := b.shows(t)["version"]; got != "2.0.0" {
		t.Fatalf("%s runs after a dry run", got)
	}
	b.run(t, 0, append(back, "--yes")...)
	if got := b.shows(t)["version"]; got != "1.0.0" {
		t.Errorf("%s runs", got)
	}
	pin := b.read(t, "clusters/laptop/pins/by-hand.yaml")
	if !strings.Contains(pin, `version: "1.0.0"`) || !strings.Contains(pin, "it broke") || !strings.Contains(pin, `"2.0.0"`) {
		t.Errorf("the pin has no hold on what was left:\n%s", pin)
	}
	if said := b.apply(t, 3, "--restore"); !strings.Contains(said, "runs by-hand 1.0.0 (deployed), and origin/main pins 2.0.0") {
		t.Errorf("handing back before the pin is on main:\n%s", said)
	}
	if _, err := harness.Git(t.Context(), b.dir, "commit", "--quiet", "--all", "--message", "Roll back"); err != nil {
		t.Fatal(err)
	}
	b.apply(t, 3, "--restore")
	host.SetDown(false)
	if _, err := harness.Git(t.Context(), b.dir, "push", "--quiet"); err != nil {
		t.Fatal(err)
	}
	b.apply(t, 0, "--restore")
	var hr helmv2.HelmRelease
	if err := b.Get(t.Context(), client.ObjectKey{Namespace: harness.FluxNamespace, Name: "by-hand"}, &hr); err != nil || hr.Spec.Suspend {
		t.Errorf("%v: suspended %t", err, hr.Spec.Suspend)
	}
}

// TestApplyWithoutFlux takes one release through its life by hand: from an empty cluster, with Flux kept away, back to Flux.
func TestApplyWithoutFlux(t *testing.T) {
	b := newByHand(t)
	b.apply(t, 2) // nobody to ask
	command := []string{"apply", "by-hand", "--cluster", "laptop", "--kubeconfig", b.Kubeconfig}
	said := tfgitopsFrom(t, terminal(t, "n\n"), b.dir, 2, command...)
	gone(t, b.Cluster, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "by-hand", Namespace: "by-hand"}})
	if !strings.Contains(said, "apply this to laptop? [y/N] ") || !strings.Contains(said, "nothing was applied") {
		t.Errorf("the answer is no:\n%s", said)
	}
	said = tfgitopsFrom(t, terminal(t, "y\n"), b.dir, 0, command...)
	if !strings.Contains(said, "not installed → 1.0.0") || strings.Contains(said, secretValue) {
		t.Errorf("the first time:\n%s", said)
	}
	want := map[string]string{"version": "1.0.0", "word": "2024-04-01", "password": secretValue, "upgrade": "false", "namespaceSeen": "flux-system"}
	if diff := cmp.Diff(want, b.shows(t)); diff != "" {
		t.Errorf("installed (-want +got):\n%s", diff)
	}
	live := []string{"diff", "--live", "--cluster", "laptop", "--kubeconfig", b.Kubeconfig, "--exit-code"}
	if said := b.run(t, 1, live...); !strings.Contains(said, "upgrade") || strings.Contains(said, "data.word") {
		t.Errorf("all that differs is that it would be an upgrade now:\n%s", said)
	}
	var record corev1.Secret
	if err := b.Get(t.Context(), client.ObjectKey{Namespace: "by-hand", Name: "sh.helm.release.v1.by-hand.v1"}, &record); err != nil {
		t.Errorf("Helm's record: %v", err)
	}

	var hr helmv2.HelmRelease
	key := client.ObjectKey{Namespace: harness.FluxNamespace, Name: "by-hand"}
	if err := b.ApplyYAML(t.Context(), b.read(t, "clusters/laptop/manifests/by-hand.yaml")); err != nil {
		t.Fatal(err)
	}
	said = b.apply(t, 0, "--yes", "--version", "2.0.0", "--reason", "trying it")
	if !strings.Contains(said, "-  version: 1.0.0") || !strings.Contains(said, "+  version: 2.0.0") {
		t.Errorf("no difference is shown:\n%s", said)
	}
	if said := b.run(t, 1, live...); !strings.Contains(said, "by-hand 2.0.0 → 1.0.0") || !strings.Contains(said, "data.version") {
		t.Errorf("what was applied by hand, and would be undone:\n%s", said)
	}
	want["version"], want["upgrade"] = "2.0.0", "true"
	if diff := cmp.Diff(want, b.shows(t)); diff != "" {
		t.Errorf("upgraded (-want +got):\n%s", diff)
	}
	if err := b.Get(t.Context(), key, &hr); err != nil || !hr.Spec.Suspend || hr.Annotations["tfgitops.toolforge.org/suspended-because"] != "trying it" {
		t.Errorf("%v: suspended %t, annotations %v", err, hr.Spec.Suspend, hr.Annotations)
	}

	if said = b.apply(t, 3, "--restore"); !strings.Contains(said, "runs by-hand 2.0.0 (deployed), and main pins 1.0.0") {
		t.Errorf("handing back what is not pinned:\n%s", said)
	}
	b.apply(t, 0, "--yes")
	if said := b.run(t, 0, live...); !strings.Contains(said, "Nothing differs.") {
		t.Errorf("Helm installed what is pinned:\n%s", said)
	}
	b.apply(t, 0, "--restore")
	if err := b.Get(t.Context(), key, &hr); err != nil || hr.Spec.Suspend || hr.Annotations["tfgitops.toolforge.org/suspended-because"] != "" {
		t.Errorf("%v: suspended %t, annotations %v", err, hr.Spec.Suspend, hr.Annotations)
	}
	if b.shows(t)["version"] != "1.0.0" {
		t.Errorf("%v runs", b.shows(t))
	}
}

// beforeFlux is a control repo whose cluster Flux is not on yet: its pods need a network, and certificates need the network.
const beforeFlux = `
-- tfgitops.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: ControlRepo
metadata: {name: example}
spec:
  repositories: {apps: {url: "oci://REGISTRY/apps", insecure: true}}
  releaseDefaults: {timeout: 3s}
-- components/net/component.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: net}
spec: {namespace: e2e-net, releases: [{name: net, repository: apps}]}
-- components/certs/component.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: certs}
spec: {namespace: e2e-certs, dependsOn: [net], releases: [{name: certs, repository: apps}]}
-- clusters/new/cluster.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Cluster
metadata: {name: new}
spec: {kubeVersion: "1.36.3", fluxVersion: "2.9", context: e2e}
-- clusters/new/kustomization.yaml --
resources: [manifests]
-- clusters/new/pins/net.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata: {name: net}
spec: {releases: {net: {version: "1.0.0"}}}
-- clusters/new/pins/certs.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata: {name: certs}
spec: {releases: {certs: {version: "1.0.0"}}}
-- local/Chart.yaml --
apiVersion: v2
name: certs
version: 1.1.0
-- local/templates/echo.yaml --
` + echo + `-- stuck/Chart.yaml --
apiVersion: v2
name: certs
version: 1.2.0
-- stuck/templates/stuck.yaml --
` + neverReady

// TestApplyBeforeFlux starts a cluster by hand, which has never heard of Flux: first what is needed, then what needs it, each
// in its namespace. Then it tries the chart of a folder, and one that never gets ready.
func TestApplyBeforeFlux(t *testing.T) {
	c, err := env.run.NewBareCluster(t.Context(), "bare")
	if err != nil {
		t.Fatal(err)
	}
	registry, dir := registrytest.ForTest(t, registrytest.Options{}), t.TempDir()
	writeTree(t, dir, filled(treeOf(beforeFlux), strings.NewReplacer("REGISTRY", registry.Host())))
	for _, name := range []string{"net", "certs"} {
		pushEcho(t, registry, "apps", name, "1.0.0")
	}
	tfgitops(t, dir, 0, "render")
	apply := func(want int, args ...string) string {
		return tfgitops(t, dir, want, append([]string{"apply", "--cluster", "new", "--kubeconfig", c.Kubeconfig, "--yes"}, args...)...)
	}
	wantVersion := func(name, want string) {
		if got := echoed(t.Context(), t, c, "e2e-"+name, name)["version"]; got != want {
			t.Errorf("%s: %v is installed, want %s", name, got, want)
		}
	}
	apply(3, "certs", "net")
	allowed := []string{"--override", "allow-apply", "--reason", "Flux needs a network"}
	said := apply(0, append(allowed, "certs", "net", "--wait")...)
	first, then := strings.Index(said, "net: 1.0.0 is deployed"), strings.Index(said, "certs: 1.0.0 is deployed")
	if first < 0 || then < first || strings.Contains(said, "suspended") {
		t.Errorf("not first net and then certs:\n%s", said)
	}
	wantVersion("net", "1.0.0")
	wantVersion("certs", "1.0.0")

	apply(0, append(allowed, "certs", "--chart", "local")...)
	wantVersion("certs", "1.1.0+local")
	said = apply(2, append(allowed, "certs", "--chart", "stuck", "--wait")...)
	if !strings.Contains(said, "certs-stuck") {
		t.Errorf("what does not get ready is not named:\n%s", said)
	}
	said = apply(0, append(allowed, "certs", "--wait")...)
	if !strings.Contains(said, "1.2.0+local, failed → 1.0.0") {
		t.Errorf("back to what is pinned:\n%s", said)
	}
	wantVersion("certs", "1.0.0")
}
