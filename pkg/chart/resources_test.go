package chart

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestKubeVersion(t *testing.T) {
	cases := []struct {
		cluster, chart string
		err            error
	}{
		{"1.32.4", ">=1.25.0-0", nil},
		{"v1.33.4-gke.100", ">=1.33.0", nil},
		{"1.32.4", ">=1.33.0", ErrKubeVersion},
		{"1.32.4", "", nil},
	}
	for _, c := range cases {
		t.Run(c.cluster+" "+c.chart, func(t *testing.T) {
			in := input(t, files{"Chart.yaml": chartYAML + fmt.Sprintf("kubeVersion: %q\n", c.chart)}, "")
			in.Capabilities.KubeVersion = c.cluster
			if _, err := Expand(t.Context(), in); !errors.Is(err, c.err) {
				t.Errorf("err = %v, want %v", err, c.err)
			}
		})
	}
	in := input(t, files{}, "")
	in.Capabilities.KubeVersion = "latest"
	if _, err := Expand(t.Context(), in); err == nil {
		t.Error("no error for a version that is none")
	}
}

func TestAPIVersions(t *testing.T) {
	cases := []struct {
		cluster string
		has     []string
		hasNot  []string
	}{
		{"1.20.0", []string{"policy/v1beta1", "policy/v1beta1/PodDisruptionBudget", "batch/v1beta1/CronJob", "networking.k8s.io/v1beta1/Ingress"}, []string{"policy/v1/PodDisruptionBudget", "batch/v1/CronJob"}},
		{
			"1.32.4",
			[]string{"v1", "v1/Secret", "apps/v1/Deployment", "policy/v1", "apiregistration.k8s.io/v1", "apiextensions.k8s.io/v1/CustomResourceDefinition", "example.org/v1/Thing"},
			[]string{"policy/v1beta1", "extensions/v1beta1", "resource.k8s.io/v1beta1", "resource.k8s.io/v1alpha3", "apps/v1/DeploymentList", "example.org/v2"},
		},
	}
	for _, c := range cases {
		t.Run(c.cluster, func(t *testing.T) {
			caps, err := Capabilities{KubeVersion: c.cluster, APIVersions: []string{"example.org/v1/Thing"}}.helm()
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range c.has {
				if !caps.APIVersions.Has(v) {
					t.Errorf("%s is missing", v)
				}
			}
			for _, v := range c.hasNot {
				if caps.APIVersions.Has(v) {
					t.Errorf("%s is there", v)
				}
			}
		})
	}
}

func TestCRDs(t *testing.T) {
	chart := files{
		"crds/a.yaml":                   crd("Thing", "Cluster") + "---\n" + crd("Other", "Namespaced") + "---\n# nothing\n",
		"crds/b.yaml":                   configMap("a: b"),
		"crds/README.md":                "no manifest",
		"templates/a.yaml":              "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t}\n---\napiVersion: example.org/v1\nkind: Other\nmetadata: {name: o}\n",
		"Chart.yaml":                    chartYAML + "dependencies: [{name: extra, version: 1.0.0, condition: extra.enabled}]\n",
		"values.yaml":                   "extra: {enabled: false}\n",
		"charts/extra/Chart.yaml":       "apiVersion: v2\nname: extra\nversion: 1.0.0\n",
		"charts/extra/crds/hidden.yaml": crd("Hidden", "Cluster"),
	}
	cases := []struct {
		policy helmv2.CRDsPolicy
		want   helmv2.CRDsPolicy
		count  int
	}{
		{"", helmv2.Create, 2}, {helmv2.CreateReplace, helmv2.CreateReplace, 2}, {helmv2.Skip, helmv2.Skip, 0},
	}
	for _, c := range cases {
		t.Run(string("policy "+c.policy), func(t *testing.T) {
			in := input(t, chart, "")
			in.Release.Spec.Upgrade = &helmv2.Upgrade{CRDs: c.policy}
			in.Release.Spec.CommonMetadata = &helmv2.CommonMetadata{Labels: map[string]string{"team": "x"}}
			e := expand(t, in)
			n := 0
			for i, r := range e.Resources {
				if r.CRD {
					n++
					if i >= c.count {
						t.Errorf("%s comes after others", r.Name)
					}
				}
			}
			if n != c.count || e.CRDs != c.want {
				t.Fatalf("%d CRDs with policy %s, want %d with %s", n, e.CRDs, c.count, c.want)
			}
			if c.count == 0 {
				return
			}
			labels := e.Resources[0].Object["metadata"].(map[string]any)["labels"]
			if diff := cmp.Diff(map[string]any{"helm.toolkit.fluxcd.io/name": "demo", "helm.toolkit.fluxcd.io/namespace": "flux-system"}, labels); diff != "" {
				t.Errorf("labels of a CRD (-want +got):\n%s", diff)
			}
			if ns := find(t, e, "Thing", "t").Namespace; ns != "" {
				t.Errorf("a cluster's Thing is in namespace %q", ns)
			}
			if ns := find(t, e, "Other", "o").Namespace; ns != "apps" {
				t.Errorf("an Other is in namespace %q", ns)
			}
			if w := strings.Join(e.Warnings, "\n"); !strings.Contains(w, `ConfigMap "demo" is left out`) {
				t.Errorf("warnings are %q", w)
			}
		})
	}
	in := input(t, chart, "")
	in.Release.Spec.Upgrade = &helmv2.Upgrade{CRDs: "Sometimes"}
	if _, err := Expand(t.Context(), in); err == nil {
		t.Error("no error for a policy that is none")
	}
}

