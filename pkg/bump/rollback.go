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
	history, err := w.Deployments(ctx, w.component.Name, cluster)
	if err != nil {
		return nil, err
	}
	current := w.oldPin(cluster)
	if revision := w.plan.Request.Revision; revision != "" {
		return pinOfRevision(history, revision, cluster)
	}
	targets := rollbackTargets(history, current)
	if len(targets) == 0 {
		return nil, fmt.Errorf("cluster %q has run nothing before %s that was not itself rolled back from or held: see `tfgitops log %s --cluster %s`, and name one with --to", cluster, Describe(current), w.component.Name, cluster)
	}
	return targets[0].After, nil
}

// pinOfRevision finds the newest pin of the past with a version or commit.
func pinOfRevision(history []Deployed, revision, cluster string) (*v1alpha1.PinSpec, error) {
	for _, entry := range history {
		for _, pin := range []*v1alpha1.PinSpec{entry.After, entry.Before} {
			if pin != nil && (slices.Contains(versions(pin), revision) || isCommitOf(pin, revision)) {
				return pin, nil
			}
		}
	}
	return nil, fmt.Errorf("cluster %q has never run %q: see `tfgitops log`, or use bump for a version that is new there", cluster, revision)
}

func isCommitOf(pin *v1alpha1.PinSpec, revision string) bool {
	if len(revision) < minCommitDigits || pin.Commit == "" {
		return false
	}
	return strings.HasPrefix(pin.Commit, revision) || strings.HasPrefix(revision, pin.Commit)
}

// minCommitDigits is the shortest prefix of a commit that is taken for one.
const minCommitDigits = 4

// rolledBack is the pin of the past with a hold on the version that it leaves.
func (w *planning) rolledBack(cluster string, target *v1alpha1.PinSpec) *v1alpha1.PinSpec {
	current := w.oldPin(cluster)
	next := clonePin(target)
	hold := w.plan.Request.Hold
	hold.Reason = cmp.Or(hold.Reason, "rolled back")
	hold.Refuse = leftVersions(current, target)
	if current.Hold != nil {
		hold.Refuse = append(slices.Clone(current.Hold.Refuse), hold.Refuse...)
	}
	slices.Sort(hold.Refuse)
	hold.Refuse = slices.Compact(hold.Refuse)
	if len(hold.Refuse) > 0 {
		next.Hold = &hold
	}
	return next
}

// RollbackTargets returns what a cluster could return to, the best first, for a person to choose from.
func (p *Planner) RollbackTargets(ctx context.Context, component, cluster string, current *v1alpha1.PinSpec) ([]Deployed, error) {
	history, err := p.Deployments(ctx, component, cluster)
	if err != nil {
		return nil, err
	}
	return rollbackTargets(history, current), nil
}
