package e2e_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// TestLoopBumpPromoteRollback takes a release through the main job.
func TestLoopBumpPromoteRollback(t *testing.T) {
	l := newLoop(t, "e2e-main", "1.0.0")
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")

	l.pushed(t, "bump", l.name, "1.1.0")
	pinned, err := l.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := pinned.Spec.Chart.Spec.Version; got != "1.0.0" {
		t.Errorf("a bump of the test stage changed production to %s", got)
	}
	from := l.pushed(t, "promote", l.name)
	l.ready(t, "1.1.0")
	took(t, "promote", from)
	echoes(t, l, "1.1.0")

	from = l.pushed(t, "rollback", l.name, "--cluster", "tools", "--reason", "a test")
	hr := l.ready(t, "1.0.0")
	took(t, "rollback", from)
	echoes(t, l, "1.0.0")
	if got := hr.Status.History.Latest().Version; got != 3 {
		t.Errorf("Helm's revision is %d, want 3: nothing was reinstalled", got)
	}

	pushEcho(t, l.registry, "apps", l.name, "1.2.0")
	from = l.deploy(t, "1.2.0")
	l.ready(t, "1.2.0")
	took(t, "bump", from)
}

// TestLoopWhenAsked measures the way of a bump when Flux is told of the push, as a webhook does.
func TestLoopWhenAsked(t *testing.T) {
	l := newLoop(t, "e2e-asked", "1.0.0")
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	from := l.deploy(t, "1.1.0")
	l.ask(t)
	l.ready(t, "1.1.0")
	took(t, "bump, with Flux told of the push", from)
}

// TestLoopVanishedChart pins a chart that is in the registry no more: what runs stays, Flux names the version, and the next
// good pin is deployed.
func TestLoopVanishedChart(t *testing.T) {
	l := newLoop(t, "e2e-vanished", "1.0.0")
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	l.pushed(t, "bump", l.name, "1.1.0")
	l.tfgitops(t, "promote", l.name, "--commit")
	if err := l.registry.Delete("apps/"+l.name, "1.1.0"); err != nil {
		t.Fatal(err)
	}
	l.git(t, "push", "--quiet", "origin", "HEAD:main")
	hr := l.failed(t, "1.1.0")
	if got := withoutDigest(hr.Status.History.Latest().ChartVersion); got != "1.0.0" {
		t.Errorf("%s runs, want what ran before", got)
	}
	echoes(t, l, "1.0.0")

	pushEcho(t, l.registry, "apps", l.name, "1.2.0")
	from := l.deploy(t, "1.2.0")
	l.ready(t, "1.2.0")
	took(t, "bump after a chart that vanished", from)
}

// TestLoopFailedUpgrade pins a chart that the API server refuses: nothing is uninstalled, and the next good pin is deployed.
func TestLoopFailedUpgrade(t *testing.T) {
	l := newLoop(t, "e2e-failed", "1.0.0")
	push(t, l.registry, "apps", registrytest.Chart{Name: l.name, Version: "1.1.0", Files: map[string]string{
		"templates/echo.yaml":   echo,
		"templates/broken.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: [{port: 99999999}]}\n",
	}})
	before := uid(t, l)
	from := l.deploy(t, "1.1.0")
	hr := l.failed(t, "1.1.0")
	took(t, "bump to a chart that fails, until Flux says so", from)
	if hr.Spec.Upgrade.Strategy.Name != string(helmv2.ActionStrategyRetryOnFailure) {
		t.Errorf("strategy %v", hr.Spec.Upgrade.Strategy)
	}
	if diff := cmp.Diff(before, uid(t, l)); diff != "" {
		t.Errorf("what ran was made anew:\n%s", diff)
	}

	pushEcho(t, l.registry, "apps", l.name, "1.2.0")
	from = l.deploy(t, "1.2.0")
	l.ready(t, "1.2.0")
	took(t, "bump after a failed upgrade", from)
	if diff := cmp.Diff(before, uid(t, l)); diff != "" {
		t.Errorf("what ran was made anew:\n%s", diff)
	}
}

