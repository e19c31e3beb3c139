package chart

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
)

// Cache keeps parsed charts by digest, the least recently used leaving first.
// It is safe for concurrent use: a chart asked for by several at once is
// fetched and parsed once. The zero value is not usable; see [NewCache].
type Cache struct {
	limits Limits
	max    int

	mu     sync.Mutex
	charts map[string]*list.Element // of *cached
	recent *list.List               // the most recently used in front
}

// cached is one chart, or one on its way: done is closed when it is there.
type cached struct {
	digest string
	done   chan struct{}
	chart  *Chart
	err    error
}

// NewCache returns a cache of at most max charts, which are loaded within
// limits.
func NewCache(max int, limits Limits) *Cache {
	return &Cache{limits: limits, max: max, charts: map[string]*list.Element{}, recent: list.New()}
}

// Chart returns the chart with the digest, calling fetch for its archive when
// it is not there yet. The digest may be the archive's or that of the OCI
// manifest it came with, as long as it identifies the content. Failures are not
// kept. A caller whose context ends stops waiting; the one that fetches does so
// with its own context.
func (c *Cache) Chart(ctx context.Context, digest string, fetch func(context.Context) ([]byte, error)) (*Chart, error) {
	for {
		entry, mine := c.claim(digest)
		if mine {
			c.fill(ctx, entry, fetch)
		}
		select {
		case <-entry.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// Another's cancelled fetch is no answer for a caller still alive.
		if entry.err == nil || mine || ctx.Err() != nil {
			return entry.chart, entry.err
		}
		if !isCancelled(entry.err) {
			return nil, entry.err
		}
	}
}

// claim returns the entry for a digest, and whether the caller has to fill it.
func (c *Cache) claim(digest string) (entry *cached, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.charts[digest]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*cached), false //nolint:forcetypeassert // the list holds nothing else
	}
	entry = &cached{digest: digest, done: make(chan struct{})}
	c.charts[digest] = c.recent.PushFront(entry)
	for c.recent.Len() > max(c.max, 1) {
		c.drop(c.recent.Back())
	}
	return entry, true
}

func (c *Cache) fill(ctx context.Context, entry *cached, fetch func(context.Context) ([]byte, error)) {
	entry.err = fmt.Errorf("loading chart %q: panicked", entry.digest)
	defer func() {
		if entry.err != nil {
			c.forget(entry)
		}
		close(entry.done)
	}()
	data, err := fetch(ctx)
	if err != nil {
		entry.err = fmt.Errorf("fetching chart %q: %w", entry.digest, err)
		return
	}
	entry.chart, err = Load(data, c.limits)
	if err != nil {
		entry.err = fmt.Errorf("loading chart %q: %w", entry.digest, err)
		return
	}
	entry.err = nil
}

// forget drops an entry that failed, unless it has been replaced already.
func (c *Cache) forget(entry *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.charts[entry.digest]; ok && e.Value == entry {
		c.drop(e)
	}
}

func (c *Cache) drop(e *list.Element) {
	c.recent.Remove(e)
	delete(c.charts, e.Value.(*cached).digest) //nolint:forcetypeassert // the list holds nothing else
}

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
