// Command livebench measures `tfgitops exporter` against many clusters: how long it takes to read them all, how much memory it
// needs, and how long a scrape takes; it writes a page. The API servers are a process of their own (this program again, with
// -serve), so that what they cost is measured apart. scripts/bench.sh runs it.
//
// It depends on the repo generator of test/bench and on nothing of tfgitops itself.
package main
