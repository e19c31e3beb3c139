package chart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestIdentity(t *testing.T) {
	long := strings.Repeat("a-long-name-", 5)
	cases := []struct {
		name string
		spec helmv2.HelmReleaseSpec
		want Identity
	}{
		{"all said", helmv2.HelmReleaseSpec{ReleaseName: "r", TargetNamespace: "t", StorageNamespace: "s"}, Identity{"r", "t", "s"}},
		{"nothing said", helmv2.HelmReleaseSpec{}, Identity{"demo", "flux-system", "flux-system"}},
		{"a target namespace comes first", helmv2.HelmReleaseSpec{TargetNamespace: "t"}, Identity{"t-demo", "t", "flux-system"}},
		{"53 characters stay", helmv2.HelmReleaseSpec{ReleaseName: long[:53]}, Identity{long[:53], "flux-system", "flux-system"}},
		{"54 are shortened", helmv2.HelmReleaseSpec{ReleaseName: long[:54]}, Identity{"a-long-name-a-long-name-a-long-name-a-lo-274b245ddb56", "flux-system", "flux-system"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			hr := helmRelease(t, "", func(hr *helmv2.HelmRelease) { hr.Spec = c.spec })
			if got := IdentityOf(hr); got != c.want {
				t.Errorf("IdentityOf = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestChartVersion(t *testing.T) {
	digest := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	cases := []struct {
		name, kind, revision string
		want                 string
		err                  error
	}{
		{name: "a tag and a digest", kind: "OCIRepository", revision: "1.2.3@" + digest, want: "1.2.3+0123456789ab"},
		{name: "a digest", kind: "OCIRepository", revision: digest, want: "1.2.3+0123456789ab"},
		{name: "a tag that is no version", kind: "OCIRepository", revision: "latest@" + digest, want: "1.2.3+0123456789ab"},
		{name: "a tag that is another version", kind: "OCIRepository", revision: "1.2.4@" + digest, err: ErrRevision},
		{name: "a commit that looks like a version", kind: "OCIRepository", revision: "36718366@" + digest, err: ErrRevision},
		{name: "no digest", kind: "OCIRepository", revision: "1.2.3", err: ErrRevision},
		{name: "a short digest", kind: "OCIRepository", revision: "sha256:0123", err: ErrRevision},
		{name: "an external artifact", kind: "ExternalArtifact", revision: digest, want: "1.2.3+0123456789ab"},
		{name: "an external artifact with a version", kind: "ExternalArtifact", revision: "1.2.3", want: "1.2.3"},
		{name: "a HelmChart", kind: "HelmChart", revision: digest, want: "1.2.3"},
		{name: "no chartRef", revision: digest, want: "1.2.3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, files{"templates/a.yaml": configMap("v: {{ .Chart.Version }}")}, "")
			if c.kind != "" {
				in.Release.Spec.ChartRef = &helmv2.CrossNamespaceSourceReference{Kind: c.kind, Name: "demo"}
			}
			in.SourceRevision = c.revision
			e, err := Expand(t.Context(), in)
			if !errors.Is(err, c.err) {
				t.Fatalf("err = %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if got := data(t, e, "demo")["v"]; got != c.want || e.ChartVersion != c.want {
				t.Errorf("templates see %q, ChartVersion is %q, want %q", got, e.ChartVersion, c.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	secret := func(key string) Reference { return Reference{"Secret", "creds", key} }
	from := func(refs ...meta.ValuesReference) func(*helmv2.HelmRelease) {
		return func(hr *helmv2.HelmRelease) { hr.Spec.ValuesFrom = refs }
	}
	ref := func(key, target string) meta.ValuesReference {
		return meta.ValuesReference{Kind: "Secret", Name: "creds", ValuesKey: key, TargetPath: target}
	}
	literal := ref("text", "a.text")
	literal.Literal = true
	optional := ref("gone", "a.gone")
	optional.Optional = true
	cases := []struct {
		name         string
		inline       string
		change       func(*helmv2.HelmRelease)
		references   map[Reference][]byte
		placeholders bool
		want         string
		err          string
		warning      string
	}{
		{name: "inline wins over a document", inline: "a: {x: inline}", change: from(ref("", "")), references: map[Reference][]byte{secret("values.yaml"): []byte("a: {x: doc, z: doc}\nl: [1]")}, want: `{"a":{"x":"inline","z":"doc"},"l":[1]}`},
		{name: "a target path is parsed as --set", change: from(ref("text", "a.text")), references: map[Reference][]byte{secret("text"): []byte("{1,two}")}, want: `{"a":{"text":[1,"two"]}}`},
		{name: "a literal is not", change: from(literal), references: map[Reference][]byte{secret("text"): []byte(`{1,two}=[\]`)}, want: `{"a":{"text":"{1,two}=[\\]"}}`},
		{name: "inline wins over a target path at the top", inline: "text: inline", change: from(ref("text", "text")), references: map[Reference][]byte{secret("text"): []byte("x")}, want: `{"text":"inline"}`},
		{name: "a target path below wins over inline", inline: "a: {text: inline}", change: from(literal), references: map[Reference][]byte{secret("text"): []byte("x")}, want: `{"a":{"text":"x"}}`},
		{name: "a ConfigMap", change: from(meta.ValuesReference{Kind: "ConfigMap", Name: "c"}), references: map[Reference][]byte{{"ConfigMap", "c", "values.yaml"}: []byte("c: 1")}, want: `{"c":1}`},
		{name: "a missing object", change: from(ref("text", "a.text")), err: "not found"},
		{name: "a missing key", change: from(ref("text", "a.text")), references: map[Reference][]byte{secret("other"): nil}, err: "key not found"},
		{name: "a missing optional one", change: from(optional), want: `{}`},
		{name: "a placeholder", change: from(ref("text", "a.text")), placeholders: true, want: `{"a":{"text":"placeholder-for-secret-creds-text"}}`},
		{name: "a placeholder for a document", change: from(ref("", "")), placeholders: true, want: `{}`, warning: `Secret "creds" with key "values.yaml" is not known`},
		{name: "no placeholder for an optional one", change: from(optional), placeholders: true, want: `{}`},
		{name: "another kind", change: from(meta.ValuesReference{Kind: "Pod", Name: "x"}), err: "unsupported values reference kind"},
		{name: "an integer beyond floating point", inline: "a: {big: 9007199254740993}\nm: 9007199254740992", want: `{"a":{"big":9007199254740992},"m":9007199254740992}`, warning: "value a.big: helm-controller reads 9007199254740993 as floating point"},
		{name: "a date", inline: "d: 2024-04-01", want: `{"d":"2024-04-01"}`},
		{name: "an upgrade that keeps values", change: func(hr *helmv2.HelmRelease) { hr.Spec.Upgrade = &helmv2.Upgrade{PreserveValues: true} }, want: `{}`, warning: "preserveValues"},
		{name: "values files of the chart", inline: "c: 3", change: func(hr *helmv2.HelmRelease) {
			hr.Spec.Chart = &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{ValuesFiles: []string{"conf/one.yaml", "./conf/two.yaml"}}}
		}, want: `{"a":1,"b":2,"c":3}`},
		{name: "a missing values file", change: func(hr *helmv2.HelmRelease) {
			hr.Spec.Chart = &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{ValuesFiles: []string{"conf/none.yaml"}}}
		}, err: `no values file "conf/none.yaml"`},
		{name: "a missing values file that may be", change: func(hr *helmv2.HelmRelease) {
			hr.Spec.Chart = &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{ValuesFiles: []string{"conf/one.yaml", "conf/none.yaml"}, IgnoreMissingValuesFiles: true}}
		}, want: `{"a":1,"b":1}`},
	}
	chart := files{"templates/a.yaml": configMap("v: {{ toJson .Values | quote }}"), "conf/one.yaml": "a: 1\nb: 1\n", "conf/two.yaml": "b: 2\n"}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, chart, c.inline)
			if c.change != nil {
				c.change(in.Release)
			}
			in.References, in.Placeholders = c.references, c.placeholders
			e, err := Expand(t.Context(), in)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("err = %v, want it to say %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := data(t, e, "demo")["v"]; got != c.want {
				t.Errorf("values are %s, want %s", got, c.want)
			}
			if got := strings.Join(e.Warnings, "\n"); c.warning == "" && got != "" || !strings.Contains(got, c.warning) {
				t.Errorf("warnings are %q, want %q", got, c.warning)
			}
		})
	}
}

func TestSchema(t *testing.T) {
	schema := func(body string) files {
		return files{"values.schema.json": body, "templates/a.yaml": configMap("a: b"),
			"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/values.schema.json": `{"properties":{"count":{"type":"integer"}}}`}
	}
	cases := []struct {
		name, schema, values string
		change               func(*helmv2.HelmRelease)
		err                  error
		says, warning        string
	}{
		{name: "met", schema: `{"required":["a"]}`, values: "a: 1"},
		{name: "violated", schema: `{"required":["a"],"additionalProperties":false}`, err: ErrSchema, says: "missing property 'a'"},
		{name: "violated in a subchart", schema: `{}`, values: "sub: {count: x}", err: ErrSchema, says: `chart "sub"`},
		{name: "a table that is text", schema: `{}`, values: "sub: x", says: "type mismatch on sub"},
		{name: "not checked", schema: `{"required":["a"]}`, change: func(hr *helmv2.HelmRelease) { hr.Spec.Upgrade = &helmv2.Upgrade{DisableSchemaValidation: true} }},
		{name: "only install is not checked", schema: `{"required":["a"]}`, change: func(hr *helmv2.HelmRelease) { hr.Spec.Install = &helmv2.Install{DisableSchemaValidation: true} }, err: ErrSchema},
		{name: "not JSON", schema: `{`, err: ErrSchema, says: "not JSON"},
		{name: "a URL is not fetched", schema: `{"properties":{"x":{"$ref":"http://127.0.0.1:1/x.json"}},"required":["a"]}`, values: "a: 1\nx: anything", warning: "http://127.0.0.1:1/x.json"},
		{name: "a file is not read", schema: `{"properties":{"x":{"$ref":"file:///etc/passwd"}}}`, values: "x: anything", warning: "file:///etc/passwd"},
		{name: "the rest is checked", schema: `{"properties":{"x":{"$ref":"other.json"}},"required":["a"]}`, err: ErrSchema},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, schema(c.schema), c.values)
			if c.change != nil {
				c.change(in.Release)
			}
			for range 2 { // the second time the schema is compiled already
				e, err := Expand(t.Context(), in)
				switch {
				case c.err == nil && c.says == "" && err != nil:
					t.Fatal(err)
				case c.err != nil && !errors.Is(err, c.err):
					t.Fatalf("err = %v, want %v", err, c.err)
				case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
					t.Fatalf("err = %v, want it to say %q", err, c.says)
				case c.warning != "" && !strings.Contains(strings.Join(e.Warnings, "\n"), c.warning):
					t.Errorf("warnings are %q, want %q", e.Warnings, c.warning)
				}
			}
		})
	}
}

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
		{"1.32.4", []string{"v1", "v1/Secret", "apps/v1/Deployment", "policy/v1", "apiregistration.k8s.io/v1", "apiextensions.k8s.io/v1/CustomResourceDefinition", "example.org/v1/Thing"},
			[]string{"policy/v1beta1", "extensions/v1beta1", "resource.k8s.io/v1beta1", "resource.k8s.io/v1alpha3", "apps/v1/DeploymentList", "example.org/v2"}},
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
	chart := files{"templates/a.yaml": strings.Join([]string{hook("b", "pre-upgrade", "5"), hook("a", "pre-upgrade, Post-Install", "5"),
		hook("first", "pre-upgrade", "-1"), hook("check", "test-success", "0"), hook("end", "post-delete", "1")}, "---\n")}
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

