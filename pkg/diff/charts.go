package diff

import (
	"context"
	"sync"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
)

// maxParsed bounds how many parsed charts are kept: all of a change on every cluster.
const maxParsed = 256

// loader gets and parses each chart once, however many releases and clusters use it, and only where something of it is not in
// renders.
type loader struct {
	charts  Charts
	renders *chart.Renders
	parsed  *chart.Cache

	mu    sync.Mutex
	known map[chartKey]*loaded
}

type chartKey struct {
	repo artifact.Repository
	ref  artifact.ChartRef
}

// loaded is one published chart, or why there is none.
type loaded struct {
	once      sync.Once
	published *artifact.Chart
	err       error

	onceDefaults sync.Once
	defaults     map[string]any
	errDefaults  error
}

func newLoader(charts Charts, renders *chart.Renders) *loader {
	return &loader{charts: charts, renders: renders, parsed: chart.NewCache(maxParsed, chart.Limits{}), known: map[chartKey]*loaded{}}
}

// load returns a published chart. A failure is kept too: asking again for every release would make a dead registry a long wait.
func (l *loader) load(ctx context.Context, key chartKey) (*artifact.Chart, error) {
	entry := l.entry(key)
	entry.once.Do(func() { entry.published, entry.err = l.charts.Chart(ctx, key.repo, key.ref) })
	return entry.published, entry.err
}

func (l *loader) entry(key chartKey) *loaded {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known[key] == nil {
		l.known[key] = &loaded{}
	}
	return l.known[key]
}

// parse parses a chart, when asked. Its archive is the same in every registry that it was pushed to, and then parsed once.
func (l *loader) parse(published *artifact.Chart) func(context.Context) (*chart.Chart, error) {
	return func(ctx context.Context) (*chart.Chart, error) {
		return l.parsed.Chart(ctx, published.LayerDigest, func(context.Context) ([]byte, error) { return published.Archive, nil })
	}
}

// defaults are the values.yaml of the chart of an expansion, which nobody may change.
func (l *loader) defaults(ctx context.Context, e *expansion) (map[string]any, error) {
	published, err := l.load(ctx, e.input.chart)
	if err != nil {
		return nil, err
	}
	entry := l.entry(e.input.chart)
	entry.onceDefaults.Do(func() {
		entry.defaults, entry.errDefaults = l.renders.Defaults(ctx, published.LayerDigest, l.parse(published))
	})
	return entry.defaults, entry.errDefaults
}
