package bump

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// hold stops a pin from being changed: to the versions that the request refuses, or at all. A hold that counts already is
// added to, never loosened.
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
		added := w.plan.Request.Hold
		next.Hold = &added
		if w.active(old.Hold) {
			next.Hold = mergeHolds(*old.Hold, added)
			w.plan.say(fmt.Sprintf("%s is held already, and stays so: %s; `tfgitops unhold` lifts that", name, describeHold(old.Hold)))
		}
		change := Change{Cluster: name, Old: old, New: next}
		if samePin(old, next) {
			change.Unchanged = "held already, and as strictly"
		}
		w.change(change)
	}
	return nil
}

// active reports whether a hold counts at the time of the plan.
func (w *planning) active(hold *v1alpha1.Hold) bool { return holdCounts(hold, w.plan.At) }

func holdCounts(hold *v1alpha1.Hold, at time.Time) bool {
	if hold == nil {
		return false
	}
	until, err := hold.Until.Parse()
	return err != nil || until.IsZero() || at.Before(until)
}

// CrossesHold says what the hold of a pin refuses of its change at a time; empty where it refuses nothing.
func CrossesHold(old, new *v1alpha1.PinSpec, at time.Time) string {
	if old == nil || !holdCounts(old.Hold, at) {
		return ""
	}
	refused := slices.DeleteFunc(leftVersions(new, old), func(v string) bool { return !slices.Contains(old.Hold.Refuse, v) })
	if len(old.Hold.Refuse) > 0 && len(refused) == 0 {
		return ""
	}
	what := "the pin is held"
	if len(refused) > 0 {
		what = strings.Join(refused, ", ") + " is refused"
	}
	return what + ": " + describeHold(old.Hold) + "; `tfgitops unhold` lifts it"
}

// mergeHolds refuses what either hold refuses, for as long as the longer of the two, and keeps the reasons of both.
func mergeHolds(old, added v1alpha1.Hold) *v1alpha1.Hold {
	merged := v1alpha1.Hold{
		Reason: old.Reason, Task: cmp.Or(added.Task, old.Task), Until: later(old.Until, added.Until),
	}
	if added.Reason != "" && !slices.Contains(strings.Split(old.Reason, "; "), added.Reason) {
		if old.Task != "" && merged.Task != old.Task {
			merged.Reason += " (" + old.Task + ")"
		}
		merged.Reason += "; " + added.Reason
	}
	if len(old.Refuse) > 0 && len(added.Refuse) > 0 {
		merged.Refuse = slices.Concat(old.Refuse, added.Refuse)
		slices.Sort(merged.Refuse)
		merged.Refuse = slices.Compact(merged.Refuse)
	}
	return &merged
}

// later returns the later of two ends, of which none at all is the latest.
func later(a, b v1alpha1.Timestamp) v1alpha1.Timestamp {
	timeA, errA := a.Parse()
	timeB, errB := b.Parse()
	switch {
	case errA != nil || errB != nil || timeA.IsZero() || timeB.IsZero():
		return ""
	case timeA.After(timeB):
		return a
	default:
		return b
	}
}

// without returns the hold less some versions; nil where it then refuses nothing. One on everything stays.
func without(hold *v1alpha1.Hold, versions []string) *v1alpha1.Hold {
	if hold == nil || len(hold.Refuse) == 0 {
		return hold
	}
	rest := *hold
	rest.Refuse = slices.DeleteFunc(slices.Clone(hold.Refuse), func(v string) bool { return slices.Contains(versions, v) })
	if len(rest.Refuse) == 0 {
		return nil
	}
	return &rest
}

// unhold lifts a hold; with Reapply it returns to the version that was left, and lifts the hold of that one.
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
	next.Hold = nil
	if !w.plan.Request.Reapply {
		return Change{Cluster: cluster, Old: old, New: next}, nil
	}
	found, err := w.record(ctx, w.component.Name, cluster)
	if err != nil {
		return Change{}, err
	}
	left := leftPin(found.entries, old)
	if left == nil {
		return Change{}, fmt.Errorf("cluster %q: the version that was left is not in its history%s: bump to it instead", cluster, found.caution())
	}
	next = clonePin(left)
	next.Hold = nil
	if len(old.Hold.Refuse) > 0 {
		next.Hold = without(old.Hold, leftVersions(left, old))
	}
	if next.Hold != nil {
		w.plan.say(fmt.Sprintf("%s still refuses %s; `tfgitops unhold` lifts that", cluster, strings.Join(next.Hold.Refuse, ", ")))
	}
	return Change{Cluster: cluster, Old: old, New: next}, nil
}

// caution says that there may be more than the clone knows.
func (r record) caution() string {
	if r.cutOff {
		return " (the clone is shallow: `git fetch --unshallow` brings the rest)"
	}
	return ""
}
