package live

import (
	"slices"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// cluster says what there is to say of a cluster as a whole.
func (c *comparison) cluster(name string) ClusterStatus {
	status := ClusterStatus{Name: name, Stage: c.stage(name)}
	read, unreadable := c.read(name)
	if unreadable != "" {
		status.Error = unreadable
		if c.snapshot != nil {
			status.Read = c.snapshot.Clusters[name].Time
		}
		return status
	}
	status.Read, status.Incomplete, status.KubeVersion, status.FluxVersion = read.Time, read.Incomplete, read.KubeVersion, read.FluxVersion
	status.Notes = clusterNotes(c.repo.Clusters[name], read)
	if own := read.kustomization(name); own != nil {
		status.Applied = appliedCommit(own.Applied)
		unapplied, known := c.history.Unapplied[name]
		status.Compared, status.BehindSince = known, oldest(unapplied)
		if !known && c.history.Head != "" && status.Applied != "" {
			status.Notes = append(status.Notes, "what Flux has not applied is not known: the history here does not have "+shortVersion("", status.Applied)+", which it applied last")
		}
	}
	return status
}

func clusterNotes(declared *control.Cluster, read Cluster) []string {
	var notes []string
	if read.KubeVersion != "" && plainKubeVersion(read.KubeVersion) != plainKubeVersion(declared.KubeVersion) {
		notes = append(notes, "runs Kubernetes "+read.KubeVersion+", and cluster.yaml says "+declared.KubeVersion)
	}
	switch {
	case read.Incomplete["Deployment"] != "":
	case read.FluxVersion == "":
		notes = append(notes, "which version of Flux runs is not known: no Deployment in "+declared.FluxNamespaceName()+" is labelled as Flux's")
	case !isFluxVersion(read.FluxVersion, declared.FluxVersion):
		notes = append(notes, "runs Flux "+read.FluxVersion+", and cluster.yaml says "+declared.FluxVersion)
	}
	own := read.kustomization(declared.Name)
	switch {
	case read.Incomplete["Kustomization"] != "":
	case own == nil:
		notes = append(notes, "no Kustomization applies "+control.ClusterDir(declared.Name))
	case own.Suspended:
		notes = append(notes, "the Kustomization "+own.Name+" is suspended: nothing new is applied")
	case own.Ready.is("False"):
		notes = append(notes, "the Kustomization "+own.Name+" is not ready: "+own.Ready.Message)
	}
	return notes
}

// isFluxVersion compares what runs with what cluster.yaml says: "2.9" there is any 2.9.
func isFluxVersion(live, declared string) bool {
	return !strings.Contains(live, ", ") && strings.HasPrefix(strings.TrimPrefix(live, "v"), declared+".")
}

// plainKubeVersion is the version's three numbers: distributions add their own.
func plainKubeVersion(version string) string {
	version = strings.TrimPrefix(version, "v")
	if end := strings.IndexAny(version, "-+"); end >= 0 {
		version = version[:end]
	}
	return version
}

// lane follows a component through the stages' own clusters; followers gate nothing.
func (c *comparison) lane(component string) Lane {
	lane := Lane{Component: component, Steps: []LaneStep{}}
	for _, stage := range c.repo.Spec.Stages {
		for _, name := range stage.Clusters {
			cluster := c.repo.Clusters[name]
			if cluster == nil || cluster.Pins[component] == nil {
				continue
			}
			pin := cluster.Pins[component]
			lane.Steps = append(lane.Steps, LaneStep{Stage: stage.Name, Cluster: name, Version: describe(pin.PinSpec), Commit: pin.Commit})
		}
	}
	lane.WaitingSince = c.waitingSince(lane)
	return lane
}

// waitingSince is when the first step took what a later one does not have.
func (c *comparison) waitingSince(lane Lane) time.Time {
	differs := func(step LaneStep) bool { return step.Version != lane.Steps[0].Version }
	if len(lane.Steps) == 0 || !slices.ContainsFunc(lane.Steps, differs) {
		return time.Time{}
	}
	change, _ := c.history.pinned(lane.Steps[0].Cluster, lane.Component)
	return change.Time
}
