package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

const leasesPath = "/apis/coordination.k8s.io/v1/namespaces/flux-system/leases"

// fakeLeases keeps one Lease as an API server does: a write of an old form is a conflict.
type fakeLeases struct {
	mu     sync.Mutex
	lease  *coordinationv1.Lease
	writes int
	// refuse is answered instead, from the write of that number on; 0: never.
	refuse, from int
}

func (f *fakeLeases) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var sent coordinationv1.Lease
	if r.Method != http.MethodGet {
		f.writes++
		body, _ := io.ReadAll(r.Body)
		if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &sent); err != nil { // Protocol Buffers
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	switch {
	case f.refuse != 0 && f.writes >= f.from:
		status(w, f.refuse)
		return
	case r.Method == http.MethodPost && r.URL.Path == leasesPath && f.lease == nil, r.Method == http.MethodPut && f.lease != nil && sent.ResourceVersion == f.lease.ResourceVersion:
		sent.ResourceVersion = strconv.Itoa(f.writes)
		f.lease = &sent
	case r.Method == http.MethodPut, r.Method == http.MethodPost:
		status(w, http.StatusConflict)
		return
	case f.lease == nil || r.URL.Path != leasesPath+"/"+testLease:
		status(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(f.lease)
}

func (f *fakeLeases) holder() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lease == nil || f.lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *f.lease.Spec.HolderIdentity
}

func status(w http.ResponseWriter, code int) {
	reasons := map[int]string{http.StatusConflict: "Conflict", http.StatusNotFound: "NotFound", http.StatusForbidden: "Forbidden", http.StatusInternalServerError: "InternalError"}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":"planted-in-answer"}`, code, reasons[code])
}

// lockOn is a lock on a fake cluster that expires after a second.
func lockOn(t *testing.T, leases *fakeLeases, holder string, say func(string)) TestLock {
	t.Helper()
	clusters, kubeconfig := fakeClusters(t, map[string]http.Handler{"c": leases})
	connection, err := kubeconfig.Connect(clusters[0].Context)
	if err != nil {
		t.Fatal(err)
	}
	return TestLock{Connection: connection, Namespace: "flux-system", Holder: holder, Expiry: time.Second, Say: say}
}

func TestLockIsHeldAndGivenBack(t *testing.T) {
	t.Parallel()
	leases := &fakeLeases{}
	lock := lockOn(t, leases, "me", func(text string) { t.Errorf("said %q", text) })
	want := errors.New("the work's own error")
	for range 2 { // made the first time, found the second
		err := lock.Hold(t.Context(), time.Minute, func(ctx context.Context) error {
			if leases.holder() != "me" {
				t.Errorf("held by %q", leases.holder())
			}
			time.Sleep(1500 * time.Millisecond) // longer than it lasts without being renewed
			if ctx.Err() != nil {
				t.Error("the lock was lost")
			}
			return want
		})
		if !errors.Is(err, want) {
			t.Error(err)
		}
		if leases.holder() != "" {
			t.Errorf("still held by %q", leases.holder())
		}
	}
}

func TestLockKeepsOthersOut(t *testing.T) {
	t.Parallel()
	leases := &fakeLeases{}
	var mu sync.Mutex
	working, said := 0, ""
	var group sync.WaitGroup
	for _, holder := range []string{"one", "two", "three"} {
		lock := lockOn(t, leases, holder, func(text string) {
			mu.Lock()
			defer mu.Unlock()
			said += text
		})
		group.Go(func() {
			err := lock.Hold(t.Context(), time.Minute, func(context.Context) error {
				mu.Lock()
				working++
				if working > 1 {
					t.Error("two at once")
				}
				mu.Unlock()
				time.Sleep(200 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				working--
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", holder, err)
			}
		})
	}
	group.Wait()
	if !strings.Contains(said, "the test lock is held by ") {
		t.Errorf("said %q", said)
	}
}

// TestLockOfTheDead is left behind by a run that was killed: nobody renews it.
func TestLockOfTheDead(t *testing.T) {
	t.Parallel()
	leases := &fakeLeases{}
	dead := lockOn(t, leases, "dead", func(string) {})
	ctx, kill := context.WithCancel(t.Context())
	leases.refuse = http.StatusInternalServerError
	leases.from = 2 // its first write is the last that arrives
	err := dead.Hold(ctx, time.Minute, func(context.Context) error { kill(); return nil })
	if err != nil || leases.holder() != "dead" {
		t.Fatalf("%v, held by %q", err, leases.holder())
	}
	leases.mu.Lock()
	leases.refuse = 0
	leases.mu.Unlock()
	next := lockOn(t, leases, "next", func(string) {})
	if err := next.Hold(t.Context(), 200*time.Millisecond, func(context.Context) error { return nil }); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "dead holds it") {
		t.Errorf("before it expires: %v", err)
	}
	started := time.Now()
	if err := next.Hold(t.Context(), time.Minute, func(context.Context) error { return nil }); err != nil || time.Since(started) < 900*time.Millisecond {
		t.Errorf("taken over after %v: %v", time.Since(started), err)
	}
	if got := *leases.lease.Spec.LeaseTransitions; got != 1 {
		t.Errorf("%d transitions", got)
	}
}

func TestLockLost(t *testing.T) {
	t.Parallel()
	leases := &fakeLeases{refuse: http.StatusInternalServerError, from: 2}
	err := lockOn(t, leases, "me", func(string) {}).Hold(t.Context(), time.Minute, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, ErrLockLost) {
		t.Error(err)
	}
}

func TestLockNotTaken(t *testing.T) {
	t.Parallel()
	never := func(context.Context) error { t.Error("worked without the lock"); return nil }
	forbidden := lockOn(t, &fakeLeases{refuse: http.StatusForbidden}, "me", func(string) {})
	if err := forbidden.Hold(t.Context(), time.Minute, never); !errors.Is(err, ErrLockRefused) || strings.Contains(err.Error(), "planted") {
		t.Errorf("forbidden: %v", err)
	}
	broken := lockOn(t, &fakeLeases{refuse: http.StatusInternalServerError}, "me", func(string) {})
	if err := broken.Hold(t.Context(), 300*time.Millisecond, never); !errors.Is(err, ErrLocked) {
		t.Errorf("broken: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := broken.Hold(ctx, time.Minute, never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller's own time: %v", err)
	}
}
