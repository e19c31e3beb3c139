package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"maps"
	"slices"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// files is a chart: paths below its directory and their text.
type files map[string]string

// chartYAML is the least that a chart needs.
const chartYAML = "apiVersion: v2\nname: demo\nversion: 1.2.3\nappVersion: \"9\"\n"

// pack makes an archive of a chart, with Chart.yaml added when it is not there.
func pack(t testing.TB, name string, chart files) []byte {
	t.Helper()
	all := files{"Chart.yaml": chartYAML}
	maps.Copy(all, chart)
	var entries []tar.Header
	var texts []string
	for _, path := range slices.Sorted(maps.Keys(all)) {
		entries = append(entries, tar.Header{Name: name + "/" + path, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(all[path]))})
		texts = append(texts, all[path])
	}
	return tarball(t, entries, texts)
}

// tarball makes a gzipped archive of any entries.
func tarball(t testing.TB, entries []tar.Header, texts []string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for i, header := range entries {
		if err := w.WriteHeader(&header); err != nil {
			t.Fatalf("writing %q: %v", header.Name, err)
		}
		if _, err := w.Write([]byte(texts[i])); err != nil {
			t.Fatalf("writing %q: %v", header.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func load(t testing.TB, chart files) *Chart {
	t.Helper()
	c, err := Load(pack(t, "demo", chart), Limits{})
	if err != nil {
		t.Fatalf("loading the chart: %v", err)
	}
	return c
}

// helmRelease is named demo, in flux-system, for namespace apps. Values are
// YAML, which becomes JSON as the API server has it.
func helmRelease(t testing.TB, values string, change ...func(*helmv2.HelmRelease)) *helmv2.HelmRelease {
	t.Helper()
	hr := &helmv2.HelmRelease{
		ObjectMeta: metav1.ObjectMeta{Name: "demo", Namespace: "flux-system"},
		Spec:       helmv2.HelmReleaseSpec{ReleaseName: "demo", TargetNamespace: "apps", StorageNamespace: "apps"},
	}
	if values != "" {
		raw, err := yaml.YAMLToJSON([]byte(values))
		if err != nil {
			t.Fatal(err)
		}
		hr.Spec.Values = &apiextensionsv1.JSON{Raw: raw}
	}
	for _, c := range change {
		c(hr)
	}
	return hr
}

var capabilities = Capabilities{KubeVersion: "1.32.4"}

// input expands as an upgrade unless changed.
func input(t testing.TB, chart files, values string, change ...func(*helmv2.HelmRelease)) Input {
	t.Helper()
	return Input{Release: helmRelease(t, values, change...), Chart: load(t, chart), Capabilities: capabilities, Upgrade: true}
}

func expand(t testing.TB, in Input) *Expansion {
	t.Helper()
	e, err := Expand(t.Context(), in)
	if err != nil {
		t.Fatalf("Expand: %v", err)
	}
	return e
}

// find returns the object of a kind and name.
func find(t testing.TB, e *Expansion, kind, name string) Resource {
	t.Helper()
	for _, r := range e.Resources {
		if r.Kind == kind && r.Name == name {
			return r
		}
	}
	t.Fatalf("no %s %q among the %d resources", kind, name, len(e.Resources))
	return Resource{}
}

// data reads the data of ConfigMap NAME.
func data(t testing.TB, e *Expansion, name string) map[string]any {
	t.Helper()
	d, _ := find(t, e, "ConfigMap", name).Object["data"].(map[string]any)
	return d
}

// configMap is a template of a ConfigMap named demo with the given lines of
// data.
func configMap(lines ...string) string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: demo\ndata:\n"
	for _, l := range lines {
		text += "  " + l + "\n"
	}
	return text
}
