package bump

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// promote copies what the stage before runs, never the latest, and looks digests up in each cluster's own registry.
func (w *planning) promote(ctx context.Context) error {
	target, err := w.promotionTarget()
	if err != nil {
		return err
	}
	stages := w.repo.Spec.Stages
	from, err := w.agreedPin(stages[target-1])
	if err != nil {
		return err
	}
	names, err := clustersOf(w.repo, w.plan.Request.Scope, members(stages[target]))
	if err != nil {
		return err
	}
	if names, err = w.plan.installed(w.repo, names); err != nil {
		return err
	}
	for _, name := range names {
		change, err := w.promoteCluster(ctx, from, name)
		if err != nil {
			return err
		}
		w.change(change)
	}
	w.sayStageDifferences(stages[target-1].Clusters[0], names[0])
	return w.verify(ctx)
}

// promotionTarget returns the index of the stage to promote to: the one that was named, or the first whose clusters do
// not run what the stage before does.
func (w *planning) promotionTarget() (int, error) {
	stages := w.repo.Spec.Stages
	if len(stages) < 2 {
		return 0, usagef("promote needs two stages in %s: there are %d", control.RootFile, len(stages))
	}
	if name := w.plan.Request.Stage; name != "" {
		index, err := stageIndex(w.repo, name)
		if err == nil && index == 0 {
			err = usagef("%q is the first stage: nothing can be promoted to it; use bump", name)
		}
		return index, err
	}
	for i := 1; i < len(stages); i++ {
		before := w.oldPin(stages[i-1].Clusters[0])
		for _, cluster := range members(stages[i]) {
			if !sameVersion(before, w.oldPin(cluster)) {
				return i, nil
			}
		}
	}
	return len(stages) - 1, nil
}

// agreedPin returns what all gating clusters of a stage run.
func (w *planning) agreedPin(stage v1alpha1.Stage) (*v1alpha1.PinSpec, error) {
	first := w.oldPin(stage.Clusters[0])
	if first == nil {
		return nil, usagef("component %q is not installed on cluster %q of stage %q: there is nothing to promote", w.component.Name, stage.Clusters[0], stage.Name)
	}
	for _, cluster := range stage.Clusters[1:] {
		if other := w.oldPin(cluster); !sameVersion(first, other) {
			return nil, &RefusedError{Refusals: []Refusal{{Rule: RuleStageOrder, Message: fmt.Sprintf("stage %q does not agree on a version: %s runs %s, %s runs %s; bump them to one version first",
				stage.Name, stage.Clusters[0], Describe(first), cluster, Describe(other))}}}
		}
	}
	return first, nil
}

// promoteCluster copies commit, versions, values and image tags; digests and image names are the cluster's own.
func (w *planning) promoteCluster(ctx context.Context, from *v1alpha1.PinSpec, cluster string) (Change, error) {
	old := w.oldPin(cluster)
	next := clonePin(old)
	next.Commit, next.Manifests, next.Images = from.Commit, from.Manifests, nil
	next.Releases = map[string]v1alpha1.PinnedRelease{}
	for _, name := range releaseNames(from) {
		release, known := w.component.Release(name)
		if !known {
			continue // validate finds it in the pin that is copied
		}
		pinned := from.Releases[name]
		var err error
		if pinned.Digest, err = w.digest(ctx, release, pinned.Version, cluster, old); err != nil {
			return Change{}, err
		}
		next.Releases[name] = pinned
		if next.Images, err = w.pinImages(ctx, release, next, build{version: pinned.Version, commit: from.Commit}, cluster); err != nil {
			return Change{}, err
		}
	}
	if len(next.Releases) == 0 {
		next.Releases = nil
	}
	return Change{Cluster: cluster, Old: old, New: next}, nil
}

// sayStageDifferences tells what else differs between two clusters for this component: it was not tested together with
// what is promoted.
func (w *planning) sayStageDifferences(from, to string) {
	for _, name := range w.component.ReleaseNames() {
		a, b := w.repo.Clusters[from], w.repo.Clusters[to]
		if differing := differingKeys(a.Values[name], b.Values[name]); len(differing) > 0 {
			w.plan.say(fmt.Sprintf("values of release %s that differ between %s and %s: %s", name, from, to, strings.Join(differing, ", ")))
		}
	}
}

// differingKeys returns the dotted paths, two levels deep, at which two clusters' own values differ.
func differingKeys(a, b control.Values) []string {
	var found []string
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	for key := range keys {
		if fmt.Sprint(a[key]) == fmt.Sprint(b[key]) {
			continue
		}
		aMap, aIs := a[key].(map[string]any)
		bMap, bIs := b[key].(map[string]any)
		if !aIs || !bIs {
			found = append(found, key)
			continue
		}
		for _, below := range differingLeaves(aMap, bMap) {
			found = append(found, key+"."+below)
		}
	}
	slices.Sort(found)
	return found
}

func differingLeaves(a, b map[string]any) []string {
	var found []string
	for key := range a {
		if fmt.Sprint(a[key]) != fmt.Sprint(b[key]) {
			found = append(found, key)
		}
	}
	for key := range b {
		if _, both := a[key]; !both {
			found = append(found, key)
		}
	}
	return found
}
