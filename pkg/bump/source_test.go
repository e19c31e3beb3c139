package bump

import (
	"context"
	"errors"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
)

// meeting lets each of two parties go on only when the other has come, too.
type meeting struct{ registry, source chan struct{} }

func (m meeting) attend(ctx context.Context, own, other chan struct{}) error {
	close(own)
	select {
	case <-other:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return errors.New("the other one was not asked at the same time")
	}
}

type meetingRegistries struct {
	*fakeRegistries
	meeting
}

func (r meetingRegistries) Resolve(ctx context.Context, repo artifact.Repository, q artifact.Query) (artifact.Resolution, error) {
	if err := r.attend(ctx, r.registry, r.source); err != nil {
		return artifact.Resolution{}, err
	}
	return r.fakeRegistries.Resolve(ctx, repo, q)
}

// The component's source is asked for the commit while the registry is asked for the version.
func TestSourceIsAskedBesideTheRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	m := meeting{make(chan struct{}), make(chan struct{})}
	w.planner.Registries = meetingRegistries{w.registries, m}
	w.planner.OpenSource = func(ctx context.Context, _ string) (Source, error) {
		return w.source, m.attend(ctx, m.source, m.registry)
	}
	plan, err := w.plan(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"beta"}}})
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
}

// A plan that fails leaves nothing running: what was asked ahead is told to stop, and waited for.
func TestFailedPlanStopsWhatWasAskedAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	asked, stopped := make(chan struct{}), false
	w.planner.OpenSource = func(ctx context.Context, _ string) (Source, error) {
		close(asked)
		<-ctx.Done()
		time.Sleep(10 * time.Millisecond) // nobody waits for it by accident
		stopped = true
		return nil, ctx.Err()
	}
	w.planner.Registries = waitingRegistries{w.registries, asked}
	if _, err := w.plan(Request{Op: OpBump, Revision: "deadbeef", Scope: Scope{Clusters: []string{"beta"}}}); err == nil {
		t.Fatal("a commit that nobody built was planned")
	}
	if !stopped {
		t.Error("the source is still being asked")
	}
}

// waitingRegistries answer once the source is being asked.
type waitingRegistries struct {
	*fakeRegistries
	asked chan struct{}
}

func (r waitingRegistries) Resolve(ctx context.Context, repo artifact.Repository, q artifact.Query) (artifact.Resolution, error) {
	<-r.asked
	return r.fakeRegistries.Resolve(ctx, repo, q)
}
