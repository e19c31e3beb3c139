package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"text/template"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	fluxkustomize "github.com/fluxcd/pkg/apis/kustomize"
	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	kubefake "helm.sh/helm/v4/pkg/kube/fake"
	"helm.sh/helm/v4/pkg/postrenderer"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"sigs.k8s.io/kustomize/api/builtins"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// These tests run Helm's own install action, with post-renderers that work on
// text as helm-controller's do, and compare.

// runHelm renders the release with Helm. funcs is nil for Helm's own functions.
func runHelm(t testing.TB, in Input, archive []byte, renderer postrenderer.PostRenderer, funcs template.FuncMap) (*helmrelease.Release, error) {
	t.Helper()
	parsed, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	caps, err := in.Capabilities.helm()
	if err != nil {
		t.Fatal(err)
	}
	config := action.NewConfiguration()
	config.CustomTemplateFuncs = funcs
	config.Capabilities = caps
	config.KubeClient = &kubefake.PrintingKubeClient{Out: io.Discard}
	id := IdentityOf(in.Release)
	install := action.NewInstall(config)
	// A client-side dry run would replace the capabilities; without a REST
	// client a server-side one asks no server either.
	install.DryRunStrategy = action.DryRunServer
	install.ReleaseName, install.Namespace = id.Name, id.Namespace
	install.IsUpgrade = in.Upgrade
	install.SkipCRDs = true
	install.PostRenderer = renderer
	install.PostRenderStrategy = action.PostRenderStrategy(in.Release.GetPostRenderStrategy())
	values, err := values(t.Context(), in.Release, in.References)
	if err != nil {
		t.Fatal(err)
	}
	out, err := install.RunWithContext(t.Context(), parsed, values.AsMap())
	if err != nil {
		return nil, err
	}
	return out.(*helmrelease.Release), nil
}

// controller post-renders as helm-controller does: each step reads text and
// writes text.
type controller struct{ hr *helmv2.HelmRelease }

func (c controller) Run(in *bytes.Buffer) (*bytes.Buffer, error) {
	text := in.Bytes()
	var err error
	for _, r := range c.hr.Spec.PostRenderers {
		if text, err = c.kustomize(r.Kustomize, text); err != nil {
			return nil, err
		}
	}
	var steps []resmap.Transformer
	field := func(path string) []kustypes.FieldSpec {
		return []kustypes.FieldSpec{{Path: path, CreateIfNotPresent: true}}
	}
	if common := c.hr.Spec.CommonMetadata; common != nil {
		steps = append(steps,
			&builtins.LabelTransformerPlugin{Labels: common.Labels, FieldSpecs: field("metadata/labels")},
			&builtins.AnnotationsTransformerPlugin{Annotations: common.Annotations, FieldSpecs: field("metadata/annotations")})
	}
	steps = append(steps, &builtins.LabelTransformerPlugin{
		Labels: map[string]string{
			"helm.toolkit.fluxcd.io/name":      c.hr.Name,
			"helm.toolkit.fluxcd.io/namespace": c.hr.Namespace,
		}, FieldSpecs: field("metadata/labels")})
	for _, step := range steps {
		resources, err := resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()).NewResMapFromBytes(text)
		if err != nil {
			return nil, err
		}
		if err := step.Transform(resources); err != nil {
			return nil, err
		}
		if text, err = resources.AsYaml(); err != nil {
			return nil, err
		}
	}
	return bytes.NewBuffer(text), nil
}

func (c controller) kustomize(spec *helmv2.Kustomize, text []byte) ([]byte, error) {
	files := filesys.MakeFsInMemory()
	config := map[string]any{"resources": []string{"in.yaml"}, "images": spec.Images, "patches": spec.Patches}
	kustomization, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	_ = files.WriteFile("in.yaml", text)
	_ = files.WriteFile("kustomization.yaml", kustomization)
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, ".")
	if err != nil {
		return nil, err
	}
	return built.AsYaml()
}

// flatObject is what the comparison looks at.
type flatObject struct {
	Source string
	Fields map[string]any
}

// normal drops an empty annotations mapping, which Helm leaves behind where it
// noted the file name.
func normal(fields map[string]any) map[string]any {
	metadata, _ := fields["metadata"].(map[string]any)
	if annotations, ok := metadata["annotations"].(map[string]any); ok && len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	return fields
}

