package e2e_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// small is a control repo with one cluster: a component with a release, a protected one, and one of plain manifests that is
// a kind of its own.
const small = `
-- tfgitops.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: ControlRepo
metadata: {name: example}
spec:
  repositories:
    apps: {url: "oci://registry.example/apps"}
-- components/app/component.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: app}
spec:
  namespace: e2e-app
  releases:
    - {name: app, repository: apps}
-- components/app/values/app.yaml --
replicas: 2
greeting: "Hello ${who}, $${who} and ${nobody:=else}"
-- components/kept/component.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: kept}
spec:
  namespace: e2e-kept
  protect: true
  releases:
    - {name: kept, repository: apps}
-- components/kinds/component.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Component
metadata: {name: kinds}
spec: {}
-- components/kinds/manifests/1.0.0/kustomization.yaml --
resources: [kinds.yaml]
-- components/kinds/manifests/1.0.0/kinds.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.e2e.example}
spec:
  group: e2e.example
  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kinds, namespace: default}
-- clusters/prod/cluster.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Cluster
metadata: {name: prod}
spec: {kubeVersion: "1.32.4", fluxVersion: "2.9"}
-- clusters/prod/pins/app.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata: {name: app}
spec:
  releases:
    app: {version: "1.0.0"}
-- clusters/prod/pins/kept.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata: {name: kept}
spec:
  releases:
    kept: {version: "1.0.0"}
-- clusters/prod/pins/kinds.yaml --
apiVersion: tfgitops.toolforge.org/v1alpha1
kind: Pin
metadata: {name: kinds}
spec:
  manifests: {version: "1.0.0", digest: "DIGEST"}
`

// smallTree is small with the digest of its manifests.
func smallTree(t *testing.T) fstest.MapFS {
	t.Helper()
	tree := treeOf(small)
	digest, err := control.ManifestsDigest(tree, "components/kinds/manifests/1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	return treeOf(strings.ReplaceAll(small, "DIGEST", digest))
}

// smallKustomization applies the cluster of small.
var smallKustomization = kustomizev1.KustomizationSpec{Path: "./clusters/prod", Prune: true}

// hardValues are those that get lost on the way from YAML to a cluster, if any do.
const hardValues = `
nothing: null
nested: {nothing: ~, list: [null, {nothing: null}], empty: {}, none: []}
date: 2026-08-04
time: 2026-08-04T10:04:41Z
dateInQuotes: "2026-08-04"
big: 9007199254740993
biggest: 9223372036854775807
lowest: -9223372036854775808
fraction: 0.1
exponent: 1.5e3
octal: 0o17
oldOctal: 017
hex: 0xff
commit: "40551e32"
number: "12"
yes: yes
"on": off
"y": n
empty: ""
zero: 0
no: false
lines: |
  first
    second
folded: >-
  one
  line
template: '{{ .Values.x }} ${HOME} $(x) %d'
unicode: "\u00e9\U0001F600\u2028"
colon: "a: b"
"key.with/dots": 1
"8080": port
`

// TestValuesSurvive takes hard values from their file to the API server, through kustomize-controller, and compares each.
func TestValuesSurvive(t *testing.T) {
	c := sharedCluster(t)
	tree := rendered(t, with(smallTree(t), "components/app/values/app.yaml", hardValues))
	apply(t, c, publish(t, newSources(t), c, tree), smallKustomization)
	want := releasesOf(t, load(t, tree), "prod")["app"].Values
	if len(want) < 20 {
		t.Fatalf("only %d values", len(want))
	}
	stored := storedRelease(t, c, "app")
	sameValues(t, want, stored)
	for _, sure := range []string{`"big":9007199254740993`, `"biggest":9223372036854775807`, `"date":"2026-08-04"`, `"nothing":null`, `"commit":"40551e32"`} {
		if !strings.Contains(string(stored.Spec.Values.Raw), sure) {
			t.Errorf("no %s in %s", sure, stored.Spec.Values.Raw)
		}
	}
}

// TestPatchesApply holds that people's own patches and resources in clusters/CLUSTER reach the API server.
func TestPatchesApply(t *testing.T) {
	c := sharedCluster(t)
	tree := rendered(t, with(with(smallTree(t), "clusters/prod/kustomization.yaml", `
resources: [manifests, extra.yaml]
patches:
  - target: {kind: HelmRelease, name: app}
    patch: |
      - {op: replace, path: /spec/values/replicas, value: 7}
  - patch: |
      apiVersion: helm.toolkit.fluxcd.io/v2
      kind: HelmRelease
      metadata: {name: kept, namespace: flux-system}
      spec: {suspend: true}
`), "clusters/prod/extra.yaml", `
apiVersion: v1
kind: ConfigMap
metadata: {name: extra, namespace: flux-system}
data: {from: people}
`))
	apply(t, c, publish(t, newSources(t), c, tree), smallKustomization)
	if values := storedRelease(t, c, "app").GetValues(); values["replicas"] != 7.0 {
		t.Errorf("patched values: %v", values)
	}
	if !storedRelease(t, c, "kept").Spec.Suspend {
		t.Error("the release is not suspended")
	}
	exists(t, c, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "extra", Namespace: harness.FluxNamespace}})
}

