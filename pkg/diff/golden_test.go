package diff_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

var update = flag.Bool("update", false, "write what diff says into the golden files")

const goldenDir = "../../testdata/golden/diff"

// golden is one case: two sides and the published charts.
type golden struct {
	base, head fstest.MapFS
	charts     publishedCharts
}

// publishedCharts gives charts by "name/version", without a network.
type publishedCharts map[string]*artifact.Chart

func (p publishedCharts) Chart(_ context.Context, repo artifact.Repository, ref artifact.ChartRef) (*artifact.Chart, error) {
	chart := p[ref.Name+"/"+ref.Version]
	if chart == nil {
		return nil, &artifact.Error{Op: "reading a chart", Ref: repo.Ref(ref.Name, ref.Version), Kind: artifact.ErrMissing}
	}
	return chart, nil
}

// readGolden lays a case's files over those of base.txtar, and renders both sides.
func readGolden(t testing.TB, file string) (*golden, *txtar.Archive) {
	t.Helper()
	archive := parseArchive(t, file)
	g := &golden{base: fstest.MapFS{}, head: fstest.MapFS{}, charts: publishedCharts{}}
	charts := map[string]map[string]string{}
	for _, f := range slices.Concat(parseArchive(t, goldenDir+"/base.txtar").Files, archive.Files) {
		where, name, _ := strings.Cut(f.Name, "/")
		switch where {
		case "both":
			g.base[name], g.head[name] = &fstest.MapFile{Data: f.Data}, &fstest.MapFile{Data: f.Data}
		case "base":
			g.base[name] = &fstest.MapFile{Data: f.Data}
		case "head":
			g.head[name] = &fstest.MapFile{Data: f.Data}
		case "charts":
			parts := strings.SplitN(name, "/", 3)
			id := parts[0] + "/" + parts[1]
			if charts[id] == nil {
				charts[id] = map[string]string{}
			}
			charts[id][parts[2]] = string(f.Data)
		}
	}
	for id, files := range charts {
		name, version, _ := strings.Cut(id, "/")
		g.charts[id] = publish(t, registrytest.Chart{Name: name, Version: version, Files: files})
	}
	for _, name := range strings.Fields(string(section(archive, "delete"))) {
		delete(g.head, name)
	}
	renderInto(t, g.base)
	renderInto(t, g.head)
	return g, archive
}

func publish(t testing.TB, chart registrytest.Chart) *artifact.Chart {
	t.Helper()
	data, err := chart.Archive()
	if err != nil {
		t.Fatal(err)
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
	return &artifact.Chart{ChartYAML: artifact.ChartYAML{Name: chart.Name, Version: chart.Version}, Digest: digest, LayerDigest: digest, Archive: data}
}

func renderInto(t testing.TB, fsys fstest.MapFS) {
	t.Helper()
	changes, err := render.Plan(t.Context(), fsys, control.Only{})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		if _, given := fsys[change.Path]; given && change.New == nil {
			delete(fsys, change.Path)
		} else {
			fsys[change.Path] = &fstest.MapFile{Data: change.New}
		}
	}
}

func (g *golden) options() diff.Options {
	return diff.Options{Charts: g.charts, Key: []byte("golden"), Changelog: changelog}
}

func (g *golden) compare(t testing.TB, o diff.Options) *diff.Report {
	t.Helper()
	report, err := diff.Compare(t.Context(), diff.Side{Name: "main", FS: g.base}, diff.Side{Name: "the working tree", FS: g.head}, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// changelog stands in for a component's source.
func changelog(_ context.Context, source, old, new string) (*diff.Changelog, error) {
	return &diff.Changelog{
		Compare: fmt.Sprintf("%s/-/compare/%s...%s", source, old, new),
		Commits: []diff.Commit{
			{ID: new, Subject: "Greet </summary><script>alert(1)</script> @everyone", Author: "Someone"},
			{ID: "3333333333333333333333333333333333333333", Subject: "Fix `code`` \u202egnp.exe\u202c", Author: "*Else*"},
		},
		More:  3,
		Tasks: []string{"T123456"},
	}, nil
}

func parseArchive(t testing.TB, file string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func section(archive *txtar.Archive, name string) []byte {
	for _, f := range archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func setSection(archive *txtar.Archive, name string, data []byte) {
	for i, f := range archive.Files {
		if f.Name == name {
			archive.Files[i].Data = data
			return
		}
	}
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: data})
}

func goldenFiles(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(goldenDir + "/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "base.txtar" })
}

// wantSection compares a section with what was got, or writes it.
func wantSection(t *testing.T, file string, archive *txtar.Archive, name string, got []byte) {
	t.Helper()
	if *update {
		setSection(archive, name, got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(section(archive, name)), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestRules runs every case of the rules: all risks that come of it. A case whose name ends in .ok holds that the rule it
// is named after stays silent.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, file := range goldenFiles(t, "rules/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			g, archive := readGolden(t, file)
			report := g.compare(t, g.options())
			var got bytes.Buffer
			for _, risk := range report.Risks {
				fmt.Fprintf(&got, "%s %s on %s: %s %s: %s (%s)\n", risk.Severity, risk.Rule, strings.Join(risk.Clusters, ", "), risk.Component, risk.Object, risk.Message, risk.File)
			}
			for _, risk := range report.Silenced {
				fmt.Fprintf(&got, "silenced %s: %s: %s\n", risk.Rule, risk.Message, risk.Silenced)
			}
			for _, problem := range report.Problems {
				fmt.Fprintf(&got, "problem %s %s %s: %s\n", strings.Join(problem.Clusters, ", "), problem.Release, problem.Side, problem.Message)
			}
			wantSection(t, file, archive, "want", got.Bytes())
			rule, quiet := strings.CutSuffix(filepath.Base(t.Name()), ".ok")
			rule, _, _ = strings.Cut(rule, ".")
			fired := slices.ContainsFunc(report.Risks, func(risk diff.Risk) bool { return risk.Rule == rule })
			if fired == quiet {
				t.Errorf("the rule %s fired: %v", rule, fired)
			}
		})
	}
}

// TestEveryRuleHasCases holds that each rule has a case that fires and one that must not, and says all that people need.
func TestEveryRuleHasCases(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, file := range goldenFiles(t, "rules/*.txtar") {
		have[strings.TrimSuffix(filepath.Base(file), ".txtar")] = true
	}
	for _, rule := range diff.Rules() {
		if !have[rule.ID] || !have[rule.ID+".ok"] {
			t.Errorf("the rule %s needs the golden cases rules/%s.txtar and rules/%s.ok.txtar", rule.ID, rule.ID, rule.ID)
		}
		if rule.Finds == "" || rule.Because == "" || rule.Example == "" {
			t.Errorf("the rule %s does not say what it finds, why, and an example", rule.ID)
		}
	}
}

// writerFiles are the sections of a writer's case.
var writerFiles = map[diff.Format]string{
	"text": "want.txt", "markdown": "want.md", "json": "want.json", "html": "want.html", "codequality": "want.codequality.json",
}

// TestWriters compares every format of every case.
func TestWriters(t *testing.T) {
	t.Parallel()
	for _, file := range goldenFiles(t, "*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			g, archive := readGolden(t, file)
			report := g.compare(t, g.options())
			for _, format := range diff.Formats() {
				var got bytes.Buffer
				if err := diff.Write(&got, format, report, diff.Style{}); err != nil {
					t.Fatal(err)
				}
				wantSection(t, file, archive, writerFiles[format], got.Bytes())
			}
		})
	}
}
