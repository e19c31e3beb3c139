package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// Asker asks source repositories and registries what waits. One that does not answer is in the answer's Errors, and never
// an error for the others.
type Asker struct {
	OpenSource func(ctx context.Context, url string) (SourceRepo, error)
	Registries Registries
	// Timeout bounds each repository or chart; 0: one minute.
	Timeout time.Duration
	// Parallel is how many are asked at once; 0: 8.
	Parallel int
}

// Question says what is asked.
type Question int

// The questions.
const (
	// Waiting asks each source what its branch has that a pin lacks.
	Waiting Question = iota
	// Present asks registries for each pinned chart and image.
	Present
	// Published asks registries for every version of each pinned chart.
	Published
)

const (
	askTimeout  = time.Minute
	askParallel = 8
)

// Ask asks the questions about all that is pinned. The error is the context's alone.
func (a Asker) Ask(ctx context.Context, repo *control.Repo, questions ...Question) (*Upstream, error) {
	asking := &asking{Asker: a, repo: repo, upstream: &Upstream{
		Version: UpstreamVersion, Waiting: map[string]map[string][]Commit{}, Versions: map[ChartKey][]PublishedVersion{}, Present: map[ChartVersion]bool{}, Digests: map[ChartVersion]string{}, Images: map[string]bool{}, Errors: map[string]string{},
	}}
	asking.group.SetLimit(cmp.Or(a.Parallel, askParallel))
	for _, question := range questions {
		switch question {
		case Waiting:
			asking.waiting(ctx)
		case Present:
			asking.present(ctx)
		case Published:
			asking.published(ctx)
		}
	}
	_ = asking.group.Wait() // nothing in it fails
	return asking.upstream, ctx.Err()
}

// asking is one call of Ask; mu guards upstream.
type asking struct {
	Asker
	repo     *control.Repo
	group    errgroup.Group
	mu       sync.Mutex
	upstream *Upstream
}

// one asks one thing; take stores the answer while nobody else does.
func (a *asking) one(ctx context.Context, what string, ask func(context.Context) (take func(*Upstream), err error)) {
	a.group.Go(func() error {
		ctx, cancel := context.WithTimeout(ctx, cmp.Or(a.Timeout, askTimeout))
		defer cancel()
		take, err := ask(ctx)
		a.mu.Lock()
		defer a.mu.Unlock()
		if err != nil {
			a.upstream.Errors[what] = clean(err.Error())
			return nil
		}
		take(a.upstream)
		return nil
	})
}

func (a *asking) waiting(ctx context.Context) {
	for _, name := range a.repo.ComponentNames() {
		component := a.repo.Components[name]
		commits := a.pinnedCommits(name)
		if component.Source == nil || len(commits) == 0 {
			continue
		}
		a.one(ctx, name, func(ctx context.Context) (func(*Upstream), error) {
			waiting, err := a.waitingBehind(ctx, component, commits)
			return func(u *Upstream) { u.Waiting[name] = waiting }, err
		})
	}
}

func (a *asking) pinnedCommits(component string) []string {
	var commits []string
	for _, cluster := range a.repo.ClusterNames() {
		pin := a.repo.Clusters[cluster].Pins[component]
		if pin != nil && pin.Commit != "" && !slices.Contains(commits, pin.Commit) {
			commits = append(commits, pin.Commit)
		}
	}
	return commits
}

// waitingBehind returns what the branch has beyond each commit. A commit that the source does not have is not in it.
func (a *asking) waitingBehind(ctx context.Context, component *control.Component, commits []string) (map[string][]Commit, error) {
	source, err := a.OpenSource(ctx, component.Source.URL)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if err := source.Fetch(ctx); err != nil {
		return nil, err
	}
	waiting := map[string][]Commit{}
	for _, commit := range commits {
		id, err := source.Ensure(ctx, commit)
		if errors.Is(err, gitrepo.ErrUnknownRevision) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, err := source.Commits(ctx, id, cmp.Or(component.Source.Branch, "main"), 0)
		if err != nil {
			return nil, err
		}
		waiting[commit] = OnBranch(found.Commits)
	}
	return waiting, nil
}

// OnBranch returns the commits of a range that are the branch's own: the first is its head, and each is followed by its
// first parent. A merge speaks with the words of what it merged.
func OnBranch(commits []*gitrepo.Commit) []Commit {
	byID := map[string]*gitrepo.Commit{}
	for _, commit := range commits {
		byID[commit.ID] = commit
	}
	own := []Commit{}
	for at := first(commits); at != nil; {
		said := at
		if len(at.Parents) > 1 && byID[at.Parents[1]] != nil {
			said = byID[at.Parents[1]]
		}
		own = append(own, Commit{ID: at.ID, Time: at.Committer.Time, Author: clean(said.Author.Name), Subject: clean(said.Subject), Tasks: tasks(at, said)})
		if len(at.Parents) == 0 {
			break
		}
		at = byID[at.Parents[0]]
	}
	return own
}

