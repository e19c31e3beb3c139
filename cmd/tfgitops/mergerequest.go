package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// mergeRequestFlags say whether a pushed change gets a merge request, and which.
type mergeRequestFlags struct {
	open   bool
	review bump.Review
}

func (f *mergeRequestFlags) register(cmd *cobra.Command) {
	flags, r := cmd.Flags(), &f.review
	flags.BoolVar(&f.open, "merge-request", false, "open a GitLab merge request, or find it (implies --push); the token is taken from "+forge.TokenVariable)
	flags.StringSliceVar(&r.Labels, "label", nil, "add this `LABEL` to the merge request (repeatable)")
	flags.StringSliceVar(&r.Reviewers, "reviewer", nil, "add this `USER` as a reviewer (repeatable)")
	flags.BoolVar(&r.Draft, "draft", false, "open the merge request as a draft")
	flags.BoolVar(&r.Ready, "ready", false, "mark the merge request ready if it is a draft")
	flags.BoolVar(&r.CloseSuperseded, "close-superseded", false, "close the merge requests of older versions, which are marked as superseded in any case")
	flags.BoolVar(&r.AutoMerge, "auto-merge", false, "have GitLab merge it once its pipeline has passed, if it is still this very commit")
	cmd.MarkFlagsMutuallyExclusive("merge-request", "direct")
	cmd.MarkFlagsMutuallyExclusive("draft", "ready")
	cmd.MarkFlagsMutuallyExclusive("draft", "auto-merge")
}

// check refuses flags that would do nothing.
func (f *mergeRequestFlags) check(cmd *cobra.Command) error {
	if f.open {
		return nil
	}
	for _, name := range []string{"label", "reviewer", "draft", "ready", "close-superseded", "auto-merge"} {
		if cmd.Flags().Changed(name) {
			return usageError{fmt.Errorf("--%s is for a merge request: add --merge-request", name)}
		}
	}
	return nil
}

// openForge returns a client for the project that the remote means.
func (o *options) openForge(ctx context.Context, git *gitrepo.Repo, remote string) (*forge.Client, error) {
	if git == nil {
		return nil, fmt.Errorf("%w: merge requests need one with a remote", gitrepo.ErrNotRepository)
	}
	url, err := git.RemoteURL(ctx, remote)
	if err != nil {
		return nil, err
	}
	project, err := forge.ProjectOf(url, o.getenv)
	if err != nil {
		return nil, err
	}
	token, err := forge.ReadToken(o.getenv)
	if err != nil {
		return nil, err
	}
	return forge.Open(forge.Options{Project: project, Token: token, UserAgent: "tfgitops/" + version()})
}

// deliver carries a request out, to its merge requests where those are asked for. What was done is returned with an error.
func (o *options) deliver(cmd *cobra.Command, f *pinFlags, ws *bump.Workspace, request bump.Request) ([]*bump.Outcome, error) {
	if err := f.mr.check(cmd); err != nil {
		return nil, err
	}
	if f.mr.open && f.scope.Through != "" && request.Op == bump.OpBump {
		return ws.Through(cmd.Context(), request, f.how())
	}
	outcome, err := ws.Do(cmd.Context(), request, f.how())
	if outcome == nil {
		return nil, err
	}
	return []*bump.Outcome{outcome}, err
}

// proposer opens merge requests, and lets notes on them answer gates; nil where none are asked for.
func (o *options) proposer(cmd *cobra.Command, f *pinFlags, ws *bump.Workspace) (*proposer, error) {
	if !f.mr.open {
		return nil, nil
	}
	client, err := o.openForge(cmd.Context(), ws.Git, f.remote)
	if err != nil {
		return nil, err
	}
	ws.Planner.Gates = postedGates{ws.Planner.Gates, ws, client}
	review := f.mr.review
	review.Risks = func(ctx context.Context, base, head, component string) string {
		return o.risks(ctx, ws.Git, base, head, component)
	}
	return &proposer{ws, client, review}, nil
}

type proposer struct {
	workspace *bump.Workspace
	client    *forge.Client
	review    bump.Review
}

// propose opens the merge request of what was pushed, and says what became of it.
func (p *proposer) propose(ctx context.Context, messages io.Writer, outcome *bump.Outcome) error {
	if p == nil || !outcome.Pushed {
		return nil
	}
	proposed, err := p.workspace.Propose(ctx, p.client, outcome, p.review)
	if proposed != nil && proposed.IID > 0 {
		showProposed(messages, proposed, p.review, err)
	}
	return err
}

func showProposed(out io.Writer, p *bump.Proposed, review bump.Review, err error) {
	kind := "merge request"
	if p.Draft || p.MarkedReady {
		kind = "draft merge request"
	}
	switch {
	case p.Created:
		fmt.Fprintf(out, "opened %s %s: %s\n", kind, p.Ref(), p.URL)
	case p.State == forge.Closed:
		fmt.Fprintf(out, "merge request %s was closed as superseded, and is not opened again: %s\n", p.Ref(), p.URL)
	default:
		fmt.Fprintf(out, "%s %s is open already: %s\n", kind, p.Ref(), p.URL)
	}
	if p.MarkedReady {
		fmt.Fprintf(out, "marked %s ready\n", p.Ref())
	}
	for _, old := range p.Superseded {
		fmt.Fprintf(out, "marked %s as superseded\n", old.Ref())
	}
	switch {
	case p.By != nil:
		fmt.Fprintf(out, "%s is superseded by %s, which has a newer version: %s\n", p.Ref(), p.By.Ref(), p.By.URL)
	case p.Merged:
		fmt.Fprintf(out, "merged %s\n", p.Ref())
	case review.AutoMerge && p.Draft:
		fmt.Fprintf(out, "%s is a draft: it was not set to merge; --ready marks it ready\n", p.Ref())
	case review.AutoMerge && err == nil:
		fmt.Fprintf(out, "%s merges once its pipeline has passed and it is approved\n", p.Ref())
	}
}

// risks sums up what changes between two commits, for a description: it does without what cannot be had.
func (o *options) risks(ctx context.Context, git *gitrepo.Repo, base, head, component string) string {
	report, err := o.compareCommits(ctx, git, base, head, component)
	if err != nil {
		return "It could not be summed up; the pipeline's `tfgitops diff --post` says why.\n"
	}
	return diff.RiskSummary(report)
}

func (o *options) compareCommits(ctx context.Context, git *gitrepo.Repo, base, head, component string) (*diff.Report, error) {
	baseSide, err := commitSide(ctx, git, base)
	if err != nil {
		return nil, err
	}
	headSide, err := commitSide(ctx, git, head)
	if err != nil {
		return nil, err
	}
	settings, err := o.diffOptions(&diffFlags{components: []string{component}, charts: true})
	if err != nil {
		return nil, err
	}
	return diff.Compare(ctx, baseSide, headSide, settings)
}
