package diff_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
)

// TestWorkers holds that the output is the same whatever the number of workers, and in every run.
func TestWorkers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bump", "hostile", "problem", "rules/many-components", "rules/many-removed"} {
		g, _ := readGolden(t, goldenDir+"/"+name+".txtar")
		var want string
		for _, workers := range []int{1, 2, 16, 16} {
			o := g.options()
			o.Workers = workers
			var got bytes.Buffer
			if err := diff.Write(&got, "json", g.compare(t, o), diff.Style{}); err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = got.String()
			}
			if d := cmp.Diff(want, got.String()); d != "" {
				t.Errorf("%s with %d workers (-want +got):\n%s", name, workers, d)
			}
		}
	}
}

// TestNoSecrets holds that no format shows a secret of the cases that have some, and that changed ones show as changed.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	secrets := []string{"correct-horse", "battery-staple", "hunter2hunter2", "swordfish", "s3cr3tpassw0rd", "MIIhostile"}
	for _, name := range []string{"bump", "hostile"} {
		g, _ := readGolden(t, goldenDir+"/"+name+".txtar")
		for _, format := range diff.Formats() {
			var got bytes.Buffer
			if err := diff.Write(&got, format, g.compare(t, g.options()), diff.Style{Colour: true, Width: 200}); err != nil {
				t.Fatal(err)
			}
			for _, secret := range secrets {
				if strings.Contains(got.String(), secret) {
					t.Errorf("%s of %s shows the secret %q", format, name, secret)
				}
			}
			if format != "codequality" && strings.Count(got.String(), "(secret ") < 2 {
				t.Errorf("%s of %s has no fingerprints", format, name)
			}
		}
	}
}

// TestFingerprints holds that fingerprints depend on the key.
func TestFingerprints(t *testing.T) {
	t.Parallel()
	g, _ := readGolden(t, goldenDir+"/bump.txtar")
	texts := map[string]bool{}
	for _, key := range []string{"a", "b"} {
		o := g.options()
		o.Key = []byte(key)
		var got bytes.Buffer
		if err := diff.Write(&got, "text", g.compare(t, o), diff.Style{}); err != nil {
			t.Fatal(err)
		}
		texts[got.String()] = true
	}
	if len(texts) != 2 {
		t.Error("two keys give the same fingerprints")
	}
}

// TestNarrow holds what --cluster and --component leave.
func TestNarrow(t *testing.T) {
	t.Parallel()
	g, _ := readGolden(t, goldenDir+"/rules/many-components.txtar")
	o := g.options()
	o.Components = []string{"c03"}
	report := g.compare(t, o)
	if len(report.Components) != 1 || report.Components[0].Name != "c03" {
		t.Errorf("one component was asked for, got %v", report.Components)
	}
	o.Clusters = []string{"beta"}
	if report := g.compare(t, o); report.Differs() || len(report.Clusters) != 1 {
		t.Errorf("nothing differs on beta, got %+v", report)
	}
	for _, o := range []diff.Options{{Clusters: []string{"bata"}}, {Components: []string{"c99"}}} {
		_, err := diff.Compare(t.Context(), diff.Side{FS: g.base}, diff.Side{FS: g.head}, o)
		if !errors.Is(err, diff.ErrUnknownName) {
			t.Errorf("unknown name: %v", err)
		}
	}
}

// ids gives every file its content as its id, and every folder those of its files.
type ids struct{ fstest.MapFS }

func (f ids) ObjectID(name string) (string, bool) {
	var all strings.Builder
	found := false
	for _, file := range sorted(f.MapFS) {
		if file == name || strings.HasPrefix(file, name+"/") {
			fmt.Fprintf(&all, "%s %x\n", strings.TrimPrefix(file, name), f.MapFS[file].Data)
			found = true
		}
	}
	return all.String(), found
}

func sorted(f fstest.MapFS) []string {
	var names []string
	for name := range f {
		names = append(names, name)
	}
	return slices.Sorted(slices.Values(names))
}