// TestValuesAreNotSubstituted sets variables on the Flux Kustomization: they are put into people's own objects, and not into
// a release's values, which belong to its chart.
func TestValuesAreNotSubstituted(t *testing.T) {
	c := sharedCluster(t)
	tree := rendered(t, with(with(smallTree(t), "clusters/prod/kustomization.yaml", "resources: [manifests, extra.yaml]\n"),
		"clusters/prod/extra.yaml", `
apiVersion: v1
kind: ConfigMap
metadata: {name: substituted, namespace: flux-system}
data: {greeting: "Hello ${who}"}
`))
	spec := smallKustomization
	spec.PostBuild = &kustomizev1.PostBuild{Substitute: map[string]string{"who": "world"}}
	apply(t, c, publish(t, newSources(t), c, tree), spec)

	var extra corev1.ConfigMap
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: harness.FluxNamespace, Name: "substituted"}, &extra); err != nil {
		t.Fatal(err)
	}
	if got := extra.Data["greeting"]; got != "Hello world" {
		t.Errorf("Flux substitutes nothing: %q, so this test shows nothing", got)
	}
	sameValues(t, releasesOf(t, load(t, tree), "prod")["app"].Values, storedRelease(t, c, "app"))
}

// TestSecretsAreDecrypted encrypts a Secret with SOPS for an age key, has it applied, and reads it back.
func TestSecretsAreDecrypted(t *testing.T) {
	c := sharedCluster(t)
	private, public := ageKey(t)
	create(t, c, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "sops-age", Namespace: harness.FluxNamespace},
		StringData: map[string]string{"age.agekey": private},
	})
	encrypted := encrypt(t, public, `apiVersion: v1
kind: Secret
metadata: {name: app-values, namespace: flux-system}
stringData: {password: not-in-git}
`)
	if strings.Contains(encrypted, "not-in-git") {
		t.Fatalf("sops encrypted nothing:\n%s", encrypted)
	}
	tree := rendered(t, with(with(smallTree(t), "clusters/prod/kustomization.yaml", "resources: [manifests, secret.yaml]\n"),
		"clusters/prod/secret.yaml", encrypted))
	spec := smallKustomization
	spec.Decryption = &kustomizev1.Decryption{Provider: "sops", SecretRef: &meta.LocalObjectReference{Name: "sops-age"}}
	apply(t, c, publish(t, newSources(t), c, tree), spec)

	var secret corev1.Secret
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: harness.FluxNamespace, Name: "app-values"}, &secret); err != nil {
		t.Fatal(err)
	}
	if got := string(secret.Data["password"]); got != "not-in-git" {
		t.Errorf("the decrypted password is %q", got)
	}
}

// TestRemovalPrunes removes every pin: releases go, protected ones, Namespaces and CustomResourceDefinitions stay.
func TestRemovalPrunes(t *testing.T) {
	c := sharedCluster(t)
	sources := newSources(t)
	full := smallTree(t)
	apply(t, c, publish(t, sources, c, rendered(t, full)), smallKustomization)
	app, kept := release("app"), release("kept")
	kinds := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kinds", Namespace: "default"}}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "e2e-app"}}
	exists(t, c, app, kept, kinds, namespace, definition("things.e2e.example"))

	started := time.Now()
	less := rendered(t, with(without(full, "clusters/prod/pins/app.yaml", "clusters/prod/pins/kept.yaml", "clusters/prod/pins/kinds.yaml"),
		"clusters/prod/kustomization.yaml", "resources: [manifests]\n"))
	applied(t, c, publish(t, sources, c, less))
	gone(t, c, app, kinds)
	t.Logf("gone %s after the push", since(started))
	exists(t, c, kept, namespace, definition("things.e2e.example"))
	var live corev1.Namespace
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(namespace), &live); err != nil || live.DeletionTimestamp != nil {
		t.Errorf("the namespace is being deleted: %v (%v)", live.DeletionTimestamp, err)
	}
}

