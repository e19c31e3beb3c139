package live

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Alert is one alert rule, in Prometheus' form.
type Alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// AlertOptions say what differs between the places that rules are loaded in.
type AlertOptions struct {
	Limits Limits
	// FirstStage are the clusters that a version reaches first, those that promotions start from; none: nothing is promoted.
	FirstStage []string
	// Stages are the clusters of all stages, without those that only follow.
	Stages []string
	// Job is the scrape job's name.
	Job string
	// Runbooks is the URL of a runbook, with {alert} in the place of the alert's name, or without it where that comes last.
	Runbooks string
	// Dashboard is the URL of a dashboard; empty: there is none.
	Dashboard string
	// Labels are added to each rule, such as team.
	Labels map[string]string
}

// The severities: who is told, and how.
const (
	critical = "critical"
	warning  = "warning"
	task     = "task"
)

// alertRow is one line of the table of alerts.
type alertRow struct {
	name, expr, wait, severity, summary, description string
}

// Alerts returns the rules. Each limit is either in the expression (the age of something) or in "for" (how long a state
// lasts), so that a limit counts once.
func Alerts(o AlertOptions) []Alert {
	var rules []Alert
	for _, row := range alertRows(o) {
		labels := map[string]string{"severity": row.severity}
		for name, value := range o.Labels {
			labels[name] = value
		}
		annotations := map[string]string{"summary": row.summary, "description": row.description, "runbook": runbookURL(o.Runbooks, alertPrefix+row.name)}
		if o.Dashboard != "" {
			annotations["dashboard"] = o.Dashboard
		}
		rules = append(rules, Alert{Alert: alertPrefix + row.name, Expr: row.expr, For: row.wait, Labels: labels, Annotations: annotations})
	}
	return rules
}

const (
	alertPrefix = "Tfgitops"
	// alertInURL stands for an alert's name.
	alertInURL = "{alert}"
)

func runbookURL(pattern, alert string) string {
	if !strings.Contains(pattern, alertInURL) {
		return pattern + alert
	}
	return strings.ReplaceAll(pattern, alertInURL, alert)
}

func alertRows(o AlertOptions) []alertRow {
	const here = "{{ $labels.component }} on {{ $labels.cluster }}"
	notSuspended := " unless on (component, cluster) " + recent("tfgitops_release_suspended") + " == 1"
	rows := []alertRow{
		{
			"Down", `(up{job="` + o.Job + `"} or on () vector(-1)) < 1`, "15m", warning, "tfgitops' exporter is down or not scraped",
			"Nobody is told what clusters run: every other alert of tfgitops is silent.",
		},
		{
			"Blind", "time() - tfgitops_probe_last_success_timestamp_seconds > 1800", "5m", warning, "tfgitops cannot read {{ $labels.target }}",
			"{{ $labels.target }} was last read {{ $value | humanizeDuration }} ago. What it says is unknown since.",
		},
		{
			"PinnedArtifactMissing", "tfgitops_pin_artifact_present == 0", "10m", critical, "The pinned {{ $labels.artifact }} of " + here + " is not in its registry",
			"A node that must fetch it cannot, and neither can Flux.",
		},
		{
			// Flux tries again every few minutes and is Progressing meanwhile: that must not begin the time anew.
			"ReleaseFailed", `max_over_time(tfgitops_release_status{status="Failed"}[30m]) == 1 unless on (component, cluster, release) tfgitops_release_status{status=~"Ready|Suspended"} == 1`, "15m", critical, "The release {{ $labels.release }} of " + here + " failed",
			"Flux could not install or upgrade it, and has not succeeded since. The version before may still run.",
		},
		{
			"PinNotDeployed", recent(`tfgitops_drift{kind="pin"}`) + " == 1" + notSuspended, span(o.Limits.PinNotDeployed), warning, here + " does not run what is pinned",
			"The cluster runs another version than the control repo says.",
		},
		{
			"ResourceDrift", recent(`tfgitops_drift{kind=~"spec|resource|unmanaged|missing"}`) + " == 1" + notSuspended, span(o.Limits.ResourceDrift), warning, here + " differs from the control repo ({{ $labels.kind }})",
			"Somebody changed the cluster by hand, or Flux does not apply the control repo.",
		},
		{
			"SuspendedTooLong", recent("tfgitops_release_suspended") + " == 1", span(o.Limits.SuspendedTooLong), task, "The release {{ $labels.release }} of " + here + " is still suspended",
			"Flux was told to leave it alone: neither changes of its pin nor of its values arrive.",
		},
		{
			"ClusterSourceBehind", "tfgitops_cluster_source_behind_seconds > 1800", "15m", warning, "{{ $labels.cluster }} does not apply the control repo",
			"The oldest commit that Flux has not applied is {{ $value | humanizeDuration }} old.",
		},
		{
			"PinStale", "time() - (" + recent("tfgitops_pin_oldest_unpinned_commit_timestamp_seconds") + " > 0) > " + secondsOf(o.Limits.PinStale), "1h", task, "A merged change of " + here + " is not deployed",
			"The oldest commit that waits was merged {{ $value | humanizeDuration }} ago.",
		},
	}
	if len(o.FirstStage) > 0 {
		rows = append(rows, alertRow{
			"PromotionLag", fmt.Sprintf(`time() - tfgitops_pin_timestamp_seconds{cluster=~"%s"} > %s and on (component) count by (component) (count by (component, sha) (tfgitops_pin_info{cluster=~"%s"})) > 1`,
				clusterPattern(o.FirstStage), secondsOf(o.Limits.PromotionLag), clusterPattern(o.Stages)), "1h", task, "{{ $labels.component }} is not promoted",
			"{{ $labels.cluster }} has its version since {{ $value | humanizeDuration }}, and another cluster has another.",
		})
	}
	return rows
}

// recent is the newest number of the last quarter of an hour: where something could not be read for a moment, and while an
// exporter starts, there is none, and a wait of a day would begin anew. It is for rules that wait longer than that.
func recent(series string) string { return "last_over_time(" + series + "[15m])" }

// clusterPattern matches exactly these clusters. Their names are DNS labels: nothing in them means anything to Prometheus.
func clusterPattern(names []string) string { return strings.Join(names, "|") }

func secondsOf(d time.Duration) string { return fmt.Sprint(int64(d.Seconds())) }

// span writes a duration as Prometheus does.
func span(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", int64(d.Seconds()))
}

type ruleGroup struct {
	Name  string  `json:"name"`
	Rules []Alert `json:"rules"`
}

type ruleFile struct {
	Groups []ruleGroup `json:"groups"`
}

// prometheusRule is the kind of Prometheus' operator.
type prometheusRule struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       ruleFile          `json:"spec"`
}

// AlertFormats are the forms in which the rules are written.
func AlertFormats() map[string]func(io.Writer, []Alert) error {
	return map[string]func(io.Writer, []Alert) error{
		"rules": func(out io.Writer, rules []Alert) error { return writeRules(out, fileOf(rules)) },
		"prometheusrule": func(out io.Writer, rules []Alert) error {
			return writeRules(out, prometheusRule{"monitoring.coreos.com/v1", "PrometheusRule", map[string]string{"name": "tfgitops"}, fileOf(rules)})
		},
	}
}

func fileOf(rules []Alert) ruleFile {
	return ruleFile{Groups: []ruleGroup{{Name: "tfgitops", Rules: rules}}}
}

func writeRules(out io.Writer, document any) error {
	data, err := yaml.Marshal(document)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "# Written by tfgitops alerts.\n%s", data)
	return err
}
