package chart

import (
	"fmt"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	fluxkustomize "github.com/fluxcd/pkg/apis/kustomize"
)

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
		"templates/a.yaml": configMap("a: >", "  folded", "    more", "", "  end", "containers: b") + "---\n" + deployment("x") + "---\n" + strings.ReplaceAll(deployment("y"), "example/app", "example/other"),
		"templates/b.yaml": `apiVersion: batch/v1
kind: CronJob
metadata: {name: cron}
spec: {jobTemplate: {spec: {template: {spec: {
  containers: [{name: a, image: "registry.example/app@sha256:0000000000000000000000000000000000000000000000000000000000000000"}, {name: b, image: "registry.example/app:1@sha256:00"}, {name: c, image: registry.example/app}, {name: d}],
  volumes: [{name: v, image: {reference: "registry.example/app:2"}}]}}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec: {containers: [{name: a, image: registry.example/app-other}], ephemeralContainers: [{name: e, image: "registry.example/app:e"}], volumes: [{name: v, image: {reference: "tagged:2"}}]}
---
apiVersion: example.org/v1
kind: Runner
metadata: {name: runner}
spec: {image: "registry.example/app:1", deep: [{containers: [{image: "tagged:1"}, {image: renamed}], initContainers: {image: renamed}}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crd}
spec: {containers: [{image: "tagged:1"}]}
`,
		"templates/z.yaml": hook("late", "post-install", "5"),
	}, change: func(hr *helmv2.HelmRelease) {
		postRenderers(hr)
		hr.Spec.PostRenderers = hr.Spec.PostRenderers[:1]
		kustomize := hr.Spec.PostRenderers[0].Kustomize
		kustomize.Patches = nil
		kustomize.Images = append(kustomize.Images, fluxkustomize.Image{Name: "tagged", NewTag: "9"}, fluxkustomize.Image{Name: "renamed", NewName: "other.example/app", NewTag: "1"})
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
