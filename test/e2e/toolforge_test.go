package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/chartutil"
	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	helmchart "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/loader"
	helmregistry "helm.sh/helm/v4/pkg/registry"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// TestToolforgeIsAppliedAndInstalls has kustomize-controller apply each of Toolforge's clusters, reads back the values of
// every release, and installs each with Helm.
func TestToolforgeIsAppliedAndInstalls(t *testing.T) {
	tree := repository(t)
	artifact := sourceOnly(t, tree)
	repo := load(t, tree)
	for _, cluster := range control.ClusterFolders(tree) {
		t.Run(cluster, func(t *testing.T) {
			c := sharedCluster(t)
			started := time.Now()
			sources := newSources(t)
			revision := publish(t, sources, c, artifact)
			applied := apply(t, c, revision, kustomizev1.KustomizationSpec{Path: "./" + control.ClusterDir(cluster), Prune: true})
			t.Logf("kustomize-controller applied %d objects in %s", len(applied.Status.Inventory.Entries), since(started))

			releases := releasesOf(t, repo, cluster)
			stored := storedReleases(t, c)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(releases)), slices.Sorted(maps.Keys(stored))); diff != "" {
				t.Fatalf("HelmReleases (-control repo +API server):\n%s", diff)
			}
			for name, release := range releases {
				sameValues(t, release.Values, stored[name])
			}
			started = time.Now()
			installAll(t, c, releases, stored)
			t.Logf("Helm installed %d releases in %s", len(stored), since(started))
		})
	}
}

// installAll publishes a chart for each release and installs it as the stored HelmRelease says.
func installAll(t *testing.T, c *harness.Cluster, releases map[string]control.Release, stored map[string]*helmv2.HelmRelease) {
	t.Helper()
	registry := registrytest.ForTest(t, registrytest.Options{})
	helm, err := c.NewHelm()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		release, hr := releases[name], stored[name]
		pushEcho(t, registry, release.Repository, release.Chart, release.Version)
		wantSecrets(t, c, hr)
		want := wantedValues(t, release)
		installOne(t, c, helm, hr, pullAs(t, registry, hr))
		sameInstalled(t, c, release, want)
		if err := helm.Uninstall(hr.Spec.ReleaseName, hr.Spec.TargetNamespace, hr.Spec.StorageNamespace); err != nil {
			t.Error(err)
		}
	}
}

