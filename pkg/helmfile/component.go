package helmfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// component is what becomes a component of the control repo.
type component struct {
	name string
	from string // the helmfile, or the folder of manifests
	// order are the names of its releases as the helmfile has them.
	order []string
	// releases are by cluster and name: each cluster has all of them.
	releases map[string]map[string]release
	// manifests are set for a component of plain manifests.
	manifests *manifests
	notes     *notes
	context   map[string]string // of kubeconfig, by cluster
}

// failed reports whether something keeps the component from being imported.
func (c *component) failed() bool {
	return slices.ContainsFunc(c.notes.items, func(i Item) bool { return i.Status == Failed })
}

func (c *component) clusters() []string { return slices.Sorted(maps.Keys(c.releases)) }

// components groups the releases of a helmfile. A component has the same releases on every cluster where it runs, so
// those that are not everywhere become components of their own.
func (r *reader) components(u *unit) []*component {
	byRelease, order := r.deployed(u)
	environments := slices.Sorted(maps.Keys(u.states))
	main := &component{name: u.name, from: u.file, releases: map[string]map[string]release{}, notes: u.notes, context: map[string]string{}}
	u.notes.component = u.name
	for environment, s := range u.states {
		cluster, _ := r.options.cluster(environment)
		main.context[cluster] = s.env.context
	}
	all := []*component{main}
	for _, name := range order {
		in := main
		if u.alone || len(byRelease[name]) < len(environments) {
			in = &component{name: dnsName(name), from: u.file, releases: map[string]map[string]release{}, notes: &notes{component: dnsName(name), seen: map[Item]bool{}}, context: main.context}
			all = append(all, in)
			if !u.alone {
				in.notes.add(Item{Position: anyOf(byRelease[name]).at, Construct: "releases[]", Status: Mapped,
					Text: fmt.Sprintf("release %q is not in every environment of %s: it is the component %s", name, u.file, in.name)})
			}
		}
		in.order = append(in.order, name)
		for environment, read := range byRelease[name] {
			cluster, _ := r.options.cluster(environment)
			if in.releases[cluster] == nil {
				in.releases[cluster] = map[string]release{}
			}
			in.releases[cluster][name] = read
		}
	}
	if u.alone || len(main.order) == 0 {
		main.name = cmp.Or(main.name, "helmfile")
		main.releases = map[string]map[string]release{}
	}
	return all
}

func anyOf(releases map[string]release) release {
	for _, name := range slices.Sorted(maps.Keys(releases)) {
		return releases[name]
	}
	return release{}
}

// deployed reads the releases of a helmfile by name and environment, and their names in order.
func (r *reader) deployed(u *unit) (map[string]map[string]release, []string) {
	found := map[string]map[string]release{}
	var order []string
	in := *r
	in.notes = u.notes
	for _, environment := range slices.Sorted(maps.Keys(u.states)) {
		in.noteState(u.states[environment])
		releases, err := in.releases(u.states[environment])
		if err != nil {
			u.fail(err)
			continue
		}
		for _, read := range releases {
			if found[read.name] == nil {
				found[read.name] = map[string]release{}
				order = append(order, read.name)
			}
			if other, twice := found[read.name][environment]; twice {
				u.fail(wrongAt(read.at, "release %q is there twice; the first is in %s. A control repo has each name once: give one of them another, by installing it anew", read.name, other.at))
				continue
			}
			found[read.name][environment] = read
		}
	}
	return found, order
}
