package crds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// The objects that the cases below change: each is the least that its kind accepts, and a little more.
var good = map[string]string{
	"HelmRelease": `
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: jobs-api, namespace: flux-system, annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}}
spec:
  releaseName: jobs-api
  targetNamespace: jobs-api
  storageNamespace: jobs-api
  interval: 10m
  timeout: 1h
  chart: {spec: {chart: jobs-api, version: 0.0.1-20260804100441-102b23dd, sourceRef: {kind: HelmRepository, name: toolforge}}}
  install: {crds: CreateReplace, disableTakeOwnership: true, strategy: {name: RetryOnFailure, retryInterval: 5m}}
  upgrade: {crds: CreateReplace, strategy: {name: RetryOnFailure, retryInterval: 5m}}
  driftDetection: {mode: warn}
  dependsOn: [{name: cert-manager}]
  valuesFrom: [{kind: Secret, name: jobs-api-values, valuesKey: values.yaml}]
  values: {image: {tag: "40551e32"}, replicas: 3, ratio: 0.5, nothing: null, list: [], nested: {anything: {goes: [1, {a: b}]}}}
`,
	"HelmRelease with chartRef": `
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: jobs-api, namespace: flux-system}
spec: {interval: 10m, chartRef: {kind: OCIRepository, name: jobs-api}}
`,
	"HelmRepository": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: toolforge, namespace: flux-system}
spec: {url: "oci://harbor.example.org/toolforge", type: oci, interval: 10m, timeout: 60s, insecure: true}
`,
	"OCIRepository": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: jobs-api, namespace: flux-system}
spec:
  url: oci://harbor.example.org/toolforge/jobs-api
  interval: 10m
  timeout: 1m30s
  ref: {digest: "sha256:9b2f5f3f7a0f0b5e0b1a0c1f5e9a1e6d1f2c3b4a59687766554433221100ffee"}
  layerSelector: {mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip, operation: copy}
`,
	"HelmChart": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmChart
metadata: {name: jobs-api, namespace: flux-system}
spec: {chart: jobs-api, version: 0.0.1, interval: 10m, sourceRef: {kind: HelmRepository, name: toolforge}}
`,
	"GitRepository": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: control, namespace: flux-system}
spec: {url: "https://gitlab.example.org/control.git", interval: 1m, ref: {branch: main}}
`,
	"Bucket": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: Bucket
metadata: {name: b, namespace: flux-system}
spec: {bucketName: charts, endpoint: s3.example.org, interval: 10m, provider: generic, secretRef: {name: s3}}
`,
	"ExternalArtifact": `
apiVersion: source.toolkit.fluxcd.io/v1
kind: ExternalArtifact
metadata: {name: e, namespace: flux-system}
spec: {sourceRef: {apiVersion: example.org/v1, kind: Thing, name: t}}
`,
	"Kustomization": `
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 10m, path: ./clusters/tools, prune: true, timeout: 1h, sourceRef: {kind: GitRepository, name: control}}
`,
	"not known: Namespace": `
