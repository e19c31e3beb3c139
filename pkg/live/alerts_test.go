package live

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// testAlerts have limits of hours where the defaults are days: promtool goes through every minute.
func testAlerts() []Alert {
	limits := DefaultLimits()
	limits.SuspendedTooLong, limits.PinStale, limits.PromotionLag = 3*time.Hour, 2*time.Hour, 2*time.Hour
	return Alerts(AlertOptions{
		Limits: limits, FirstStage: []string{"beta"}, Stages: []string{"beta", "prod"}, Job: "tfgitops", Runbooks: "https://example.org/runbooks/",
	})
}

func writeAlerts(t *testing.T, file, format string, rules []Alert) {
	t.Helper()
	var out bytes.Buffer
	if err := AlertFormats()[format](&out, rules); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAlertsFire runs Prometheus' own tool over the rules: each fires after its time, not before, and not on good numbers.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("promtool is not installed: scripts/setup.sh does")
	}
	if err != nil {
		t.Skip("promtool is not installed (Debian's package prometheus has it): the alert rules are not tried out")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), promtool, args...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	writeAlerts(t, filepath.Join(dir, "full.yaml"), "rules", testAlerts())
	run("check", "rules", "full.yaml")
	plain := testAlerts()
	for i := range plain {
		plain[i].Annotations = nil // the tests would have to repeat them
	}
	writeAlerts(t, filepath.Join(dir, "rules.yaml"), "rules", plain)
	tests, err := os.ReadFile("testdata/promtool/tests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tests.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	run("test", "rules", "tests.yaml")
}

// promtoolTest is one case of promtool's tests, as far as this needs it.
type promtoolTest struct {
	Name  string `json:"name"`
	Rules []struct {
		Alert    string `json:"alertname"`
		Expected []any  `json:"exp_alerts"`
	} `json:"alert_rule_test"`
}

// TestEveryAlertIsTestedAndHasARunbook holds the three together: each alert has a case in which it fires, two in which it
// must not, and a page.
func TestEveryAlertIsTestedAndHasARunbook(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/promtool/tests.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []promtoolTest `json:"tests"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]int{}, map[string]int{}
	for _, test := range file.Tests {
		count := silent
		for _, rule := range test.Rules {
			if len(rule.Expected) > 0 {
				count = fires
			}
		}
		count[test.Rules[0].Alert]++
	}
	index, err := os.ReadFile("../../docs/runbooks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]bool{}
	for _, rule := range testAlerts() {
		pages[rule.Alert] = true
		if fires[rule.Alert] < 1 || silent[rule.Alert] < 2 {
			t.Errorf("%s has %d promtool tests in which it fires and %d in which it is silent", rule.Alert, fires[rule.Alert], silent[rule.Alert])
		}
		if _, err := os.Stat("../../docs/runbooks/" + rule.Alert + ".md"); err != nil {
			t.Errorf("%s has no runbook: %v", rule.Alert, err)
		}
		if !strings.Contains(string(index), "["+rule.Alert+"]("+rule.Alert+".md)") {
			t.Errorf("docs/runbooks/README.md does not list %s", rule.Alert)
		}
	}
	for _, state := range States() {
		if state.Runbook != "" && !pages[state.Runbook] {
			t.Errorf("state %s names the runbook of no alert: %s", state.State, state.Runbook)
		}
	}
}

func TestLimitsReachTheRules(t *testing.T) {
	t.Parallel()
	limits := LimitsOf(&v1alpha1.AlertThresholds{PinNotDeployed: "90s", PinStale: "48h", PromotionLag: "1h", ResourceDrift: "3h", SuspendedTooLong: "30m"})
	want := Limits{PinNotDeployed: 90 * time.Second, PinStale: 48 * time.Hour, PromotionLag: time.Hour, ResourceDrift: 3 * time.Hour, SuspendedTooLong: 30 * time.Minute}
	if limits != want {
		t.Errorf("limits: %+v", limits)
	}
	said := map[string]string{}
	for _, rule := range Alerts(AlertOptions{Limits: limits, FirstStage: []string{"a", "b"}, Stages: []string{"a", "b", "c"}, Labels: map[string]string{"team": "x"}}) {
		said[rule.Alert] = rule.Expr + " for " + rule.For
		if rule.Labels["team"] != "x" {
			t.Errorf("%s lacks the label", rule.Alert)
		}
	}
	for _, rule := range Alerts(AlertOptions{Limits: limits}) {
		if rule.Alert == "TfgitopsPromotionLag" {
			t.Error("where there are no stages, there is nothing to promote")
		}
	}
	for alert, text := range map[string]string{
		"TfgitopsPinNotDeployed": "for 90s", "TfgitopsPinStale": "> 172800 for", "TfgitopsPromotionLag": `{cluster=~"a|b"} > 3600`,
		"TfgitopsResourceDrift": "for 3h", "TfgitopsSuspendedTooLong": "for 30m",
	} {
		if !strings.Contains(said[alert], text) {
			t.Errorf("%s: %q, want %q", alert, said[alert], text)
		}
	}
}
