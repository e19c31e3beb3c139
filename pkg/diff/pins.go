package diff

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// pinChanges returns the changed pins of every component, those that are the same on several clusters as one.
func (c *comparison) pinChanges() map[string][]Pin {
	found := map[string][]Pin{}
	for _, d := range c.clusters {
		if d.state == Same {
			continue
		}
		old, new := pinsOf(c.baseRepo, d.name), pinsOf(c.headRepo, d.name)
		for _, component := range unionKeys(old, new) {
			if pin, changed := pinChange(old[component], new[component]); changed && c.wanted(component) {
				found[component] = addPin(found[component], pin, d.name)
			}
		}
	}
	return found
}

func pinsOf(repo *control.Repo, cluster string) map[string]*control.Pin {
	if c := repo.Clusters[cluster]; c != nil {
		return c.Pins
	}
	return nil
}

func unionKeys[V any](a, b map[string]V) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(sortedKeys(a), sortedKeys(b)...))))
}

// addPin folds a pin change into those of other clusters.
func addPin(pins []Pin, pin Pin, cluster string) []Pin {
	for i := range pins {
		pin.Clusters = pins[i].Clusters
		if reflect.DeepEqual(pins[i], pin) {
			pins[i].Clusters = append(pins[i].Clusters, cluster)
			return pins
		}
	}
	pin.Clusters = []string{cluster}
	return append(pins, pin)
}

// pinChange compares two pins, of which one may be absent.
func pinChange(old, new *control.Pin) (Pin, bool) {
	pin := Pin{Action: ActionChanged, Versions: []Version{}, Notes: []string{}}
	switch {
	case old == nil:
		pin.Action, old = ActionAdded, &control.Pin{}
	case new == nil:
		pin.Action, new = ActionRemoved, &control.Pin{}
	case reflect.DeepEqual(old.PinSpec, new.PinSpec):
		return pin, false
	}
	pin.OldCommit, pin.NewCommit = old.Commit, new.Commit
	for _, release := range unionKeys(old.Releases, new.Releases) {
		from, to := old.Releases[release], new.Releases[release]
		if from.Version != to.Version {
			pin.Versions = append(pin.Versions, Version{Release: release, Old: from.Version, New: to.Version})
		} else if from.Digest != to.Digest {
			pin.Notes = append(pin.Notes, fmt.Sprintf("the digest of %s changes: %s → %s", release, orNone(from.Digest), orNone(to.Digest)))
		}
		if !reflect.DeepEqual(old.Values[release], new.Values[release]) {
			pin.Notes = append(pin.Notes, fmt.Sprintf("the values pinned with %s change", release))
		}
	}
	if from, to := manifestsVersion(old), manifestsVersion(new); from != to {
		pin.Versions = append(pin.Versions, Version{Old: from, New: to})
	}
	if !reflect.DeepEqual(old.Images, new.Images) {
		pin.Notes = append(pin.Notes, "the pinned images change")
	}
	if note := holdNote(old.Hold, new.Hold); note != "" {
		pin.Notes = append(pin.Notes, note)
	}
	return pin, true
}

// holdNote says that a hold was set, changed or lifted.
func holdNote(old, new *v1alpha1.Hold) string {
	switch {
	case reflect.DeepEqual(old, new):
		return ""
	case new == nil:
		return "the hold is lifted: " + old.Reason
	default:
		return strings.TrimSpace("held: " + new.Reason + " " + new.Task)
	}
}

func manifestsVersion(pin *control.Pin) string {
	if pin.Manifests == nil {
		return ""
	}
	return pin.Manifests.Version
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// addChangelogs asks the components' sources what lies between old and new commits, several at once. A source that cannot be
// asked costs its list.
func (c *comparison) addChangelogs(ctx context.Context, components []Component) {
	if c.options.Changelog == nil {
		return
	}
	group := errgroup.Group{}
	group.SetLimit(c.options.workers())
	for i := range components {
		source := sourceOf(c.headRepo, components[i].Name)
		for j := range components[i].Pins {
			if pin := &components[i].Pins[j]; source != "" && pin.OldCommit != "" && pin.NewCommit != "" && pin.OldCommit != pin.NewCommit {
				group.Go(func() error { c.addChangelog(ctx, pin, source); return nil })
			}
		}
	}
	_ = group.Wait() // the functions return no error
}

func (c *comparison) addChangelog(ctx context.Context, pin *Pin, source string) {
	changelog, err := c.options.Changelog(ctx, source, pin.OldCommit, pin.NewCommit)
	if err != nil {
		pin.Notes = append(pin.Notes, c.mask.text("", fmt.Sprintf("no list of commits: %v", err)))
	}
	pin.Changelog = changelog
}