// pullAs fetches the chart that the stored object names with Helm's own client, from the folder of the registry that stands
// for its repository.
func pullAs(t *testing.T, registry *registrytest.Server, hr *helmv2.HelmRelease) helmchart.Charter {
	t.Helper()
	helm, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptWriter(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	spec := hr.Spec.Chart.Spec
	tag := strings.ReplaceAll(spec.Version, "+", "_") // a tag cannot have a plus sign
	pulled, err := helm.Pull(registry.Host() + "/" + spec.SourceRef.Name + "/" + spec.Chart + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	chart, err := loader.LoadArchive(bytes.NewReader(pulled.Chart.Data))
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

// installOne installs what the stored object says, with values put together by helm-controller's own function.
func installOne(t *testing.T, c *harness.Cluster, helm *harness.Helm, hr *helmv2.HelmRelease, chart helmchart.Charter) {
	t.Helper()
	ctx := within(t, time.Minute)
	values, err := chartutil.ChartValuesFromReferences(ctx, logr.Discard(), c.Client, hr.Namespace, hr.GetValues(), hr.Spec.ValuesFrom...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = helm.Install(ctx, harness.Install{
		Release: hr.GetReleaseName(), Namespace: hr.GetReleaseNamespace(), StorageNamespace: hr.GetStorageNamespace(),
		TakeOwnership: !hr.GetInstall().DisableTakeOwnership, Chart: chart, Values: values,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The echoing chart writes what its templates see into a ConfigMap.
const echo = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-echo
data:
  release: {{ .Release.Name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  chart: {{ .Chart.Name | quote }}
  version: {{ .Chart.Version | quote }}
  values: {{ .Values | toJson | quote }}
`

func pushEcho(t *testing.T, registry *registrytest.Server, folder, name, version string) registrytest.Pushed {
	t.Helper()
	return push(t, registry, folder, registrytest.Chart{Name: name, Version: version, Files: map[string]string{"templates/echo.yaml": echo}})
}

func push(t *testing.T, registry *registrytest.Server, folder string, chart registrytest.Chart) registrytest.Pushed {
	t.Helper()
	pushed, err := registry.PushChart(folder, chart)
	if err != nil {
		t.Fatal(err)
	}
	return pushed
}

// secretValue is what stands in the Secrets of the tests.
const secretValue = "from-the-secret"

// wantSecrets makes the Secrets that a HelmRelease refers to: with a target path a plain text, otherwise a document.
func wantSecrets(t *testing.T, c *harness.Cluster, hr *helmv2.HelmRelease) {
	t.Helper()
	for _, from := range hr.Spec.ValuesFrom {
		content := secretValue
		if from.TargetPath == "" {
			content = fmt.Sprintf(`{"fromSecret": %q}`, secretValue)
		}
		if from.Kind != "Secret" {
			t.Fatalf("%s takes values from a %s", hr.Name, from.Kind)
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: from.Name, Namespace: hr.Namespace}}
		err := c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret)
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[from.GetValuesKey()] = []byte(content)
		if err != nil {
			err = c.Create(t.Context(), secret)
		} else {
			err = c.Update(t.Context(), secret)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wantedValues is what templates are to see of a release: the values of the control repo, nulls included, with what the Secrets add.
func wantedValues(t *testing.T, release control.Release) any {
	t.Helper()
	values, isMap := asHelm(t, release.Values).(map[string]any)
	if !isMap {
		t.Fatalf("values of %q: %T", release.Name, values)
	}
	for _, from := range release.ValuesFrom {
		if from.TargetPath == "" {
			values["fromSecret"] = secretValue
			continue
		}
		set(values, from.TargetPath, secretValue)
	}
	return values
}

// sameInstalled wants the release in its namespaces, under its name, with those values, of the pinned chart.
func sameInstalled(t *testing.T, c *harness.Cluster, release control.Release, values any) {
	t.Helper()
	ctx := within(t, time.Minute)
	var record corev1.Secret
	key := client.ObjectKey{Namespace: release.Namespace, Name: "sh.helm.release.v1." + release.Name + ".v1"}
	if err := c.Get(ctx, key, &record); err != nil {
		t.Errorf("Helm's record: %v", err)
	}
	want := map[string]any{
		"release": release.Name, "namespace": release.Namespace, "chart": release.Chart, "version": release.Version, "values": values,
	}
	if diff := cmp.Diff(want, echoed(ctx, t, c, release.Namespace, release.Name)); diff != "" {
		t.Errorf("release %q (-control repo +installed):\n%s", release.Name, diff)
	}
}

// echoed is what the echoing chart wrote.
func echoed(ctx context.Context, t *testing.T, c client.Reader, namespace, release string) map[string]any {
	t.Helper()
	var echo corev1.ConfigMap
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: release + "-echo"}, &echo); err != nil {
		t.Errorf("what the chart of %q made: %v", release, err)
		return nil
	}
	got := map[string]any{}
	for key, value := range echo.Data {
		got[key] = value
	}
	var values any
	if err := json.Unmarshal([]byte(echo.Data["values"]), &values); err != nil {
		t.Errorf("values of %q: %v", release, err)
	}
	got["values"] = values
	return got
}

// storedReleases are all HelmReleases in Flux's namespace.
func storedReleases(t *testing.T, c *harness.Cluster) map[string]*helmv2.HelmRelease {
	t.Helper()
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(helmv2.GroupVersion.WithKind("HelmReleaseList"))
	if err := c.List(t.Context(), &list, client.InNamespace(harness.FluxNamespace)); err != nil {
		t.Fatal(err)
	}
	stored := map[string]*helmv2.HelmRelease{}
	for _, item := range list.Items {
		stored[item.Name] = storedRelease(t, c, item.Name)
	}
	return stored
}
