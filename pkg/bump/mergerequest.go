package bump

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// Forge is where merge requests are. forge.Client is one.
type Forge interface {
	Project() forge.Project
	Find(ctx context.Context, state forge.State, source, target string) ([]forge.MergeRequest, error)
	Propose(ctx context.Context, p forge.Proposal) (found forge.MergeRequest, created bool, err error)
	Supersede(ctx context.Context, old, by forge.MergeRequest, closes bool) (changed bool, err error)
	Ready(ctx context.Context, m forge.MergeRequest) (forge.MergeRequest, error)
	Rebase(ctx context.Context, iid int64, commit string, reviewed forge.Reviewed) (string, error)
	AutoMerge(ctx context.Context, iid int64, commit string, reviewed forge.Reviewed) (merged bool, err error)
}

// Review says how a merge request is opened.
type Review struct {
	Labels, Reviewers []string
	// Draft opens it as a draft; Ready marks one that is there ready.
	Draft, Ready bool
	// CloseSuperseded closes the older ones that it takes the place of; they are marked in any case.
	CloseSuperseded bool
	// AutoMerge sets it to merge once its pipeline has passed.
	AutoMerge bool
	// Risks sums up, in Markdown, what changes between two commits.
	Risks func(ctx context.Context, base, head, component string) string
}

// Proposed is what became of a merge request.
type Proposed struct {
	forge.MergeRequest
	// Created says that it is new; Merged, that it was merged at once.
	Created, Merged bool
	// MarkedReady says that it was a draft before.
	MarkedReady bool
	// Superseded are the older ones that it takes the place of, as far as that is new.
	Superseded []forge.MergeRequest
	// By is a newer one that takes the place of this one; nil where there is none.
	By *forge.MergeRequest
}

// Propose opens the merge request of an outcome that was pushed, or finds it. Its commits are never changed: a newer version has
// a branch and a merge request of its own, and whichever of them is older is marked as superseded, whoever comes first. One that
// was closed as superseded is not opened again.
func (ws *Workspace) Propose(ctx context.Context, f Forge, outcome *Outcome, review Review) (*Proposed, error) {
	open, err := f.Find(ctx, forge.Opened, "", outcome.Main)
	if err != nil {
		return nil, err
	}
	newer := newest(outcome.Plan, open)
	if closed, err := closedFor(ctx, f, outcome, newer); closed != nil || err != nil {
		return closed, err
	}
	proposed := &Proposed{}
	proposed.MergeRequest, proposed.Created, err = f.Propose(ctx, ws.proposal(f, outcome, review))
	if err != nil {
		return nil, err
	}
	if proposed.Created { // others may have come meanwhile
		if open, err = f.Find(ctx, forge.Opened, "", outcome.Main); err != nil {
			return proposed, err
		}
		newer = newest(outcome.Plan, open)
	}
	if err := proposed.supersede(ctx, f, outcome.Plan, open, newer, review.CloseSuperseded); err != nil || newer != nil {
		return proposed, err
	}
	return proposed, ws.advance(ctx, f, outcome, review, proposed)
}

func (ws *Workspace) proposal(f Forge, outcome *Outcome, review Review) forge.Proposal {
	plan := outcome.Plan
	return forge.Proposal{
		Source: outcome.Branch, Target: outcome.Main, Title: plan.Subject(), Labels: review.Labels, Reviewers: review.Reviewers,
		Draft: review.Draft || plan.Request.Deferred,
		Describe: func(ctx context.Context) string {
			risks := ""
			if review.Risks != nil {
				risks = review.Risks(ctx, outcome.Base, outcome.Commit, plan.Component)
			}
			return plan.Description(risks, fmt.Sprintf("%s/-/compare/%s...%s", f.Project().URL(), outcome.Base, outcome.Commit))
		},
	}
}

// newest returns the newest of the merge requests that are newer than the plan; nil where none is.
func newest(plan *Plan, open []forge.MergeRequest) *forge.MergeRequest {
	var found *forge.MergeRequest
	for i, m := range open {
		order, ok := plan.compareBranch(m.Source)
		if !ok || order >= 0 {
			continue
		}
		if found == nil {
			found = &open[i]
		} else if between, ok := plan.compareParts(versionPart(m.Source), versionPart(found.Source)); ok && between > 0 {
			found = &open[i]
		}
	}
	return found
}