// TestSameTrees holds that ids change nothing but what is read: reports with and without them are equal, and a change outside of a
// cluster's folder is found where its overlay leads to it.
func TestSameTrees(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bump", "problem", "nothing", "rules/dependents", "rules/flux-not-listed"} {
		g, _ := readGolden(t, goldenDir+"/"+name+".txtar")
		want := g.compare(t, g.options())
		got, err := diff.Compare(t.Context(), diff.Side{Name: "main", FS: ids{g.base}}, diff.Side{Name: "the working tree", FS: ids{g.head}}, g.options())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-without ids +with ids):\n%s", name, d)
		}
	}
	g, _ := readGolden(t, goldenDir+"/nothing.txtar")
	for _, side := range []fstest.MapFS{g.base, g.head} {
		side["clusters/prod/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [manifests, \"..\\u002f../shared\"]\n")}
		side["shared/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [a.yaml]\n")}
	}
	g.base["shared/a.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: old}\n")}
	g.head["shared/a.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: new}\n")}
	report, err := diff.Compare(t.Context(), diff.Side{FS: ids{g.base}}, diff.Side{FS: ids{g.head}}, g.options())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Components) != 1 || report.Components[0].Blocks[0].Objects[0].Name != "a" {
		t.Errorf("a change in a shared folder was not found: %+v", report)
	}
}

// countingCharts counts what is asked of a registry.
type countingCharts struct {
	publishedCharts
	asked chan string
}

func (c countingCharts) Chart(ctx context.Context, repo artifact.Repository, ref artifact.ChartRef) (*artifact.Chart, error) {
	c.asked <- ref.Version
	return c.publishedCharts.Chart(ctx, repo, ref)
}

// TestOnlyPairsThatDiffer holds that charts of unchanged releases are not asked for, and each chart once.
func TestOnlyPairsThatDiffer(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"nothing": 0, "bump": 2, "rules/dependents": 2} {
		g, _ := readGolden(t, goldenDir+"/"+name+".txtar")
		asked := make(chan string, 100)
		o := g.options()
		o.Charts = countingCharts{g.charts, asked}
		g.compare(t, o)
		if len(asked) != want {
			t.Errorf("%s: %d charts were asked for, want %d", name, len(asked), want)
		}
	}
}

