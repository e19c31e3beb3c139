package chart

import (
	"fmt"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/postrenderer"
)

// large is a chart of 40 templates as charts write them: helpers, conditions,
// blocks of values.
func large() files {
	chart := files{
		"values.yaml": "replicas: 2\nresources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 10m, memory: 64Mi}}\nenv: {A: one, B: two, C: three}\nserviceAccount: {create: true}\n",
		"templates/_helpers.tpl": `{{- define "demo.fullname" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- define "demo.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}`,
	}
	for i := range 40 {
		chart[fmt.Sprintf("templates/t%02d.yaml", i)] = fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "demo.fullname" . }}-%d
  labels:
    {{- include "demo.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .Chart.Name }}
  template:
    metadata:
      labels:
        {{- include "demo.labels" . | nindent 8 }}
    spec:
      {{- if .Values.serviceAccount.create }}
      serviceAccountName: {{ include "demo.fullname" . }}
      {{- end }}
      containers:
        - name: main
          image: "registry.example/app:{{ .Chart.AppVersion }}"
          env:
            {{- range $k, $v := .Values.env }}
            - name: {{ $k }}
              value: {{ $v | quote }}
            {{- end }}
          ports:
            - containerPort: 8080
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
`, i)
	}
	return chart
}

func BenchmarkExpand(b *testing.B) {
	cases := []struct {
		name   string
		change func(*helmv2.HelmRelease)
	}{
		{"labels", func(*helmv2.HelmRelease) {}},
		{"images pinned", func(hr *helmv2.HelmRelease) {
			postRenderers(hr)
			hr.Spec.PostRenderers = hr.Spec.PostRenderers[:1]
			hr.Spec.PostRenderers[0].Kustomize.Patches = nil
		}},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			in := input(b, large(), "replicas: 3\n")
			c.change(in.Release)
			expand(b, in)
			b.ReportAllocs()
			for b.Loop() {
				expand(b, in)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	chart := files{"values.yaml": "a: b\n"}
	for i := range 40 {
		chart[fmt.Sprintf("templates/t%02d.yaml", i)] = deployment(fmt.Sprint(i))
	}
	archive := pack(b, "demo", chart)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(archive, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHelm is the same chart in Helm itself: alone, as `helm template` does
// it, and with post-renderers as helm-controller has them.
func BenchmarkHelm(b *testing.B) {
	archive := pack(b, "demo", large())
	in := input(b, large(), "replicas: 3\n")
	for name, renderer := range map[string]postrenderer.PostRenderer{"alone": nil, "post-rendered": controller{in.Release}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := runHelm(b, in, archive, renderer, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
