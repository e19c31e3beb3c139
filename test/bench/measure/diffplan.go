package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// diffResults are what was measured of diff. The charts are in the cache, everywhere.
type diffResults struct {
	one, patched     cost // one component on every cluster, nothing rendered before
	oneKept          cost // the same, rendered before
	all, allKept     cost // everything
	fluxOnly         cost // everything, without --charts
	helmOne, helmAll cost
}

// measureDiff measures diff beside helm, in one run.
func measureDiff(ctx context.Context, opts options, scratch string) (*diffResults, error) {
	b := bench{options: opts, progress: os.Stderr, env: []string{
		"HOME=" + scratch, "XDG_CACHE_HOME=" + filepath.Join(scratch, "cache"), "XDG_STATE_HOME=" + filepath.Join(scratch, "state"),
		"XDG_CONFIG_HOME=" + filepath.Join(scratch, "config"), "XDG_DATA_HOME=" + filepath.Join(scratch, "data"), "GIT_CONFIG_GLOBAL=" + os.DevNull,
	}}
	w, err := newWorld(ctx, b, filepath.Join(scratch, "world"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.close() }()
	if _, err := b.process(ctx, w.repo(), b.tfgitops, "diff", branchBase, branchAll, "--charts", "--fail-on", "high"); err != nil {
		return nil, err // which also fills the cache of charts
	}
	forget := func() error { return os.RemoveAll(filepath.Join(scratch, "cache", "tfgitops", "renders")) }
	r := &diffResults{}
	for _, step := range []struct {
		into       *cost
		prepare    func() error
		base, head string
		args       []string
	}{
		{&r.one, forget, branchBase, branchOne, []string{"--charts", "--offline"}},
		{&r.oneKept, nothing, branchBase, branchOne, []string{"--charts", "--offline"}},
		{&r.patched, forget, branchPatched, branchBoth, []string{"--charts", "--offline"}},
		{&r.all, forget, branchBase, branchAll, []string{"--charts", "--offline"}},
		{&r.allKept, nothing, branchBase, branchAll, []string{"--charts", "--offline"}},
		{&r.fluxOnly, nothing, branchBase, branchAll, nil},
	} {
		if *step.into, err = w.diff(ctx, step.prepare, append([]string{step.base, step.head}, step.args...)...); err != nil {
			return nil, err
		}
	}
	if r.helmOne, err = w.helmTemplates(ctx, 1); err != nil {
		return nil, err
	}
	r.helmAll, err = w.helmTemplates(ctx, diffComponents)
	return r, err
}

func (w *world) diff(ctx context.Context, prepare func() error, args ...string) (cost, error) {
	args = append([]string{"diff", "--fail-on", "high"}, args...) // fails where a chart could not be expanded
	return w.repeat(fmt.Sprintf("tfgitops %v", args), prepare, func() (cost, error) {
		return w.process(ctx, w.repo(), w.tfgitops, args...)
	})
}

// helmTemplates runs helm once a release, cluster and side, as many at a time as there are cores.
func (w *world) helmTemplates(ctx context.Context, components int) (cost, error) {
	runs := components * diffClusters * 2
	return w.repeat(fmt.Sprintf("helm template, %d times", runs), nothing, func() (cost, error) {
		return together(runs, runtime.NumCPU(), func(number int) (cost, error) {
			component, cluster, build := number/(2*diffClusters), number/2%diffClusters, number%2+1
			name := diffComponent(component)
			return w.process(ctx, w.repo(), w.helm, "template", name, w.chart(component, build), "--namespace", name, "--is-upgrade",
				"--kube-version", "1.32.4", "--api-versions", "monitoring.coreos.com/v1",
				"--values", filepath.Join("components", name, "values", name+".yaml"),
				"--values", filepath.Join("clusters", diffCluster(cluster), "values", name+".yaml"))
		})
	})
}