func TestNamespaces(t *testing.T) {
	in := input(t, files{"templates/a.yaml": strings.Join([]string{
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: none}",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own, namespace: other}",
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: ns}",
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: role, namespace: ignored}",
		"apiVersion: example.org/v1\nkind: Policy\nmetadata: {name: known}",
		"apiVersion: example.org/v1\nkind: Unknown\nmetadata: {name: unknown}",
	}, "\n---\n")}, "")
	in.Capabilities.ClusterScoped = []schema.GroupKind{{Group: "example.org", Kind: "Policy"}}
	e := expand(t, in)
	got := map[string]string{}
	for _, r := range e.Resources {
		got[r.Name] = r.Namespace
	}
	want := map[string]string{"none": "apps", "own": "other", "ns": "", "role": "", "known": "", "unknown": "apps"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if _, there := find(t, e, "ConfigMap", "none").Object["metadata"].(map[string]any)["namespace"]; there {
		t.Error("a namespace was written into the object")
	}
}

func TestHooks(t *testing.T) {
	chart := files{"templates/a.yaml": strings.Join([]string{
		hook("b", "pre-upgrade", "5"), hook("a", "pre-upgrade, Post-Install", "5"),
		hook("first", "pre-upgrade", "-1"), hook("check", "test-success", "0"), hook("end", "post-delete", "1"),
	}, "---\n")}
	cases := []struct {
		name    string
		upgrade bool
		change  func(*helmv2.HelmRelease)
		runs    string
	}{
		{"an upgrade", true, func(*helmv2.HelmRelease) {}, "first a b"},
		{"an install", false, func(*helmv2.HelmRelease) {}, "a"},
		{"tests", false, func(hr *helmv2.HelmRelease) { hr.Spec.Test = &helmv2.Test{Enable: true} }, "check a"},
		{"disabled", true, func(hr *helmv2.HelmRelease) { hr.Spec.Upgrade = &helmv2.Upgrade{DisableHooks: true} }, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, chart, "", c.change)
			in.Upgrade = c.upgrade
			var names, runs []string
			for _, r := range expand(t, in).Resources {
				names = append(names, r.Name)
				if r.Hook.Runs {
					runs = append(runs, r.Name)
				}
			}
			if got := strings.Join(names, " "); got != "first check end a b" {
				t.Errorf("hooks are %q", got)
			}
			if got := strings.Join(runs, " "); got != c.runs {
				t.Errorf("%q run, want %q", got, c.runs)
			}
		})
	}
}

func TestImages(t *testing.T) {
	pod := "containers: [{name: c, image: app:1}]"
	template := "spec: {template: {spec: {" + pod + "}}}"
	object := func(apiVersion, kind, body string) string {
		return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s}\n%s\n", apiVersion, kind, strings.ToLower(kind), body)
	}
	e := expand(t, input(t, files{"templates/a.yaml": strings.Join([]string{
		object("v1", "Pod", "spec: {initContainers: [{name: i, image: init:1}], ephemeralContainers: [{name: e, image: debug:1}], "+pod+", volumes: [{name: v, image: {reference: data:1}}, {name: w, emptyDir: {}}]}"),
		object("apps/v1", "Deployment", template), object("apps/v1", "StatefulSet", template), object("apps/v1", "DaemonSet", template),
		object("apps/v1", "ReplicaSet", template), object("v1", "ReplicationController", template), object("batch/v1", "Job", template),
		object("batch/v1", "CronJob", "spec: {jobTemplate: {"+template+"}}"), object("v1", "PodTemplate", "template: {spec: {"+pod+"}}"),
		object("example.org/v1", "Job", template), object("v1", "ConfigMap", "data: {image: no}"),
		"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: listed}, spec: {containers: [{name: c, image: listed:1}, {name: none}]}}]\n",
		strings.Replace(hook("h", "pre-upgrade", "0"), "registry.example/app:hook", "hook:1", 1),
	}, "---\n")}, ""))
	var got []string
	for _, i := range e.Images {
		got = append(got, fmt.Sprintf("%s %s/%s %s", i.Image, i.In.Kind, i.In.Name, i.Container))
	}
	want := []string{
		"app:1 CronJob/cronjob c", "app:1 DaemonSet/daemonset c", "app:1 Deployment/deployment c", "app:1 Job/job c", "app:1 Pod/pod c",
		"app:1 PodTemplate/podtemplate c", "app:1 ReplicaSet/replicaset c", "app:1 ReplicationController/replicationcontroller c", "app:1 StatefulSet/statefulset c",
		"data:1 Pod/pod v", "debug:1 Pod/pod e", "hook:1 Job/h main", "init:1 Pod/pod i", "listed:1 Pod/listed c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}
