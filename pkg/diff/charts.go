package diff

import (
	"context"
	"sync"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
)

// maxParsed bounds how many parsed charts are kept: all of a change on every cluster.
const maxParsed = 256

// loader gets and parses each chart once, however many releases and clusters use it.
type loader struct {
	charts Charts
	parsed *chart.Cache

	mu    sync.Mutex
	known map[chartKey]*loaded
}

type chartKey struct {
	repo artifact.Repository
	ref  artifact.ChartRef
}

// loaded is one chart, or why there is none.
type loaded struct {
	once   sync.Once
	chart  *chart.Chart
	digest string // of the manifest in an OCI registry
	err    error
}

func newLoader(charts Charts) *loader {
	return &loader{charts: charts, parsed: chart.NewCache(maxParsed, chart.Limits{}), known: map[chartKey]*loaded{}}
}

// load returns a chart. A failure is kept too: asking again for every release would make a dead registry a long wait.
func (l *loader) load(ctx context.Context, key chartKey) (*loaded, error) {
	l.mu.Lock()
	entry := l.known[key]
	if entry == nil {
		entry = &loaded{}
		l.known[key] = entry
	}
	l.mu.Unlock()
	entry.once.Do(func() { l.fill(ctx, key, entry) })
	return entry, entry.err
}

func (l *loader) fill(ctx context.Context, key chartKey, entry *loaded) {
	published, err := l.charts.Chart(ctx, key.repo, key.ref)
	if err != nil {
		entry.err = err
		return
	}
	entry.digest = published.Digest
	// The archive is the same in every registry that it was pushed to, and then parsed once.
	entry.chart, entry.err = l.parsed.Chart(ctx, published.LayerDigest, func(context.Context) ([]byte, error) { return published.Archive, nil })
}