func TestErrorsSayWhere(t *testing.T) {
	cases := []struct {
		name     string
		chart    files
		template string
		line     int
		says     string
	}{
		{"a mistake in a template", files{"templates/a.yaml": "a: b\nc: {{ .Values.x.y.z }}\n"}, "demo/templates/a.yaml", 2, "nil pointer"},
		{"a mistake in an included one", files{"templates/_h.tpl": "{{ define \"x\" }}\n\n{{ index .Values \"a\" \"b\" \"c\" }}{{ end }}", "templates/a.yaml": "{{ include \"x\" . }}"}, "demo/templates/_h.tpl", 3, "index"},
		{"required", files{"templates/a.yaml": "\n\na: {{ required \"a value is needed\" .Values.x }}\n"}, "demo/templates/a.yaml", 3, "a value is needed"},
		{"fail", files{"templates/a.yaml": "{{ fail \"never mind\" }}\n"}, "demo/templates/a.yaml", 1, "never mind"},
		{"not parsed", files{"templates/a.yaml": "a\n{{ if }}\n"}, "demo/templates/a.yaml", 2, "missing value for if"},
		{"not YAML", files{"templates/a.yaml": "a: b: c\n"}, "demo/templates/a.yaml", 0, "YAML parse error"},
		{"in a subchart", files{"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/templates/a.yaml": "{{ fail \"sub\" }}"}, "demo/charts/sub/templates/a.yaml", 1, "sub"},
		{"refused by kustomize", files{"templates/a.yaml": "kind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1, a: 2}\n"}, "demo/templates/a.yaml", 0, "already defined"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Expand(t.Context(), input(t, c.chart, ""))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("err = %v, want an *Error", err)
			}
			if e.Release != "flux-system/demo" || e.Chart != "demo-1.2.3" || e.Template != c.template || e.Line != c.line {
				t.Errorf("Error{Release: %q, Chart: %q, Template: %q, Line: %d}, want template %q line %d:\n%v", e.Release, e.Chart, e.Template, e.Line, c.template, c.line, err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("err = %v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestErrorsHideSecrets(t *testing.T) {
	secrets := map[Reference][]byte{{"Secret", "creds", "values.yaml"}: []byte("password: \"hunter2\\nsecond\"\nnested: {list: [tops3cret, 12345678]}\n"), {"ConfigMap", "open", "values.yaml"}: []byte("public: visible")}
	in := input(t, files{"templates/a.yaml": "{{ fail (printf \"%s %s %v %q %s\" .Values.password (index .Values.nested.list 0) (index .Values.nested.list 1) .Values.password .Values.public) }}"}, "")
	in.References = secrets
	in.Release.Spec.ValuesFrom = []meta.ValuesReference{{Kind: "Secret", Name: "creds"}, {Kind: "ConfigMap", Name: "open"}}
	_, err := Expand(t.Context(), in)
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{"hunter2", "tops3cret", "12345678", "1.2345678e+07"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
	if !strings.Contains(err.Error(), "visible") {
		t.Errorf("the error hides what is no secret: %v", err)
	}
}

func TestRelease(t *testing.T) {
	chart := files{"templates/a.yaml": configMap(`r: "{{ .Release.Revision }} {{ .Release.IsUpgrade }} {{ .Release.IsInstall }} {{ .Release.Name }} {{ .Release.Namespace }}"`)}
	cases := []struct {
		upgrade  bool
		revision int
		want     string
	}{
		{false, 0, "1 false true demo apps"},
		{true, 0, "2 true false demo apps"},
		{true, 17, "17 true false demo apps"},
	}
	for _, c := range cases {
		in := input(t, chart, "")
		in.Upgrade, in.Revision = c.upgrade, c.revision
		if got := data(t, expand(t, in), "demo")["r"]; got != c.want {
			t.Errorf("upgrade %v, revision %d: %q, want %q", c.upgrade, c.revision, got, c.want)
		}
	}
}

// Nobody may see what another expansion did to the chart: Helm changes charts
// while it renders them, and templates can set what they are given.
func TestChartIsNotChanged(t *testing.T) {
	chart := files{"templates/b.yaml": `{{ $_ := set .Chart "Name" "changed" }}{{ $_ := set .Values "own" "changed" }}` +
		`{{ $_ := set (index .Subcharts "one").Values "own" "changed" }}{{ $_ := set .Values.imported "there" "changed" }}`}
	for name, text := range subcharts {
		chart[name] = text
	}
	chart["Chart.yaml"] += "annotations: {a: b}\n"
	c := load(t, chart)
	values := "one: {enabled: true}\n"
	in := Input{Release: helmRelease(t, values), Chart: c, Capabilities: capabilities, Upgrade: true}
	before := fingerprint(c)
	first := expand(t, in)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			other := in
			if i%2 == 0 {
				other.Release = helmRelease(t, "two: {enabled: true}\nown: x\n", postRenderers)
				other.Release.Spec.PostRenderers[0].Kustomize.Patches = nil
				other.Release.Spec.PostRenderers = other.Release.Spec.PostRenderers[:1]
			}
			_, _ = Expand(context.Background(), other)
		})
	}
	wait.Wait()
	if diff := cmp.Diff(before, fingerprint(c)); diff != "" {
		t.Errorf("the chart has changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(first, expand(t, in)); diff != "" {
		t.Errorf("the second expansion differs from the first:\n%s", diff)
	}
}

// fingerprint is all of a chart that Helm or a template could change.
func fingerprint(c *Chart) string {
	text := ""
	for _, d := range append(c.parsed.Dependencies(), c.parsed) {
		text += fmt.Sprintf("%s %v %v %v\n", d.ChartFullPath(), *d.Metadata, d.Values, len(d.Dependencies()))
		for _, dep := range d.Metadata.Dependencies {
			text += fmt.Sprintf("  %+v\n", *dep)
		}
	}
	return text
}

func TestExpandEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	in := input(t, files{"templates/a.yaml": "{{ range until 2000 }}{{ range until 1000 }}{{ $_ := now }}{{ end }}{{ end }}"}, "")
	if _, err := Expand(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the context's", err)
	}
}

func TestRenderedSizeIsLimited(t *testing.T) {
	in := input(t, files{"templates/a.yaml": "{{ repeat 70000000 \"x\" }}"}, "")
	if _, err := Expand(t.Context(), in); !errors.Is(err, ErrTooLarge) {
		t.Errorf("err = %v, want ErrTooLarge", err)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	in := input(t, files{"templates/a.yaml": "kind: X\nmetadata: {name: x}\n" + bomb}, "")
	if _, err := Expand(t.Context(), in); err == nil || !strings.Contains(err.Error(), "alias") {
		t.Errorf("err = %v, want one about aliases", err)
	}
}

func TestPostRendererErrors(t *testing.T) {
	in := input(t, files{"templates/a.yaml": deployment("x")}, "", postRenderers)
	in.Release.Spec.PostRenderers[0].Kustomize.Patches[0].Patch = "not: a: patch"
	if _, err := Expand(t.Context(), in); err == nil || !strings.Contains(err.Error(), "postRenderers[0]") {
		t.Errorf("err = %v, want it to name the post-renderer", err)
	}
	in = input(t, files{"templates/a.yaml": deployment("x")}, "", func(hr *helmv2.HelmRelease) { hr.Spec.PostRenderStrategy = "often" })
	if _, err := Expand(t.Context(), in); err == nil || !strings.Contains(err.Error(), "combined, separate or nohooks") {
		t.Errorf("err = %v, want the strategies", err)
	}
}
