package bump

import (
	"context"
	"strings"
	"sync"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// answers keeps what was answered, so that each question is asked once a plan: clusters share registries and sources.
type answers[Q comparable, A any] struct {
	mu    sync.Mutex
	known map[Q]*answer[A]
}

type answer[A any] struct {
	once  sync.Once
	value A
	err   error
}

func (a *answers[Q, A]) to(question Q, ask func() (A, error)) (A, error) {
	a.mu.Lock()
	if a.known == nil {
		a.known = map[Q]*answer[A]{}
	}
	if a.known[question] == nil {
		a.known[question] = &answer[A]{}
	}
	got := a.known[question]
	a.mu.Unlock()
	got.once.Do(func() { got.value, got.err = ask() })
	return got.value, got.err
}

// askedRegistries asks registries each question once.
type askedRegistries struct {
	Registries
	digests answers[digestQuestion, string]
	charts  answers[chartQuestion, *artifact.Chart]
	images  answers[imageQuestion, artifact.Image]
}

type digestQuestion struct {
	repo           artifact.Repository
	chart, version string
}

type chartQuestion struct {
	repo artifact.Repository
	ref  artifact.ChartRef
}

type imageQuestion struct {
	ref, platforms string
	insecure       bool
}

func (r *askedRegistries) Digest(ctx context.Context, repo artifact.Repository, chart, version string) (string, error) {
	return r.digests.to(digestQuestion{repo, chart, version}, func() (string, error) { return r.Registries.Digest(ctx, repo, chart, version) })
}

func (r *askedRegistries) Chart(ctx context.Context, repo artifact.Repository, ref artifact.ChartRef) (*artifact.Chart, error) {
	return r.charts.to(chartQuestion{repo, ref}, func() (*artifact.Chart, error) { return r.Registries.Chart(ctx, repo, ref) })
}

func (r *askedRegistries) Image(ctx context.Context, q artifact.ImageQuery) (artifact.Image, error) {
	question := imageQuestion{q.Ref, strings.Join(q.Platforms, " "), q.Insecure}
	return r.images.to(question, func() (artifact.Image, error) { return r.Registries.Image(ctx, q) })
}

// askedSource asks a component's source each question once.
type askedSource struct {
	Source
	whole     answers[string, string]
	ancestors answers[[2]string, gitrepo.Relation]
	branches  answers[[2]string, gitrepo.Relation]
}

func (s *askedSource) Ensure(ctx context.Context, rev string) (string, error) {
	return s.whole.to(rev, func() (string, error) { return s.Source.Ensure(ctx, rev) })
}

func (s *askedSource) IsAncestor(ctx context.Context, old, new string) (gitrepo.Relation, error) {
	return s.ancestors.to([2]string{old, new}, func() (gitrepo.Relation, error) { return s.Source.IsAncestor(ctx, old, new) })
}

func (s *askedSource) OnBranch(ctx context.Context, branch, commit string) (gitrepo.Relation, error) {
	return s.branches.to([2]string{branch, commit}, func() (gitrepo.Relation, error) { return s.Source.OnBranch(ctx, branch, commit) })
}
