package live

import (
	"slices"
	"time"
)

// ReportVersion counts the incompatible changes of a Report's JSON and YAML.
const ReportVersion = 1

// Report is the comparison of a control repo with what its clusters run.
type Report struct {
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	// Repo is the control repo's name, and Head the commit that was compared.
	Repo string `json:"repo"`
	Head string `json:"head,omitempty"`
	// Verdict is the worst state of all rows.
	Verdict  State           `json:"verdict"`
	Clusters []ClusterStatus `json:"clusters"`
	// Rows are components on clusters, worst first.
	Rows []Row `json:"rows"`
	// Lanes say how each component moves through the stages.
	Lanes []Lane `json:"lanes"`
	// Changes are the newest changes of pins.
	Changes []PinChange `json:"changes"`
	// External are the components that are delivered outside Kubernetes.
	External []External `json:"external"`
}

// ClusterStatus is what there is to say of a cluster as a whole.
type ClusterStatus struct {
	Name  string `json:"name"`
	Stage string `json:"stage,omitempty"`
	// Read is when the cluster was read; not set where it was not asked.
	Read time.Time `json:"read,omitzero"`
	// Error says why it could not be read, and Incomplete what of it.
	Error      string            `json:"error,omitempty"`
	Incomplete map[string]string `json:"incomplete,omitempty"`
	// KubeVersion and FluxVersion are what runs there, where that is known.
	KubeVersion string `json:"kubeVersion,omitempty"`
	FluxVersion string `json:"fluxVersion,omitempty"`
	// Notes say what differs from cluster.yaml, and what is wrong with Flux there.
	Notes []string `json:"notes,omitempty"`
	// Applied is the control repo's commit that Flux applied last.
	Applied string `json:"applied,omitempty"`
	// Compared says that the control repo's history has Applied: otherwise it is not known what Flux has not applied.
	Compared bool `json:"compared"`
	// BehindSince is when the oldest commit was made or merged that Flux has not applied; not set where it has applied all.
	BehindSince time.Time `json:"behindSince,omitzero"`
}

// Row is one component on one cluster.
type Row struct {
	Component string `json:"component"`
	Cluster   string `json:"cluster"`
	Stage     string `json:"stage,omitempty"`
	State     State  `json:"state"`
	// Source is the address of the component's source, for links; only where browsers open it.
	Source string `json:"source,omitempty"`
	// Pinned is what the control repo says; not there for what no pin declares.
	Pinned *PinnedVersion `json:"pinned,omitempty"`
	// Live is what runs; not there where that is not known, or nothing does.
	Live *LiveVersion `json:"live,omitempty"`
	// Drift says in which ways the cluster differs: pin, spec, resource, unmanaged, missing.
	Drift []string `json:"drift,omitempty"`
	// Behind is what waits in the source; not there where that is not known.
	Behind *Behind `json:"behind,omitempty"`
	// Flux is the reason of Flux's Ready condition of the worst release, and Note says more.
	Flux string `json:"flux,omitempty"`
	Note string `json:"note,omitempty"`
	// ChartsPresent says whether the registries have every pinned chart; nil where that is not known.
	ChartsPresent *bool `json:"chartsPresent,omitempty"`
	// ImagesPresent says the same of the pinned images.
	ImagesPresent *bool `json:"imagesPresent,omitempty"`
	// Manifests is how the cluster's Kustomization does, for a component of plain manifests.
	Manifests *ReleaseStatus `json:"manifests,omitempty"`
	// Releases are the component's Helm releases.
	Releases []ReleaseStatus `json:"releases,omitempty"`
}

// PinnedVersion is what a cluster is to run.
type PinnedVersion struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	// Since, By and Change are of the control repo's commit that pinned it; not set where it is not in the history.
	Since  time.Time `json:"since,omitzero"`
	By     string    `json:"by,omitempty"`
	Change string    `json:"change,omitempty"`
}

// LiveVersion is what a cluster runs.
type LiveVersion struct {
	Version string    `json:"version"`
	Commit  string    `json:"commit,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// Behind is what waits in a component's source.
type Behind struct {
	Commits int `json:"commits"`
	// Oldest is when the oldest of them was merged.
	Oldest time.Time `json:"oldest,omitzero"`
}

// ReleaseStatus is one Helm release of a row.
type ReleaseStatus struct {
	Name      string `json:"name"`
	State     State  `json:"state"`
	Pinned    string `json:"pinned,omitempty"`
	Live      string `json:"live,omitempty"`
	Ready     string `json:"ready,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Suspended bool   `json:"suspended,omitempty"`
	Note      string `json:"note,omitempty"`
	// Drift is nil where it is not known.
	Drift []string `json:"drift,omitempty"`
	// DriftKnown says that Flux reports of changed objects.
	DriftKnown bool `json:"driftKnown"`
}

// Lane is how a component moves through the stages.
type Lane struct {
	Component string     `json:"component"`
	Steps     []LaneStep `json:"steps"`
	// WaitingSince is when the first stage took a version that the last does not have yet; not set where all agree.
	WaitingSince time.Time `json:"waitingSince,omitzero"`
}

// LaneStep is one cluster of a lane.
type LaneStep struct {
	Stage   string `json:"stage"`
	Cluster string `json:"cluster"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
}

// External is a component that is delivered outside Kubernetes.
type External struct {
	Component string `json:"component"`
	How       string `json:"how"`
}

// Filter is the part of a report that a person asks for; empty means all.
type Filter struct{ Clusters, Components, Stages []string }

// HasCluster reports whether it lets a cluster of a stage through.
func (f Filter) HasCluster(name, stage string) bool {
	return keep(f.Clusters, name) && keep(f.Stages, stage)
}

func keep(wanted []string, name string) bool {
	return len(wanted) == 0 || slices.Contains(wanted, name)
}

// Only returns the report of a part of the rows.
func (r Report) Only(f Filter) Report {
	rows, clusters, lanes, changes, external := r.Rows, r.Clusters, r.Lanes, r.Changes, r.External
	r.Rows, r.Clusters, r.Lanes, r.Changes, r.External = []Row{}, []ClusterStatus{}, []Lane{}, []PinChange{}, []External{}
	stageOf := map[string]string{}
	for _, c := range clusters {
		stageOf[c.Name] = c.Stage
		if f.HasCluster(c.Name, c.Stage) {
			r.Clusters = append(r.Clusters, c)
		}
	}
	here := func(cluster, component string) bool {
		return f.HasCluster(cluster, stageOf[cluster]) && keep(f.Components, component)
	}
	for _, row := range rows {
		if here(row.Cluster, row.Component) {
			r.Rows = append(r.Rows, row)
		}
	}
	for _, change := range changes {
		if here(change.Cluster, change.Component) {
			r.Changes = append(r.Changes, change)
		}
	}
	for _, lane := range lanes {
		if keep(f.Components, lane.Component) {
			r.Lanes = append(r.Lanes, lane)
		}
	}
	for _, e := range external {
		if keep(f.Components, e.Component) {
			r.External = append(r.External, e)
		}
	}
	r.Verdict = verdict(r.Rows)
	return r
}

func verdict(rows []Row) State {
	state := OK
	for _, row := range rows {
		state = worse(state, row.State)
	}
	return state
}

// Any reports whether a row is in one of the states.
func (r Report) Any(states ...State) bool {
	for _, row := range r.Rows {
		if slices.Contains(states, row.State) {
			return true
		}
	}
	return false
}