func first(commits []*gitrepo.Commit) *gitrepo.Commit {
	if len(commits) == 0 {
		return nil
	}
	return commits[0]
}

// tasks are what the commits' Bug trailers name, each once.
func tasks(commits ...*gitrepo.Commit) []string {
	var found []string
	for _, commit := range commits {
		for _, task := range commit.Trailer("Bug") {
			found = append(found, clean(task))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// releases visits each release on each cluster, in order.
func (a *asking) releases(visit func(control.Release)) {
	for _, cluster := range a.repo.ClusterNames() {
		deployments, _ := a.repo.Deployments(cluster)
		for _, deployment := range deployments {
			for _, release := range deployment.Releases {
				visit(release)
			}
		}
	}
}

// pinnedCharts visits each pinned chart version once, in order.
func (a *asking) pinnedCharts(visit func(artifact.Repository, ChartVersion)) {
	seen := map[ChartVersion]bool{}
	a.releases(func(release control.Release) {
		if chart := chartOf(release); !seen[chart] {
			seen[chart] = true
			visit(artifact.Repository{URL: release.Source.URL, Insecure: isInsecure(release)}, chart)
		}
	})
}

func chartOf(release control.Release) ChartVersion {
	return ChartVersion{ChartKey{release.Source.URL, release.Chart}, release.Version}
}

func (a *asking) present(ctx context.Context) {
	a.pinnedCharts(func(repository artifact.Repository, chart ChartVersion) {
		a.one(ctx, repository.Ref(chart.Chart, chart.Version), func(ctx context.Context) (func(*Upstream), error) {
			digest, err := a.Registries.Digest(ctx, repository, chart.Chart, chart.Version)
			missing, err := isMissing(err)
			return func(u *Upstream) {
				if u.Present[chart] = !missing; digest != "" {
					u.Digests[chart] = digest
				}
			}, err
		})
	})
	a.pinnedImages(func(q artifact.ImageQuery) {
		a.one(ctx, q.Ref, func(ctx context.Context) (func(*Upstream), error) {
			_, err := a.Registries.Image(ctx, q)
			missing, err := isMissing(err)
			return func(u *Upstream) { u.Images[q.Ref] = !missing }, err
		})
	})
}

// isMissing tells a registry's answer that it does not have something from none.
func isMissing(err error) (bool, error) {
	if errors.Is(err, artifact.ErrMissing) {
		return true, nil
	}
	return false, err
}

// pinnedImages visits each pinned image once, in order. One from the charts' own registry is asked for as they are.
func (a *asking) pinnedImages(visit func(artifact.ImageQuery)) {
	seen := map[string]bool{}
	a.releases(func(release control.Release) {
		registry := control.ImageName("", release.Source.URL) + "/"
		for _, image := range release.Images {
			if ref := imageRef(image); !seen[ref] {
				seen[ref] = true
				visit(artifact.ImageQuery{Ref: ref, Insecure: isInsecure(release) && strings.HasPrefix(image.Name, registry)})
			}
		}
	})
}

func isInsecure(release control.Release) bool {
	return release.Source.Insecure != nil && *release.Source.Insecure
}

func (a *asking) published(ctx context.Context) {
	seen := map[ChartKey]bool{}
	a.pinnedCharts(func(repository artifact.Repository, chart ChartVersion) {
		if seen[chart.ChartKey] {
			return
		}
		seen[chart.ChartKey] = true
		a.one(ctx, repository.Ref(chart.Chart, ""), func(ctx context.Context) (func(*Upstream), error) {
			versions, err := a.Registries.Versions(ctx, repository, chart.Chart)
			return func(u *Upstream) { u.Versions[chart.ChartKey] = published(versions) }, err
		})
	})
}

func published(versions []artifact.Version) []PublishedVersion {
	list := make([]PublishedVersion, len(versions))
	for i, version := range versions {
		list[i] = PublishedVersion{Version: version.Version, Created: version.Created}
	}
	return list
}

// Problems returns what could not be asked, a line for each reason, sorted: where a registry is away, one line says so, and
// not one for each of its charts.
func (u *Upstream) Problems() []string {
	byReason := map[string][]string{}
	for _, what := range sortedKeys(u.Errors) {
		reason := strings.TrimPrefix(u.Errors[what], what+": ")
		byReason[reason] = append(byReason[reason], what)
	}
	var lines []string
	for reason, all := range byReason {
		line := all[0]
		if more := len(all) - 1; more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		lines = append(lines, line+": "+reason)
	}
	slices.Sort(lines)
	return lines
}
