package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// TestLock is a cluster's lock for tests: two runs at once would each fail by what the other does. It is a Lease in Flux's
// namespace, kept by client-go's leader election. A holder that dies stops renewing it, and the next one in line takes it
// over when it has not seen it renewed for Expiry.
type TestLock struct {
	Connection *Connection
	// Namespace is Flux's, where the Lease is.
	Namespace string
	// Holder is who takes it, for the others to read: no two runs may have the same.
	Holder string
	// Expiry is how long a holder may be silent; 0: a minute. Whole seconds.
	Expiry time.Duration
	// Say is told who holds the lock meanwhile.
	Say func(string)
}

const (
	testLease  = "tfgitops-tests"
	lockExpiry = time.Minute
)

var (
	// ErrLocked says that somebody else held the test lock for the whole time.
	ErrLocked = errors.New("the test lock was not free in time")
	// ErrLockLost says that the lock could not be renewed while it was held, so that somebody else may have it now.
	ErrLockLost = errors.New("the test lock was lost")
	// ErrLockRefused says that the account may not use the lock.
	ErrLockRefused = errors.New("the account may not take the test lock")
)

// Hold waits for the lock, for so long at most, does something, and gives the lock back. What is done gets a context that
// ends when the lock is lost; its error comes back as it is.
func (l TestLock) Hold(ctx context.Context, within time.Duration, do func(context.Context) error) error {
	leases, err := l.Connection.leases()
	if err != nil {
		return err
	}
	run := &lockRun{
		TestLock: l, do: do, ended: make(chan error, 1),
		Interface: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: l.Namespace, Name: testLease}, Client: leases, LockConfig: resourcelock.ResourceLockConfig{Identity: l.Holder},
		},
	}
	return run.hold(ctx, within)
}

// lockRun is one call of Hold. It is also the lock that the election works on: the election itself only writes a log of
// what goes wrong.
type lockRun struct {
	TestLock
	resourcelock.Interface
	do      func(context.Context) error
	ended   chan error
	taken   atomic.Bool
	giveUp  context.CancelCauseFunc
	mu      sync.Mutex
	problem error
}

// hold keeps the election apart from the caller's context: the lock is given back after the work has ended, not before.
func (r *lockRun) hold(ctx context.Context, within time.Duration) error {
	electing, stop := context.WithCancelCause(klog.NewContext(context.WithoutCancel(ctx), logr.Discard()))
	defer stop(nil)
	r.giveUp = stop
	queueing, leave := context.WithTimeout(ctx, within)
	defer leave()
	inQueue := context.AfterFunc(queueing, func() { stop(context.Cause(queueing)) })
	elector, err := leaderelection.NewLeaderElector(r.election(func(leading context.Context) {
		defer stop(nil)
		if !inQueue() {
			r.ended <- context.Cause(queueing) // the time was over at the same moment
			return
		}
		r.ended <- r.work(ctx, leading)
	}))
	if err != nil {
		return err
	}
	elector.Run(electing)
	if r.taken.Load() {
		return <-r.ended
	}
	return r.notTaken(ctx, context.Cause(electing), elector.GetLeader())
}

// election has the proportions of Kubernetes' own components: tries twelve times in the time after which others take over.
func (r *lockRun) election(work func(context.Context)) leaderelection.LeaderElectionConfig {
	expiry := r.Expiry
	if expiry == 0 {
		expiry = lockExpiry
	}
	return leaderelection.LeaderElectionConfig{
		Lock: r, LeaseDuration: expiry, RenewDeadline: expiry * 2 / 3, RetryPeriod: expiry / 12, ReleaseOnCancel: true, Name: testLease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: work, OnStoppedLeading: func() {},
			OnNewLeader: func(holder string) {
				if holder != r.Holder && holder != "" {
					r.Say("the test lock is held by " + clean(holder))
				}
			},
		},
	}
}

// work ends with the caller's context, and with the lock.
func (r *lockRun) work(ctx, leading context.Context) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	unwatch := context.AfterFunc(leading, func() { stop(ErrLockLost) })
	defer unwatch()
	err := r.do(working)
	if errors.Is(context.Cause(working), ErrLockLost) {
		return ErrLockLost
	}
	return err
}

func (r *lockRun) notTaken(ctx context.Context, cause error, holder string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(cause, ErrLockRefused):
		return cause
	case holder != "":
		return fmt.Errorf("%w: %s holds it", ErrLocked, clean(holder))
	case r.problem != nil:
		return fmt.Errorf("%w: %s", ErrLocked, clean(r.problem.Error()))
	}
	return ErrLocked
}

// Get, Create and Update note what goes wrong. A refusal ends the election: it would go on asking for ever.

func (r *lockRun) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := r.Interface.Get(ctx)
	return record, raw, r.noted(err)
}

func (r *lockRun) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return r.noted(r.Interface.Create(ctx, record))
}

func (r *lockRun) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return r.noted(r.Interface.Update(ctx, record))
}

// RecordEvent is called, before anything else, when the lock is taken.
func (r *lockRun) RecordEvent(string) { r.taken.Store(true) }

func (r *lockRun) noted(err error) error {
	switch {
	case err == nil, apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		r.giveUp(fmt.Errorf("%w: it needs get, create and update of leases in %s", ErrLockRefused, r.Namespace))
	default:
		r.mu.Lock()
		r.problem = err
		r.mu.Unlock()
	}
	return err
}

// leases is the client of the cluster's leases, on the connection that is there.
func (c *Connection) leases() (coordinationv1.LeasesGetter, error) {
	client, err := coordinationv1.NewForConfigAndClient(c.config, c.http)
	if err != nil {
		return nil, fmt.Errorf("the API server's address cannot be used: %s", clean(err.Error()))
	}
	return client, nil
}