// helmObjects parses a manifest of Helm's.
func helmObjects(t testing.TB, manifest string) (all []flatObject) {
	t.Helper()
	for _, part := range strings.Split("\n"+manifest, "\n---\n# Source: ")[1:] {
		source, text, _ := strings.Cut(part, "\n")
		objects, err := parseAsHelm([]document{{source: source, text: text}})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			all = append(all, flatObject{o.source, normal(o.fields)})
		}
	}
	return all
}

// equalityCases are charts in which each construct of Helm's that we know to be
// a trap is there once.
var equalityCases = []struct {
	name   string
	chart  files
	values string
	change func(*helmv2.HelmRelease)
}{
	{name: "plain", chart: files{"templates/a.yaml": configMap("a: {{ .Release.Name | quote }}", "b: {{ .Release.Namespace }}")}},
	{name: "order of kinds", chart: files{
		"templates/a.yaml": deployment("x") + "---\n" + configMap("a: b") + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n",
		"templates/0.yaml": "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t}\n---\n\n---\n# nothing\n",
	}},
	{name: "named templates and tpl", values: "text: '{{ .Values.other }}'\nother: found\n", chart: files{
		"templates/_helpers.tpl": `{{- define "demo.labels" -}}` + "\napp: {{ .Chart.Name }}\nversion: {{ .Chart.Version | quote }}\n{{- end -}}",
		"templates/a.yaml":       configMap(`{{- include "demo.labels" . | nindent 2 }}`, "t: {{ tpl .Values.text . }}"),
		"templates/NOTES.txt":    "Thank you for {{ .Release.Name }}.\n",
	}},
	{name: "capabilities", chart: files{"templates/a.yaml": configMap(
		"version: {{ .Capabilities.KubeVersion.Version }}",
		`minor: {{ .Capabilities.KubeVersion.Minor | quote }}`,
		`pdb: {{ .Capabilities.APIVersions.Has "policy/v1" | quote }}`,
		`psp: {{ .Capabilities.APIVersions.Has "policy/v1beta1" | quote }}`,
		`at: {{ semverCompare ">=1.32-0" .Capabilities.KubeVersion.Version | quote }}`,
		`helm: {{ .Capabilities.HelmVersion.Version }}`,
	)}},
	{name: "subcharts", values: "one: {enabled: true, own: from parent}\ntwo: {enabled: false}\ntags: {extra: false}\nglobal: {g: 1}\n", chart: subcharts},
	{name: "subchart in an archive", chart: files{"charts/sub-0.1.0.tgz": ""}, values: "sub: {v: set}\n"},
	{name: "nulls", values: "gone: null\ndeep: {gone: null}\nnew: null\n", chart: files{
		"values.yaml":      "gone: default\ndeep: {gone: default, kept: 1}\nnullDefault: null\n",
		"templates/a.yaml": configMap(`v: {{ toJson .Values | quote }}`, "y: |", "  {{- toYaml .Values | nindent 4 }}"),
	}},
	{name: "numbers", values: "big: 9007199254740993\nmillions: 30000000\nfloat: 1.0\noctal: 0644\nhex: 0x1F\nexp: 1e3\nsha: \"40551e32\"\n", chart: files{
		"values.yaml":      "small: 3\ndefaultBig: 12345678901\n",
		"templates/a.yaml": configMap(`all: {{ toJson .Values | quote }}`, `big: "{{ .Values.big }}"`, `millions: "{{ .Values.millions }}"`, `int: "{{ int64 .Values.millions }}"`, `sha: "{{ .Values.sha }}"`),
		"templates/b.yaml": "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: numbers}\nspec: {float: 1.0, oct: 0644, big: 9007199254740993, exp: 1e3, under: 1_000, sexagesimal: 1:30}\n",
	}},
	{name: "dates and words", values: "date: 2024-04-01\nyes: yes\n", chart: files{
		"templates/a.yaml": configMap(`v: {{ toYaml .Values | quote }}`),
		"templates/b.yaml": "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: dates}\nspec: {date: 2024-04-01, time: 2024-04-01T10:00:00Z, fromValues: {{ .Values.date }}, yes: yes, 'on': off, tilde: ~, empty: }\n",
	}},
	{name: "anchors and merge keys", chart: files{
		"templates/b.yaml": "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: anchors}\nspec:\n  base: &base {a: 1, b: 2}\n  copy: *base\n  merged: {<<: *base, b: 3}\n",
	}},
	{name: "multi-line text and comments", chart: files{
		"templates/b.yaml": "# leading\napiVersion: v1 # trailing\nkind: ConfigMap\nmetadata: {name: text}\ndata:\n  a: |\n    one\n      two\n\n  b: >-\n    folded\n    text\n  c: \"tab\\tquote\\\"\"\n  d: 'it''s'\n  e: |+\n    keep\n\n",
	}},
	{name: "text that YAML writers fold", chart: files{
		"templates/a.yaml": configMap("a: >", "  folded", "    more", "", "  end", "b: >-", "  one", "  two", "c: >+", "  x", "   y", "d: {a: , b: 1}"),
	}},
	{name: "images alone", chart: files{
		"templates/a.yaml": configMap("a: >", "  folded", "    more", "", "  end") + "---\n" + deployment("x") + "---\n" + strings.ReplaceAll(deployment("y"), "example/app", "example/other"),
		"templates/z.yaml": hook("late", "post-install", "5"),
	}, change: func(hr *helmv2.HelmRelease) {
		postRenderers(hr)
		hr.Spec.PostRenderers = hr.Spec.PostRenderers[:1]
		hr.Spec.PostRenderers[0].Kustomize.Patches = nil
	}},
	{name: "badly separated documents", chart: files{
		"templates/b.yaml": "---apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n---   \napiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n--- \n",
	}},
	{name: "a list", chart: files{
		"templates/b.yaml": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: one}\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: two}\n",
	}},
	{name: "hooks", chart: files{
		"templates/a.yaml":    configMap("a: b"),
		"templates/hook.yaml": hook("late", "post-install,post-upgrade", "5") + "---\n" + hook("early", "pre-upgrade", "-5") + "---\n" + hook("odd", "never-heard-of", "0"),
		"templates/test.yaml": hook("check", "test", "0"),
	}},
	{name: "hooks alone", chart: files{
		"templates/a.yaml":    configMap("a: b"),
		"templates/hook.yaml": hook("late", "post-install", "5"),
	}, change: func(hr *helmv2.HelmRelease) { hr.Spec.PostRenderStrategy = helmv2.PostRenderStrategyNoHooks }},
	{name: "hooks apart", chart: files{
		"templates/a.yaml":    configMap("a: b"),
		"templates/hook.yaml": configMapHook("post-install", "5"),
	}, change: func(hr *helmv2.HelmRelease) { hr.Spec.PostRenderStrategy = helmv2.PostRenderStrategySeparate }},
	{name: "common metadata", chart: files{
		"templates/a.yaml": configMap("a: b") + "---\n" + deployment("x") + "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: labelled\n  labels: {team: theirs, own: kept}\n  annotations:\n",
	}, change: func(hr *helmv2.HelmRelease) {
		hr.Spec.CommonMetadata = &helmv2.CommonMetadata{
			Labels:      map[string]string{"team": "ours", "helm.toolkit.fluxcd.io/name": "taken"},
			Annotations: map[string]string{"note": "1"},
		}
	}},
	{name: "kustomize post-renderers", chart: files{
		"templates/a.yaml":    configMap("a: b", "date: 2024-04-01") + "---\n" + deployment("x"),
		"templates/hook.yaml": hook("late", "post-install", "5"),
	}, change: postRenderers},
	{name: "kustomize post-renderers without hooks", chart: files{
		"templates/a.yaml":    configMap("a: b") + "---\n" + deployment("x"),
		"templates/hook.yaml": hook("late", "post-install", "5"),
	}, change: func(hr *helmv2.HelmRelease) {
		postRenderers(hr)
		hr.Spec.PostRenderStrategy = helmv2.PostRenderStrategyNoHooks
	}},
	{name: "files", chart: files{
		"conf/a.txt":       "one\ntwo\n",
		"conf/b.txt":       "three",
		"templates/a.yaml": configMap(`{{- (.Files.Glob "conf/*").AsConfig | nindent 2 }}`, `l: {{ .Files.Lines "conf/a.txt" | join "-" }}`, `s: {{ (.Files.Get "conf/b.txt") | b64enc }}`),
	}},
	{name: "lookup", chart: files{"templates/a.yaml": configMap(`l: {{ lookup "v1" "Secret" "a" "b" | toJson | quote }}`, `h: {{ getHostByName "localhost" | quote }}`)}},
	{name: "an upgrade", chart: files{"templates/a.yaml": configMap(`u: {{ .Release.IsUpgrade | quote }}`, `i: {{ .Release.IsInstall | quote }}`, `s: {{ .Release.Service }}`)}},
	{name: "library chart", chart: files{
		"Chart.yaml":                      chartYAML + "dependencies: [{name: lib, version: 0.1.0}]\n",
		"charts/lib/Chart.yaml":           "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n",
		"charts/lib/templates/_a.tpl":     `{{- define "lib.name" -}}lib-{{ .Chart.Name }}{{- end -}}`,
		"charts/lib/templates/never.yaml": configMap("never: here"),
		"templates/a.yaml":                configMap(`n: {{ include "lib.name" . }}`),
	}},
}

