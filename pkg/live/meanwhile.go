package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// OtherChange is something that changed on a cluster while one deployment was waited for and tested: where that one fails,
// it may be why.
type OtherChange struct {
	// Release is the HelmRelease, or empty for the control repo itself.
	Release   string `json:"release,omitempty"`
	Component string `json:"component,omitempty"`
	What      string `json:"what"`
	// Time is not set where it is only known that it was in between.
	Time time.Time `json:"time,omitzero"`
}

// Meanwhile returns what changed on a cluster beside the releases of a pin, in the time from since until after was read,
// oldest first: what Helm did, and what two looks at the cluster tell apart. The looks must have succeeded.
func Meanwhile(cluster string, before, after Cluster, since time.Time, own []string) []OtherChange {
	changes := []OtherChange{}
	for _, release := range after.Releases {
		if slices.Contains(own, release.Name) {
			continue
		}
		for _, what := range changesOf(before.release(release.Name), release, since) {
			what.Release, what.Component = release.Name, release.Component
			changes = append(changes, what)
		}
	}
	for _, release := range before.Releases {
		if after.release(release.Name) == nil && !slices.Contains(own, release.Name) {
			changes = append(changes, OtherChange{Release: release.Name, Component: release.Component, What: "the HelmRelease was removed"})
		}
	}
	if was, is := before.kustomization(cluster), after.kustomization(cluster); was != nil && is != nil && was.Applied != is.Applied {
		changes = append(changes, OtherChange{What: "Flux applied " + shortVersion(is.Applied, appliedCommit(is.Applied))})
	}
	slices.SortStableFunc(changes, func(a, b OtherChange) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Release, b.Release))
	})
	return changes
}

// recently is how long before a wait a deployment may have been for what happened since then to be told, too.
const recently = time.Hour

// DeployedSince is when the first of the releases was deployed, where that was before a moment but not long before; otherwise
// it is that moment.
func (c Cluster) DeployedSince(moment time.Time, releases []string) time.Time {
	since := moment
	for _, name := range releases {
		release := c.release(name)
		if release == nil {
			continue
		}
		if live, runs := release.Live(); runs && live.Time.Before(since) && moment.Sub(live.Time) <= recently {
			since = live.Time
		}
	}
	return since
}

// changesOf says what happened to one release. Flux keeps a few entries of its history: of more it tells the newest.
func changesOf(before *Release, after Release, since time.Time) []OtherChange {
	var changes []OtherChange
	for _, entry := range after.History {
		if !entry.Time.Before(since) && entry.Status != "superseded" {
			changes = append(changes, OtherChange{What: plainVersion(entry.Version) + " " + entry.Status, Time: entry.Time})
		}
	}
	switch {
	case len(changes) > 0:
	case before == nil:
		changes = append(changes, OtherChange{What: "the HelmRelease was made"})
	case before.Wanted != after.Wanted:
		changes = append(changes, OtherChange{What: fmt.Sprintf("the HelmRelease asks for %s, before for %s", after.Wanted, before.Wanted)})
	}
	if before != nil && before.Suspended != after.Suspended {
		word := "resumed"
		if after.Suspended {
			word = "suspended"
		}
		changes = append(changes, OtherChange{What: "Flux was " + word})
	}
	return changes
}

// Text is the change in one line.
func (c OtherChange) Text() string {
	text := c.What
	if c.Release != "" {
		text = c.Release + ": " + text
	}
	if !c.Time.IsZero() {
		text += ", " + c.Time.UTC().Format("15:04Z")
	}
	return text
}
