package live

import (
	"context"

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

// Upstream is what source repositories and registries have. The zero value knows nothing.
type Upstream struct {
	// Waiting are, by component and pinned commit, the commits of the source's branch that the pinned one lacks, newest
	// first: those of the branch itself, so that a merge counts once and as of when it was merged.
	Waiting map[string]map[string][]Commit
	// Versions are the published versions of the charts that were asked for.
	Versions map[ChartKey][]artifact.Version
	// Present says of a pinned chart whether its registry has it. What is not in it could not be asked.
	Present map[ChartVersion]bool
	// Errors say what could not be asked, by what: a component, or a chart's reference.
	Errors map[string]string
}

// ChartKey names a chart in a repository.
type ChartKey struct{ URL, Chart string }

// ChartVersion names one version of a chart in a repository.
type ChartVersion struct {
	ChartKey
	Version string
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