// closedFor returns the merge request of the outcome that was closed because of a newer one, which is still open.
func closedFor(ctx context.Context, f Forge, outcome *Outcome, newer *forge.MergeRequest) (*Proposed, error) {
	if newer == nil {
		return nil, nil
	}
	closed, err := f.Find(ctx, forge.Closed, outcome.Branch, outcome.Main)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(closed, func(m forge.MergeRequest) bool { return m.Has(forge.Superseded) })
	if i < 0 {
		return nil, nil
	}
	return &Proposed{MergeRequest: closed[i], By: newer}, nil
}

// supersede marks the older ones, or this one where there is a newer.
func (p *Proposed) supersede(ctx context.Context, f Forge, plan *Plan, open []forge.MergeRequest, newer *forge.MergeRequest, closes bool) error {
	by := p.MergeRequest
	if newer != nil {
		p.By, by = newer, *newer
		if _, err := f.Supersede(ctx, p.MergeRequest, by, closes); err != nil {
			return err
		}
	}
	for _, m := range open {
		order, ok := plan.compareBranch(m.Source)
		if !ok || order <= 0 {
			continue
		}
		changed, err := f.Supersede(ctx, m, by, closes)
		if err != nil {
			return err
		}
		if changed {
			p.Superseded = append(p.Superseded, m)
		}
	}
	return nil
}

// advance marks the merge request ready and sets it to merge, as far as was asked for.
func (ws *Workspace) advance(ctx context.Context, f Forge, outcome *Outcome, review Review, proposed *Proposed) error {
	reviewed := func(ctx context.Context, commit string) error {
		if _, err := ws.Git.Fetch(ctx, ws.Remote, outcome.Branch); err != nil {
			return err
		}
		return ws.Carries(ctx, outcome, commit)
	}
	if review.Ready && proposed.Draft {
		if err := ws.makeReady(ctx, f, outcome, proposed, reviewed); err != nil {
			return err
		}
	}
	if !review.AutoMerge || proposed.Draft {
		return nil
	}
	if err := ws.Carries(ctx, outcome, outcome.Commit); err != nil {
		return fmt.Errorf("merge request %s: %w: %w", proposed.Ref(), forge.ErrNotMergeable, err)
	}
	merged, err := f.AutoMerge(ctx, proposed.IID, outcome.Commit, reviewed)
	proposed.Merged = merged
	return err
}

// makeReady marks a draft ready. Its branch may lack what it waited for, and its pipeline have failed for that: it is rebased
// onto the main branch first, which starts another.
func (ws *Workspace) makeReady(ctx context.Context, f Forge, outcome *Outcome, proposed *Proposed, reviewed forge.Reviewed) error {
	has, err := ws.Git.IsAncestor(ctx, outcome.Base, outcome.Commit)
	if err != nil {
		return err
	}
	if has == gitrepo.No {
		if outcome.Commit, err = f.Rebase(ctx, proposed.IID, outcome.Commit, reviewed); err != nil {
			return err
		}
	}
	ready, err := f.Ready(ctx, proposed.MergeRequest)
	if err != nil {
		return err
	}
	proposed.MergeRequest, proposed.MarkedReady = ready, true
	return nil
}

// ErrOtherChange says that a commit is not the very change that a plan makes.
var ErrOtherChange = errors.New("it is not the change that was reviewed")

// Carries returns nil where a commit has exactly the outcome's change since it left the main branch: the same files, byte for
// byte, pins and rendered objects alike, and no other. A rebase that leaves that as it is leaves what was approved as it is.
func (ws *Workspace) Carries(ctx context.Context, outcome *Outcome, commit string) error {
	main, err := ws.Git.Fetch(ctx, ws.Remote, outcome.Main)
	if err != nil {
		return err
	}
	base, err := ws.Git.MergeBase(ctx, main, commit)
	if err != nil {
		return err
	}
	changed, err := ws.Git.ChangedFiles(ctx, base, commit)
	if err != nil {
		return err
	}
	var planned []string
	for _, file := range paths(outcome.Changes) {
		planned = append(planned, ws.Git.Prefix()+file)
	}
	slices.Sort(planned)
	if !slices.Equal(changed, planned) {
		return fmt.Errorf("%w: %s changes %v, and not %v", ErrOtherChange, short(commit), changed, planned)
	}
	same, err := ws.has(ctx, commit, outcome.Changes)
	if err == nil && !same {
		err = fmt.Errorf("%w: files in %s have another content", ErrOtherChange, short(commit))
	}
	return err
}
