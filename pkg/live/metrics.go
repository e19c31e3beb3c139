package live

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is one of ours. No label holds words of others: a message or an address would make a new series each time.
type metric struct {
	name, help string
	labels     []string
}

func (m metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.name, m.help, m.labels, nil) }

// The metrics. What is not known has no series.
var (
	pinInfo       = metric{"tfgitops_pin_info", "What is pinned: the commit, or the version of what nobody here builds.", []string{"component", "cluster", "sha"}}
	liveInfo      = metric{"tfgitops_live_info", "What runs.", []string{"component", "cluster", "sha", "chart_version"}}
	pinTime       = metric{"tfgitops_pin_timestamp_seconds", "When the pinned version was pinned.", []string{"component", "cluster"}}
	pinBehind     = metric{"tfgitops_pin_commits_behind", "How many merged commits the pin lacks.", []string{"component", "cluster"}}
	pinOldest     = metric{"tfgitops_pin_oldest_unpinned_commit_timestamp_seconds", "When the oldest of them was merged; 0: there is none.", []string{"component", "cluster"}}
	driftGauge    = metric{"tfgitops_drift", "Whether the cluster differs from the pin, by kind: pin, spec, resource, unmanaged, missing.", []string{"component", "cluster", "kind"}}
	releaseStatus = metric{"tfgitops_release_status", "The status that a release is in: Ready, Failed, Progressing, Suspended or Unknown.", []string{"component", "cluster", "release", "status"}}
	releaseHeld   = metric{"tfgitops_release_suspended", "Whether Flux was told to leave a release alone.", []string{"component", "cluster", "release"}}
	sourceBehind  = metric{"tfgitops_cluster_source_behind_seconds", "How old the oldest commit of the control repo is that Flux has not applied; 0: there is none.", []string{"cluster"}}
	artifactThere = metric{"tfgitops_pin_artifact_present", "Whether what is pinned is in its registry.", []string{"component", "cluster", "artifact"}}
	probeTime     = metric{"tfgitops_probe_last_success_timestamp_seconds", "When a source of these numbers was read last; when the exporter started, where it never was.", []string{"target"}}
	tookTime      = metric{"tfgitops_refresh_duration_seconds", "How long the last refresh took, by part: clusters, upstream, all.", []string{"part"}}
)

func allMetrics() []metric {
	return []metric{pinInfo, liveInfo, pinTime, pinBehind, pinOldest, driftGauge, releaseStatus, releaseHeld, sourceBehind, artifactThere, probeTime, tookTime}
}

// Collector gives Prometheus the numbers of one report: a component that is gone leaves no series behind.
type Collector struct {
	View View
	// only is the one metric that is collected; not set: all are.
	only metric
}

// Describe names the metrics.
func (c Collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range allMetrics() {
		if c.only.name == "" || c.only.name == m.name {
			to <- m.desc()
		}
	}
}

// Collect sends the numbers.
func (c Collector) Collect(to chan<- prometheus.Metric) {
	send := sender{to: to, only: c.only, descs: map[string]*prometheus.Desc{}}
	for target, at := range c.View.Probes {
		send.gauge(probeTime, seconds(at), target)
	}
	for part, took := range c.View.Took {
		send.gauge(tookTime, took.Seconds(), part)
	}
	report := c.View.Report
	for _, cluster := range report.Clusters {
		if cluster.Compared {
			behind := 0.0
			if !cluster.BehindSince.IsZero() {
				behind = report.Time.Sub(cluster.BehindSince).Seconds()
			}
			send.gauge(sourceBehind, behind, cluster.Name)
		}
	}
	send.rows(report.Rows)
}