// TestARemovedComponentGoesAlone removes one pin of two: the other release is not touched.
func TestARemovedComponentGoesAlone(t *testing.T) {
	c := sharedCluster(t)
	sources := newSources(t)
	full := smallTree(t)
	apply(t, c, publish(t, sources, c, rendered(t, full)), smallKustomization)
	before := storedRelease(t, c, "app")
	applied(t, c, publish(t, sources, c, rendered(t, without(full, "clusters/prod/pins/kinds.yaml"))))
	gone(t, c, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kinds", Namespace: "default"}})
	after := storedRelease(t, c, "app")
	if diff := cmp.Diff(before.ObjectMeta.UID, after.ObjectMeta.UID) + cmp.Diff(before.Generation, after.Generation); diff != "" {
		t.Errorf("the release that stayed was changed:\n%s", diff)
	}
}

func release(name string) client.Object {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(helmv2.GroupVersion.WithKind(helmv2.HelmReleaseKind))
	object.SetName(name)
	object.SetNamespace(harness.FluxNamespace)
	return object
}

func definition(name string) client.Object {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("apiextensions.k8s.io/v1")
	object.SetKind("CustomResourceDefinition")
	object.SetName(name)
	return object
}

func create(t *testing.T, c *harness.Cluster, object client.Object) {
	t.Helper()
	if err := c.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	afterwards(t, func(ctx context.Context) error { return client.IgnoreNotFound(c.Delete(ctx, object)) })
}

func exists(t *testing.T, c *harness.Cluster, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Errorf("%T %q: %v", object, object.GetName(), err)
		}
	}
}

func gone(t *testing.T, c *harness.Cluster, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
			t.Errorf("%T %q is still there (%v)", object, object.GetName(), err)
		}
	}
}

// ageKey makes a key pair with age's own program.
func ageKey(t *testing.T) (private, public string) {
	t.Helper()
	private = tool(t, "", "age-keygen")
	for line := range strings.SplitSeq(private, "\n") {
		if _, key, isPublic := strings.Cut(line, "public key: "); isPublic {
			return private, strings.TrimSpace(key)
		}
	}
	t.Fatal("age-keygen printed no public key")
	return "", ""
}

// encrypt encrypts a Secret's data with the sops program.
func encrypt(t *testing.T, public, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret.yaml")
	writeTree(t, filepath.Dir(file), fstest.MapFS{"secret.yaml": {Data: []byte(secret)}})
	return tool(t, filepath.Dir(file), "sops", "encrypt", "--age", public, "--encrypted-regex", "^(data|stringData)$", file)
}

func writeTree(t *testing.T, dir string, tree fstest.MapFS) {
	t.Helper()
	if err := harness.WriteTree(dir, tree); err != nil {
		t.Fatal(err)
	}
}

// tool runs a pinned program and returns what it printed.
func tool(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	path, err := env.run.Programs.Path(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, stderr.String())
	}
	return string(out)
}

// TestFluxRefusesObjectsWithoutNamespace holds what Flux does with an object of people's own that names no namespace: it
// applies nothing at all, and says which object is why. validate says it before.
func TestFluxRefusesObjectsWithoutNamespace(t *testing.T) {
	c := sharedCluster(t)
	tree := rendered(t, with(with(smallTree(t), "clusters/prod/kustomization.yaml", "resources: [manifests, extra.yaml]\n"),
		"clusters/prod/extra.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: nowhere}}\n"))
	findings := validate.New().Run(t.Context(), tree)
	if len(findings) != 1 || findings[0].Rule != validate.RuleUnplacedObject || !strings.Contains(findings[0].Message, "nowhere") {
		t.Errorf("validate finds %v", findings)
	}
	revision := publish(t, newSources(t), c, tree)
	create(t, c, kustomizationFor(smallKustomization))
	_, err := c.Applied(within(t, time.Minute), source, revision)
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("Flux says %v", err)
	}
	gone(t, c, release("app"))
}
