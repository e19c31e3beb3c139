package bump

import (
	"context"
	"fmt"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// hold stops a pin from being changed: to the versions that the request refuses, or at all.
func (w *planning) hold(context.Context) error {
	if w.plan.Request.Hold.Reason == "" {
		return usagef("say why with --reason: it is shown to whoever is refused")
	}
	if err := w.plan.Request.Hold.Until.Check(); err != nil {
		return usage{fmt.Errorf("--until: %w", err)}
	}
	names, err := w.pinnedClusters("hold")
	if err != nil {
		return err
	}
	for _, name := range names {
		old := w.oldPin(name)
		next := clonePin(old)
		hold := w.plan.Request.Hold
		next.Hold = &hold
		change := Change{Cluster: name, Old: old, New: next}
		if samePin(old, next) {
			change.Unchanged = "held already, for the same reason"
		}
		w.change(change)
	}
	return nil
}

// unhold lifts a hold; with Reapply it returns to the version that was left.
func (w *planning) unhold(ctx context.Context) error {
	names, err := w.pinnedClusters("lift the hold of")
	if err != nil {
		return err
	}
	for _, name := range names {
		change, err := w.unholdCluster(ctx, name)
		if err != nil {
			return err
		}
		w.change(change)
	}
	return nil
}

func (w *planning) unholdCluster(ctx context.Context, cluster string) (Change, error) {
	old := w.oldPin(cluster)
	if old.Hold == nil {
		return Change{Cluster: cluster, Old: old, New: old, Unchanged: "not held"}, nil
	}
	next := clonePin(old)
	if w.plan.Request.Reapply {
		left, err := w.leftPin(ctx, cluster, old)
		if err != nil {
			return Change{}, err
		}
		next = clonePin(left)
	}
	next.Hold = nil
	return Change{Cluster: cluster, Old: old, New: next}, nil
}

// leftPin is the pin that the newest rollback to what runs now left.
func (w *planning) leftPin(ctx context.Context, cluster string, current *v1alpha1.PinSpec) (*v1alpha1.PinSpec, error) {
	history, err := w.Deployments(ctx, w.component.Name, cluster)
	if err != nil {
		return nil, err
	}
	for _, entry := range history {
		if !sameVersion(entry.After, current) {
			break
		}
		if entry.Before != nil && slices.ContainsFunc(versions(entry.Before), func(v string) bool { return slices.Contains(current.Hold.Refuse, v) }) {
			return entry.Before, nil
		}
	}
	return nil, fmt.Errorf("cluster %q: the version that was left is not in its history: bump to it instead", cluster)
}
