package main

import (
	"fmt"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/bench/charts"
)

const diffPage = `# Benchmarks of diff

Written by ` + "`make bench`" + `; do not edit. Whole processes, from start to exit: the median of {{.Runs}} runs after one that does not
count. CPU is user and system time together; memory is the largest process at its peak. Three clusters have thirty
releases each, of charts with {{.Fewest}} to {{.Most}} templates (test/bench/charts), of which a third is turned off, as is usual; a bump changes
version, image and configuration. All charts are in the cache, and nothing is asked of a network. "Rendered before" is with the render cache filled, all others are
with it empty. helm gets one process a release, cluster and side, as many at a time as there are cores; it only renders,
while tfgitops reads both sides from Git, renders, compares, looks for risks and writes.

{{.Machine}}

` + tables

type diffReport struct {
	Runs, Fewest, Most int
	Machine            string
	Targets            []targetRow
	Measured           []measuredRow
}

func newDiffReport(opts options, r *diffResults) *diffReport {
	return &diffReport{
		Runs: opts.runs, Fewest: charts.Templates(0, diffComponents), Most: charts.Templates(diffComponents-1, diffComponents),
		Machine: machine() + "\n" + programs(opts.tfgitops, opts.helm), Targets: diffTargets(r), Measured: diffMeasured(r),
	}
}

func diffTargets(r *diffResults) []targetRow {
	const one, all = "one component on three clusters, `diff --charts`", "everything changed, `diff --charts`"
	return []targetRow{
		atMost(one+", where the overlays add nothing", 400*time.Millisecond, r.one.wall),
		atMost(one+", where they have patches", 800*time.Millisecond, r.patched.wall),
		atMost(all, 5*time.Second, r.all.wall),
		atMost(all+", rendered before", 1500*time.Millisecond, r.allKept.wall),
		atMostBytes(all, 500<<20, max(r.all.rss, r.allKept.rss)),
		atLeast(all+", against `helm template`", 5, r.helmAll.wall, r.all.wall),
		atLeast(all+", rendered before, against `helm template`", 10, r.helmAll.wall, r.allKept.wall),
		atLeast(all+", against `helm template`, CPU time", 5, r.helmAll.cpu, r.all.cpu),
		atLeast(all+", rendered before, against `helm template`, CPU time", 10, r.helmAll.cpu, r.allKept.cpu),
	}
}

func diffMeasured(r *diffResults) []measuredRow {
	all := diffClusters * diffComponents
	return []measuredRow{
		row("one component on three clusters, `diff --charts`", r.one),
		row("one component on three clusters, `diff --charts`, rendered before", r.oneKept),
		row("one component on three clusters, `diff --charts`, overlays with patches", r.patched),
		row(fmt.Sprintf("%d releases changed, `diff`", all), r.fluxOnly),
		row(fmt.Sprintf("%d releases changed, `diff --charts`", all), r.all),
		row(fmt.Sprintf("%d releases changed, `diff --charts`, rendered before", all), r.allKept),
		row(fmt.Sprintf("%d times `helm template`", 2*diffClusters), r.helmOne),
		row(fmt.Sprintf("%d times `helm template`", 2*all), r.helmAll),
	}
}
