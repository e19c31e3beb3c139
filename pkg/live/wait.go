package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// The ways in which a wait ends otherwise than well.
var (
	// ErrFailed: Flux tried exactly what is pinned, and failed.
	ErrFailed = errors.New("failed")
	// ErrTimedOut: the time was over before Flux was done.
	ErrTimedOut = errors.New("timed out")
)

// Wait waits for one deployment.
type Wait struct {
	// Read reads the cluster.
	Read func(ctx context.Context) Cluster
	// Every is how long to wait between two looks; Sleep waits.
	Every time.Duration
	Sleep func(ctx context.Context, d time.Duration) error
	// Progress is told what is waited for, whenever that changes.
	Progress func(string)
}

// For returns nil as soon as Flux reports every release of the pin Ready on exactly the pinned version, ErrFailed as soon as
// one of them failed on it, and ErrTimedOut, with what was missing, when the context's time is over. A cluster that cannot
// be read is asked again.
func (w Wait) For(ctx context.Context, pin *v1alpha1.PinSpec) error {
	said := ""
	for {
		waiting, err := look(w.Read(ctx), pin)
		if waiting == "" || err != nil {
			return err
		}
		if waiting != said && ctx.Err() == nil {
			said = waiting
			w.Progress(said)
		}
		if err := w.Sleep(ctx, w.Every); err != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%w: %s", ErrTimedOut, orText(said, waiting))
			}
			return err
		}
	}
}

// look returns what is waited for, or nothing where all is done.
func look(read Cluster, pin *v1alpha1.PinSpec) (waiting string, err error) {
	if read.Error != "" {
		return read.Error, nil
	}
	for _, name := range sortedKeys(pin.Releases) {
		release, pinned := read.release(name), pin.Releases[name]
		status := expectation{name: name, pinned: pinned, fresh: true}.compare(read, release)
		switch {
		case status.ready():
		case status.State == Failed && attempted(*release, pinned):
			return "", fmt.Errorf("%w: release %s: %s: %s", ErrFailed, name, status.Reason, status.Note)
		default:
			waiting = name + ": " + orText(status.Note, string(status.State))
		}
	}
	return waiting, nil
}

// attempted reports whether what failed is the pinned version, and not the one before it.
func attempted(release Release, pinned v1alpha1.PinnedRelease) bool {
	if release.AttemptedDigest != "" && pinned.Digest != "" {
		return release.AttemptedDigest == pinned.Digest
	}
	wanted := release.Wanted == "" || release.Wanted == pinned.Version
	return wanted && (release.Attempted == "" || isVersion(release.Attempted, pinned.Version))
}

// Releases compares what a cluster runs with a pin, release by release.
func Releases(read Cluster, pin *v1alpha1.PinSpec) []ReleaseStatus {
	var found []ReleaseStatus
	for _, name := range sortedKeys(pin.Releases) {
		status := ReleaseStatus{Name: name, Pinned: pin.Releases[name].Version, State: Unknown, Note: read.Error}
		if read.Error == "" {
			status = expectation{name: name, pinned: pin.Releases[name]}.compare(read, read.release(name))
		}
		found = append(found, status)
	}
	return found
}