// TestCancel holds that a cancelled comparison ends with the context's error.
func TestCancel(t *testing.T) {
	t.Parallel()
	g, _ := readGolden(t, goldenDir+"/bump.txtar")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := diff.Compare(ctx, diff.Side{FS: g.base}, diff.Side{FS: g.head}, g.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestOneProblemForARelease holds that a release with no chart on either side is one problem, and no deletion.
func TestOneProblemForARelease(t *testing.T) {
	t.Parallel()
	g, _ := readGolden(t, goldenDir+"/bump.txtar")
	g.charts = publishedCharts{}
	report := g.compare(t, g.options())
	var got []string
	for _, problem := range report.Problems {
		got = append(got, strings.Join(problem.Clusters, "+")+" "+problem.Release+" "+problem.Side)
	}
	if d := cmp.Diff([]string{"beta+prod app head"}, got); d != "" || report.Summary.Removed > 0 {
		t.Errorf("(-want +got):\n%s%d removed", d, report.Summary.Removed)
	}
}

// TestMarkdownLimit holds that a short note has the whole summary and says what it left out.
func TestMarkdownLimit(t *testing.T) {
	t.Parallel()
	g, _ := readGolden(t, goldenDir+"/bump.txtar")
	report := g.compare(t, g.options())
	var whole bytes.Buffer
	if err := diff.Write(&whole, "markdown", report, diff.Style{}); err != nil {
		t.Fatal(err)
	}
	summary, _, _ := strings.Cut(whole.String(), "\n### `app`")
	for _, limit := range []int{100, 2500, 3000, 3500, whole.Len() + 1000} {
		var got bytes.Buffer
		if err := diff.Write(&got, "markdown", report, diff.Style{Limit: limit}); err != nil {
			t.Fatal(err)
		}
		text := got.String()
		told, _, _ := strings.Cut(text, "\n### `app`")
		head, tail, cut := strings.Cut(told, "\n**Left out here**, as the note would be too long: noise")
		if cut {
			_, tail, _ = strings.Cut(tail, "has everything.\n")
		}
		if head+tail != summary {
			t.Errorf("limit %d: the summary is not complete:\n%s", limit, head+tail)
		}
		if len(text) > max(limit, len(summary)+200) {
			t.Errorf("limit %d: %d bytes", limit, len(text))
		}
		if cut != (limit < whole.Len()) || cut != !strings.Contains(text, "noise: 1 chart label") {
			t.Errorf("limit %d: it does not say what it left out:\n%s", limit, text)
		}
		if all := strings.Contains(text, "**`- RoleBinding") || strings.Contains(text, "**`- Role "); cut && all == strings.Contains(told, "and changed objects: ") {
			t.Errorf("limit %d: are there objects that are left out?\n%s", limit, text)
		}
		if strings.Count(text, "<details>") != strings.Count(text, "</details>") {
			t.Errorf("limit %d: an open section", limit)
		}
	}
}

// TestTerminal holds what a wide terminal with colours gets.
func TestTerminal(t *testing.T) {
	t.Parallel()
	g, _ := readGolden(t, goldenDir+"/bump.txtar")
	var got bytes.Buffer
	if err := diff.Write(&got, "text", g.compare(t, g.options()), diff.Style{Colour: true, Width: 160}); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[31m- registry.example.org/app:1.0.0" + strings.Repeat(" ", 43) + "\x1b[0m \x1b[2m│\x1b[0m \x1b[32m+ registry.example.org/app:1.1.0\x1b[0m\n"
	if !strings.Contains(got.String(), want) {
		t.Errorf("old and new do not stand side by side:\n%s", got.String())
	}
}

// TestWideTerminal holds that old and new stand side by side where both have room, and that the end of a long value is seen.
func TestWideTerminal(t *testing.T) {
	t.Parallel()
	long := "tools-harbor.example.org/toolforge/maintain-kubeusers:image-0.0.202-20261102101000-f76fe90"
	for _, test := range []struct {
		width int
		want  string
	}{
		{200, "      - " + long + "4   │ + " + long + "5\n"},
		{160, "      - " + long + "4\n      + " + long + "5\n"},
		{0, "      - " + long + "4\n      + " + long + "5\n"},
	} {
		object := diff.Object{Layer: diff.Helm, Release: "a", Action: diff.ActionChanged, Kind: "Deployment", Name: "a", Fields: []diff.Field{{Path: "image", Op: diff.OpChanged, Old: long + "4", New: long + "5"}}}
		report := &diff.Report{Components: []diff.Component{{Name: "a", Blocks: []diff.Block{{Clusters: []string{"c"}, Objects: []diff.Object{object}}}}}}
		var got bytes.Buffer
		if err := diff.Write(&got, "text", report, diff.Style{Width: test.width}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got.String(), test.want) {
			t.Errorf("width %d: want %q in\n%s", test.width, test.want, got.String())
		}
	}
}

// TestNoiseInText holds that noise is counted where there is much of it, and shown when asked for.
func TestNoiseInText(t *testing.T) {
	t.Parallel()
	noise := []diff.Field{{Path: "metadata.labels.chart", Op: diff.OpChanged, Old: "a-1", New: "a-2", Noise: diff.NoiseChartLabel}}
	objects := []diff.Object{{Layer: diff.Helm, Release: "a", Action: diff.ActionChanged, Kind: "ConfigMap", Name: "read-me", Fields: []diff.Field{{Path: "data.x", Op: diff.OpAdded, New: "y"}}, Noise: noise}}
	for _, name := range []string{"one", "two", "three", "four"} {
		objects = append(objects, diff.Object{Layer: diff.Helm, Release: "a", Action: diff.ActionChanged, Kind: "Service", Name: name, Noise: noise})
	}
	for _, test := range []struct {
		objects      []diff.Object
		noise        bool
		shown, never string
	}{
		{objects, false, "and 4 objects with noise only: 4 chart labels; --noise shows them", "Service"},
		{objects[:4], false, "~ Service three noise: 1 chart label", "--noise"},
		{objects, true, "~ Service four noise: 1 chart label\n      noise: chart label\n      metadata.labels.chart\n      - a-1\n      + a-2\n", "--noise"},
	} {
		report := &diff.Report{Components: []diff.Component{{Name: "a", Blocks: []diff.Block{{Clusters: []string{"c"}, Objects: test.objects}}}}}
		var got bytes.Buffer
		if err := diff.Write(&got, "text", report, diff.Style{Noise: test.noise}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got.String(), test.shown) || strings.Contains(got.String(), test.never) || !strings.Contains(got.String(), "read-me") {
			t.Errorf("noise %v: want %q and no %q:\n%s", test.noise, test.shown, test.never, got.String())
		}
	}
}
