package bump

import (
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// clustersOf returns the clusters that a scope names, in the order of the stages, or those of the default; at least one.
func clustersOf(repo *control.Repo, scope Scope, byDefault []string) ([]string, error) {
	names, err := scopedClusters(repo, scope, byDefault)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if repo.Clusters[name] == nil {
			return nil, usagef("%s names a cluster %q in its stages: there are %v", control.RootFile, name, repo.ClusterNames())
		}
	}
	if len(names) == 0 {
		return nil, usagef("there is no cluster here: `tfgitops cluster add` adds one")
	}
	return names, nil
}

func scopedClusters(repo *control.Repo, scope Scope, byDefault []string) ([]string, error) {
	for _, name := range scope.Clusters {
		if repo.Clusters[name] == nil {
			return nil, usagef("there is no cluster %q: there are %v", name, repo.ClusterNames())
		}
	}
	if scope.All {
		return inOrder(repo, repo.ClusterNames()), nil
	}
	return scopedNames(repo, scope, byDefault)
}

// scopedNames returns the clusters that a scope names, whether they are there or not.
func scopedNames(repo *control.Repo, scope Scope, byDefault []string) ([]string, error) {
	switch {
	case len(scope.Clusters) > 0:
		return inOrder(repo, scope.Clusters), nil
	case scope.Stage != "":
		index, err := stageIndex(repo, scope.Stage)
		if err != nil {
			return nil, err
		}
		return members(repo.Spec.Stages[index]), nil
	case scope.Through != "":
		index, err := stageIndex(repo, scope.Through)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, stage := range repo.Spec.Stages[:index+1] {
			names = append(names, members(stage)...)
		}
		return names, nil
	default:
		return inOrder(repo, byDefault), nil
	}
}

func stageIndex(repo *control.Repo, name string) (int, error) {
	names := make([]string, len(repo.Spec.Stages))
	for i, stage := range repo.Spec.Stages {
		names[i] = stage.Name
	}
	if index := slices.Index(names, name); index >= 0 {
		return index, nil
	}
	return 0, usagef("there is no stage %q: there are %v", name, names)
}

// members are a stage's clusters, then its followers.
func members(stage v1alpha1.Stage) []string { return slices.Concat(stage.Clusters, stage.Followers) }

// inOrder sorts clusters by their stages; those in no stage come last, by name.
func inOrder(repo *control.Repo, names []string) []string {
	var ordered []string
	for _, stage := range repo.Spec.Stages {
		for _, name := range members(stage) {
			if slices.Contains(names, name) && !slices.Contains(ordered, name) {
				ordered = append(ordered, name)
			}
		}
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		if !slices.Contains(ordered, name) {
			ordered = append(ordered, name)
		}
	}
	return ordered
}

// firstStage is where a bump goes that names no clusters: the first stage with its followers, or every cluster where
// there are no stages.
func firstStage(repo *control.Repo) []string {
	if len(repo.Spec.Stages) == 0 {
		return repo.ClusterNames()
	}
	return members(repo.Spec.Stages[0])
}

// installed leaves the clusters that pin the component. One that was asked for by name and does not is an error unless
// the request installs.
func (p *Plan) installed(repo *control.Repo, names []string) ([]string, error) {
	if p.Request.Install {
		return names, nil
	}
	var there []string
	for _, name := range names {
		switch {
		case repo.Clusters[name].Pins[p.Component] != nil:
			there = append(there, name)
		case slices.Contains(p.Request.Scope.Clusters, name):
			return nil, inapplicablef("component %q is not installed on cluster %q: add --install to install it there", p.Component, name)
		default:
			p.say("not installed on " + name + ": left alone")
		}
	}
	if len(there) == 0 {
		return nil, inapplicablef("component %q is installed on none of %v: name clusters with --cluster, and add --install to install it there", p.Component, names)
	}
	return there, nil
}

// stagePosition returns the index of the cluster's stage, and whether the cluster gates; -1 for one in no stage.
func stagePosition(repo *control.Repo, cluster string) (index int, gates bool) {
	for i, stage := range repo.Spec.Stages {
		if slices.Contains(stage.Clusters, cluster) {
			return i, true
		}
		if slices.Contains(stage.Followers, cluster) {
			return i, false
		}
	}
	return -1, false
}
