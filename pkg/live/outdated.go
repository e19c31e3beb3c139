package live

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// OutdatedVersion counts the incompatible changes of an Outdated's JSON and YAML.
const OutdatedVersion = 1

// Outdated is what could be pinned and is not.
type Outdated struct {
	Version int           `json:"version"`
	Time    time.Time     `json:"time"`
	Rows    []OutdatedRow `json:"rows"`
	// Problems say what could not be asked.
	Problems []string `json:"problems"`
}

// OutdatedRow is one release on one cluster that something newer waits for.
type OutdatedRow struct {
	Component string `json:"component"`
	Release   string `json:"release"`
	Cluster   string `json:"cluster"`
	Pinned    string `json:"pinned"`
	// Newest is the newest version that is published: by time for what is built here, by semantic version otherwise. Empty
	// where none is newer than the pinned one.
	Newest string `json:"newest,omitempty"`
	// Newer is how many published versions are newer.
	Newer int `json:"newer"`
	// Merged are the commits of the source's branch that the pin lacks, newest first.
	Merged []MergedCommit `json:"merged,omitempty"`
	// Unpublished is how many of those are newer than every published version: CI is at it, or broke.
	Unpublished int `json:"unpublished"`
	// UnpublishedSince is when the oldest of those was merged.
	UnpublishedSince time.Time `json:"unpublishedSince,omitzero"`
}

// MergedCommit is a merged commit with the version that it is published as, if it is.
type MergedCommit struct {
	Commit
	Version string `json:"version,omitempty"`
}

// FindOutdated compares pins with what waits upstream. It is pure.
func FindOutdated(repo *control.Repo, upstream *Upstream, now time.Time) Outdated {
	found := Outdated{Version: OutdatedVersion, Time: now.UTC(), Rows: []OutdatedRow{}, Problems: append(upstream.Problems(), upstream.unknown(repo)...)}
	for _, cluster := range repo.ClusterNames() {
		deployments, _ := repo.Deployments(cluster)
		for _, deployment := range deployments {
			for _, release := range deployment.Releases {
				if row := outdatedRow(deployment, release, upstream); row.Newest != "" || len(row.Merged) > 0 {
					found.Rows = append(found.Rows, row)
				}
			}
		}
	}
	slices.SortStableFunc(found.Rows, func(a, b OutdatedRow) int {
		return cmp.Or(strings.Compare(a.Component, b.Component), strings.Compare(a.Release, b.Release), strings.Compare(a.Cluster, b.Cluster))
	})
	return found
}

// unknown says which pinned commits and charts were not asked about and gave no error either: those of a pin that an exporter
// does not have.
func (u *Upstream) unknown(repo *control.Repo) []string {
	lines := []string{}
	for _, cluster := range repo.ClusterNames() {
		deployments, _ := repo.Deployments(cluster)
		for _, d := range deployments {
			name := d.Component.Name
			if _, known := u.waiting(name, d.Commit); !known && d.Commit != "" && d.Component.Source != nil && u.Errors[name] == "" {
				lines = append(lines, fmt.Sprintf("%s on %s: what waits behind %s is not known: its source does not have that commit, or was not asked", name, cluster, shortVersion("", d.Commit)))
			}
			for _, release := range d.Releases {
				chart := chartOf(release).ChartKey
				reference := artifact.Repository{URL: chart.URL}.Ref(chart.Chart, "")
				if _, known := u.Versions[chart]; !known && u.Errors[reference] == "" {
					lines = append(lines, fmt.Sprintf("%s on %s: its registry was not asked for versions of %s", name, cluster, reference))
				}
			}
		}
	}
	return slices.Compact(lines)
}

func outdatedRow(d control.Deployment, release control.Release, upstream *Upstream) OutdatedRow {
	row := OutdatedRow{Component: d.Component.Name, Release: release.Name, Cluster: d.Cluster.Name, Pinned: release.Version}
	versions, listed := upstream.Versions[chartOf(release).ChartKey]
	pattern, _ := artifact.CompilePattern(release.Source.VersionPattern)
	if pattern == nil {
		row.Newest, row.Newer = newerBySemver(release.Version, versions)
		return row
	}
	builds := buildsOf(pattern, versions)
	row.Newest, row.Newer = newerByTime(pattern, release.Version, builds)
	commits, _ := upstream.waiting(d.Component.Name, d.Commit)
	for _, commit := range commits {
		row.Merged = append(row.Merged, MergedCommit{Commit: commit, Version: builds.of(commit.ID)})
	}
	if listed {
		row.countUnpublished()
	}
	return row
}

