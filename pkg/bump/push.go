package bump

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
)

const (
	// maxAttempts bounds the race with others who push: twenty pipelines at once have each landed well before.
	maxAttempts = 40
	// firstPause and longestPause bound the random pause after a lost race; it doubles each time.
	firstPause   = 50 * time.Millisecond
	longestPause = 3 * time.Second
)

// push commits on the remote's main branch as it is now and pushes: to a branch of the plan's own, or with Direct to the
// main branch. Whoever loses a race fetches, plans again on the new head, renders, commits and tries again; nothing is
// ever forced, and what a hook or a protected branch declines is not tried again.
func (ws *Workspace) push(ctx context.Context, request Request, delivery Delivery) (*Outcome, error) {
	if ws.Git == nil {
		return nil, fmt.Errorf("%w: there is nothing to push from", gitrepo.ErrNotRepository)
	}
	main, _, err := ws.Git.RemoteHead(ctx, ws.Remote)
	if err != nil {
		return nil, err
	}
	if main == "" {
		return nil, fmt.Errorf("remote %q has no default branch: push the control repo there first, or make its HEAD name a branch that is there", ws.Remote)
	}
	for attempt := 1; ; attempt++ {
		outcome, err := ws.pushOnce(ctx, request, delivery, main)
		if !errors.Is(err, gitrepo.ErrRace) {
			return outcome, err
		}
		if attempt == maxAttempts {
			return outcome, fmt.Errorf("gave up after %d attempts: %w", maxAttempts, err)
		}
		ws.Planner.progress(fmt.Sprintf("somebody else pushed to %s: planning again on the new head", main))
		if err := ws.pause(ctx, attempt); err != nil {
			return outcome, err
		}
	}
}

func (ws *Workspace) pushOnce(ctx context.Context, request Request, delivery Delivery, main string) (*Outcome, error) {
	head, err := ws.Git.Fetch(ctx, ws.Remote, main)
	if err != nil {
		return nil, err
	}
	outcome, err := ws.planAt(ctx, request, head, nil)
	if outcome != nil {
		outcome.Main = main
	}
	if err != nil || delivery.DryRun || len(outcome.Changes) == 0 {
		return outcome, err
	}
	if delivery.Direct {
		outcome.Branch = main
	} else {
		outcome.Branch = outcome.Plan.branchFor(delivery)
	}
	if err := ws.deliver(ctx, outcome, head, delivery.Direct); err != nil {
		return outcome, err
	}
	return outcome, ws.moved(ctx, outcome.Changes)
}

// planAt plans on a commit with some files changed, and with the history that leads to it.
func (ws *Workspace) planAt(ctx context.Context, request Request, head string, changed map[string][]byte) (*Outcome, error) {
	base, err := ws.at(ctx, head)
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 {
		base = stagedfs.New(base, changed)
	}
	at, planner := *ws, *ws.Planner
	planner.Head, at.Planner = head, &planner
	outcome, err := at.plan(ctx, base, request)
	if outcome != nil {
		outcome.Base = head
	}
	return outcome, err
}

// deliver commits the outcome on head and pushes it. A branch of the plan's own that is there with the same content is as
// good; somebody else may push it at the same time.
func (ws *Workspace) deliver(ctx context.Context, outcome *Outcome, head string, direct bool) error {
	if !direct {
		if there, err := ws.pushedAlready(ctx, outcome); there || err != nil {
			return err
		}
	}
	commit, err := ws.Git.CommitOnto(ctx, head, fileChanges(outcome.Changes), outcome.Plan.Message(), gitrepo.CommitOptions{})
	if err != nil {
		return err
	}
	pushed, err := ws.Git.Push(ctx, ws.Remote, commit, outcome.Branch, gitrepo.PushOptions{New: !direct})
	if errors.Is(err, gitrepo.ErrBranchExists) {
		if there, err := ws.pushedAlready(ctx, outcome); there || err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	outcome.Commit, outcome.Pushed = commit, true
	if pushed.UpToDate { // somebody made the very same commit in the same second
		ws.sayThereAlready(outcome)
	}
	return nil
}

func (ws *Workspace) sayThereAlready(outcome *Outcome) {
	outcome.There = true
	outcome.Plan.say(fmt.Sprintf("branch %s of %s has this change already", outcome.Branch, ws.Remote))
}

// pushedAlready reports whether the plan's branch is on the remote. One with other content is an error.
func (ws *Workspace) pushedAlready(ctx context.Context, outcome *Outcome) (bool, error) {
	there, err := ws.Git.RemoteRef(ctx, ws.Remote, outcome.Branch)
	if err != nil || there == "" {
		return false, err
	}
	if there, err = ws.Git.Fetch(ctx, ws.Remote, outcome.Branch); err != nil {
		return false, err
	}
	has, err := ws.has(ctx, there, outcome.Changes)
	if err != nil {
		return false, err
	}
	if !has {
		return false, branchInTheWay(outcome.Branch)
	}
	outcome.Commit, outcome.Pushed = there, true
	ws.sayThereAlready(outcome)
	return true, nil
}

func (ws *Workspace) pause(ctx context.Context, attempt int) error {
	pause := min(firstPause<<min(attempt-1, 10), longestPause)
	timer := time.NewTimer(time.Duration(float64(pause) * (0.5 + ws.Jitter()/2)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
