package main

import (
	"bytes"
	"fmt"
	"runtime"
	"time"
)

// The targets, at the largest size.
const (
	readTarget   = 3 * time.Second
	scrapeTarget = 200 * time.Millisecond
	memoryTarget = 500 << 20
)

// page writes down what was measured.
func page(all []measured, runs int, now time.Time) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `<!-- Written by make bench from test/livebench. Do not edit. -->
# Speed of a snapshot

A whole `+"`tfgitops exporter`"+` reads API servers over TLS and HTTP/2 on the same machine, 32 at once: seven kinds and the version of each
cluster, with HelmReleases of seven kilobytes. The servers are a process of their own, on the same processors; the last columns
are what a refresh costs a processor on either side, which other work on the machine does not change. Times are the median of %d refreshes; "first" opens the connections.
A scrape is sent compressed; its size here is that of the text.
Measured on %s: %d cores, %s %s/%s.

| clusters | releases | read them, first | read them again | whole refresh | scrape | memory, peak | CPU | CPU of the servers |
|---|---|---|---|---|---|---|---|---|
`, runs, now.UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, m := range all {
		fmt.Fprintf(&out, "| %d | %d | %s | %s | %s | %s (%.1f MiB) | %d MiB | %s | %s |\n", m.clusters, m.clusters*m.releases,
			short(m.first), short(m.again), short(m.whole), short(m.scrape), float64(m.scrapeBytes)/(1<<20), m.memory>>20, short(m.exporter), short(m.servers))
	}
	largest := all[len(all)-1]
	fmt.Fprintf(&out, "\n| at %d clusters × %d releases | target | measured | met |\n|---|---|---|---|\n", largest.clusters, largest.releases)
	fmt.Fprintf(&out, "| a snapshot, with nothing open yet | under %s | %s | %s |\n", short(readTarget), short(largest.first), met(largest.first < readTarget))
	fmt.Fprintf(&out, "| a snapshot, again and again | under %s | %s | %s |\n", short(readTarget), short(largest.again), met(largest.again < readTarget))
	fmt.Fprintf(&out, "| a scrape | under %s | %s | %s |\n", short(scrapeTarget), short(largest.scrape), met(largest.scrape < scrapeTarget))
	fmt.Fprintf(&out, "| memory of the whole exporter | under %d MiB | %d MiB | %s |\n", memoryTarget>>20, largest.memory>>20, met(largest.memory < memoryTarget))
	return out.Bytes()
}

func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func met(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
