package live

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// grafanaPanel is what this reads of a panel.
type grafanaPanel struct {
	ID                       int
	Title, Description, Type string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct{ Expr string }
}

// TestGrafanaDashboard holds deploy/grafana to the exporter: it asks for no metric and no label that there is not, all metrics
// are to be seen, and each panel says what it shows and in which unit.
func TestGrafanaDashboard(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../deploy/grafana/tfgitops.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels     []grafanaPanel
		Templating struct {
			List []struct {
				Name  string
				Query any
			}
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, metric := range allMetrics() {
		labels[metric.name] = " " + strings.Join(metric.labels, " ") + " "
	}
	name, matcher := regexp.MustCompile(`tfgitops_\w+`), regexp.MustCompile(`(tfgitops_\w+)\{([^}]*)\}`)
	shown, ids := map[string]bool{}, map[int]bool{}
	var rules strings.Builder
	rules.WriteString("groups:\n- name: panels\n  rules:\n")
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || panel.Description == "" || panel.FieldConfig.Defaults.Unit == "" || len(panel.Targets) == 0 || ids[panel.ID] {
			t.Errorf("panel %d, %q: a title, a description, a unit, a query and a number of its own are needed", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			for _, metric := range name.FindAllString(target.Expr, -1) {
				shown[metric] = true
				if labels[metric] == "" {
					t.Errorf("%s: the exporter has no %s", panel.Title, metric)
				}
			}
			for _, match := range matcher.FindAllStringSubmatch(target.Expr, -1) {
				for _, label := range regexp.MustCompile(`(\w+)\s*(?:=~|!=|=)`).FindAllStringSubmatch(match[2], -1) {
					if !strings.Contains(labels[match[1]], " "+label[1]+" ") {
						t.Errorf("%s: %s has no label %s", panel.Title, match[1], label[1])
					}
				}
			}
			rules.WriteString("  - record: panel:query:value\n    expr: " + jsonText(t, strings.NewReplacer("$cluster", ".*", "$component", ".*").Replace(target.Expr)) + "\n")
		}
		for _, other := range dashboard.Panels {
			if panel.ID < other.ID && overlap(panel, other) {
				t.Errorf("%q lies on %q", other.Title, panel.Title)
			}
		}
	}
	for metric := range labels {
		if !shown[metric] {
			t.Errorf("no panel shows %s", metric)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: whether the queries can be read is not tried")
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "--lint=none", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestMetricsPage holds the table of metrics to the exporter.
func TestMetricsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range allMetrics() {
		if row := "| `" + metric.name + "` | " + strings.Join(metric.labels, ", ") + " | "; !strings.Contains(string(page), row) {
			t.Errorf("docs/operations.md lacks the row %s", row)
		}
	}
}

func overlap(a, b grafanaPanel) bool {
	return a.GridPos.X < b.GridPos.X+b.GridPos.W && b.GridPos.X < a.GridPos.X+a.GridPos.W &&
		a.GridPos.Y < b.GridPos.Y+b.GridPos.H && b.GridPos.Y < a.GridPos.Y+a.GridPos.H
}

func jsonText(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
