package e2e_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
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

// neverReady is a part of a chart that no cluster can bring up. IMAGE is filled in.
const neverReady = `apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-stuck}
spec:
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck}}
    spec: {containers: [{name: app, image: IMAGE}]}
`

// TestLoopRemediation pins a chart that never gets ready, for a release that asks for remediation by rollback: Flux tries as
// often as it is told, each time returns to what ran before, then gives up and says so, and deploys the next good pin.
func TestLoopRemediation(t *testing.T) {
	l := newLoop(t, "e2e-remedied", "1.0.0", "-- components/NAME/component.yaml --\n"+strings.Replace(
		section(txtar.Parse([]byte(loopRepo)), "components/NAME/component.yaml"), "{name: NAME, repo", "{name: NAME, remediation: rollback, timeout: 3s, repo", 1))
	if _, err := l.registry.PushImage("apps/stuck", "one", "linux/amd64", "nothing that runs"); err != nil {
		t.Fatal(err)
	}
	push(t, l.registry, "apps", registrytest.Chart{Name: l.name, Version: "1.1.0", Files: map[string]string{
		"templates/echo.yaml": echo, "templates/stuck.yaml": strings.Replace(neverReady, "IMAGE", l.registry.Host()+"/apps/stuck:one", 1),
	}})
	before := uid(t, l)
	from := l.deploy(t, "1.1.0")
	hr := l.until(t, "given up at 1.1.0", func(hr *helmv2.HelmRelease) bool {
		stalled := apimeta.FindStatusCondition(hr.Status.Conditions, meta.StalledCondition)
		return isObserved(hr, "1.1.0") && stalled != nil && stalled.Status == metav1.ConditionTrue
	})
	took(t, "bump to a chart that never gets ready, until Flux gives up", from)
	ready := apimeta.FindStatusCondition(hr.Status.Conditions, meta.ReadyCondition)
	if ready.Status != metav1.ConditionFalse || hr.Status.UpgradeFailures != 4 {
		t.Errorf("after %d failures, want the first and 3 more: %+v", hr.Status.UpgradeFailures, ready)
	}
	runs := hr.Status.History.Latest()
	t.Logf("Helm's revision after 4 upgrades and as many rollbacks: %d, of %s (%s)", runs.Version, runs.ChartVersion, runs.Status)
	echoes(t, l, "1.0.0")
	stuck := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: l.name + "-stuck", Namespace: "e2e-" + l.name}}
	gone(t, l.Cluster, stuck)

	pushEcho(t, l.registry, "apps", l.name, "1.2.0")
	from = l.deploy(t, "1.2.0")
	l.ready(t, "1.2.0")
	took(t, "bump after a remediated upgrade", from)
	echoes(t, l, "1.2.0")
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

// scheduled is a part of a chart with an image, which values name by a tag that moves. It is never run.
const scheduled = `apiVersion: batch/v1
kind: CronJob
metadata: {name: {{ .Release.Name }}}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: app, image: {{ .Values.image | quote }}}]}}}}
`

// byDigest has charts and images pinned by digest.
var byDigest = strings.Replace(loopRepo[:strings.Index(loopRepo, "-- components/")], "insecure: true", "insecure: true, pinning: digest", 1) + `
-- components/NAME/component.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: NAME}
spec:
  namespace: e2e-NAME
  releases:
    - {name: NAME, repository: e2e-NAME, images: [{name: apps/NAME-image, tag: "v{version}"}]}
-- components/NAME/values/NAME.yaml --
greeting: hello
image: REGISTRY/apps/NAME-image:latest
`

// TestLoopDigest pins by digest, and overwrites the tags of chart and image in the registry: nothing changes, until a bump
// says so.
func TestLoopDigest(t *testing.T) {
	l := startLoop(t, fluxCluster(t), "e2e-digest", byDigest)
	first := l.pushWithImage(t, "1.0.0", "one", echo)
	l.deploy(t, "1.0.0", "--install")
	l.bootstrap(t, "tools")
	hr := l.ready(t, "1.0.0")
	if hr.Spec.ChartRef == nil {
		t.Fatalf("not pinned by digest: %+v", hr.Spec.Chart)
	}
	l.runsImage(t, first)
	before := *hr.Status.History.Latest()
	was := uid(t, l)

	l.pushWithImage(t, "1.0.0", "a surprise", strings.ReplaceAll(echo, "-echo", "-surprise"))
	l.askFor(t, "OCIRepository", l.name)
	l.askFor(t, "HelmRelease", l.name)
	hr = l.ready(t, "1.0.0")
	if diff := cmp.Diff(before.Digest, hr.Status.History.Latest().Digest) + cmp.Diff(was, uid(t, l)); diff != "" {
		t.Errorf("an overwritten tag changed what runs:\n%s", diff)
	}
	gone(t, l.Cluster, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "e2e-" + l.name, Name: l.name + "-surprise"}})
	l.runsImage(t, first)

	second := l.pushWithImage(t, "1.1.0", "two", echo)
	from := l.deploy(t, "1.1.0")
	l.ready(t, "1.1.0")
	took(t, "bump, pinned by digest", from)
	l.runsImage(t, second)
}

// pushWithImage pushes a chart, and the image that belongs to it under its version and as the latest. It returns the image's digest.
func (l *loop) pushWithImage(t *testing.T, version, content, shows string) (digest string) {
	t.Helper()
	push(t, l.registry, "apps", registrytest.Chart{Name: l.name, Version: version, Files: map[string]string{
		"templates/echo.yaml": shows, "templates/scheduled.yaml": scheduled,
	}})
	for _, tag := range []string{"v" + version, "latest"} {
		var err error
		if digest, err = l.registry.PushImage("apps/"+l.name+"-image", tag, "linux/amd64", content); err != nil {
			t.Fatal(err)
		}
	}
	return digest
}

// runsImage wants the image of that digest to be what is deployed, whatever its tags say.
func (l *loop) runsImage(t *testing.T, digest string) {
	t.Helper()
	var job batchv1.CronJob
	if err := l.Get(t.Context(), client.ObjectKey{Namespace: "e2e-" + l.name, Name: l.name}, &job); err != nil {
		t.Fatal(err)
	}
	want := l.registry.Host() + "/apps/" + l.name + "-image@" + digest
	if got := job.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
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
		env.skip(t) // what is lent is one cluster
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
