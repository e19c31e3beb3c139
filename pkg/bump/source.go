package bump

import (
	"context"
	"sync"
)

// openOnce says how the component's source is opened when it is first asked for.
func (w *planning) openOnce(ctx context.Context) {
	if w.component.Source == nil {
		return
	}
	w.source = sync.OnceValues(func() (Source, error) {
		w.progress("reading the history of " + w.component.Source.URL)
		source, err := w.OpenSource(ctx, w.component.Source.URL)
		if err != nil {
			return nil, err
		}
		return &askedSource{Source: source}, nil
	})
}

// openSource returns the component's source; nil where there is none, or, with the error, where it cannot be opened.
func (w *planning) openSource() (Source, error) {
	if w.source == nil {
		return nil, nil
	}
	return w.source()
}

// fetchAhead has the source fetch a commit while the registries are asked: both take a while, and neither needs the other.
// What is wrong is said by whoever asks again: the answers are kept.
func (w *planning) fetchAhead(ctx context.Context, commit string) {
	if w.source == nil {
		return
	}
	w.ahead.Go(func() {
		if source, err := w.source(); err == nil {
			_, _ = source.Ensure(ctx, commit)
		}
	})
}

// branch is the branch of the component's source that releases are cut from.
func (w *planning) branch() string {
	if w.component.Source.Branch != "" {
		return w.component.Source.Branch
	}
	return "main"
}
