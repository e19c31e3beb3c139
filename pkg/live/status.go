package live

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// shownChanges is how many changes of pins a report has.
const shownChanges = 20

// Status compares what a control repo pins with what its clusters run, and with what waits upstream. It is pure: the same
// input gives the same report. Whatever is nil or empty is not known, and what is not known is never ok. The repo must
// have been loaded without findings.
func Status(repo *control.Repo, snapshot *Snapshot, history History, upstream *Upstream, now time.Time) Report {
	c := comparison{repo: repo, snapshot: snapshot, history: history, upstream: upstream, now: now, limits: LimitsOf(repo.Spec.Alerts), patterns: map[string]*artifact.Pattern{}}
	report := Report{
		Version: ReportVersion, Time: now.UTC(), Repo: repo.Name, Head: history.Head,
		Clusters: []ClusterStatus{}, Rows: []Row{}, Lanes: []Lane{}, Changes: []PinChange{}, External: []External{},
	}
	for _, name := range inStageOrder(repo) {
		report.Clusters = append(report.Clusters, c.cluster(name))
		report.Rows = append(report.Rows, c.rows(name)...)
	}
	for _, name := range repo.ComponentNames() {
		if how := repo.Components[name].External; how != "" {
			report.External = append(report.External, External{Component: name, How: how})
		} else if lane := c.lane(name); len(lane.Steps) > 0 {
			report.Lanes = append(report.Lanes, lane)
		}
	}
	report.Changes = append(report.Changes, history.Changes[:min(len(history.Changes), shownChanges)]...)
	sortRows(report.Rows)
	report.Verdict = verdict(report.Rows)
	return report
}

// inStageOrder returns the clusters as versions reach them; those of no stage come last.
func inStageOrder(repo *control.Repo) []string {
	var names []string
	for _, stage := range repo.Spec.Stages {
		names = append(names, slices.Concat(stage.Clusters, stage.Followers)...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return repo.Clusters[name] == nil })
	for _, name := range repo.ClusterNames() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func sortRows(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(a.State.rank()-b.State.rank(), strings.Compare(a.Component, b.Component), strings.Compare(a.Cluster, b.Cluster))
	})
}

// comparison is one call of Status.
type comparison struct {
	repo     *control.Repo
	snapshot *Snapshot
	history  History
	upstream *Upstream
	now      time.Time
	limits   Limits
	patterns map[string]*artifact.Pattern
}

// read returns what was read of a cluster, and why nothing was.
func (c *comparison) read(cluster string) (Cluster, string) {
	if c.snapshot == nil {
		return Cluster{}, "no cluster was asked"
	}
	read, asked := c.snapshot.Clusters[cluster]
	switch {
	case !asked:
		return Cluster{}, "the cluster was not asked"
	case read.Error != "":
		return Cluster{}, "the cluster could not be read: " + read.Error
	}
	return read, ""
}

// rows returns what is pinned on a cluster, and what runs there without a pin.
func (c *comparison) rows(cluster string) []Row {
	read, unreadable := c.read(cluster)
	deployments, _ := c.repo.Deployments(cluster) // its findings are those of a repo that is refused before
	var rows []Row
	declared := map[string]bool{}
	for _, deployment := range deployments {
		for _, release := range deployment.Releases {
			declared[release.Name] = true
		}
		rows = append(rows, c.row(deployment, read, unreadable))
	}
	for _, release := range read.Releases {
		if !declared[release.Name] {
			rows = append(rows, c.unmanaged(cluster, release))
		}
	}
	return rows
}

func (c *comparison) stage(cluster string) string {
	stage, _ := c.repo.StageOf(cluster)
	return stage.Name
}

// unmanaged is a release that no pin declares.
func (c *comparison) unmanaged(cluster string, release Release) Row {
	live, _ := release.Live()
	row := Row{
		Component: cmp.Or(release.Component, release.Name), Cluster: cluster, Stage: c.stage(cluster), State: Unmanaged,
		Drift: []string{driftUnmanaged}, Note: "the HelmRelease " + release.Name + " is on the cluster, and no pin declares it",
		Live: &LiveVersion{Version: plainVersion(live.Version), Since: live.Time},
	}
	if release.Ready != nil {
		row.Flux = release.Ready.Reason
	}
	return row
}

