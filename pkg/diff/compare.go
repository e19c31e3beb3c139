package diff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Side is one state of a control repo.
type Side struct {
	// Name is how people are told of it: "main (1a2b3c4d)", "the working tree".
	Name string
	// FS is its tree. Where it tells Git object ids, as gitrepo.TreeFS does, clusters that are the same on both sides are not
	// built. It must allow concurrent use.
	FS fs.FS
}

// Charts gives published charts; *artifact.Client does.
type Charts interface {
	Chart(ctx context.Context, repo artifact.Repository, ref artifact.ChartRef) (*artifact.Chart, error)
}

// Options say what to compare and how.
type Options struct {
	// Clusters and Components narrow the comparison; none: all.
	Clusters, Components []string
	// Charts expands changed HelmReleases; nil: only Flux objects are compared.
	Charts Charts
	// Renders keeps what charts expand to between runs; nil: nothing is kept.
	Renders *chart.Renders
	// Workers bounds what is done at once; 0: as many as there are processors.
	Workers int
	// Key keys the fingerprints of secrets.
	Key []byte
	// Changelog says what lies between two commits of a component's source; nil: nobody is asked. It must allow concurrent use.
	// An error costs only the list: what is returned with it is shown.
	Changelog func(ctx context.Context, source, old, new string) (*Changelog, error)
}

// ErrUnknownName says that a cluster or component to narrow to is on neither side.
var ErrUnknownName = errors.New("is on neither side")

// Compare says what changes from base to head. What is wrong with one cluster or release is a problem in the report; the error
// is the context's, or about the options.
func Compare(ctx context.Context, base, head Side, o Options) (*Report, error) {
	c := &comparison{base: base, head: head, options: o, mask: masker{key: o.Key}, charts: newLoader(o.Charts, o.Renders), reader: newReader()}
	if err := c.selectClusters(); err != nil {
		return nil, err
	}
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	if err := c.eachCluster(ctx, c.buildCluster); err != nil {
		return nil, err
	}
	if err := c.checkComponents(); err != nil {
		return nil, err
	}
	if err := c.expandReleases(ctx); err != nil {
		return nil, err
	}
	return c.report(ctx)
}

// comparison is the state of one Compare.
type comparison struct {
	base, head Side
	baseRepo   *control.Repo
	headRepo   *control.Repo
	options    Options
	mask       masker
	charts     *loader
	reader     *reader
	clusters   []*clusterDiff // by name
	problems   []Problem
}

// clusterDiff is one cluster on both sides.
type clusterDiff struct {
	name     string
	state    State
	old, new *snapshot // nil on a side that has no such cluster, or where it could not be built
	flux     []matched
	releases []*releaseDiff
	problems []Problem
}

func (o Options) workers() int { return cmp.Or(o.Workers, runtime.GOMAXPROCS(0)) }

// selectClusters lists the clusters of both sides, and finds those that need not be looked into.
func (c *comparison) selectClusters() error {
	inBase, inHead := control.ClusterFolders(c.base.FS), control.ClusterFolders(c.head.FS)
	names := slices.Compact(slices.Sorted(slices.Values(slices.Concat(inBase, inHead))))
	for _, wanted := range c.options.Clusters {
		if !slices.Contains(names, wanted) {
			return fmt.Errorf("the cluster %q %w; there are %s", wanted, ErrUnknownName, strings.Join(names, ", "))
		}
	}
	for _, name := range names {
		if len(c.options.Clusters) > 0 && !slices.Contains(c.options.Clusters, name) {
			continue
		}
		d := &clusterDiff{name: name, state: Changed}
		switch {
		case !slices.Contains(inBase, name):
			d.state = Added
		case !slices.Contains(inHead, name):
			d.state = Removed
		case sameCluster(c.base.FS, c.head.FS, name):
			d.state = Same
		}
		c.clusters = append(c.clusters, d)
	}
	return nil
}

// load reads the control repos of both sides, as far as the clusters to look into need them.
func (c *comparison) load(ctx context.Context) error {
	only := control.Only{Clusters: []string{}}
	for _, d := range c.clusters {
		if d.state != Same {
			only.Clusters = append(only.Clusters, d.name)
		}
	}
	var findings [2]control.Findings
	group := errgroup.Group{}
	group.SetLimit(c.options.workers())
	group.Go(func() error {
		c.baseRepo, findings[0] = control.Load(ctx, c.base.FS, present(c.base.FS, only))
		return nil
	})
	group.Go(func() error {
		c.headRepo, findings[1] = control.Load(ctx, c.head.FS, present(c.head.FS, only))
		return nil
	})
	_ = group.Wait() // the functions return findings, never an error
	for i, side := range []string{"base", "head"} {
		c.noteFindings(side, findings[i])
	}
	return ctx.Err()
}

// present narrows to the clusters that a side has.
func present(fsys fs.FS, only control.Only) control.Only {
	here := control.ClusterFolders(fsys)
	return control.Only{Clusters: slices.DeleteFunc(slices.Clone(only.Clusters), func(name string) bool { return !slices.Contains(here, name) })}
}

func (c *comparison) noteFindings(side string, findings control.Findings) {
	for _, finding := range findings.Sorted() {
		if finding.Severity == control.Error {
			message := finding.Message
			if n := findings.Count(control.Error) - 1; n > 0 {
				message += fmt.Sprintf(" (and %d more errors: `tfgitops validate` shows them)", n)
			}
			c.problems = append(c.problems, Problem{Side: side, File: finding.File, Message: message})
			return
		}
	}
}

// eachCluster does something for every cluster that may differ.
func (c *comparison) eachCluster(ctx context.Context, do func(context.Context, *clusterDiff)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.options.workers())
	for _, d := range c.clusters {
		if d.state != Same {
			group.Go(func() error { do(ctx, d); return ctx.Err() })
		}
	}
	return group.Wait()
}

// buildCluster builds both sides of a cluster and puts their objects together.
func (c *comparison) buildCluster(ctx context.Context, d *clusterDiff) {
	var err error
	if d.state != Added {
		if d.old, err = c.reader.newSnapshot(ctx, c.base.FS, c.head.FS, c.baseRepo, d.name); err != nil {
			d.problems = append(d.problems, Problem{Clusters: []string{d.name}, Side: "base", Message: err.Error(), File: control.OverlayFile(d.name)})
		}
	}
	if d.state != Removed {
		if d.new, err = c.reader.newSnapshot(ctx, c.head.FS, c.base.FS, c.headRepo, d.name); err != nil {
			d.problems = append(d.problems, Problem{Clusters: []string{d.name}, Side: "head", Message: err.Error(), File: control.OverlayFile(d.name)})
		}
	}
	if len(d.problems) > 0 {
		d.state = Unknown
		return
	}
	d.flux = match(d.old.all(), d.new.all(), sameContent)
	for _, m := range d.flux {
		d.old.locate(m.old)
		d.new.locate(m.new)
	}
	d.flux = slices.DeleteFunc(d.flux, func(m matched) bool { return !c.wanted(m.any().component) })
}

func sameContent(old, new *item) bool { return equal(old.content, new.content) }

// wanted reports whether the comparison includes a component.
func (c *comparison) wanted(component string) bool {
	return len(c.options.Components) == 0 || slices.Contains(c.options.Components, component)
}

// checkComponents refuses to narrow to a component that does not exist: the empty report would be read as "no change".
func (c *comparison) checkComponents() error {
	for _, name := range c.options.Components {
		if c.baseRepo.Components[name] == nil && c.headRepo.Components[name] == nil {
			return fmt.Errorf("the component %q %w", name, ErrUnknownName)
		}
	}
	return nil
}
