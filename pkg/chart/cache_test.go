package chart

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCacheLoadsOnce(t *testing.T) {
	archive := pack(t, "demo", files{"values.yaml": "a: 1\n"})
	cache := NewCache(10, Limits{})
	var fetched atomic.Int32
	start := make(chan struct{})
	var wait sync.WaitGroup
	charts := make([]*Chart, 20)
	for i := range charts {
		wait.Go(func() {
			<-start
			c, err := cache.Chart(t.Context(), "sha256:a", func(context.Context) ([]byte, error) {
				fetched.Add(1)
				return archive, nil
			})
			if err != nil {
				t.Error(err)
			}
			charts[i] = c
		})
	}
	close(start)
	wait.Wait()
	if fetched.Load() != 1 {
		t.Errorf("fetched %d times, want once", fetched.Load())
	}
	for _, c := range charts {
		if c != charts[0] {
			t.Error("two charts for one digest")
		}
	}
}

func TestCacheForgets(t *testing.T) {
	archive := pack(t, "demo", nil)
	cache := NewCache(2, Limits{})
	fetched := ""
	get := func(digest string) {
		t.Helper()
		_, err := cache.Chart(t.Context(), digest, func(context.Context) ([]byte, error) {
			fetched += digest
			return archive, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, digest := range []string{"a", "b", "a", "c", "a", "b"} {
		get(digest)
	}
	if fetched != "abcb" {
		t.Errorf("fetched %q, want abcb: b was the least recently used when c came", fetched)
	}
}

func TestCacheDoesNotKeepFailures(t *testing.T) {
	cache := NewCache(2, Limits{})
	boom := errors.New("boom")
	fetches := []func(context.Context) ([]byte, error){
		func(context.Context) ([]byte, error) { return nil, boom },
		func(context.Context) ([]byte, error) { return []byte("no archive"), nil },
		func(context.Context) ([]byte, error) { return pack(t, "demo", nil), nil },
	}
	for i, want := range []error{boom, ErrMalformed, nil} {
		c, err := cache.Chart(t.Context(), "a", fetches[i])
		if !errors.Is(err, want) || (c == nil) != (want != nil) {
			t.Errorf("attempt %d: %v, %v; want %v", i, c, err, want)
		}
	}
}

// A caller that is cancelled does not take those down who wait for the same
// chart.
func TestCacheOutlivesACancelledCaller(t *testing.T) {
	cache := NewCache(2, Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	fetching := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		_, err := cache.Chart(ctx, "a", func(ctx context.Context) ([]byte, error) {
			close(fetching)
			<-ctx.Done()
			return nil, fmt.Errorf("fetch: %w", ctx.Err())
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled caller has %v", err)
		}
	})
	<-fetching
	wait.Go(func() {
		c, err := cache.Chart(t.Context(), "a", func(context.Context) ([]byte, error) { return pack(t, "demo", nil), nil })
		if err != nil || c == nil {
			t.Errorf("the other caller has %v, %v", c, err)
		}
	})
	cancel()
	wait.Wait()
}
