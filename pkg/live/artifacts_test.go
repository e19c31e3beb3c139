package live

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// digestOf is a digest that begins with a letter.
func digestOf(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

// artifactRepo pins a chart and an image of it, each by digest.
func artifactRepo(t *testing.T, chart, pinning, chartDigest, image string) *control.Repo {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"tfgitops.yaml":                 "kind: ControlRepo\nmetadata: {name: example}\nspec: {repositories: {ours: {url: \"oci://registry.example.org/ours\", pinning: " + pinning + "}}}\n",
		"clusters/prod/cluster.yaml":    "kind: Cluster\nmetadata: {name: prod}\nspec: {kubeVersion: 1.32.4, fluxVersion: \"2.9\", context: prod}\n",
		"components/web/component.yaml": "kind: Component\nmetadata: {name: web}\nspec: {namespace: web, releases: [{name: web, chart: " + chart + ", repository: ours, images: [{name: " + image + "}]}]}\n",
		"clusters/prod/pins/web.yaml":   fmt.Sprintf("kind: Pin\nmetadata: {name: web}\nspec: {releases: {web: {version: \"1.0.0\", digest: %q}}, images: [{name: registry.example.org/%s, tag: \"1\", digest: %q}]}\n", chartDigest, image, digestOf("c")),
	} {
		files[name] = &fstest.MapFile{Data: []byte(testAPI + text)}
	}
	repo, findings := control.Load(t.Context(), files, control.Only{})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return repo
}

// TestPinnedArtifacts asks for a chart and its image, which may be there, be gone, or be something else by now.
func TestPinnedArtifacts(t *testing.T) {
	t.Parallel()
	there, moved := "sha256:1", digestOf("a") // the registry of these tests has sha256:1 for every chart
	tests := map[string]struct {
		chart, pinning, digest, image string
		charts, images                string // the metrics: 1, 0 or nothing
		note                          string
	}{
		"both there":                      {"web", "version", "", "web", "1", "1", ""},
		"chart gone":                      {"lost", "version", "", "web", "0", "1", "not in its registry: oci://registry.example.org/ours/lost:1.0.0"},
		"image gone":                      {"web", "version", "", "lost", "1", "0", "not in its registry: registry.example.org/lost:1 (sha256:cccccccccccc)"},
		"nobody can tell":                 {"away", "version", "", "away", "", "", ""},
		"tag moved":                       {"web", "version", moved, "web", "0", "1", "oci://registry.example.org/ours/web:1.0.0 was overwritten in its registry: there it is " + there + ", and sha256:aaaaaaaaaaaa is pinned"},
		"tag moved, and pinned by digest": {"web", "digest", moved, "web", "1", "1", ""},
	}
	for name, test := range tests {
		repo := artifactRepo(t, test.chart, test.pinning, test.digest, test.image)
		upstream, err := Asker{Registries: fakeRegistries{}}.Ask(t.Context(), repo, Present)
		if err != nil {
			t.Fatal(err)
		}
		report := Status(repo, nil, History{}, upstream, testNow())
		row := report.Rows[0]
		if missing := row.State == ArtifactMissing; missing != (test.note != "") || missing && row.Note != test.note {
			t.Errorf("%s: %s: %s", name, row.State, row.Note)
		}
		var metrics bytes.Buffer
		if err := writeMetrics(&metrics, View{Report: report}); err != nil {
			t.Fatal(err)
		}
		for kind, want := range map[string]string{"chart": test.charts, "image": test.images} {
			series := fmt.Sprintf("\ntfgitops_pin_artifact_present{artifact=%q,cluster=\"prod\",component=\"web\"} ", kind)
			_, after, _ := strings.Cut(metrics.String(), series)
			if got, _, _ := strings.Cut(after, "\n"); got != want {
				t.Errorf("%s: %s is %q, want %q", name, kind, got, want)
			}
		}
		if problems := strings.Join(upstream.Problems(), "\n"); strings.Contains(problems, "planted") || (problems == "") == (test.chart == "away") {
			t.Errorf("%s: problems %q", name, problems)
		}
	}
}