func postRenderers(hr *helmv2.HelmRelease) {
	hr.Spec.PostRenderers = []helmv2.PostRenderer{
		{Kustomize: &helmv2.Kustomize{
			Images: []fluxkustomize.Image{{Name: "registry.example/app", Digest: "sha256:" + strings.Repeat("a", 64)}},
			Patches: []fluxkustomize.Patch{
				{Patch: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: 7}\n"},
				{
					Target: &fluxkustomize.Selector{Kind: "ConfigMap", Name: "demo"},
					Patch:  "- {op: add, path: /metadata/annotations/patched, value: 'yes'}\n- {op: remove, path: /data/a}\n",
				},
			},
		}},
		{Kustomize: &helmv2.Kustomize{Patches: []fluxkustomize.Patch{
			{Patch: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {hostNetwork: true}}}\n"},
		}}},
	}
}

func deployment(name string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %s
  labels: {chart: "{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}"}
spec:
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec:
      initContainers: [{name: init, image: "registry.example/init:1"}]
      containers:
        - name: main
          image: "registry.example/app:{{ .Chart.AppVersion }}"
          resources: {limits: {cpu: 100m}}
`, name)
}

func hook(name, events, weight string) string {
	return fmt.Sprintf(`apiVersion: batch/v1
kind: Job
metadata:
  name: %s
  annotations:
    helm.sh/hook: %s
    helm.sh/hook-weight: "%s"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "registry.example/app:hook"}]}
