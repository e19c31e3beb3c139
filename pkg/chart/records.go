package chart

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/release"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// Record is what Helm's record says of one revision of a release.
type Record struct {
	Identity
	Revision int
	// Chart and Version are those of the chart; Flux adds a digest to the
	// version where it pins by digest.
	Chart, Version string
	// Status is Helm's: deployed, failed, superseded, pending-upgrade.
	Status string
}

// ErrNotInstalled says that Helm has no record of the release.
var ErrNotInstalled = errors.New("is not installed")

// Records lists the revisions of a release that are kept, newest first. None is
// ErrNotInstalled.
func (t *Target) Records(id Identity) ([]Record, error) {
	configuration, err := t.helm(id.Namespace, id.StorageNamespace)
	if err != nil {
		return nil, err
	}
	releases, err := history(configuration, id)
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(releases))
	for i, r := range releases {
		records[i] = recordOf(id, r)
	}
	return records, nil
}

func recordOf(id Identity, r *helmrelease.Release) Record {
	record := Record{Identity: id, Revision: r.Version}
	if r.Info != nil {
		record.Status = r.Info.Status.String()
	}
	if r.Chart != nil && r.Chart.Metadata != nil {
		record.Chart, record.Version = r.Chart.Metadata.Name, r.Chart.Metadata.Version
	}
	return record
}

// history returns Helm's records of a release, newest first.
func history(configuration *action.Configuration, id Identity) ([]*helmrelease.Release, error) {
	found, err := configuration.Releases.History(id.Name)
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, fmt.Errorf("reading Helm's records of %q in %q: %w", id.Name, id.StorageNamespace, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("release %q in %q %w", id.Name, id.StorageNamespace, ErrNotInstalled)
	}
	return newestFirst(found)
}

// Runs reports whether a revision is what Flux would deploy for a HelmRelease
// with a chart of this version: installed well, of the same chart and version.
// digest is that of the chart's manifest where the HelmRelease pins it.
func (r Record) Runs(hr *helmv2.HelmRelease, chart, version, digest string) bool {
	return r.Status == "deployed" && r.is(hr, chart, version, digest)
}

func (r Record) is(hr *helmv2.HelmRelease, chart, version, digest string) bool {
	want := version
	if isStamped(hr, digest) {
		stamped, err := stampedVersion(version, digest)
		if err != nil {
			return false
		}
		want = stamped
	}
	return r.Chart == chart && sameSemver(r.Version, want)
}

// sameSemver compares versions with their build metadata, a leading v aside.
func sameSemver(a, b string) bool {
	va, errA := semver.NewVersion(strings.ReplaceAll(a, "_", "+"))
	vb, errB := semver.NewVersion(strings.ReplaceAll(b, "_", "+"))
	if errA != nil || errB != nil {
		return a == b
	}
	return va.Equal(vb) && va.Metadata() == vb.Metadata()
}

func newestFirst(found []release.Releaser) ([]*helmrelease.Release, error) {
	releases := make([]*helmrelease.Release, 0, len(found))
	for _, one := range found {
		typed, known := one.(*helmrelease.Release)
		if !known {
			return nil, fmt.Errorf("a record of Helm's of type %T is not understood", one)
		}
		releases = append(releases, typed)
	}
	slices.SortFunc(releases, func(a, b *helmrelease.Release) int { return b.Version - a.Version })
	return releases, nil
}
