package bump

import (
	"context"
	"iter"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// Registries is what is asked of chart and image registries. artifact.Client is one.
type Registries interface {
	Resolve(ctx context.Context, repo artifact.Repository, q artifact.Query) (artifact.Resolution, error)
	Digest(ctx context.Context, repo artifact.Repository, chart, version string) (string, error)
	Chart(ctx context.Context, repo artifact.Repository, ref artifact.ChartRef) (*artifact.Chart, error)
	Image(ctx context.Context, q artifact.ImageQuery) (artifact.Image, error)
}

// Source is the Git repository that a component is built from. gitrepo.Source is one.
type Source interface {
	Ensure(ctx context.Context, rev string) (string, error)
	IsAncestor(ctx context.Context, old, new string) (gitrepo.Relation, error)
	OnBranch(ctx context.Context, branch, commit string) (gitrepo.Relation, error)
	Commits(ctx context.Context, old, new string, limit int) (gitrepo.Range, error)
}

// History is the control repo's own. gitrepo.Repo is one.
type History interface {
	History(ctx context.Context, rev string, opts gitrepo.HistoryOptions) iter.Seq2[*gitrepo.Commit, error]
	Blob(ctx context.Context, id string) ([]byte, error)
}

// Gates asks whether a stage's gate is open for a version on a cluster.
type Gates interface {
	// Open reports whether the gate is open. An error says that it could not be asked.
	Open(ctx context.Context, gate v1alpha1.Gate, cluster, component string, pin *v1alpha1.PinSpec) (bool, error)
}

// Planner makes plans. Registries and OpenSource are required; without History there is no rollback, soak or log; without
// Gates a stage's gates could not be asked.
type Planner struct {
	Registries Registries
	OpenSource func(ctx context.Context, url string) (Source, error)
	History    History
	// Head is the revision of the control repo that history is read from.
	Head  string
	Gates Gates
	Now   func() time.Time
	Clock artifact.Clock
	// Progress is told what takes time, by several at a time.
	Progress func(string)
}