func (c *comparison) row(d control.Deployment, read Cluster, unreadable string) Row {
	pin := d.Cluster.Pins[d.Component.Name]
	row := Row{Component: d.Component.Name, Cluster: d.Cluster.Name, Stage: c.stage(d.Cluster.Name), State: OK, Pinned: c.pinned(d, pin), Source: webAddress(d.Component)}
	switch {
	case unreadable != "":
		row.State, row.Note = Unknown, unreadable
	case d.ManifestsDir != "":
		c.manifests(&row, read)
	default:
		c.releases(&row, d, read)
	}
	c.waiting(&row, d)
	c.artifacts(&row, d)
	if row.State == OK && slices.ContainsFunc(d.Releases, func(r control.Release) bool { return artifact.IsUnmerged(r.Version) }) {
		row.State, row.Note = MRBuild, "the build of an unmerged change"
	}
	return row
}

// webAddress is where a component's source is in a browser; empty for one that is not on the web, or whose address may hold
// more than a place.
func webAddress(component *control.Component) string {
	if component.Source == nil {
		return ""
	}
	address, err := url.Parse(component.Source.URL)
	if err != nil || address.Scheme != "https" || address.User != nil || address.RawQuery != "" {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(address.String(), "/"), ".git")
}

func (c *comparison) pinned(d control.Deployment, pin *control.Pin) *PinnedVersion {
	pinned := &PinnedVersion{Version: describe(pin.PinSpec), Commit: pin.Commit}
	if change, known := c.history.pinned(d.Cluster.Name, d.Component.Name); known {
		pinned.Since, pinned.By, pinned.Change = change.Time, change.By, change.Commit
	}
	return pinned
}

// describe returns a pin's version as a person reads it: the only one, or each release with its own.
func describe(pin v1alpha1.PinSpec) string {
	if pin.Manifests != nil {
		return pin.Manifests.Version
	}
	versions := map[string]string{}
	for name, release := range pin.Releases {
		versions[name] = release.Version
	}
	return describeVersions(versions)
}

func describeVersions(versions map[string]string) string {
	names := slices.Sorted(maps.Keys(versions))
	if len(names) == 1 {
		return versions[names[0]]
	}
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + " " + versions[name]
	}
	return strings.Join(parts, ", ")
}

