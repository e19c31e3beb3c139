package diff

import (
	"context"
	"fmt"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
)

// Installed is one release as Helm last installed it on a cluster, against what the control repo would have Helm apply.
type Installed struct {
	Release, Component, File string
	// Old and New are the chart versions; Old is empty where nothing is installed.
	Old, New string
	// Notes say what else there is to know of what is installed.
	Notes []string
	// Differences are between the objects, without secrets, as chart.Target.Prepare returns them.
	Differences []chart.Difference
	// Err says why the release could not be compared; what else is known of it does not count then.
	Err error
}

// Live reports how a cluster's releases differ from what Helm last installed there. The risk rules judge changes of a
// control repo, and have no part in it.
func Live(ctx context.Context, cluster string, releases []Installed, o Options) (*Report, error) {
	d := &clusterDiff{name: cluster, state: Changed}
	c := &comparison{options: o, mask: masker{key: o.Key}, clusters: []*clusterDiff{d}}
	pins := map[string][]Pin{}
	for _, installed := range releases {
		one := &releaseDiff{cluster: d}
		if err := one.installed(installed); err != nil {
			one.objects = nil
			one.problems = []Problem{{Clusters: []string{cluster}, Release: installed.Release, Side: "head", File: installed.File, Message: err.Error()}}
		}
		d.releases = append(d.releases, one)
		if pin, changed := installed.pin(cluster); changed {
			pins[installed.Component] = append(pins[installed.Component], pin)
		}
	}
	blocks, err := c.blocks(ctx)
	if err != nil {
		return nil, err
	}
	r := &Report{Base: "what Helm installed on " + cluster, Head: "the working tree", Charts: true, Components: componentsOf(pins, blocks), Problems: c.allProblems()}
	c.setStates(r.Components)
	r.Clusters = []Cluster{{Name: d.name, State: d.state}}
	r.Summary = summarise(r)
	r.Summary.Unjudged = true
	return r.withoutNil(), nil
}

// pin is the headline of a release that runs another version, or that there is something to say of.
func (i Installed) pin(cluster string) (Pin, bool) {
	if i.Err != nil || i.Old == i.New && len(i.Notes) == 0 {
		return Pin{}, false
	}
	pin := Pin{Clusters: []string{cluster}, Action: ActionChanged, Versions: []Version{}, Notes: orEmpty(i.Notes)}
	if i.Old == "" {
		pin.Action = ActionAdded
	}
	if i.Old != i.New {
		pin.Versions = []Version{{Release: i.Release, Old: i.Old, New: i.New}}
	}
	return pin, true
}

// installed takes the objects of a release apart.
func (r *releaseDiff) installed(from Installed) error {
	if from.Err != nil {
		return from.Err
	}
	for _, difference := range from.Differences {
		old, err := from.item(difference.ObjectRef, difference.Old)
		if err != nil {
			return err
		}
		new, err := from.item(difference.ObjectRef, difference.New)
		if err != nil {
			return err
		}
		r.objects = append(r.objects, matched{old: old, new: new})
	}
	return nil
}

func (i Installed) item(of chart.ObjectRef, document []byte) (*item, error) {
	if document == nil {
		return nil, nil
	}
	data, err := asJSON(document)
	if err != nil {
		return nil, fmt.Errorf("%s %q cannot be read", of.Kind, of.Name) // the cause may quote it
	}
	content, err := decodeObject(data)
	if err != nil {
		return nil, fmt.Errorf("%s %q cannot be read", of.Kind, of.Name)
	}
	it := &item{ref: refOf(content), content: content, component: i.Component, release: i.Release, file: i.File}
	it.ref.namespace = of.Namespace // Helm leaves it out of what it writes down
	return it, nil
}
