package bump

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// rollback returns a cluster to the last good pin before the current one, or to the revision that was asked for, and holds
// the version that it leaves. It asks nobody but the control repo's own history, so that it works when all else is down.
func (w *planning) rollback(ctx context.Context) error {
	names, err := w.pinnedClusters("roll back")
	if err != nil {
		return err
	}
	for _, name := range names {
		target, err := w.rollbackTarget(ctx, name)
		if err != nil {
			return err
		}
		w.change(Change{Cluster: name, Old: w.oldPin(name), New: w.rolledBack(name, target)})
	}
	w.plan.say("not checked: that the registries still have what this returns to")
	if !w.plan.Request.Now {
		w.plan.say(takesEffect + "; `tfgitops rollback --now` asks a cluster itself, and neither of them")
	}
	return nil
}

// pinnedClusters returns the clusters that a request names, or the only one that there is.
func (w *planning) pinnedClusters(what string) ([]string, error) {
	var pinned []string
	for _, name := range w.repo.ClusterNames() {
		if w.pin(name) != nil {
			pinned = append(pinned, name)
		}
	}
	scope := w.plan.Request.Scope
	none := len(scope.Clusters) == 0 && scope.Stage == "" && scope.Through == "" && !scope.All
	if len(pinned) == 0 {
		return nil, inapplicablef("component %q is installed on no cluster", w.component.Name)
	}
	if none && len(pinned) != 1 {
		return nil, usagef("say where to %s %q with --cluster: it is installed on %s", what, w.component.Name, strings.Join(inOrder(w.repo, pinned), ", "))
	}
	names, err := clustersOf(w.repo, scope, pinned)
	if err != nil {
		return nil, err
	}
	return w.plan.installed(w.repo, names)
}

func (w *planning) rollbackTarget(ctx context.Context, cluster string) (*v1alpha1.PinSpec, error) {
	if target := w.plan.Request.Target; target != nil {
		return target, nil
	}
	found, err := w.record(ctx, w.component.Name, cluster)
	if err != nil {
		return nil, err
	}
	current := w.oldPin(cluster)
	if revision := w.plan.Request.Revision; revision != "" {
		return pinOfRevision(found, revision, cluster, current)
	}
	targets := rollbackTargets(found.entries, current, w.activeHold(current))
	if len(targets) == 0 {
		return nil, fmt.Errorf("cluster %q has run nothing before %s that was not itself rolled back from or held%s: see `tfgitops log %s --cluster %s`, and name one with --to", cluster, Describe(current), found.caution(), w.component.Name, cluster)
	}
	return targets[0].After, nil
}

// pinOfRevision finds the newest pin of the past with a version or commit, the current one last.
func pinOfRevision(found record, revision, cluster string, current *v1alpha1.PinSpec) (*v1alpha1.PinSpec, error) {
	fitting := pinsOfRevision(found.entries, revision)
	if len(fitting) == 0 && fits(current, revision) {
		return current, nil
	}
	if len(fitting) == 0 {
		return nil, fmt.Errorf("cluster %q has never run %q%s: see `tfgitops log`, or use bump for a version that is new there", cluster, revision, found.caution())
	}
	if meant := commitsOf(fitting, revision); len(meant) > 1 {
		return nil, usagef("cluster %q has run several commits that begin with %q: write one of %s", cluster, revision, strings.Join(meant, ", "))
	}
	if i := slices.IndexFunc(fitting, func(pin *v1alpha1.PinSpec) bool { return !sameVersion(pin, current) }); i >= 0 {
		return fitting[i], nil
	}
	return current, nil
}

// pinsOfRevision returns the pins of the past with a version or commit, newest first.
func pinsOfRevision(history []Deployed, revision string) []*v1alpha1.PinSpec {
	var fitting []*v1alpha1.PinSpec
	for _, entry := range history {
		for _, pin := range []*v1alpha1.PinSpec{entry.After, entry.Before} {
			if fits(pin, revision) {
				fitting = append(fitting, pin)
			}
		}
	}
	return fitting
}

// fits reports whether a revision names what a pin deploys: a version of it, all of them as they are shown, or its commit.
func fits(pin *v1alpha1.PinSpec, revision string) bool {
	if pin == nil {
		return false
	}
	for _, version := range versionsByRelease(pin) {
		if version == revision {
			return true
		}
	}
	return Describe(pin) == revision || isCommitOf(pin, revision)
}

func isCommitOf(pin *v1alpha1.PinSpec, revision string) bool {
	return len(revision) >= minCommitDigits && pin.Commit != "" && sameCommit(pin.Commit, strings.ToLower(revision))
}

// commitsOf returns the different commits that a revision is a prefix of.
func commitsOf(pins []*v1alpha1.PinSpec, revision string) []string {
	var commits []string
	for _, pin := range pins {
		if isCommitOf(pin, revision) && !slices.ContainsFunc(commits, func(c string) bool { return sameCommit(c, pin.Commit) }) {
			commits = append(commits, pin.Commit)
		}
	}
	return commits
}

// minCommitDigits is the shortest prefix of a commit that is taken for one.
const minCommitDigits = 4

// rolledBack is the pin of the past with a hold on the version that it leaves, beside those that counted before.
func (w *planning) rolledBack(cluster string, target *v1alpha1.PinSpec) *v1alpha1.PinSpec {
	current := w.oldPin(cluster)
	next := clonePin(target)
	if sameVersion(current, target) {
		next.Hold = clonePin(current).Hold
		return next
	}
	before := without(w.activeHold(current), leftVersions(target, current))
	left := leftVersions(current, target)
	added := w.plan.Request.Hold
	added.Refuse = left
	switch {
	case len(left) == 0: // only values differ: no version can be refused
		next.Hold = before
	case before == nil:
		added.Reason = cmp.Or(added.Reason, "rolled back")
		next.Hold = &added
	default:
		next.Hold = mergeHolds(*before, added)
	}
	return next
}

func (w *planning) activeHold(pin *v1alpha1.PinSpec) *v1alpha1.Hold {
	if !w.active(pin.Hold) {
		return nil
	}
	return pin.Hold
}

// RollbackTargets returns what a cluster could return to, the best first, for a person to choose from.
func (p *Planner) RollbackTargets(ctx context.Context, component, cluster string, current *v1alpha1.PinSpec) ([]Deployed, error) {
	found, err := p.record(ctx, component, cluster)
	if err != nil {
		return nil, err
	}
	w := &planning{Planner: p, plan: &Plan{At: p.Now()}}
	return rollbackTargets(found.entries, current, w.activeHold(current)), nil
}
