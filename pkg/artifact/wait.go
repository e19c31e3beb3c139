package artifact

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Wait says how long to wait for something to be published.
type Wait struct {
	Timeout  time.Duration // 0: ask once
	Interval time.Duration // between two questions; 0: ten seconds
	Clock    Clock         // nil: the system's
	// Progress, if set, is told after each unsuccessful question why, and how much time is left.
	Progress func(why error, left time.Duration)
}

// WaitFor asks until there is an answer. Only what may pass is waited for: ErrMissing (CI has not published it yet) and
// ErrUnreachable. Any other error, and the last one at the deadline, is returned.
func WaitFor[T any](ctx context.Context, w Wait, poll func(context.Context) (T, error)) (T, error) {
	if w.Clock == nil {
		w.Clock = SystemClock{}
	}
	if w.Interval <= 0 {
		w.Interval = 10 * time.Second
	}
	deadline := w.Clock.Now().Add(w.Timeout)
	for {
		found, err := poll(ctx)
		left := deadline.Sub(w.Clock.Now())
		if err == nil || !mayPass(err) || w.Timeout <= 0 {
			return found, err
		}
		if left <= 0 {
			return found, fmt.Errorf("waited %s: %w", w.Timeout, err)
		}
		if w.Progress != nil {
			w.Progress(err, left)
		}
		if err := w.Clock.Sleep(ctx, min(w.Interval, left)); err != nil {
			return found, fmt.Errorf("waiting for publication: %w", err)
		}
	}
}

func mayPass(err error) bool {
	return (errors.Is(err, ErrMissing) || errors.Is(err, ErrUnreachable)) && !errors.Is(err, ErrOffline)
}