// deployment is a chart of which a restart would be seen. It runs no pods: not every cluster here has nodes.
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 0
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: app, image: {{ .Values.image | quote }}}]}
`

// TestLoopAdoption installs a release with Helm, as helmfile did, and then has Flux take it over at the same version.
func TestLoopAdoption(t *testing.T) {
	const name, version = "e2e-adopted", "1.0.0"
	l := startLoop(t, fluxCluster(t), name, "-- components/NAME/values/NAME.yaml --\nimage: REGISTRY/apps/app:one\n")
	chart := registrytest.Chart{Name: name, Version: version, Files: map[string]string{"templates/deployment.yaml": deployment, "templates/echo.yaml": echo}}
	archive, err := chart.Archive()
	if err != nil {
		t.Fatal(err)
	}
	push(t, l.registry, "apps", chart)
	if _, err := l.registry.PushImage("apps/app", "one", "linux/amd64", "an app"); err != nil {
		t.Fatal(err)
	}
	namespace := "e2e-" + name
	if err := l.ApplyYAML(t.Context(), "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n"); err != nil {
		t.Fatal(err)
	}
	helm, err := l.NewHelm()
	if err != nil {
		t.Fatal(err)
	}
	_, err = helm.Install(within(t, time.Minute), harness.Install{
		Release: name, Namespace: namespace, StorageNamespace: namespace, Chart: loadChart(t, archive), Values: map[string]any{"image": l.registry.Host() + "/apps/app:one"},
	})
	if err != nil {
		t.Fatal(err)
	}
	before := available(t, l, namespace)

	l.deploy(t, version, "--install")
	l.bootstrap(t, "tools")
	from := time.Now()
	hr := l.ready(t, version)
	took(t, "adoption", from)

	var after appsv1.Deployment
	if err := l.Get(t.Context(), client.ObjectKeyFromObject(before), &after); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.UID, after.UID) + cmp.Diff(before.Spec.Template, after.Spec.Template) + cmp.Diff(before.Generation, after.Generation); diff != "" {
		t.Errorf("the pods would restart:\n%s", diff)
	}
	t.Logf("Helm's revision after the adoption: %d", hr.Status.History.Latest().Version)
	var first corev1.Secret
	if err := l.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "sh.helm.release.v1." + name + ".v1"}, &first); err != nil {
		t.Errorf("the record of the first installation: %v", err)
	}
}

// available makes the Deployment look as the controller manager does, which the tests' own API server lacks. It has no pods.
func available(t *testing.T, l *loop, namespace string) *appsv1.Deployment {
	t.Helper()
	var d appsv1.Deployment
	err := harness.Poll(within(t, time.Minute), "the Deployment to be available", func(ctx context.Context) error {
		if err := l.Get(ctx, client.ObjectKey{Namespace: namespace, Name: l.name}, &d); err != nil {
			return err
		}
		d.Status.ObservedGeneration = d.Generation
		d.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(), LastUpdateTime: metav1.Now()},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable", LastTransitionTime: metav1.Now(), LastUpdateTime: metav1.Now()},
		}
		return l.Status().Update(ctx, &d)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

// TestLoopRemoval removes a component: Flux uninstalls it and keeps its namespace.
func TestLoopRemoval(t *testing.T) {
	l := newLoop(t, "e2e-removed", "1.0.0")
	l.tfgitops(t, "component", "remove", l.name, "--cluster", "tools")
	l.commitAll(t, "Remove "+l.name)
	l.git(t, "push", "--quiet", "origin", "HEAD:main")
	from := time.Now()
	l.uninstalled(t, l.name)
	took(t, "removal", from)
	exists(t, l.Cluster, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "e2e-" + l.name}})
}

// TestLoopRename gives the release another name: the new one is installed beside the old, which goes.
func TestLoopRename(t *testing.T) {
	l := newLoop(t, "e2e-renamed", "1.0.0")
	const renamed = "e2e-renamed-new"
	l.replaceAll(t, "components/NAME/component.yaml", "{name: NAME, ", "{name: "+renamed+", chart: NAME, ")
	l.git(t, "mv", "components/"+l.name+"/values/"+l.name+".yaml", "components/"+l.name+"/values/"+renamed+".yaml")
	for _, cluster := range []string{"tools", "beta"} {
		l.replaceAll(t, "clusters/"+cluster+"/pins/NAME.yaml", "    NAME:", "    "+renamed+":")
	}
	l.tfgitops(t, "render")
	l.commitAll(t, "Rename")
	old := *l
	l.git(t, "push", "--quiet", "origin", "HEAD:main")
	l.name = renamed
	afterwards(t, old.leave)
	l.ready(t, "1.0.0")
	old.uninstalled(t, old.name)
}

// TestLoopDigest pins by digest and overwrites the tag in the registry: nothing changes, until a bump says so.
func TestLoopDigest(t *testing.T) {
	l := newLoop(t, "e2e-digest", "1.0.0", strings.Replace(loopRepo[:strings.Index(loopRepo, "-- components/")], "insecure: true", "insecure: true, pinning: digest", 1))
	hr := l.ready(t, "1.0.0")
	if hr.Spec.ChartRef == nil {
		t.Fatalf("not pinned by digest: %+v", hr.Spec.Chart)
	}
	before := *hr.Status.History.Latest()
	was := uid(t, l)
	push(t, l.registry, "apps", registrytest.Chart{Name: l.name, Version: "1.0.0", Files: map[string]string{
		"templates/echo.yaml": strings.ReplaceAll(echo, "-echo", "-surprise"),
	}})
	l.askFor(t, "OCIRepository", l.name)
	l.askFor(t, "HelmRelease", l.name)
	hr = l.ready(t, "1.0.0")
	if diff := cmp.Diff(before.Digest, hr.Status.History.Latest().Digest) + cmp.Diff(was, uid(t, l)); diff != "" {
		t.Errorf("an overwritten tag changed what runs:\n%s", diff)
	}
	var surprise corev1.ConfigMap
	if err := l.Get(t.Context(), client.ObjectKey{Namespace: "e2e-" + l.name, Name: l.name + "-surprise"}, &surprise); !apierrors.IsNotFound(err) {
		t.Errorf("the surprise was deployed (%v)", err)
	}
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	from := l.deploy(t, "1.1.0")
	l.ready(t, "1.1.0")
	took(t, "bump, pinned by digest", from)
}

// TestLoopSuspended bumps a suspended release: it stays as it is until it is resumed.
func TestLoopSuspended(t *testing.T) {
	l := newLoop(t, "e2e-suspended", "1.0.0")
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	l.replaceAll(t, "components/NAME/component.yaml", "{name: NAME, ", "{name: NAME, suspend: true, ")
	l.tfgitops(t, "render")
	l.commitAll(t, "Suspend")
	l.git(t, "push", "--quiet", "origin", "HEAD:main")
	l.deploy(t, "1.1.0")
	l.until(t, "pinned to 1.1.0 and suspended", func(hr *helmv2.HelmRelease) bool {
		return hr.Spec.Suspend && hr.Spec.Chart.Spec.Version == "1.1.0"
	})
	time.Sleep(2 * time.Second)
	echoes(t, l, "1.0.0")

	l.replaceAll(t, "components/NAME/component.yaml", "suspend: true, ", "")
	l.tfgitops(t, "render")
	l.commitAll(t, "Resume")
	l.git(t, "push", "--quiet", "origin", "HEAD:main")
	from := time.Now()
	l.ready(t, "1.1.0")
	took(t, "resumed", from)
}

// TestLoopTwoClusters deploys two clusters from one repository: each runs what is pinned for it.
func TestLoopTwoClusters(t *testing.T) {
	if os.Getenv(anyKubeconfig) != "" {
		t.Skip("needs a second cluster")
	}
	l := newLoop(t, "e2e-two", "1.0.0")
	second, err := newFlux(t, env.run, "flux-beta")
	if err != nil {
		t.Fatal(err)
	}
	beta := *l
	beta.Cluster = second
	beta.bootstrap(t, "beta")
	beta.ready(t, "1.0.0")
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	from := l.pushed(t, "bump", l.name, "1.1.0")
	beta.ready(t, "1.1.0")
	took(t, "bump of the test cluster", from)
	l.ready(t, "1.0.0")
	echoes(t, l, "1.0.0")
	echoes(t, &beta, "1.1.0")
}
