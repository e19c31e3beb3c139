package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

// tables are what every page has.
const tables = `## Targets

| what | target | measured | met |
|---|---|---|---|
{{- range .Targets}}
| {{.What}} | {{.Target}} | {{.Measured}} | {{.Met}} |
{{- end}}

## Measured

| what | time | CPU | memory |
|---|---|---|---|
{{- range .Measured}}
| {{.What}} | {{.Wall}} | {{.CPU}} | {{.RSS}} |
{{- end}}
`

const page = `# Benchmarks

Written by ` + "`make bench`" + `; do not edit. Whole processes, from start to exit: the median of {{.Runs}} runs after one that does not
count. CPU is user and system time together; memory is the largest process at its peak. The generated repos have one
release a component, forty-odd lines of values each, and values of the cluster's own for one release in five
(test/bench/synthetic). kustomize gets one process a cluster, as many at a time as there are cores, and has to read
only what tfgitops has rendered.

{{.Machine}}

` + tables + `
## Growth

| releases | clusters | first render | a release | nothing changed, --check | a release | memory, first render |
|---|---|---|---|---|---|---|
{{- range .Growth}}
| {{.Releases}} | {{.Clusters}} | {{.First}} | {{.FirstEach}} | {{.Check}} | {{.CheckEach}} | {{.RSS}} |
{{- end}}
{{if .GoBenchmarks}}
## Go benchmarks

` + "```" + `
{{.GoBenchmarks}}
` + "```" + `
{{end}}`

type targetRow struct{ What, Target, Measured, Met string }

type measuredRow struct{ What, Wall, CPU, RSS string }

type growthRow struct {
	Releases, Clusters                      int
	First, FirstEach, Check, CheckEach, RSS string
}

type report struct {
	Runs         int
	Machine      string
	Targets      []targetRow
	Measured     []measuredRow
	Growth       []growthRow
	GoBenchmarks string
}

func renderPage(opts options, r *results) ([]byte, error) {
	goBenchmarks, err := benchmarkLines(opts.goBenchmarks)
	if err != nil {
		return nil, err
	}
	return (&report{
		Runs: opts.runs, Machine: machine() + "\n" + programs(opts.tfgitops, opts.kustomize), Targets: targets(r), Measured: measured(r), Growth: growth(r), GoBenchmarks: goBenchmarks,
	}).page()
}

func (r *report) page() ([]byte, error) { return fill(page, r) }

// fill writes what was measured into a page.
func fill(page string, data any) ([]byte, error) {
	var b bytes.Buffer
	parsed, err := template.New("page").Parse(page)
	if err == nil {
		err = parsed.Execute(&b, data)
	}
	return b.Bytes(), err
}

// targets are those of the project, with how much of each limit was used, or how far each factor was passed: a limit is met below
// 1.00 of it, a factor above.
func targets(r *results) []targetRow {
	big := r.largest()
	name := fmt.Sprintf("%d clusters × %d components", big.Clusters, big.Components)
	return []targetRow{
		atMost("Toolforge, full `render --check`", 150*time.Millisecond, r.toolforge.wall),
		atMost(name+", first `render`", 6*time.Second, big.first.wall),
		atMostBytes(name+", first `render`", 600<<20, big.first.rss),
		atMost(name+", nothing changed, `render --check`", 4*time.Second, big.check.wall),
		atMost(name+", `render --check` of one cluster", 150*time.Millisecond, r.oneCluster.wall),
		atLeast(name+", first `render` against `kustomize build`", 3, r.kustomize.wall, big.first.wall),
		atLeast(name+", `render --check` against `kustomize build`", 6, r.kustomize.wall, big.check.wall),
	}
}

func atMost(what string, limit, got time.Duration) targetRow {
	return targetRow{what, "under " + show(limit), show(got), met(got < limit, float64(got)/float64(limit))}
}

func atMostBytes(what string, limit, got int64) targetRow {
	return targetRow{what, "under " + mib(limit), mib(got), met(got < limit, float64(got)/float64(limit))}
}

func atLeast(what string, factor float64, peer, got time.Duration) targetRow {
	times := float64(peer) / float64(got)
	return targetRow{what, fmt.Sprintf("%.0f times faster", factor), fmt.Sprintf("%.1f times", times), met(times >= factor, times/factor)}
}

func met(yes bool, share float64) string {
	if yes {
		return fmt.Sprintf("yes, %.2f of it", share)
	}
	return fmt.Sprintf("**no**, %.2f of it", share)
}

func measured(r *results) []measuredRow {
	rows := []measuredRow{row("Toolforge, full `render --check`", r.toolforge)}
	for _, g := range r.generated {
		name := fmt.Sprintf("%d releases", g.Releases())
		rows = append(rows, row(name+", first `render`", g.first), row(name+", nothing changed, `render --check`", g.check))
	}
	name := fmt.Sprintf("%d releases", r.largest().Releases())
	return append(rows,
		row(name+", `render --check` of one cluster", r.oneCluster),
		row(name+fmt.Sprintf(", `kustomize build` of all %d overlays", r.largest().Clusters), r.kustomize))
}

func row(what string, c cost) measuredRow {
	return measuredRow{what, show(c.wall), show(c.cpu), mib(c.rss)}
}

func growth(r *results) []growthRow {
	rows := make([]growthRow, len(r.generated))
	for i, g := range r.generated {
		rows[i] = growthRow{
			Releases: g.Releases(), Clusters: g.Clusters,
			First: show(g.first.wall), FirstEach: each(g.first.wall, g.Releases()),
			Check: show(g.check.wall), CheckEach: each(g.check.wall, g.Releases()),
			RSS: mib(g.first.rss),
		}
	}
	return rows
}

func each(total time.Duration, n int) string {
	return fmt.Sprintf("%d µs", (total / time.Duration(n)).Microseconds())
}

func show(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

// benchmarkLines keeps of go test's output what was measured.
func benchmarkLines(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	output, err := os.ReadFile(name)
	var lines []string
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, "Benchmark") || strings.HasPrefix(line, "pkg: ") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	return strings.Join(withoutIdlePackages(lines), "\n"), err
}

// withoutIdlePackages drops the pkg lines of packages that have no benchmark.
func withoutIdlePackages(lines []string) []string {
	var kept []string
	for i, line := range lines {
		idle := strings.HasPrefix(line, "pkg: ") && (i+1 == len(lines) || strings.HasPrefix(lines[i+1], "pkg: "))
		if !idle {
			kept = append(kept, line)
		}
	}
	return kept
}
