package diff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// ErrUnknownRelease says that a cluster has no such HelmRelease.
var ErrUnknownRelease = errors.New("is no HelmRelease of the cluster")

// ExpandOptions say how releases are expanded.
type ExpandOptions struct {
	Charts Charts
	// Renders keeps what charts expand to between runs; nil: nothing is kept.
	Renders *chart.Renders
	// KubeVersion expands for another Kubernetes version than the cluster's; empty: the cluster's own.
	KubeVersion string
	// Install expands for the first installation instead of an upgrade.
	Install bool
	// Workers bounds what is done at once; 0: as many as there are processors.
	Workers int
	// Key keeps what random functions return from being guessed.
	Key []byte
}

// Expanded is what Helm applies for one release, or why that cannot be said.
type Expanded struct {
	Release   string
	Component string
	File      string
	Expansion *chart.Expansion
	Err       error
}

// Expand returns what Helm would apply on a cluster: for every HelmRelease that its overlay builds, or those named, by name.
// What is wrong with one release is in its Err; the error is about the cluster as a whole.
func Expand(ctx context.Context, fsys fs.FS, cluster string, releases []string, o ExpandOptions) ([]Expanded, error) {
	repo, findings := control.Load(ctx, fsys, control.Only{Clusters: []string{cluster}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	s, err := newReader().newSnapshot(ctx, fsys, fsys, repo, cluster)
	if err != nil {
		return nil, err
	}
	found, err := s.named(releases)
	if err != nil {
		return nil, err
	}
	out := make([]Expanded, len(found))
	charts := newLoader(o.Charts, o.Renders)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(Options{Workers: o.Workers}.workers())
	for i, it := range found {
		group.Go(func() error {
			out[i] = Expanded{Release: it.ref.name, Component: it.component, File: it.file}
			out[i].Expansion, out[i].Err = s.expandOne(ctx, charts, it, o)
			return ctx.Err()
		})
	}
	return out, group.Wait()
}

func (s *snapshot) expandOne(ctx context.Context, charts *loader, it *item, o ExpandOptions) (*chart.Expansion, error) {
	in, err := s.expandInput(it)
	if err != nil {
		return nil, err
	}
	if o.KubeVersion != "" {
		in.caps.KubeVersion = o.KubeVersion
	}
	return charts.expand(ctx, &expansion{input: in}, !o.Install, o.Key)
}

// named returns the HelmReleases with these names, or all, by name.
func (s *snapshot) named(names []string) ([]*item, error) {
	var found []*item
	for i := range s.items {
		it := &s.items[i]
		if isHelmRelease(it) && (len(names) == 0 || slices.Contains(names, it.ref.name)) {
			found = append(found, it)
		}
	}
	slices.SortFunc(found, func(a, b *item) int { return a.ref.compare(b.ref) })
	for _, name := range names {
		if !slices.ContainsFunc(found, func(it *item) bool { return it.ref.name == name }) {
			return nil, fmt.Errorf("%q %w; it has %s", name, ErrUnknownRelease, strings.Join(s.releaseNames(), ", "))
		}
	}
	return found, nil
}

func (s *snapshot) releaseNames() []string {
	var names []string
	for i := range s.items {
		if isHelmRelease(&s.items[i]) {
			names = append(names, s.items[i].ref.name)
		}
	}
	slices.Sort(names)
	return names
}
