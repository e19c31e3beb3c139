package bump

import (
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// rollbackTargets returns the pins that a cluster can return to, the best first: those that ran before the current one and
// were not themselves rolled back from or held, each version once. hold is the current one, if it counts.
func rollbackTargets(history []Deployed, current *v1alpha1.PinSpec, hold *v1alpha1.Hold) []Deployed {
	bad := leftForGood(history)
	seen := map[string]bool{versionKey(current): true}
	var targets []Deployed
	consider := func(entry Deployed) {
		if entry.After == nil || seen[versionKey(entry.After)] || sameVersion(entry.After, current) {
			return
		}
		seen[versionKey(entry.After)] = true
		if !bad.has(entry.After) && !holdsAny(hold, leftVersions(entry.After, current)) {
			targets = append(targets, entry)
		}
	}
	for _, entry := range history {
		consider(entry)
	}
	if len(history) > 0 { // a shallow clone does not have the change that led to its oldest pin
		oldest := history[len(history)-1]
		consider(Deployed{Cluster: oldest.Cluster, Component: oldest.Component, After: oldest.Before})
	}
	return targets
}

// avoided are the pins and the versions that a rollback does not return to.
type avoided map[string]bool

// marks are what a change exchanged: the pin, which may differ in its values alone, and the versions of its releases.
func marks(old, new *v1alpha1.PinSpec) []string {
	if old == nil {
		return nil
	}
	found := []string{versionKey(old)}
	kept := versionsByRelease(new)
	for release, version := range versionsByRelease(old) {
		if kept[release] != version {
			found = append(found, versionMark(release, version))
		}
	}
	return found
}

func versionMark(release, version string) string { return release + "\x00" + version }

func (a avoided) has(pin *v1alpha1.PinSpec) bool {
	if a[versionKey(pin)] {
		return true
	}
	for release, version := range versionsByRelease(pin) {
		if a[versionMark(release, version)] {
			return true
		}
	}
	return false
}

// leftForGood returns what was rolled back from and not taken up again since.
func leftForGood(history []Deployed) avoided {
	bad, takenUp := avoided{}, map[string]bool{}
	for _, entry := range history { // newest first
		if entry.Op == OpRollback {
			for _, mark := range marks(entry.Before, entry.After) {
				if !takenUp[mark] {
					bad[mark] = true
				}
			}
		}
		for _, mark := range marks(entry.After, entry.Before) {
			takenUp[mark] = true
		}
	}
	return bad
}

// leftPin returns the pin that a rollback to the current one left, the newest that was not taken up again and that the
// hold is on.
func leftPin(history []Deployed, current *v1alpha1.PinSpec) *v1alpha1.PinSpec {
	bad := leftForGood(history)
	for _, entry := range history {
		if entry.Op != OpRollback || entry.Before == nil || !sameVersion(entry.After, current) || !bad.has(entry.Before) {
			continue
		}
		left := leftVersions(entry.Before, current)
		if len(current.Hold.Refuse) == 0 || len(left) == 0 || !slices.ContainsFunc(left, func(v string) bool { return !slices.Contains(current.Hold.Refuse, v) }) {
			return entry.Before
		}
	}
	return nil
}