// rows sends each component's on a cluster. What is pinned and what no pin declares may be of the same component, and so may
// several of the latter: those are one number.
func (s sender) rows(rows []Row) {
	type place struct{ component, cluster string }
	pinned, unmanaged := map[place]bool{}, map[place]bool{}
	for _, row := range rows {
		if row.Pinned != nil {
			pinned[place{row.Component, row.Cluster}] = true
			s.pinned(row)
		}
	}
	for _, row := range rows {
		of := place{row.Component, row.Cluster}
		if row.Pinned != nil || unmanaged[of] {
			continue
		}
		unmanaged[of] = true
		s.gauge(driftGauge, 1, row.Component, row.Cluster, driftUnmanaged)
		if !pinned[of] {
			s.live(row)
		}
	}
}

// sender sends metrics, with each description made once.
type sender struct {
	to    chan<- prometheus.Metric
	only  metric
	descs map[string]*prometheus.Desc
}

func (s sender) gauge(m metric, value float64, labels ...string) {
	if s.only.name != "" && s.only.name != m.name {
		return
	}
	if s.descs[m.name] == nil {
		s.descs[m.name] = m.desc()
	}
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "?")
	}
	sent, err := prometheus.NewConstMetric(s.descs[m.name], prometheus.GaugeValue, value, labels...)
	if err == nil {
		s.to <- sent
	}
}

func (s sender) pinned(row Row) {
	s.gauge(pinInfo, 1, row.Component, row.Cluster, shaOf(row.Pinned.Version, row.Pinned.Commit))
	if !row.Pinned.Since.IsZero() {
		s.gauge(pinTime, seconds(row.Pinned.Since), row.Component, row.Cluster)
	}
	s.live(row)
	if row.Behind != nil {
		s.gauge(pinBehind, float64(row.Behind.Commits), row.Component, row.Cluster)
		s.gauge(pinOldest, seconds(row.Behind.Oldest), row.Component, row.Cluster)
	}
	for kind, present := range map[string]*bool{"chart": row.ChartsPresent, "image": row.ImagesPresent} {
		if present != nil {
			s.gauge(artifactThere, number(*present), row.Component, row.Cluster, kind)
		}
	}
	s.drift(row)
	for _, release := range row.allReleases() {
		s.gauge(releaseHeld, number(release.Suspended), row.Component, row.Cluster, release.Name)
		s.gauge(releaseStatus, 1, row.Component, row.Cluster, release.Name, release.statusWord())
	}
}

func (s sender) live(row Row) {
	if row.Live != nil && row.Live.Version != "" {
		s.gauge(liveInfo, 1, row.Component, row.Cluster, shaOf(row.Live.Version, row.Live.Commit), row.Live.Version)
	}
}

// allReleases are the Helm releases of a row, or its plain manifests, which are named as the component.
func (r Row) allReleases() []ReleaseStatus {
	if r.Manifests != nil {
		return []ReleaseStatus{*r.Manifests}
	}
	return r.Releases
}

// drift sends each kind that is known; that objects were changed, only where Flux reports on them.
func (s sender) drift(row Row) {
	if len(row.Releases) == 0 && (row.Manifests == nil || row.Manifests.State == Unknown) {
		return // not read
	}
	for _, kind := range []string{driftPin, driftSpec, driftMissing} {
		s.gauge(driftGauge, number(slices.Contains(row.Drift, kind)), row.Component, row.Cluster, kind)
	}
	if !slices.ContainsFunc(row.allReleases(), func(r ReleaseStatus) bool { return !r.DriftKnown }) {
		s.gauge(driftGauge, number(slices.Contains(row.Drift, driftResource)), row.Component, row.Cluster, driftResource)
	}
}

// statusWord is the release's one status for the metric.
func (s ReleaseStatus) statusWord() string {
	switch {
	case s.Suspended:
		return "Suspended"
	case s.State == Failed:
		return "Failed"
	case s.State == Unknown || s.Ready == "":
		return "Unknown"
	case s.Ready == "True":
		return "Ready"
	}
	return "Progressing"
}

// shaOf is the commit as short as people know it, or the version where there is none.
func shaOf(version, commit string) string {
	if commit == "" {
		return version
	}
	return commit[:min(len(commit), shortCommit)]
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func seconds(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}
