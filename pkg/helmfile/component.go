package helmfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
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
	// notes are its own; helmfile are those of the helmfile as a whole.
	notes, helmfile *notes
	context         map[string]string // of kubeconfig, by cluster
}

// failed reports whether something keeps the component from being imported: something of its own, or of its helmfile.
func (c *component) failed() bool {
	return c.notes.failed() || c.helmfile != nil && c.helmfile.failed()
}

func (c *component) clusters() []string { return slices.Sorted(maps.Keys(c.releases)) }

func newComponent(name, from string, u *unit) *component {
	c := &component{name: name, from: from, releases: map[string]map[string]release{}, notes: newNotes(), context: map[string]string{}}
	c.notes.component = name
	if u != nil {
		c.helmfile = u.notes
	}
	return c
}

// outcome is what was read of the releases of one name.
type outcome struct {
	name  string
	in    map[string]release // by environment
	notes *notes
}

// components groups the releases of a helmfile. A component has the same releases on every cluster where it runs, so
// those that are not everywhere become components of their own.
func (r *reader) components(u *unit) []*component {
	main := newComponent(cmp.Or(u.name, "helmfile"), u.file, u)
	u.notes.component = main.name
	for environment, s := range u.states {
		cluster, _ := r.options.cluster(environment)
		main.context[cluster] = s.env.context
	}
	all := []*component{main}
	for _, o := range r.outcomes(u) {
		in := main
		if u.alone || len(o.in) < len(u.states) && !o.notes.failed() {
			in = newComponent(dnsName(o.name), u.file, u)
			in.context = main.context
			all = append(all, in)
			if !u.alone && len(o.in) > 0 {
				in.notes.add(Item{
					Position: anyOf(o.in).at, Construct: "releases[]", Status: Mapped,
					Text: fmt.Sprintf("release %q is not in every environment of %s: it is the component %s", o.name, u.file, in.name),
				})
			}
		}
		r.put(in, o)
	}
	return all
}

// put adds releases of one name to a component.
func (r *reader) put(in *component, o outcome) {
	in.notes.add(o.notes.items...)
	if len(o.in) == 0 {
		return
	}
	in.order = append(in.order, o.name)
	for environment, read := range o.in {
		cluster, _ := r.options.cluster(environment)
		if in.releases[cluster] == nil {
			in.releases[cluster] = map[string]release{}
		}
		in.releases[cluster][o.name] = read
	}
}

func anyOf(releases map[string]release) release {
	for _, name := range slices.Sorted(maps.Keys(releases)) {
		return releases[name]
	}
	return release{}
}

// outcomes reads the releases of a helmfile in all its environments, in the helmfile's order.
func (r *reader) outcomes(u *unit) []outcome {
	var found []outcome
	index := map[string]int{}
	for _, environment := range slices.Sorted(maps.Keys(u.states)) {
		in := *r
		in.notes = u.notes
		s := u.states[environment]
		in.noteState(s)
		list := child(s.node, "releases")
		if list != nil && !isNull(list) && list.Kind != yaml.SequenceNode {
			u.fail(wrongAt(r.position(list), "a list of releases is wanted here"))
			continue
		}
		for _, node := range contentOf(list) {
			in.notes = newNotes()
			read, err := in.release(s, node)
			name := cmp.Or(text(child(node, "name")), "unnamed")
			if read != nil {
				name = read.name
			}
			if err != nil {
				in.notes.add(failure(r.position(node), err))
			}
			at, known := index[name]
			if !known {
				at = len(found)
				index[name] = at
				found = append(found, outcome{name, map[string]release{}, newNotes()})
			}
			found[at].add(environment, read, in.notes)
		}
	}
	return found
}

// add adds a release in an environment, unless it is switched off there.
func (o *outcome) add(environment string, read *release, noted *notes) {
	o.notes.add(noted.items...)
	if read == nil {
		return
	}
	if other, twice := o.in[environment]; twice {
		o.notes.add(failure(read.at, wrongAt(read.at, "release %q is there twice; the first is in %s. A control repo has each name once: give one of them another, by installing it anew", o.name, other.at)))
		return
	}
	o.in[environment] = *read
}
