package live

import (
	"fmt"
	"slices"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// waitingReasons are the reasons of a Ready condition that is False while Flux still waits for something else.
var waitingReasons = map[string]bool{
	"DependencyNotReady": true, "SourceNotReady": true, "Progressing": true, "ProgressingWithRetry": true,
}

// The kinds of drift, as the metrics name them.
const (
	driftPin       = "pin"       // what runs is not what is pinned
	driftSpec      = "spec"      // the HelmRelease does not ask for what is pinned
	driftResource  = "resource"  // Flux says that objects were changed
	driftUnmanaged = "unmanaged" // it runs, and no pin says so
	driftMissing   = "missing"   // it is pinned, and there is no HelmRelease
)

// expectation is what one release is compared with.
type expectation struct {
	name   string
	pinned v1alpha1.PinnedRelease
	// fresh says that the pin is so new that Flux may still be at it.
	fresh bool
}

// compare says what there is to say of one release on a cluster that was read.
func (e expectation) compare(cluster Cluster, release *Release) ReleaseStatus {
	status := ReleaseStatus{Name: e.name, Pinned: e.pinned.Version}
	if release == nil {
		status.Drift, status.DriftKnown = []string{driftMissing}, true
		status.State, status.Note = e.unless(Drifting), "no HelmRelease "+e.name+" on the cluster"
		return status
	}
	live, runs := release.Live()
	if runs {
		status.Live = plainVersion(live.Version)
	}
	status.Suspended = release.Suspended
	if release.Ready != nil {
		status.Ready, status.Reason = release.Ready.Status, release.Ready.Reason
	}
	status.Drift, status.DriftKnown = e.drift(cluster, release, live, runs)
	status.State, status.Note = e.state(cluster, release, status.Drift)
	return status
}

// drift returns the ways in which the release differs from its pin, and whether Flux reports on its objects. The absence of
// Flux's condition says nothing.
func (e expectation) drift(cluster Cluster, release *Release, live Deployed, runs bool) ([]string, bool) {
	var drift []string
	if !runs || !live.runs(e.pinned) {
		drift = append(drift, driftPin)
	}
	if release.Wanted != "" && release.Wanted != e.pinned.Version || !cluster.wants(release, e.pinned.Digest) {
		drift = append(drift, driftSpec)
	}
	current := !release.Suspended && release.Observed
	if current && release.Drifted.is("True") {
		drift = append(drift, driftResource)
	}
	return drift, current && release.Drifted != nil
}

// wants reports whether the OCIRepository of a release asks for that digest. Where it asks for none, or that is not known,
// nothing speaks against it.
func (c Cluster) wants(release *Release, digest string) bool {
	i := slices.IndexFunc(c.Sources, func(s Source) bool {
		return s.Kind == "OCIRepository" && s.Kind == release.SourceKind && s.Name == release.SourceName
	})
	return i < 0 || c.Sources[i].Wanted == "" || digest == "" || c.Sources[i].Wanted == digest
}

// state is the worst thing that can be said of a release. A suspended one, and one whose newest form Flux has not seen, have
// conditions of the past: nothing good is read from them.
func (e expectation) state(cluster Cluster, release *Release, drift []string) (State, string) {
	switch {
	case release.Suspended:
		return Suspended, suspendedNote(drift)
	case !release.Observed:
		return Unknown, "Flux has not looked at the newest form of the HelmRelease yet"
	case release.Stalled.is("True"):
		return Failed, release.Stalled.Message
	case release.Ready.is("False") && !waitingReasons[release.Ready.Reason]:
		return Failed, release.Ready.Message
	case release.Ready.is("False"):
		return e.waiting(cluster, release)
	case release.Ready == nil:
		return Unknown, "Flux has not said anything of the HelmRelease yet"
	case release.Ready.is("Unknown"):
		return Pending, release.Ready.Message
	case len(drift) == 0:
		return OK, ""
	case drift[0] == driftResource:
		return Drifting, "objects were changed on the cluster: " + release.Drifted.Message
	}
	return e.unless(Drifting), differsNote(drift)
}

// manifests is the same for plain manifests: the Kustomization that applies them speaks for them. known says that what it
// has not applied is known.
func (e expectation) manifests(own *Kustomization, cluster string, known bool, drift []string) (State, string) {
	switch {
	case own == nil:
		return Unknown, "no Kustomization applies " + control.ClusterDir(cluster)
	case own.Suspended:
		return Suspended, "the Kustomization " + own.Name + " is suspended"
	case !own.Observed || !known:
		return Unknown, "it is not known which commit of the control repo Flux applied"
	case own.Ready.is("False") && !waitingReasons[own.Ready.Reason]:
		return Failed, own.Ready.Message
	case len(drift) > 0:
		return e.unless(Drifting), "Flux has not applied the commit that pinned it"
	case !own.Ready.is("True"):
		return Pending, ""
	}
	return OK, ""
}

// unless is pending while the pin is new, and the state otherwise.
func (e expectation) unless(state State) State {
	if e.fresh {
		return Pending
	}
	return state
}

func suspendedNote(drift []string) string {
	if len(drift) > 0 {
		return "suspended; " + differsNote(drift)
	}
	return ""
}

func differsNote(drift []string) string {
	for _, kind := range drift {
		if kind == driftSpec {
			return "the HelmRelease asks for another version: the pin is not applied yet"
		}
	}
	return "the cluster does not run what is pinned"
}

// waiting tells a release whose chart cannot be fetched from one that waits in turn.
func (e expectation) waiting(cluster Cluster, release *Release) (State, string) {
	if release.Ready.Reason != "SourceNotReady" {
		return Pending, release.Ready.Message
	}
	for _, source := range cluster.Sources {
		isIts := source.Kind == "HelmChart" && source.Name == release.HelmChart || source.Kind == release.SourceKind && source.Name == release.SourceName
		if isIts && source.Ready.is("False") {
			return Failed, fmt.Sprintf("%s %s: %s", source.Kind, source.Name, source.Ready.Message)
		}
	}
	return Pending, release.Ready.Message
}

// ready reports whether Flux reports the release Ready on exactly the pinned version.
func (s ReleaseStatus) ready() bool {
	return s.State == OK || s.State == Drifting && onlyResource(s.Drift)
}

func onlyResource(drift []string) bool { return len(drift) == 1 && drift[0] == driftResource }

// within reports whether a moment is less than a span ago. Where it is not known when, it is not.
func within(at, now time.Time, span time.Duration) bool {
	return !at.IsZero() && now.Sub(at) < span
}
