package bump

import (
	"errors"
	"fmt"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Op is what is done to a pin.
type Op string

// The operations.
const (
	OpBump     Op = "bump"
	OpPromote  Op = "promote"
	OpRollback Op = "rollback"
	OpHold     Op = "hold"
	OpUnhold   Op = "unhold"
	OpFold     Op = "fold"
)

// Request is what a person asked for.
type Request struct {
	Op        Op
	Component string
	// Release names one release of a component with several.
	Release string
	// Revision is what to bump or roll back to: a commit, a version, latest; empty for the last good one of a rollback.
	Revision string
	// Target is the very pin to roll back to, one of RollbackTargets; it goes before Revision.
	Target *v1alpha1.PinSpec
	// Scope says on which clusters.
	Scope Scope
	// Stage is the stage to promote to; empty for the next.
	Stage string
	// Install creates pins that are not there yet.
	Install bool
	// Values belong to the version: they replace those in the pin. Nil keeps those.
	Values control.Values
	// Hold is what hold sets, and what a rollback sets on the version it leaves.
	Hold v1alpha1.Hold
	// Reapply makes unhold return to the version that was left.
	Reapply bool
	// Now says that the cluster itself is rolled back first: nothing waits for Flux.
	Now bool
	// Deferred leaves the gates and the soak time of stages for later: the merge request waits for them, as a draft.
	Deferred bool
	// Overrides are the rules to go on past, with the reason given.
	Overrides map[string]string
	// Wait is how long to wait for CI to publish the revision.
	Wait time.Duration
}

// Scope says on which clusters something is done. At most one of its fields is set; none means the operation's default.
type Scope struct {
	Clusters []string
	Stage    string
	Through  string
	All      bool
}

// ErrUsage is a request that makes no sense as it stands.
var ErrUsage = errors.New("usage")

// usagef returns an ErrUsage that reads as the message alone.
func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

// ErrInapplicable is an ErrUsage of one component: the request would make sense for another one.
var ErrInapplicable = errors.New("not applicable")

// inapplicablef returns an ErrInapplicable that reads as the message alone.
func inapplicablef(format string, args ...any) error {
	return inapplicable{usage{fmt.Errorf(format, args...)}}
}

type inapplicable struct{ usage }

func (i inapplicable) Is(target error) bool { return target == ErrInapplicable || i.usage.Is(target) }

type usage struct{ error }

func (usage) Is(target error) bool { return target == ErrUsage }
func (u usage) Unwrap() error      { return u.error }
