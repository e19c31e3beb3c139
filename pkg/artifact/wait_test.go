package artifact_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

func TestWaitFor(t *testing.T) {
	t.Parallel()
	missing := &artifact.NotFoundError{Chart: "x"}
	down := &artifact.Error{Kind: artifact.ErrUnreachable}
	refused := &artifact.Error{Kind: artifact.ErrUnauthorized}
	offline := &artifact.Error{Kind: artifact.ErrOffline}
	for _, c := range []struct {
		name    string
		timeout time.Duration
		answers []error // the last one repeats
		asked   int
		want    error
		took    time.Duration
	}{
		{"there at once", time.Minute, []error{nil}, 1, nil, 0},
		{"published meanwhile", time.Minute, []error{missing, down, missing, nil}, 4, nil, 30 * time.Second},
		{"never", 25 * time.Second, []error{missing}, 4, artifact.ErrMissing, 25 * time.Second},
		{"down until the end", 20 * time.Second, []error{missing, down}, 3, artifact.ErrUnreachable, 20 * time.Second},
		{"no waiting", 0, []error{missing}, 1, artifact.ErrMissing, 0},
		{"refused", time.Minute, []error{refused}, 1, artifact.ErrUnauthorized, 0},
		{"offline", time.Minute, []error{offline}, 1, artifact.ErrOffline, 0},
	} {
		clock, asked, told := newClock(), 0, 0
		start := clock.Now()
		wait := artifact.Wait{Timeout: c.timeout, Clock: clock, Progress: func(error, time.Duration) { told++ }}
		got, err := artifact.WaitFor(t.Context(), wait, func(context.Context) (int, error) {
			asked++
			return asked, c.answers[min(asked, len(c.answers))-1]
		})
		if !errors.Is(err, c.want) || asked != c.asked || got != asked || clock.Now().Sub(start) != c.took || told != asked-1 {
			t.Errorf("%s: asked %d, told %d, took %s, got %v", c.name, asked, told, clock.Now().Sub(start), err)
		}
	}
}

func TestWaitForStopsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := artifact.WaitFor(ctx, artifact.Wait{Timeout: time.Hour, Interval: time.Hour}, func(context.Context) (int, error) {
		time.AfterFunc(10*time.Millisecond, cancel)
		return 0, &artifact.NotFoundError{}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// CI publishes while somebody waits; the registry is down for a moment in between.
func TestWaitingForARegistry(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	asked := 0
	c := client()
	wait := artifact.Wait{Timeout: time.Hour, Clock: newClock(), Progress: func(error, time.Duration) {
		asked++
		switch asked {
		case 1:
			s.Fail(registrytest.Fault{Status: 503, Times: 3})
		case 2:
			push(t, s, chart("1.0.0"))
		case 3:
			push(t, s, chart(version))
		}
	}}
	pattern, err := artifact.CompilePattern(`-(?P<commit>[0-9a-f]{8})$`)
	if err != nil {
		t.Fatal(err)
	}
	revision, err := artifact.ParseRevision("0989")
	if err != nil {
		t.Fatal(err)
	}
	got, err := artifact.WaitFor(t.Context(), wait, func(ctx context.Context) (artifact.Resolution, error) {
		return c.Resolve(ctx, oci(s), artifact.Query{Chart: "jobs-api", Revision: revision, Pattern: pattern})
	})
	if err != nil || got.Version.Version != version || asked != 3 {
		t.Errorf("got %+v after %d, %v", got, asked, err)
	}
}
