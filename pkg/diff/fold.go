package diff

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// report folds what was found on each cluster into one report.
func (c *comparison) report(ctx context.Context) (*Report, error) {
	r := &Report{Base: c.base.Name, Head: c.head.Name, Charts: c.options.Charts != nil, Problems: c.allProblems()}
	blocks, err := c.blocks(ctx)
	if err != nil {
		return nil, err
	}
	r.Components = componentsOf(c.pinChanges(), blocks)
	c.addChangelogs(ctx, r.Components)
	c.setStates(r.Components)
	for _, d := range c.clusters {
		r.Clusters = append(r.Clusters, Cluster{Name: d.name, State: d.state})
	}
	r.Risks, r.Silenced = c.risks(r.Components)
	r.Summary = summarise(r)
	return r.withoutNil(), ctx.Err()
}

// withoutNil makes every list one that JSON writes as [].
func (r *Report) withoutNil() *Report {
	r.Clusters, r.Components, r.Problems = orEmpty(r.Clusters), orEmpty(r.Components), orEmpty(r.Problems)
	r.Risks, r.Silenced = orEmpty(r.Risks), orEmpty(r.Silenced)
	return r
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// allProblems folds what is the same on several clusters: a chart that cannot be had is one problem.
func (c *comparison) allProblems() []Problem {
	found := slices.Clone(c.problems)
	for _, d := range c.clusters {
		found = append(found, d.problems...)
		for _, r := range d.releases {
			found = append(found, r.problems...)
		}
	}
	var problems []Problem
	for _, problem := range found {
		problem.Message = c.mask.text("", problem.Message)
		same := slices.IndexFunc(problems, func(p Problem) bool {
			return p.Release == problem.Release && p.Side == problem.Side && p.Message == problem.Message
		})
		if same < 0 {
			problems = append(problems, problem)
		} else {
			problems[same].Clusters = slices.Concat(problems[same].Clusters, problem.Clusters)
		}
	}
	return problems
}

// folded is one changed object with the clusters that have exactly this change.
type folded struct {
	key       string // the same for the same change; empty where nothing changed
	component string
	object    Object
	clusters  []string
}

// blocks returns the changed objects of each component, by the sets of clusters that have the same changes.
func (c *comparison) blocks(ctx context.Context) (map[string][]Block, error) {
	described, err := c.describe(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]*folded{}
	var order []string
	for i, d := range c.clusters {
		for _, one := range described[i] {
			if found[one.key] == nil {
				found[one.key] = &one
				order = append(order, one.key)
			}
			found[one.key].clusters = append(found[one.key].clusters, d.name)
		}
	}
	return inBlocks(found, order), nil
}

// describe describes the changed objects of each cluster, several at once.
func (c *comparison) describe(ctx context.Context) ([][]folded, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.options.workers())
	described := make([][]folded, len(c.clusters))
	for i, d := range c.clusters {
		changes := d.changes()
		described[i] = make([]folded, len(changes))
		for from := 0; from < len(changes); from += describedAtOnce {
			group.Go(func() error {
				for at := from; at < min(from+describedAtOnce, len(changes)); at++ {
					object, changed, err := c.object(changes[at])
					if err != nil {
						return err
					}
					if changed {
						described[i][at] = newFolded(changes[at].any().component, object)
					}
				}
				return ctx.Err()
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i := range described {
		described[i] = slices.DeleteFunc(described[i], func(f folded) bool { return f.key == "" })
	}
	return described, nil
}

// describedAtOnce is how many objects are described between two looks at the context.
const describedAtOnce = 64

func newFolded(component string, object Object) folded {
	return folded{key: component + "\x00" + digest(object), component: component, object: object}
}

// changes are the objects of a cluster that differ, of both layers.
func (d *clusterDiff) changes() []matched {
	changes := slices.Clone(d.flux)
	for _, r := range d.releases {
		changes = append(changes, r.objects...)
	}
	return changes
}

func inBlocks(found map[string]*folded, order []string) map[string][]Block {
	blocks := map[string][]Block{}
	for _, key := range order {
		f := found[key]
		list := blocks[f.component]
		i := slices.IndexFunc(list, func(b Block) bool { return slices.Equal(b.Clusters, f.clusters) })
		if i < 0 {
			list = append(list, Block{Clusters: f.clusters})
			i = len(list) - 1
		}
		list[i].Objects = append(list[i].Objects, f.object)
		blocks[f.component] = list
	}
	for component, list := range blocks {
		for i := range list {
			slices.SortStableFunc(list[i].Objects, compareObjects)
		}
		slices.SortStableFunc(list, func(a, b Block) int {
			return cmp.Or(len(b.Clusters)-len(a.Clusters), strings.Compare(strings.Join(a.Clusters, ","), strings.Join(b.Clusters, ",")))
		})
		blocks[component] = list
	}
	return blocks
}

// compareObjects puts Flux objects before what Helm makes of them, and what matters before noise.
func compareObjects(a, b Object) int {
	noise := func(o Object) int {
		if len(o.Fields) == 0 {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Release, b.Release), noise(a)-noise(b),
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.APIVersion, b.APIVersion))
}

// object describes one changed object, without secrets. It says false where nothing but the writing of numbers differs.
func (c *comparison) object(m matched) (Object, bool, error) {
	it := m.any()
	o := Object{
		Layer: Flux, Release: it.release, Action: ActionChanged, Hook: it.hook,
		APIVersion: textAt(it.content, "apiVersion"), Kind: it.ref.kind, Namespace: it.ref.namespace, Name: it.ref.name,
		Fields: []Field{}, Noise: []Field{},
	}
	if it.release != "" {
		o.Layer = Helm
	}
	switch {
	case m.old == nil:
		o.Action, o.Fields = ActionAdded, []Field{{Op: OpAdded, New: c.mask.object(m.new.content)}}
		return o, true, nil
	case m.new == nil:
		o.Action, o.Fields = ActionRemoved, []Field{{Op: OpRemoved, Old: c.mask.object(m.old.content)}}
		return o, true, nil
	case m.renamed:
		o.Action, o.OldName = ActionRenamed, m.old.ref.name
	}
	changes, err := compareFields(c.mask.object(m.old.content), c.mask.object(m.new.content))
	if err != nil {
		return o, false, err
	}
	for _, change := range changes {
		if change.Noise = noiseOf(change); change.Noise != "" {
			o.Noise = append(o.Noise, change.Field)
		} else {
			o.Fields = append(o.Fields, change.Field)
		}
	}
	o.Restarts = restarts(m)
	return o, len(changes) > 0, nil
}

// componentsOf joins headlines and objects, by name; what belongs to no component is last.
func componentsOf(pins map[string][]Pin, blocks map[string][]Block) []Component {
	names := sortedKeys(pins)
	for name := range blocks {
		if _, pinned := pins[name]; !pinned {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == "") != (b == "") {
			return -cmp.Compare(a, b)
		}
		return cmp.Compare(a, b)
	})
	var components []Component
	for _, name := range names {
		components = append(components, Component{Name: name, Pins: orEmpty(pins[name]), Blocks: orEmpty(blocks[name])})
	}
	return components
}

// setStates calls a cluster the same that was built and has no change.
func (c *comparison) setStates(components []Component) {
	touched := map[string]bool{}
	for _, component := range components {
		for _, pin := range component.Pins {
			note(touched, pin.Clusters)
		}
		for _, block := range component.Blocks {
			note(touched, block.Clusters)
		}
	}
	for _, d := range c.clusters {
		failed := slices.ContainsFunc(d.releases, func(r *releaseDiff) bool { return len(r.problems) > 0 })
		if d.state == Changed && !touched[d.name] && !failed {
			d.state = Same
		}
	}
}

func note(set map[string]bool, names []string) {
	for _, name := range names {
		set[name] = true
	}
}

func summarise(r *Report) Summary {
	s := Summary{Problems: len(r.Problems), Silenced: len(r.Silenced)}
	for _, component := range r.Components {
		if component.Name != "" {
			s.Components++
		}
		for _, block := range component.Blocks {
			for _, object := range block.Objects {
				s.count(object, len(block.Clusters))
			}
		}
	}
	for _, cluster := range r.Clusters {
		if cluster.State != Same {
			s.Clusters++
		}
	}
	for _, risk := range r.Risks {
		switch risk.Severity {
		case High:
			s.High++
		case Medium:
			s.Medium++
		default:
			s.Low++
		}
	}
	return s
}

func (s *Summary) count(o Object, clusters int) {
	switch {
	case o.Action == ActionAdded:
		s.Added += clusters
	case o.Action == ActionRemoved:
		s.Removed += clusters
	case len(o.Fields) == 0 && o.Action == ActionChanged:
		s.NoiseOnly += clusters
	default:
		s.Changed += clusters
	}
	if o.Restarts {
		s.Restarts += clusters
	}
}