// countUnpublished counts the commits at the head of the branch that nothing is published of: what lies below a published
// one is part of that.
func (r *OutdatedRow) countUnpublished() {
	for _, commit := range r.Merged {
		if commit.Version != "" {
			return
		}
		r.Unpublished++
		r.UnpublishedSince = commit.Time
	}
}

// newerBySemver finds the highest stable version above the pinned one.
func newerBySemver(pinned string, versions []PublishedVersion) (newest string, newer int) {
	own, err := semver.NewVersion(pinned)
	if err != nil {
		return "", 0
	}
	highest := own
	for _, version := range versions {
		parsed, err := semver.NewVersion(version.Version)
		if err != nil || parsed.Prerelease() != "" || !parsed.GreaterThan(own) {
			continue
		}
		newer++
		if parsed.GreaterThan(highest) {
			highest, newest = parsed, version.Version
		}
	}
	return newest, newer
}

// build is a version that was built of a merged commit.
type build struct {
	version, commit string
	time            time.Time
}

type builds []build

// buildsOf returns the builds of merged commits among versions, newest first.
func buildsOf(pattern *artifact.Pattern, versions []PublishedVersion) builds {
	var found builds
	for _, version := range versions {
		built, ok := pattern.Build(version.Version)
		if ok && !artifact.IsUnmerged(version.Version) {
			found = append(found, build{version.Version, built.Commit, cmp.Or(built.Time, version.Created)})
		}
	}
	slices.SortFunc(found, func(a, b build) int { return cmp.Or(b.time.Compare(a.time), strings.Compare(a.version, b.version)) })
	return found
}

// of returns the newest version that was built of a commit.
func (b builds) of(commit string) string {
	for _, candidate := range b {
		if strings.HasPrefix(commit, candidate.commit) {
			return candidate.version
		}
	}
	return ""
}

func newerByTime(pattern *artifact.Pattern, pinned string, published builds) (newest string, newer int) {
	own, ok := pattern.Build(pinned)
	if !ok || own.Time.IsZero() {
		return "", 0
	}
	for _, candidate := range published {
		if candidate.time.After(own.Time) && candidate.commit != own.Commit {
			newer++
			newest = cmp.Or(newest, candidate.version)
		}
	}
	return newest, newer
}

// OutdatedFormats are the forms in which it is written.
func OutdatedFormats() map[string]func(io.Writer, Outdated) error {
	return map[string]func(io.Writer, Outdated) error{
		"table": writeOutdated,
		"json":  func(out io.Writer, o Outdated) error { return WriteJSON(out, o) },
		"yaml":  func(out io.Writer, o Outdated) error { return WriteYAML(out, o) },
	}
}

func writeOutdated(out io.Writer, o Outdated) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RELEASE\tCLUSTER\tPINNED\tNEWEST PUBLISHED\tNEWER\tMERGED\tUNPUBLISHED\tOLDEST WAITING")
	for _, row := range o.Rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", row.Release, row.Cluster, row.Pinned, orDash(row.Newest), row.Newer,
			row.mergedText(o.Time), row.unpublishedText(o.Time), row.oldestText())
	}
	return table.Flush()
}

func (r OutdatedRow) mergedText(now time.Time) string {
	if len(r.Merged) == 0 {
		return "-"
	}
	return fmt.Sprintf("%d (%s)", len(r.Merged), age(r.Merged[len(r.Merged)-1].Time, now))
}

func (r OutdatedRow) unpublishedText(now time.Time) string {
	if r.Unpublished == 0 {
		return "-"
	}
	return fmt.Sprintf("%d (%s)", r.Unpublished, age(r.UnpublishedSince, now))
}

// oldestText is the commit that waits longest: its author and tasks say whom to ask.
func (r OutdatedRow) oldestText() string {
	if len(r.Merged) == 0 {
		return "-"
	}
	last := r.Merged[len(r.Merged)-1]
	text := cut(last.Subject, maxNote/2) + " (" + last.Author
	if len(last.Tasks) > 0 {
		text += ", " + strings.Join(last.Tasks, " ")
	}
	return text + ")"
}
