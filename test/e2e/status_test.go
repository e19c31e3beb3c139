package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// watched is a control repo and a cluster that is in every state, read with the account of deploy/reader and nothing more.
type watched struct {
	*harness.Cluster
	dir, kubeconfig string
}

const fluxDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: helm-controller
  namespace: flux-system
  labels: {app.kubernetes.io/part-of: flux, app.kubernetes.io/version: v2.8.3}
spec:
  selector: {matchLabels: {app: helm-controller}}
  template:
    metadata: {labels: {app: helm-controller}}
    spec: {containers: [{name: manager, image: helm-controller}]}
`

// pinnedHere are the components that are pinned: each is in the state that it is named after.
var pinnedHere = []string{"drifted", "failed", "missing", "older", "ready", "suspended"}

func newWatched(t *testing.T) *watched {
	t.Helper()
	cluster, err := env.run.NewCluster(t.Context(), "status")
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{Cluster: cluster, dir: t.TempDir()}
	w.writeRepo(t)
	for _, name := range append(pinnedHere, "stray") {
		if name == "missing" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(w.dir, "clusters/laptop/manifests", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.ApplyYAML(t.Context(), string(text)); err != nil {
			t.Fatal(err)
		}
	}
	// stray loses its pin, and stays on the cluster.
	if err := os.Remove(filepath.Join(w.dir, "clusters/laptop/pins/stray.yaml")); err != nil {
		t.Fatal(err)
	}
	w.fluxSays(t)
	for _, dir := range []string{"reader", "tester"} {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "deploy", dir))
		if err != nil {
			t.Fatal(err)
		}
		text, err := built.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.ApplyYAML(t.Context(), string(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.ApplyYAML(t.Context(), fluxDeployment); err != nil {
		t.Fatal(err)
	}
	w.kubeconfig = w.readerKubeconfig(t)
	return w
}

func (w *watched) writeRepo(t *testing.T) {
	t.Helper()
	const head = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: %s\nmetadata: {name: %s}\nspec:\n%s"
	file := func(kind, name, spec string) *fstest.MapFile {
		return &fstest.MapFile{Data: fmt.Appendf(nil, head, kind, name, spec)}
	}
	tree := fstest.MapFS{
		"tfgitops.yaml":                      file("ControlRepo", "example", "  repositories: {theirs: {url: \"https://charts.example.org\"}}\n  test: {command: [sh, -c, 'echo \"tested: $0\"']}\n"),
		"clusters/laptop/cluster.yaml":       file("Cluster", "laptop", "  kubeVersion: \"1.20.0\"\n  fluxVersion: \"2.9\"\n  context: e2e\n"),
		"clusters/laptop/kustomization.yaml": &fstest.MapFile{Data: []byte("resources: [manifests]\n")},
	}
	for _, name := range append(pinnedHere, "stray") {
		tree["components/"+name+"/component.yaml"] = file("Component", name, fmt.Sprintf("  namespace: %s\n  test: {tags: [%s]}\n  releases: [{name: %s, repository: theirs}]\n", name, name, name))
		tree["clusters/laptop/pins/"+name+".yaml"] = file("Pin", name, fmt.Sprintf("  releases:\n    %s:\n      version: \"2.0.0\"\n", name))
	}
	writeTree(t, w.dir, tree)
	w.tfgitops(t, 0, "render")
}

// fluxSays writes what helm-controller would.
func (w *watched) fluxSays(t *testing.T) {
	t.Helper()
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
	}
	ready := condition("Ready", metav1.ConditionTrue, "UpgradeSucceeded", "it runs")
	for name, said := range map[string]struct {
		live       string
		conditions []metav1.Condition
	}{
		"ready":     {"2.0.0", []metav1.Condition{ready, condition("Drifted", metav1.ConditionFalse, "NoDriftDetected", "")}},
		"drifted":   {"2.0.0", []metav1.Condition{ready, condition("Drifted", metav1.ConditionTrue, "DriftDetected", "Deployment/web changed")}},
		"older":     {"1.0.0", []metav1.Condition{ready}},
		"failed":    {"1.0.0", []metav1.Condition{condition("Ready", metav1.ConditionFalse, "UpgradeFailed", "password=planted-in-message")}},
		"suspended": {"2.0.0", []metav1.Condition{ready}},
		"stray":     {"3.0.0", []metav1.Condition{ready}},
	} {
		var hr helmv2.HelmRelease
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: harness.FluxNamespace, Name: name}, &hr); err != nil {
			t.Fatal(err)
		}
		if name == "suspended" {
			hr.Spec.Suspend = true
			if err := w.Update(t.Context(), &hr); err != nil {
				t.Fatal(err)
			}
		}
		hr.Status.ObservedGeneration, hr.Status.Conditions, hr.Status.LastAttemptedRevision = hr.Generation, said.conditions, "2.0.0"
		hr.Status.History = helmv2.Snapshots{{
			Digest: "sha256:0", Name: name, Namespace: name, Version: 1, Status: "deployed", ChartName: name, ChartVersion: said.live, ConfigDigest: "sha256:0",
			FirstDeployed: metav1.Now(), LastDeployed: metav1.Now(),
		}}
		if err := w.Status().Update(t.Context(), &hr); err != nil {
			t.Fatal(err)
		}
	}
}

// readerKubeconfig is that of deploy/reader's account.
func (w *watched) readerKubeconfig(t *testing.T) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: harness.FluxNamespace, Name: "tfgitops-reader"}}
	var token authenticationv1.TokenRequest
	if err := w.SubResource("token").Create(t.Context(), account, &token); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(w.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Token = token.Status.Token
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	secrets := exec.CommandContext(t.Context(), tfgitopsProgram(t), "diff", "--live", "--cluster", "laptop", "--component", "ready", "--kubeconfig", file)
	secrets.Dir = w.dir
	if out, err := secrets.CombinedOutput(); err == nil {
		t.Errorf("the reader may read Helm's records, which are Secrets:\n%s", out)
	}
	return file
}

// tfgitops returns what it printed and then its messages.
func (w *watched) tfgitops(t *testing.T, want int, args ...string) (out, messages string) {
	t.Helper()
	program := tfgitopsProgram(t)
	cmd := exec.CommandContext(within(t, time.Minute), program, args...)
	cmd.Dir = w.dir
	cmd.Env = append(harness.GitEnvironment(t.TempDir()), "XDG_CACHE_HOME="+t.TempDir(), "USER=someone")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != want {
		t.Fatalf("tfgitops %s: %v, want exit code %d\n%s%s", strings.Join(args, " "), err, want, stdout.String(), stderr.String())
	}
	if all := stdout.String() + stderr.String(); strings.Contains(all, "planted") {
		t.Errorf("tfgitops %s shows a secret:\n%s", strings.Join(args, " "), all)
	}
	return stdout.String(), stderr.String()
}

// TestStatusOfARealCluster reads every state from a real API server, with the rights of deploy/reader.
func TestStatusOfARealCluster(t *testing.T) {
	w := newWatched(t)
	out, _ := w.tfgitops(t, 0, "status", "--kubeconfig", w.kubeconfig, "--upstream=false", "-o", "json")
	var report struct {
		Verdict  string
		Clusters []struct {
			Error      string
			Incomplete map[string]string
			Notes      []string
		}
		Rows []struct {
			Component, State string
			Drift            []string
			Live             *struct{ Version string }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, row := range report.Rows {
		got[row.Component] = fmt.Sprint(row.State, " ", row.Drift)
		if row.Live != nil {
			got[row.Component] += " " + row.Live.Version
		}
	}
	want := map[string]string{
		"ready": "ok [] 2.0.0", "failed": "failed [pin] 1.0.0", "suspended": "suspended [] 2.0.0", "drifted": "drifted [resource] 2.0.0",
		"older": "drifted [pin] 1.0.0", "missing": "drifted [missing]", "stray": "unmanaged [unmanaged] 3.0.0",
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("states: %s", difference)
	}
	cluster := report.Clusters[0]
	if report.Verdict != "failed" || cluster.Error != "" || len(cluster.Incomplete) > 0 {
		t.Errorf("verdict %s, error %q, incomplete %v", report.Verdict, cluster.Error, cluster.Incomplete)
	}
	notes := strings.Join(cluster.Notes, "\n")
	for _, wanted := range []string{"runs Kubernetes v", "and cluster.yaml says 1.20.0", "runs Flux v2.8.3, and cluster.yaml says 2.9", "no Kustomization applies clusters/laptop"} {
		if !strings.Contains(notes, wanted) {
			t.Errorf("%q is not noted:\n%s", wanted, notes)
		}
	}
	w.waits(t)
}

// waits goes on with what wait says of the same cluster, and with its lock there.
func (w *watched) waits(t *testing.T) {
	t.Helper()
	wait := func(want int, component string, flags ...string) string {
		out, messages := w.tfgitops(t, want, append([]string{"wait", component, "--cluster", "laptop", "--kubeconfig", w.kubeconfig}, flags...)...)
		return out + messages
	}
	if said := wait(0, "ready"); !strings.Contains(said, "tested: ready") || !strings.Contains(said, "ready on laptop is ready: 2.0.0") {
		t.Errorf("ready:\n%s", said)
	}
	lock := client.ObjectKey{Namespace: harness.FluxNamespace, Name: "tfgitops-tests"}
	var lease coordinationv1.Lease
	if err := w.Get(t.Context(), lock, &lease); err != nil {
		t.Fatal(err)
	}
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		t.Errorf("the lock is still held by %q", *holder)
	}
	holder, seconds, now := "somebody", int32(3600), metav1.NowMicro()
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &holder, &seconds, &now
	if err := w.Update(t.Context(), &lease); err != nil {
		t.Fatal(err)
	}
	if said := wait(2, "ready", "--timeout", "3s"); !strings.Contains(said, "the test lock is held by somebody") || strings.Contains(said, "tested:") {
		t.Errorf("locked:\n%s", said)
	}
	if said := wait(1, "failed"); !strings.Contains(said, "UpgradeFailed") {
		t.Errorf("failed:\n%s", said)
	}
	if said := wait(2, "older", "--timeout", "1s"); !strings.Contains(said, "timed out") {
		t.Errorf("older:\n%s", said)
	}
	if err := w.Delete(t.Context(), &lease); err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}