`, name, events, weight)
}

// configMapHook is a hook with the identity of what configMap makes.
func configMapHook(events, weight string) string {
	return strings.Replace(hook("demo", events, weight), "apiVersion: batch/v1\nkind: Job", "apiVersion: v1\nkind: ConfigMap", 1)
}

var subcharts = files{
	"Chart.yaml": chartYAML + `dependencies:
  - {name: sub, version: 0.1.0, alias: one, condition: one.enabled, import-values: [{child: exported, parent: imported}]}
  - {name: sub, version: 0.1.0, alias: two, condition: two.enabled}
  - {name: tagged, version: ">=0.0.1", tags: [extra], import-values: [data]}
`,
	"values.yaml":                     "one: {enabled: false}\nimported: {here: 1}\n",
	"templates/a.yaml":                configMap("v: {{ toJson .Values | quote }}", "s: {{ keys .Subcharts | sortAlpha | join \",\" }}"),
	"charts/sub/Chart.yaml":           "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
	"charts/sub/values.yaml":          "own: default\nexported: {there: 2, here: 3}\n",
	"charts/sub/templates/a.yaml":     strings.Replace(configMap("v: {{ toJson .Values | quote }}"), "name: demo", "name: {{ .Chart.Name }}", 1),
	"charts/sub/templates/NOTES.txt":  "of the subchart\n",
	"charts/tagged/Chart.yaml":        "apiVersion: v2\nname: tagged\nversion: 0.3.0\n",
	"charts/tagged/values.yaml":       "exports: {data: {brought: along}}\n",
	"charts/tagged/templates/a.yaml":  strings.Replace(configMap("t: {{ .Values | toJson | quote }}"), "name: demo", "name: tagged", 1),
	"charts/tagged/crds/tagged.yaml":  crd("Tagged", "Namespaced"),
	"charts/sub/crds/sub.yaml":        crd("Sub", "Cluster"),
	"charts/_ignored/templates/x.txt": "nothing",
}

func crd(kind, scope string) string {
	lower := strings.ToLower(kind)
	return fmt.Sprintf("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: %ss.example.org}\nspec: {group: example.org, scope: %s, names: {kind: %s, plural: %ss}}\n", lower, scope, kind, lower)
}

func equalityInput(t testing.TB, i int) (Input, []byte) {
	c := equalityCases[i]
	chart := files{}
	for name, text := range c.chart {
		if strings.HasSuffix(name, ".tgz") {
			text = string(pack(t, "sub", files{
				"Chart.yaml":       "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
				"values.yaml":      "v: default\n",
				"templates/a.yaml": configMap("v: {{ .Values.v }}"),
			}))
		}
		chart[name] = text
	}
	archive := pack(t, "demo", chart)
	parsed, err := Load(archive, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Release: helmRelease(t, c.values), Chart: parsed, Capabilities: capabilities, Upgrade: true, Revision: 1}
	if c.change != nil {
		c.change(in.Release)
	}
	return in, archive
}

func TestManifestIsHelms(t *testing.T) {
	for i, c := range equalityCases {
		t.Run(c.name, func(t *testing.T) {
			in, archive := equalityInput(t, i)
			want, err := runHelm(t, in, archive, nil, nil)
			if err != nil {
				t.Fatalf("Helm: %v", err)
			}
			got := expand(t, in)
			if diff := cmp.Diff(want.Manifest, got.Manifest); diff != "" {
				t.Errorf("the manifest differs from Helm's (-helm +ours):\n%s", diff)
			}
			if got.Notes != want.Info.Notes {
				t.Errorf("notes are %q, Helm's are %q", got.Notes, want.Info.Notes)
			}
		})
	}
}

func TestObjectsAreHelmControllers(t *testing.T) {
	for i, c := range equalityCases {
		t.Run(c.name, func(t *testing.T) {
			in, archive := equalityInput(t, i)
			want, err := runHelm(t, in, archive, controller{in.Release}, nil)
			if err != nil {
				t.Fatalf("Helm: %v", err)
			}
			got := expand(t, in)
			var own, hooks []flatObject
			for _, r := range got.Resources {
				switch {
				case r.CRD:
				case r.Hook != nil:
					hooks = append(hooks, flatObject{r.Source, normal(r.Object)})
				default:
					own = append(own, flatObject{r.Source, normal(r.Object)})
				}
			}
			if diff := cmp.Diff(helmObjects(t, want.Manifest), own); diff != "" {
				t.Errorf("objects differ from helm-controller's (-helm +ours):\n%s", diff)
			}
			compareHooks(t, want.Hooks, hooks, got)
		})
	}
}

func compareHooks(t *testing.T, want []*helmrelease.Hook, got []flatObject, e *Expansion) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d hooks, Helm has %d", len(got), len(want))
	}
	for _, w := range want {
		r := find(t, e, w.Kind, w.Name)
		if w.Kind == "ConfigMap" { // of the same name as one that is no hook
			r = e.Resources[len(e.Resources)-1]
		}
		objects, err := parseAsHelm([]document{{source: w.Path, text: w.Manifest}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(normal(objects[0].fields), normal(r.Object)); diff != "" {
			t.Errorf("hook %s differs (-helm +ours):\n%s", w.Name, diff)
		}
		if fmt.Sprint(w.Events) != fmt.Sprint(r.Hook.Events) || w.Weight != r.Hook.Weight || fmt.Sprint(w.DeletePolicies) != fmt.Sprint(r.Hook.DeletePolicies) {
			t.Errorf("hook %s is %+v, Helm has events %v, weight %d, policies %v", w.Name, *r.Hook, w.Events, w.Weight, w.DeletePolicies)
		}
	}
}

// What helm-controller cannot apply is no expansion either.
func TestRefusedLikeHelmController(t *testing.T) {
	cases := []struct{ name, text string }{
		{"a key twice", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 1, k: 2}\n"},
		{"a resource twice", configMap("a: b") + "---\n" + configMap("a: c")},
		{"a hook like a resource", configMapHook("pre-upgrade", "0") + "---\n" + configMap("a: c")},
		{"twice, in the default namespace and in none", configMap("a: b") + "---\n" + strings.Replace(configMap("a: c"), "name: demo", "name: demo\n  namespace: default", 1)},
		{"no name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a}\n"},
		{"no kind", "apiVersion: v1\nmetadata: {name: a}\n"},
		{"no mapping", "just text\n"},
		{"not YAML", "apiVersion: v1\nkind: [\n"},
		{"integer keys", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {1: a}\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			chart := files{"templates/a.yaml": c.text}
			in := input(t, chart, "")
			_, theirs := runHelm(t, in, pack(t, "demo", chart), controller{in.Release}, nil)
			_, ours := Expand(t.Context(), in)
			if theirs == nil || ours == nil {
				t.Errorf("ours is %v, helm-controller's is %v; want both to fail", ours, theirs)
			}
		})
	}
}
