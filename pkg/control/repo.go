package control

import (
	"io/fs"
	"maps"
	"path"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// Repo is a control repo in memory, or the part of it that was asked for.
type Repo struct {
	Name       string
	Spec       v1alpha1.ControlRepoSpec
	Components map[string]*Component
	Clusters   map[string]*Cluster

	fsys fs.FS
	// broken says that tfgitops.yaml has findings of its own, so that nothing can be said of what refers to it.
	broken bool
}

// Component is a component with its values.
type Component struct {
	Name string
	v1alpha1.ComponentSpec
	// Values are the values for every cluster, by release.
	Values map[string]Values
	// broken says that the file has findings of its own, so that nothing can be said of what refers to it.
	broken bool
}

// Cluster is a cluster with its pins and values.
type Cluster struct {
	Name string
	v1alpha1.ClusterSpec
	// Pins are the pins that were asked for, by component.
	Pins map[string]*Pin
	// Pinned are the names of all components with a pin file here, asked for or not.
	Pinned map[string]bool
	// Values are this cluster's values, by release.
	Values map[string]Values

	broken bool
}

// Pin is what one component is pinned to on one cluster.
type Pin struct {
	v1alpha1.PinSpec
	// Values are the values that belong to the pinned versions, by release.
	Values map[string]Values
}

// FS returns the file system that the repo was loaded from.
func (r *Repo) FS() fs.FS { return r.fsys }

// ClusterNames returns the names of the loaded clusters, sorted.
func (r *Repo) ClusterNames() []string { return slices.Sorted(maps.Keys(r.Clusters)) }

// ComponentNames returns the names of the loaded components, sorted.
func (r *Repo) ComponentNames() []string { return slices.Sorted(maps.Keys(r.Components)) }

// PinnedComponents returns the names of the components whose pins were loaded for the cluster, sorted.
func (c *Cluster) PinnedComponents() []string { return slices.Sorted(maps.Keys(c.Pins)) }

// FluxNamespaceName is the namespace that Flux runs in and that HelmReleases go to.
func (c *Cluster) FluxNamespaceName() string {
	if c.FluxNamespace != "" {
		return c.FluxNamespace
	}
	return "flux-system"
}

// Release returns the release of that name, if the component has it.
func (c *Component) Release(name string) (v1alpha1.Release, bool) {
	i := slices.IndexFunc(c.Releases, func(r v1alpha1.Release) bool { return r.Name == name })
	if i < 0 {
		return v1alpha1.Release{}, false
	}
	return c.Releases[i], true
}

// ReleaseNames returns the names of the component's releases in the order of its file.
func (c *Component) ReleaseNames() []string {
	names := make([]string, len(c.Releases))
	for i, r := range c.Releases {
		names[i] = r.Name
	}
	return names
}

// StageOf returns the stage that a cluster belongs to, as one of its clusters or as a follower.
func (r *Repo) StageOf(cluster string) (v1alpha1.Stage, bool) {
	for _, stage := range r.Spec.Stages {
		if slices.Contains(stage.Clusters, cluster) || slices.Contains(stage.Followers, cluster) {
			return stage, true
		}
	}
	return v1alpha1.Stage{}, false
}

// hasDir reports whether the folder exists in the repo.
func (r *Repo) hasDir(dir string) bool {
	info, err := fs.Stat(r.fsys, dir)
	return err == nil && info.IsDir()
}

// ManifestVersions returns the versions of a component of plain manifests that are in the repo, sorted by name.
func (r *Repo) ManifestVersions(component string) []string {
	return folderNames(r.fsys, path.Dir(ManifestsDir(component, "x")))
}