// releases compares each Helm release of a row; the worst gives the row its state.
func (c *comparison) releases(row *Row, d control.Deployment, read Cluster) {
	pin := d.Cluster.Pins[d.Component.Name]
	live, worst := &LiveVersion{}, -1
	versions := map[string]string{}
	for i, release := range d.Releases {
		object := read.release(release.Name)
		status := expectation{name: release.Name, pinned: pin.Releases[release.Name], fresh: within(row.Pinned.Since, c.now, c.limits.PinNotDeployed)}.compare(read, object)
		row.Releases = append(row.Releases, status)
		for _, kind := range status.Drift {
			if !slices.Contains(row.Drift, kind) {
				row.Drift = append(row.Drift, kind)
			}
		}
		if worst < 0 || status.State.rank() < row.Releases[worst].State.rank() {
			worst = i
		}
		if status.Live == "" {
			continue
		}
		versions[release.Name] = status.Live
		entry, _ := object.Live()
		live.Since = later(live.Since, entry.Time)
		live.Commit = cmp.Or(live.Commit, c.commit(release, pin, status))
	}
	if worst >= 0 {
		row.State, row.Flux, row.Note = row.Releases[worst].State, row.Releases[worst].Reason, row.Releases[worst].Note
	}
	if len(versions) > 0 {
		live.Version = describeVersions(versions)
		row.Live = live
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// release returns the release of that name, or nil.
func (c Cluster) release(name string) *Release {
	i, found := slices.BinarySearchFunc(c.Releases, name, func(r Release, name string) int { return strings.Compare(r.Name, name) })
	if !found {
		return nil
	}
	return &c.Releases[i]
}

// commit is the one that a release runs: the pinned one, or what its version says.
func (c *comparison) commit(release control.Release, pin *control.Pin, status ReleaseStatus) string {
	build, found := c.pattern(release.Source.VersionPattern).Build(status.Live)
	switch {
	case !found:
		return ""
	case strings.HasPrefix(pin.Commit, build.Commit):
		return pin.Commit
	}
	return build.Commit
}

func (c *comparison) pattern(expression string) *artifact.Pattern {
	pattern, known := c.patterns[expression]
	if !known {
		pattern, _ = artifact.CompilePattern(expression) // checked with the repo
		c.patterns[expression] = pattern
	}
	return pattern
}

// manifests compares a component of plain manifests: what the cluster's Kustomization applied is what runs.
func (c *comparison) manifests(row *Row, read Cluster) {
	status := ReleaseStatus{Name: row.Component, Pinned: row.Pinned.Version}
	own := read.kustomization(row.Cluster)
	unapplied, known := c.history.Unapplied[row.Cluster]
	if own != nil {
		status.Suspended = own.Suspended
		if own.Ready != nil {
			status.Ready, status.Reason = own.Ready.Status, own.Ready.Reason
		}
	}
	switch {
	case slices.ContainsFunc(unapplied, func(commit Commit) bool { return commit.ID == row.Pinned.Change }):
		status.Drift = []string{driftPin, driftSpec}
	case own != nil && known:
		status.Live = row.Pinned.Version
		row.Live = &LiveVersion{Version: status.Live}
	}
	e := expectation{name: row.Component, fresh: within(row.Pinned.Since, c.now, c.limits.PinNotDeployed)}
	status.State, status.Note = e.manifests(own, row.Cluster, known, status.Drift)
	row.Manifests, row.State, row.Flux, row.Note, row.Drift = &status, status.State, status.Reason, status.Note, status.Drift
}

// kustomization returns the one that applies a cluster's folder of the control repo, or nil. Where none has that path, it is
// the one that applied our releases: of a published artifact the folder is the root.
func (c Cluster) kustomization(cluster string) *Kustomization {
	hasPath := func(k Kustomization) bool {
		path := "/" + strings.Trim(strings.TrimPrefix(k.Path, "./"), "/")
		return strings.HasSuffix(path, "/"+control.ClusterDir(cluster))
	}
	i := slices.IndexFunc(c.Kustomizations, hasPath)
	if ours := slices.IndexFunc(c.Releases, func(r Release) bool { return r.Component != "" && r.Kustomization != "" }); i < 0 && ours >= 0 {
		i = slices.IndexFunc(c.Kustomizations, func(k Kustomization) bool { return k.Name == c.Releases[ours].Kustomization })
	}
	if i < 0 {
		return nil
	}
	return &c.Kustomizations[i]
}

// waiting fills in what waits in the source. A commit that waits for too long makes an otherwise good row stale.
func (c *comparison) waiting(row *Row, d control.Deployment) {
	commits, known := c.upstream.waiting(d.Component.Name, d.Commit)
	if !known {
		return
	}
	row.Behind = &Behind{Commits: len(commits), Oldest: oldest(commits)}
	if len(commits) > 0 && !within(row.Behind.Oldest, c.now, c.limits.PinStale) && Stale.rank() < row.State.rank() {
		row.State, row.Note = Stale, "a merged change waits: "+commits[len(commits)-1].Subject
	}
}

// artifacts finds what is pinned and not in its registry any more.
func (c *comparison) artifacts(row *Row, d control.Deployment) {
	var charts, images presence
	for _, release := range d.Releases {
		charts.add(c.upstream.chart(release))
		for _, image := range release.Images {
			images.add(c.upstream.image(image))
		}
	}
	row.ChartsPresent, row.ImagesPresent = charts.all(), images.all()
	if missing := cmp.Or(charts.missing, images.missing); missing != "" {
		row.State, row.Note = ArtifactMissing, missing
	}
}

// presence gathers whether registries have a number of things.
type presence struct {
	asked, known int
	missing      string // what there is to say of the first that is not there
}

func (p *presence) add(known bool, missing string) {
	p.asked++
	if known {
		p.known++
	}
	p.missing = cmp.Or(p.missing, missing)
}

// all reports whether all are there; nil where that is not known.
func (p presence) all() *bool {
	there := p.missing == ""
	if there && (p.asked == 0 || p.known < p.asked) {
		return nil
	}
	return &there
}
