package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/bench/synthetic"
)

// The sizes over which cost is shown to be linear. The last is the one with targets.
var sizes = []synthetic.Size{
	{Clusters: 20, Components: 100},
	{Clusters: 60, Components: 100},
	{Clusters: 200, Components: 100},
}

// sized is what was measured on a generated repo.
type sized struct {
	synthetic.Size
	first, check cost
}

// results are all that was measured.
type results struct {
	toolforge  cost
	generated  []sized // in the order of sizes
	oneCluster cost
	kustomize  cost // all overlays of the largest
}

func (r *results) largest() sized { return r.generated[len(r.generated)-1] }

// bench measures with one set of programs.
type bench struct {
	options
	progress *os.File
	env      []string // of the processes, beside this one's
}

func (b bench) process(ctx context.Context, dir, program string, args ...string) (cost, error) {
	return process(ctx, b.env, dir, program, args...)
}

func measureAll(ctx context.Context, opts options, scratch string) (*results, error) {
	b := bench{options: opts, progress: os.Stderr}
	r := &results{}
	var err error
	if r.toolforge, err = b.render(ctx, opts.root, nothing, "--check"); err != nil {
		return nil, err
	}
	for _, size := range sizes {
		dir := filepath.Join(scratch, fmt.Sprint(size.Releases()))
		measured, err := b.generated(ctx, dir, size)
		if err != nil {
			return nil, err
		}
		r.generated = append(r.generated, measured)
	}
	largest := filepath.Join(scratch, fmt.Sprint(r.largest().Releases()))
	if r.oneCluster, err = b.render(ctx, largest, nothing, "--check", synthetic.Cluster(0)); err != nil {
		return nil, err
	}
	r.kustomize, err = b.overlays(ctx, largest, r.largest().Clusters)
	return r, err
}

// generated measures a first render and one with nothing changed, and leaves the repo rendered.
func (b bench) generated(ctx context.Context, dir string, size synthetic.Size) (sized, error) {
	measured := sized{Size: size}
	err := synthetic.Write(dir, size)
	if err != nil {
		return measured, err
	}
	unrendered := func() error { return removeManifests(dir) }
	if measured.first, err = b.render(ctx, dir, unrendered); err != nil {
		return measured, err
	}
	measured.check, err = b.render(ctx, dir, nothing, "--check")
	return measured, err
}

func (b bench) render(ctx context.Context, dir string, prepare func() error, args ...string) (cost, error) {
	args = append([]string{"render"}, args...)
	return b.repeat(fmt.Sprintf("tfgitops %v in %s", args, dir), prepare, func() (cost, error) {
		return b.process(ctx, dir, b.tfgitops, args...)
	})
}

// overlays builds every cluster's overlay: one process a cluster, as many at a time as there are cores.
func (b bench) overlays(ctx context.Context, dir string, clusters int) (cost, error) {
	return b.repeat(fmt.Sprintf("kustomize build of %d overlays in %s", clusters, dir), nothing, func() (cost, error) {
		return together(clusters, runtime.NumCPU(), func(number int) (cost, error) {
			return b.process(ctx, dir, b.kustomize, "build", filepath.Join("clusters", synthetic.Cluster(number)))
		})
	})
}

func (b bench) repeat(name string, prepare func() error, once func() (cost, error)) (cost, error) {
	c, err := repeat(b.runs, prepare, once)
	if err == nil {
		_, _ = fmt.Fprintf(b.progress, "%s: %s\n", name, c.wall.Round(time.Millisecond))
	}
	return c, err
}

func nothing() error { return nil }

func removeManifests(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, "clusters", "*", "manifests"))
	if err != nil {
		return err
	}
	for _, manifests := range found {
		if err := os.RemoveAll(manifests); err != nil {
			return err
		}
	}
	return nil
}
