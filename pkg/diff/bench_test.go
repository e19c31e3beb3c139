package diff_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

const (
	benchReleases  = 30
	benchTemplates = 40
)

// large is three clusters with 30 releases each, of charts with 40 templates. In the head, the first of the releases changed
// have another version of their chart.
func large(b *testing.B, changed int) *golden {
	b.Helper()
	g := &golden{base: fstest.MapFS{}, head: fstest.MapFS{}, charts: publishedCharts{}}
	root := "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: %s\nmetadata: {name: %s}\nspec:\n%s"
	put := func(name, content string, sides ...fstest.MapFS) {
		for _, side := range sides {
			side[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	put("tfgitops.yaml", fmt.Sprintf(root, "ControlRepo", "large", "  repositories: {main: {url: oci://registry.example.org/charts}}\n  stages: [{name: all, clusters: [a, b, c]}]\n"), g.base, g.head)
	for i := range benchReleases {
		name := fmt.Sprintf("app%02d", i)
		put("components/"+name+"/component.yaml", fmt.Sprintf(root, "Component", name, "  namespace: "+name+"\n  releases: [{name: "+name+", repository: main}]\n"), g.base, g.head)
		for _, version := range []string{"1.0.0", "1.1.0"} {
			g.charts[name+"/"+version] = publish(b, benchChart(name, version))
		}
		for _, cluster := range []string{"a", "b", "c"} {
			put("clusters/"+cluster+"/values/"+name+".yaml", "replicas: 3\ncluster: "+cluster+"\n", g.base, g.head)
			pin := "clusters/" + cluster + "/pins/" + name + ".yaml"
			put(pin, fmt.Sprintf(root, "Pin", name, "  releases: {"+name+": {version: \"1.0.0\"}}\n"), g.base, g.head)
			if i < changed {
				put(pin, fmt.Sprintf(root, "Pin", name, "  releases: {"+name+": {version: \"1.1.0\"}}\n"), g.head)
			}
		}
	}
	for _, cluster := range []string{"a", "b", "c"} {
		put("clusters/"+cluster+"/cluster.yaml", fmt.Sprintf(root, "Cluster", cluster, "  kubeVersion: \"1.32.4\"\n  fluxVersion: \"2.9\"\n"), g.base, g.head)
		put("clusters/"+cluster+"/kustomization.yaml", "resources: [manifests]\n", g.base, g.head)
	}
	renderInto(b, g.base)
	renderInto(b, g.head)
	return g
}

func benchChart(name, version string) registrytest.Chart {
	files := map[string]string{"values.yaml": "replicas: 2\nenv: {A: one, B: two, C: three}\n"}
	for i := range benchTemplates {
		files[fmt.Sprintf("templates/t%02d.yaml", i)] = strings.ReplaceAll(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-NUMBER
  labels:
    helm.sh/chart: "{{ .Chart.Name }}-{{ .Chart.Version }}"
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}-NUMBER"}}
  template:
    metadata:
      labels: {app: "{{ .Release.Name }}-NUMBER"}
    spec:
      containers:
        - name: main
          image: "registry.example.org/app:{{ .Chart.Version }}"
          env:
            {{- range $k, $v := .Values.env }}
            - name: {{ $k }}
              value: {{ $v | quote }}
            {{- end }}
          ports: [{containerPort: 8080}]
          resources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 10m, memory: 64Mi}}
`, "NUMBER", fmt.Sprint(i))
	}
	return registrytest.Chart{Name: name, Version: version, Files: files}
}

// BenchmarkCompare measures a bump of one component, and a change of all 90 releases: 180 expansions.
func BenchmarkCompare(b *testing.B) {
	for _, bench := range []struct {
		name    string
		changed int
		charts  bool
	}{{"one component", 1, false}, {"one component with charts", 1, true}, {"everything with charts", benchReleases, true}} {
		b.Run(bench.name, func(b *testing.B) {
			g := large(b, bench.changed)
			o := g.options()
			o.Changelog = nil
			if !bench.charts {
				o.Charts = nil
			}
			for b.Loop() {
				report, err := diff.Compare(b.Context(), diff.Side{FS: ids{g.base}}, diff.Side{FS: ids{g.head}}, o)
				if err != nil {
					b.Fatal(err)
				}
				if len(report.Components) != bench.changed || len(report.Problems) > 0 {
					b.Fatalf("%d components, problems %v", len(report.Components), report.Problems)
				}
			}
		})
	}
}
