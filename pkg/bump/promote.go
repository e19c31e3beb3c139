package bump

import (
	"cmp"
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
	names, err := clustersOf(w.repo, Scope{Clusters: w.plan.Request.Scope.Clusters}, members(stages[target]))
	if err != nil {
		return err
	}
	if names, err = w.plan.installed(w.repo, names); err != nil {
		return err
	}
	from, err := w.agreedPin(stages[target-1])
	if err != nil {
		return err
	}
	for _, name := range names {
		change, err := w.promoteCluster(ctx, stages[target-1].Clusters[0], from, name)
		if err != nil {
			return err
		}
		w.change(change)
	}
	w.sayStageDifferences(stages[target-1].Clusters[0], names[0])
	return w.verify(ctx)
}

// promotionTarget returns the index of the stage to promote to: the one that was named, that of the clusters that were
// named, or the first whose clusters do not run what the stage before does.
func (w *planning) promotionTarget() (int, error) {
	stages, scope := w.repo.Spec.Stages, w.plan.Request.Scope
	if len(stages) < 2 {
		return 0, usagef("promote needs two stages in %s: there are %d", control.RootFile, len(stages))
	}
	if scope.All || scope.Through != "" {
		return 0, usagef("promote goes to one stage at a time: name it with --to STAGE")
	}
	if scope.Stage != "" && w.plan.Request.Stage != "" && scope.Stage != w.plan.Request.Stage {
		return 0, usagef("--stage %s and --to %s are two stages: promote goes to one at a time", scope.Stage, w.plan.Request.Stage)
	}
	index, err := w.namedTarget(cmp.Or(w.plan.Request.Stage, scope.Stage), scope.Clusters)
	if err == nil && index == 0 {
		err = usagef("%q is the first stage: nothing can be promoted to it; use bump", stages[0].Name)
	}
	if err != nil || index > 0 {
		return index, err
	}
	return w.nextTarget(), nil
}

// namedTarget returns the index of the stage that is named, or of the clusters that are; -1 where none is.
func (w *planning) namedTarget(stage string, clusters []string) (int, error) {
	index := -1
	if stage != "" {
		named, err := stageIndex(w.repo, stage)
		if err != nil {
			return 0, err
		}
		index = named
	}
	for _, name := range clusters {
		at, _ := stagePosition(w.repo, name)
		switch {
		case w.repo.Clusters[name] == nil:
			return 0, usagef("there is no cluster %q: there are %v", name, w.repo.ClusterNames())
		case at < 0:
			return 0, usagef("cluster %q is in no stage: nothing is promoted to it; use bump", name)
		case index >= 0 && at != index:
			return 0, usagef("cluster %q is not of stage %q: promote goes to one stage at a time", name, w.repo.Spec.Stages[index].Name)
		}
		index = at
	}
	return index, nil
}

// nextTarget returns the index of the first stage whose clusters do not run what the stage before does; the last one where
// all do. A cluster without the component counts only where the request installs.
func (w *planning) nextTarget() int {
	stages := w.repo.Spec.Stages
	for i := 1; i < len(stages); i++ {
		before := w.oldPin(stages[i-1].Clusters[0])
		for _, cluster := range members(stages[i]) {
			pin := w.oldPin(cluster)
			if (pin != nil || w.plan.Request.Install) && !sameVersion(before, pin) {
				return i
			}
		}
	}
	return len(stages) - 1
}

// agreedPin returns what all gating clusters of a stage run. Where they do not agree, that of the first stands for them,
// past a refusal.
func (w *planning) agreedPin(stage v1alpha1.Stage) (*v1alpha1.PinSpec, error) {
	first := w.oldPin(stage.Clusters[0])
	if first == nil {
		return nil, inapplicablef("component %q is not installed on cluster %q of stage %q: there is nothing to promote", w.component.Name, stage.Clusters[0], stage.Name)
	}
	for _, cluster := range stage.Clusters[1:] {
		if other := w.oldPin(cluster); !sameVersion(first, other) {
			w.plan.refuse(RuleStageOrder, "", fmt.Sprintf("stage %q does not agree on a version: %s runs %s, %s runs %s; bump them to one version first (an override takes that of %s)",
				stage.Name, stage.Clusters[0], Describe(first), cluster, Describe(other), stage.Clusters[0]))
		}
	}
	return first, nil
}

// promoteCluster copies commit, versions, values and image tags; digests and image names are the cluster's own.
func (w *planning) promoteCluster(ctx context.Context, source string, from *v1alpha1.PinSpec, cluster string) (Change, error) {
	old := w.oldPin(cluster)
	next := clonePin(old)
	next.Commit, next.Manifests, next.Releases = from.Commit, from.Manifests, nil
	if old != nil && from.Commit != "" && strings.HasPrefix(old.Commit, from.Commit) {
		next.Commit = old.Commit // more digits of the same
	}
	for _, name := range releaseNames(from) {
		release, known := w.component.Release(name)
		if !known {
			continue // validate finds it in the pin that is copied
		}
		pinned := from.Releases[name]
		var err error
		if pinned.Digest, err = w.digest(ctx, release, pinned.Version, cluster); err != nil {
			return Change{}, err
		}
		if next.Releases == nil {
			next.Releases = map[string]v1alpha1.PinnedRelease{}
		}
		next.Releases[name] = pinned
		if err := w.promoteImages(ctx, next, release, source, from, cluster); err != nil {
			return Change{}, err
		}
	}
	next.Images = w.declaredImages(next.Images, cluster)
	return Change{Cluster: cluster, Old: old, New: next}, nil
}

// promoteImages pins the images of a release under the tags that the stage before has them pinned with.
func (w *planning) promoteImages(ctx context.Context, pin *v1alpha1.PinSpec, release v1alpha1.Release, source string, from *v1alpha1.PinSpec, cluster string) error {
	for _, declared := range release.Images {
		there := w.imageName(release, declared.Name, source)
		i := slices.IndexFunc(from.Images, func(image v1alpha1.PinnedImage) bool { return image.Name == there })
		if i < 0 { // nor is it to be pinned here
			here := w.imageName(release, declared.Name, cluster)
			pin.Images = slices.DeleteFunc(pin.Images, func(image v1alpha1.PinnedImage) bool { return image.Name == here })
			continue
		}
		if err := w.pinImage(ctx, pin, release, declared.Name, from.Images[i].Tag, cluster); err != nil {
			return err
		}
	}
	return nil
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
