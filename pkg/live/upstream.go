package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// SourceRepo is the Git repository that a component is built from. gitrepo.Source is one.
type SourceRepo interface {
	Fetch(ctx context.Context) error
	Ensure(ctx context.Context, rev string) (string, error)
	Commits(ctx context.Context, old, new string, limit int) (gitrepo.Range, error)
	Close() error
}

// Registries is what is asked of chart registries. artifact.Client is one.
type Registries interface {
	Digest(ctx context.Context, repo artifact.Repository, chart, version string) (string, error)
	Versions(ctx context.Context, repo artifact.Repository, chart string) ([]artifact.Version, error)
}

// UpstreamVersion counts the incompatible changes of an Upstream's JSON.
const UpstreamVersion = 1

// Upstream is what source repositories and registries have. The zero value knows nothing.
type Upstream struct {
	Version int `json:"version"`
	// Waiting are, by component and pinned commit, the commits of the source's branch that the pinned one lacks, newest
	// first: those of the branch itself, so that a merge counts once and as of when it was merged.
	Waiting map[string]map[string][]Commit `json:"waiting"`
	// Versions are the published versions of the charts that were asked for.
	Versions map[ChartKey][]PublishedVersion `json:"versions"`
	// Present says of a pinned chart whether its registry has it. What is not in it could not be asked.
	Present map[ChartVersion]bool `json:"present"`
	// Errors say what could not be asked, by what: a component, or a chart's reference.
	Errors map[string]string `json:"errors"`
}

// PublishedVersion is one published version of a chart.
type PublishedVersion struct {
	Version string `json:"version"`
	// Created is when it was added, where the repository's index says that.
	Created time.Time `json:"created,omitzero"`
}

// ChartKey names a chart in a repository. As text it is both with a space between.
type ChartKey struct{ URL, Chart string }

// ChartVersion names one version of a chart in a repository.
type ChartVersion struct {
	ChartKey
	Version string
}

// MarshalText writes it as a key of JSON.
func (k ChartKey) MarshalText() ([]byte, error) { return []byte(k.URL + " " + k.Chart), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *ChartKey) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return fmt.Errorf("%q is not a repository and a chart", cut(string(text), maxNote))
	}
	k.URL, k.Chart = fields[0], fields[1]
	return nil
}

// MarshalText writes it as a key of JSON.
func (v ChartVersion) MarshalText() ([]byte, error) {
	return []byte(v.URL + " " + v.Chart + " " + v.Version), nil
}

// UnmarshalText reads what MarshalText wrote.
func (v *ChartVersion) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) != 3 {
		return fmt.Errorf("%q is not a repository, a chart and a version", cut(string(text), maxNote))
	}
	v.URL, v.Chart, v.Version = fields[0], fields[1], fields[2]
	return nil
}

// waiting returns what waits behind a pinned commit, and whether that is known.
func (u *Upstream) waiting(component, commit string) ([]Commit, bool) {
	if u == nil || commit == "" {
		return nil, false
	}
	commits, known := u.Waiting[component][commit]
	return commits, known
}

// present reports whether a registry has a chart, and whether that is known.
func (u *Upstream) present(chart ChartVersion) (present, known bool) {
	if u == nil {
		return false, false
	}
	present, known = u.Present[chart]
	return present, known
}
