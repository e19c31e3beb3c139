package bump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
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
	at := *ws
	planner := *ws.Planner
	planner.Head = head
	at.Planner = &planner
	outcome, err := at.onto(ctx, request, delivery, head)
	if err != nil || delivery.DryRun || len(outcome.Changes) == 0 {
		return outcome, err
	}
	options := gitrepo.PushOptions{New: true}
	if delivery.Direct {
		outcome.Branch, options = main, gitrepo.PushOptions{}
	}
	done, err := ws.alreadyPushed(ctx, outcome)
	if err != nil || done {
		return outcome, err
	}
	_, err = ws.Git.Push(ctx, ws.Remote, outcome.Commit, outcome.Branch, options)
	if errors.Is(err, gitrepo.ErrBranchExists) {
		return outcome, fmt.Errorf("%w with other content: look at it, and name another with --branch NAME if it is not in the way of yours", err)
	}
	if err != nil {
		return outcome, err
	}
	outcome.Pushed = true
	return outcome, ws.moved(ctx, outcome.Changes)
}

// alreadyPushed reports whether the plan's branch is on the remote with the very same content, from an earlier run.
func (ws *Workspace) alreadyPushed(ctx context.Context, outcome *Outcome) (bool, error) {
	there, err := ws.Git.RemoteRef(ctx, ws.Remote, outcome.Branch)
	if err != nil || there == "" {
		return false, err
	}
	if _, err := ws.Git.Fetch(ctx, ws.Remote, outcome.Branch); err != nil {
		return false, err
	}
	pushed, err := ws.Git.FS(ctx, there)
	if err != nil {
		return false, err
	}
	for _, change := range outcome.Changes {
		content, err := fs.ReadFile(pushed, change.Path)
		if errors.Is(err, fs.ErrNotExist) {
			content, err = nil, nil
		}
		if err != nil || !sameContent(content, change.New) {
			return false, err
		}
	}
	outcome.Commit, outcome.Pushed = there, true
	outcome.Plan.say(fmt.Sprintf("branch %s has this change already", outcome.Branch))
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
