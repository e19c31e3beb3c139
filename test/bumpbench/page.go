package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// page is what people read.
func page(r results, runs int, measuredOn time.Time) []byte {
	var out strings.Builder
	fmt.Fprintf(&out, `<!-- Written by make bench from test/bumpbench. Do not edit. -->
# Speed of a bump

Whole processes, the median of %d runs after one to warm up: `+"`tfgitops bump COMPONENT COMMIT --commit`"+` to a build that was just
published, with its commit not fetched and its chart not cached yet, and `+"`git add` and `git commit`"+` of the same files in the
same run. Registry and component source are on loopback. Measured on %s: %d cores, %s %s/%s.

| repo | files | bump | git alone | over git | target | met |
|---|---|---|---|---|---|---|
`, runs, measuredOn.UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, b := range r.Bumps {
		fmt.Fprintf(&out, "| %s | %d | %s | %s | %s | at most %s | %s |\n", b.Repo, b.Files, ms(b.Bump), ms(b.Git), ms(b.Over()), ms(b.TargetsOver), yes(b.Met()))
	}
	fmt.Fprintf(&out, "\nListing %d tags in pages of 1,000, from start to exit, with every one seen: %s (target: under 1 s, met: %s).\n", r.Tags, ms(r.Listing), yes(r.Listing < time.Second))
	return []byte(out.String())
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func yes(met bool) string {
	if met {
		return "yes"
	}
	return "**no**"
}