apiVersion: v1
kind: Namespace
metadata: {name: Not_A_Valid_Name}
anything: goes
`,
	"not known: a kustomize patch file's kind": `
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [manifests]
`,
}

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber() // as pkg/overlay gives objects
	var obj map[string]any
	if err := decoder.Decode(&obj); err != nil {
		t.Fatal(err)
	}
	return obj
}

// set changes one field of an object; nil removes it.
func set(t testing.TB, obj map[string]any, path string, value any) {
	t.Helper()
	steps := strings.Split(path, ".")
	last := len(steps) - 1
	for _, step := range steps[:last] {
		next, ok := obj[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			obj[step] = next
		}
		obj = next
	}
	if value == nil {
		delete(obj, steps[last])
		return
	}
	obj[steps[last]] = value
}

func TestGoodObjectsPass(t *testing.T) {
	t.Parallel()
	v := New()
	for name, text := range good {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obj := object(t, text)
			got, err := v.Validate(t.Context(), obj)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 0 {
				t.Errorf("findings on a good object: %v", got)
			}
			if diff := cmp.Diff(object(t, text), obj); diff != "" {
				t.Errorf("Validate changed the object (-want +got):\n%s", diff)
			}
		})
	}
}

// Each case changes a good object in one way and names the finding, as "path: message" without the value.
func TestFindings(t *testing.T) {
	t.Parallel()
	type change = map[string]any
	m := func(pairs ...any) map[string]any {
		r := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			r[pairs[i].(string)] = pairs[i+1]
		}
		return r
	}
	const duration = `should match '^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$'`
	const sourceTimeout = `should match '^([0-9]+(\.[0-9]+)?(ms|s|m))+$'`
	tests := []struct {
		name   string
		object string
		change change
		want   []string
	}{
		{
			"neither chart nor chartRef", "HelmRelease",
			change{"spec.chart": nil},
			[]string{"spec: either chart or chartRef must be set"},
		},
		{
			"both chart and chartRef", "HelmRelease",
			change{"spec.chartRef": m("kind", "OCIRepository", "name", "x")},
			[]string{"spec: either chart or chartRef must be set"},
		},
		{
			"chartRef kind", "HelmRelease with chartRef",
			change{"spec.chartRef.kind": "HelmRepository"},
			[]string{`spec.chartRef.kind: supported values: "OCIRepository", "HelmChart", "ExternalArtifact"`},
		},
		{
			"sourceRef kind", "HelmRelease",
			change{"spec.chart.spec.sourceRef.kind": "OCIRepository"},
			[]string{`spec.chart.spec.sourceRef.kind: supported values: "HelmRepository", "GitRepository", "Bucket"`},
		},
		{
			"chart without sourceRef", "HelmRelease",
			change{"spec.chart.spec.sourceRef": nil},
			[]string{"spec.chart.spec.sourceRef: is required"},
		},
		{
			"chart without its name", "HelmRelease",
			change{"spec.chart.spec.chart": nil},
			[]string{"spec.chart.spec.chart: is required"},
		},
		{
			"chart name too long", "HelmRelease",
			change{"spec.chart.spec.chart": strings.Repeat("c", 2049)},
			[]string{"spec.chart.spec.chart: may not be more than 2048 bytes"},
		},
		{
			"install.strategy retryInterval with RemediateOnFailure", "HelmRelease",
			change{"spec.install.strategy.name": "RemediateOnFailure"},
			[]string{"spec.install.strategy: .retryInterval cannot be set when .name is 'RemediateOnFailure'"},
		},
		{
			"upgrade.strategy retryInterval with RemediateOnFailure", "HelmRelease",
			change{"spec.upgrade.strategy.name": "RemediateOnFailure"},
			[]string{"spec.upgrade.strategy: .retryInterval can only be set when .name is 'RetryOnFailure'"},
		},
		{
			"kubeConfig without a reference", "HelmRelease",
			change{"spec.kubeConfig": m()},
			[]string{"spec.kubeConfig: exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified"},
		},
		{
			"kubeConfig with both references", "HelmRelease",
			change{"spec.kubeConfig": m("configMapRef", m("name", "a"), "secretRef", m("name", "b"))},
			[]string{"spec.kubeConfig: exactly one of spec.kubeConfig.configMapRef or spec.kubeConfig.secretRef must be specified"},
		},
		{
			"release name over 53", "HelmRelease",
			change{"spec.releaseName": strings.Repeat("r", 54)},
			[]string{"spec.releaseName: may not be more than 53 bytes"},
		},
		{
			"target namespace over 63", "HelmRelease",
			change{"spec.targetNamespace": strings.Repeat("n", 64)},
			[]string{"spec.targetNamespace: may not be more than 63 bytes"},
		},
		{
			"storage namespace over 63", "HelmRelease",
			change{"spec.storageNamespace": strings.Repeat("n", 64)},
			[]string{"spec.storageNamespace: may not be more than 63 bytes"},
		},
		{
			"service account over 253", "HelmRelease",
			change{"spec.serviceAccountName": strings.Repeat("s", 254)},
			[]string{"spec.serviceAccountName: may not be more than 253 bytes"},
		},
		{
			"valuesFrom name over 253", "HelmRelease",
			change{"spec.valuesFrom": []any{m("kind", "Secret", "name", strings.Repeat("s", 254))}},
			[]string{"spec.valuesFrom[0].name: may not be more than 253 bytes"},
		},
		{
			"valuesFrom kind", "HelmRelease",
			change{"spec.valuesFrom": []any{m("kind", "Pod", "name", "s")}},
			[]string{`spec.valuesFrom[0].kind: supported values: "Secret", "ConfigMap"`},
		},
		{
			"valuesKey pattern", "HelmRelease",
			change{"spec.valuesFrom": []any{m("kind", "Secret", "name", "s", "valuesKey", "a b")}},
			[]string{`spec.valuesFrom[0].valuesKey: should match '^[\-._a-zA-Z0-9]+$'`},
		},
		{
			"targetPath pattern", "HelmRelease",
			change{"spec.valuesFrom": []any{m("kind", "Secret", "name", "s", "targetPath", "a=b")}},
			[]string{`spec.valuesFrom[0].targetPath: should match '^([a-zA-Z0-9_\-.\\\/]|\[[0-9]{1,5}\])+$'`},
		},
		{
			"targetPath over 250", "HelmRelease",
			change{"spec.valuesFrom": []any{m("kind", "Secret", "name", "s", "targetPath", strings.Repeat("p", 251))}},
			[]string{"spec.valuesFrom[0].targetPath: may not be more than 250 bytes"},
		},
		{
			"no interval", "HelmRelease",
			change{"spec.interval": nil},
			[]string{"spec.interval: is required"},
		},
		{"interval in days", "HelmRelease", change{"spec.interval": "1d"}, []string{"spec.interval: " + duration}},
		{
			"interval without a unit", "HelmRelease",
			change{"spec.interval": json.Number("10")},
			[]string{"spec.interval: must be of type string: \"integer\""},
		},
		{
			"drift detection mode", "HelmRelease",
			change{"spec.driftDetection.mode": "on"},
			[]string{`spec.driftDetection.mode: supported values: "enabled", "warn", "disabled"`},
		},
		{
			"unknown field", "HelmRelease",
			change{"spec.chart.spec.verison": "1"},
			[]string{"spec.chart.spec.verison: no such field in this version of the kind"},
		},
		{
			"unknown fields, all of them", "HelmRelease",
			change{"spec.instal": m("crds", "Skip"), "spek": m(), "metadata.lables": m()},
			[]string{"metadata.lables: no such field in this version of the kind", "spec.instal: no such field in this version of the kind", "spek: no such field in this version of the kind"},
		},
		{
			"wrong type", "HelmRelease",
			change{"spec.suspend": "yes"},
			[]string{"spec.suspend: must be of type boolean: \"string\""},
		},
		{
			"list where an object belongs", "HelmRelease",
			change{"spec.values": []any{}},
			nil,
		}, // apiextensions JSON: any value; helm-controller refuses it
		{
			"metadata of a wrong type", "HelmRelease",
			change{"metadata.labels": []any{}},
			[]string{"metadata: cannot be read: json: cannot unmarshal array into Go struct field ObjectMeta.labels of type map[string]string"},
		},
		{
			"name no DNS name", "HelmRelease",
			change{"metadata.name": "Jobs_API"},
			[]string{"metadata.name: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"},
		},
		{
			"no namespace", "HelmRelease",
			change{"metadata.namespace": nil},
			[]string{"metadata.namespace: is required"},
		},
		{
			"version no longer served", "HelmRelease",
			change{"apiVersion": "helm.toolkit.fluxcd.io/v2beta2"},
			[]string{`apiVersion: HelmRelease is not served in version "v2beta2": accepted: helm.toolkit.fluxcd.io/v2`},
		},
		{"status is dropped, not checked", "HelmRelease", change{"status": m("observedGeneration", "x")}, nil},

		{"HelmRepository url", "HelmRepository", change{"spec.url": "ftp://x"}, []string{`spec.url: should match '^(http|https|oci)://.*$'`}},
		{"HelmRepository timeout in Go's form", "HelmRepository", change{"spec.timeout": "1h0m0s"}, []string{"spec.timeout: " + sourceTimeout}},
		{"HelmRepository interval may have hours", "HelmRepository", change{"spec.interval": "1h0m0s"}, nil},
		{"OCIRepository url", "OCIRepository", change{"spec.url": "https://x"}, []string{`spec.url: should match '^oci://.*$'`}},
		{"OCIRepository without url", "OCIRepository", change{"spec.url": nil}, []string{"spec.url: is required"}},
		{"OCIRepository without interval", "OCIRepository", change{"spec.interval": nil}, []string{"spec.interval: is required"}},
		{"OCIRepository timeout in hours", "OCIRepository", change{"spec.timeout": "1h"}, []string{"spec.timeout: " + sourceTimeout}},
		{"GitRepository timeout in hours", "GitRepository", change{"spec.timeout": "1h"}, []string{"spec.timeout: " + sourceTimeout}},
		{"Bucket timeout in hours", "Bucket", change{"spec.timeout": "1h"}, []string{"spec.timeout: " + sourceTimeout}},
		{
			"Bucket rule on defaults", "Bucket",
			change{"spec.provider": nil, "spec.serviceAccountName": "s", "spec.secretRef": nil},
			[]string{"spec: ServiceAccountName is not supported for the 'generic' Bucket provider"},
		},
		{
			"HelmChart verify off a HelmRepository", "HelmChart",
			change{"spec.verify": m("provider", "cosign"), "spec.sourceRef.kind": "Bucket"},
			[]string{"spec: spec.verify is only supported when spec.sourceRef.kind is 'HelmRepository'"},
		},
		{"Kustomization without prune", "Kustomization", change{"spec.prune": nil}, []string{"spec.prune: is required"}},
		{"ExternalArtifact sourceRef", "ExternalArtifact", change{"spec.sourceRef.name": nil}, []string{"spec.sourceRef.name: is required"}},
	}
	v := New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			obj := object(t, good[tt.object])
			for path, value := range tt.change {
				set(t, obj, path, value)
			}
			found, err := v.Validate(t.Context(), obj)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.Path+": "+f.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValueIsShownOnlyWhenItIsOne(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name, path string
		value      any
		want       any
	}{
		{"string", "spec.interval", "1d", "1d"},
		{"long string", "spec.interval", long, long[:maxValue] + "…"},
		{"wrong type", "spec.suspend", json.Number("5"), nil},
		{"list", "spec.suspend", []any{"hunter2"}, nil},
		{"rule on an object", "spec.chart", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			obj := object(t, good["HelmRelease"])
			set(t, obj, tt.path, tt.value)
			found, err := New().Validate(t.Context(), obj)
			if err != nil || len(found) != 1 {
				t.Fatalf("want one finding, got %v, %v", found, err)
			}
			if diff := cmp.Diff(tt.want, found[0].Value); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if strings.Contains(found[0].Error(), "hunter2") {
				t.Errorf("a nested value reached the message: %s", found[0])
			}
		})
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	v := New()
	for gk, want := range map[schema.GroupKind]bool{
		{Group: "helm.toolkit.fluxcd.io", Kind: "HelmRelease"}:            true,
		{Group: "kustomize.toolkit.fluxcd.io", Kind: "Kustomization"}:     true,
		{Group: "kustomize.config.k8s.io", Kind: "Kustomization"}:         false,
		{Group: "", Kind: "Namespace"}:                                    false,
		{Group: "notification.toolkit.fluxcd.io", Kind: "Alert"}:          false,
		{Group: "source.toolkit.fluxcd.io", Kind: "HelmRepositoryOfMine"}: false,
	} {
		if got := v.Known(gk); got != want {
			t.Errorf("Known(%v) = %v, want %v", gk, got, want)
		}
	}
}

func TestCancelledContextIsAnError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found, err := New().Validate(ctx, object(t, good["HelmRelease"]))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", found, err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	v := New()
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			obj := object(t, good["HelmRelease"])
			if i%2 == 1 {
				set(t, obj, "spec.chart", nil)
			}
			found, err := v.Validate(t.Context(), obj)
			if err != nil || len(found) != i%2 {
				t.Errorf("object %d: %v, %v", i, found, err)
			}
		})
	}
	wg.Wait()
}

// None of Flux's kinds has a keyed list that a create request could fill wrongly, so these checks are
// held with a definition made here.
func TestListTypesAndCostLimits(t *testing.T) {
	t.Parallel()
	crd, err := parseDefinition([]byte(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  names: {kind: Thing, plural: things}
  scope: Cluster
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            set: {type: array, x-kubernetes-list-type: set, items: {type: string}}
            map:
              type: array
              x-kubernetes-list-type: map
              x-kubernetes-list-map-keys: [name]
              items: {type: object, required: [name], properties: {name: {type: string}}}
            costly:
              type: array
              items: {type: string}
              x-kubernetes-validations:
                - {rule: "self.all(a, self.all(b, self.all(c, self.all(d, a != b + c + d))))", message: costly}
`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := compile(schema.GroupVersionKind{Group: "example.org", Version: "v1", Kind: "Thing"}, crd)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]any, 200)
	for i := range many {
		many[i] = fmt.Sprint("a value of some length ", i)
	}
	tests := []struct {
		name  string
		field string
		value []any
		want  string
	}{
		{"set", "set", []any{"a", "b", "a"}, "set[2]"},
		{"map", "map", []any{map[string]any{"name": "a"}, map[string]any{"name": "a"}}, "map[1]"},
		{"rule over its budget", "costly", many, "costly"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			found := c.check(t.Context(), map[string]any{
				"apiVersion": "example.org/v1", "kind": "Thing",
				"metadata": map[string]any{"name": "a"}, tt.field: tt.value,
			})
			if len(found) == 0 || found[0].Path != tt.want {
				t.Errorf("got %v, want a finding at %q", found, tt.want)
			}
		})
	}
}

// BenchmarkValidate90 is a whole cluster of Toolforge's, three times over.
func BenchmarkValidate90(b *testing.B) {
	obj := object(b, good["HelmRelease"])
	for _, warm := range []bool{false, true} {
		b.Run(fmt.Sprintf("compiled=%v", warm), func(b *testing.B) {
			b.ReportAllocs()
			v := New()
			for b.Loop() {
				if !warm {
					v = New()
				}
				for range 90 {
					if found, err := v.Validate(b.Context(), obj); err != nil || len(found) > 0 {
						b.Fatal(found, err)
					}
				}
			}
		})
	}
}
