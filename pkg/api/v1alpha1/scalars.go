package v1alpha1

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Scalar is a string of a particular form. Check says what is wrong with it and what is accepted, or returns nil. Each
// Scalar also says what it accepts, for the schemas: with Accepted, the values, or with Pattern, a regular expression.
type Scalar interface {
	// Check accepts the empty string, too: a field left out.
	Check() error
}

// Pinning says what a release is pinned by in the objects that Flux reads.
type Pinning string

// The ways of pinning.
const (
	// PinningVersion pins the chart's exact version, through a HelmRepository.
	PinningVersion Pinning = "version"
	// PinningDigest pins the digest of the chart's manifest, through an OCIRepository: a tag overwritten in the registry
	// changes nothing.
	PinningDigest Pinning = "digest"
)

// Check accepts the ways of pinning.
func (p Pinning) Check() error { return oneOf(p, p.Accepted()) }

// Accepted returns the ways of pinning.
func (Pinning) Accepted() []Pinning { return []Pinning{PinningVersion, PinningDigest} }

// CRDsPolicy is Flux's policy for the CRDs in a chart's crds/ folder, for installs and upgrades alike.
type CRDsPolicy string

// The policies, as Flux names them.
const (
	CRDsSkip          CRDsPolicy = "Skip"
	CRDsCreate        CRDsPolicy = "Create"
	CRDsCreateReplace CRDsPolicy = "CreateReplace"
)

// Check accepts Flux's policies.
func (p CRDsPolicy) Check() error { return oneOf(p, p.Accepted()) }

// Accepted returns Flux's policies.
func (CRDsPolicy) Accepted() []CRDsPolicy {
	return []CRDsPolicy{CRDsSkip, CRDsCreate, CRDsCreateReplace}
}

// Remediation says what Flux does after a failed upgrade.
type Remediation string

// The remediations. Uninstalling is not among them: Flux would remove a running service.
const (
	// RemediationRetry leaves the failed release in place and tries again every five minutes.
	RemediationRetry Remediation = "retry"
	// RemediationRollback returns to the last release that worked, after a failed upgrade.
	RemediationRollback Remediation = "rollback"
)

// Check accepts the remediations.
func (r Remediation) Check() error { return oneOf(r, r.Accepted()) }

// Accepted returns the remediations.
func (Remediation) Accepted() []Remediation {
	return []Remediation{RemediationRetry, RemediationRollback}
}

// Gate is something that must hold on a stage's clusters before the next stage may take the same version.
type Gate string

// The gates.
const (
	// GateReady asks that Flux reports the release Ready on exactly that version.
	GateReady Gate = "ready"
	// GateTests asks that the component's tests passed there.
	GateTests Gate = "tests"
)

// Check accepts the gates.
func (g Gate) Check() error { return oneOf(g, g.Accepted()) }

// Accepted returns the gates.
func (Gate) Accepted() []Gate { return []Gate{GateReady, GateTests} }

// Provider names how Flux's source-controller gets credentials for a registry.
type Provider string

// Check accepts Flux's providers.
func (p Provider) Check() error { return oneOf(p, p.Accepted()) }

// Accepted returns Flux's providers.
func (Provider) Accepted() []Provider { return []Provider{"generic", "aws", "azure", "gcp"} }

// Duration is a span of time as Flux accepts it: numbers with the units ms, s, m and h, such as 10m or 1h30m.
type Duration string

// durationForm is the pattern of Flux's CRDs for intervals and timeouts.
var durationForm = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`)

// Check accepts Flux's durations.
func (d Duration) Check() error {
	_, err := d.Parse()
	return err
}

// Pattern is what every duration matches.
func (Duration) Pattern() string { return durationForm.String() }

// Parse returns the duration, or zero for an empty one.
func (d Duration) Parse() (time.Duration, error) {
	if d == "" {
		return 0, nil
	}
	if !durationForm.MatchString(string(d)) {
		return 0, fmt.Errorf("%q is no duration: write numbers with the units ms, s, m or h, such as 10m or 1h30m", string(d))
	}
	return time.ParseDuration(string(d))
}

// Or returns d, or other where d is empty.
func (d Duration) Or(other Duration) Duration {
	if d != "" {
		return d
	}
	return other
}

// Timestamp is a moment: an RFC 3339 time such as 2026-12-20T00:00:00Z, or a date such as 2026-12-20, which is its
// first moment in UTC.
type Timestamp string

// Check accepts both forms.
func (t Timestamp) Check() error {
	_, err := t.Parse()
	return err
}

// Pattern is what every timestamp matches. Check knows more: which days there are.
func (Timestamp) Pattern() string {
	return `^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?$`
}

// Parse returns the moment, or the zero time for an empty one.
func (t Timestamp) Parse() (time.Time, error) {
	if t == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if parsed, err := time.Parse(layout, string(t)); err == nil {
			return parsed, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: write a date such as 2026-12-20, or a time with its zone such as 2026-12-20T09:00:00Z", string(t))
}

func oneOf[T ~string](value T, accepted []T) error {
	if value == "" || slices.Contains(accepted, value) {
		return nil
	}
	names := make([]string, len(accepted))
	for i, a := range accepted {
		names[i] = string(a)
	}
	return fmt.Errorf("%q is not accepted here: write %s", string(value), strings.Join(names, " or "))
}
