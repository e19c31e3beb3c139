package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// settles bounds how often a merge request is looked at until GitLab has made up its mind about it.
const settles = 20

// verdict is what a state of a merge request means for setting it to merge.
type verdict int

const (
	refuses verdict = iota // what the table does not name is refused, too
	allows
	asksAgain
	rebases
)

// mergeStatuses say what detailed_merge_status means. GitLab adds new ones over time: those are refused.
var mergeStatuses = map[string]verdict{
	"mergeable": allows, "ci_still_running": allows, "ci_must_pass": allows, "not_approved": allows,
	"unchecked": asksAgain, "checking": asksAgain, "preparing": asksAgain, "approvals_syncing": asksAgain,
	"need_rebase": rebases,
}

// pipelineStatuses say with which state of its pipeline a merge request may be set to merge. One without a pipeline is looked
// at again: it starts after the push.
var pipelineStatuses = map[string]verdict{
	"": asksAgain, "created": allows, "waiting_for_resource": allows, "preparing": allows, "pending": allows, "running": allows,
	"scheduled": allows, "success": allows,
}

// Reviewed tells whether a commit has exactly the change that was reviewed, byte for byte.
type Reviewed func(ctx context.Context, commit string) error

// AutoMerge sets a merge request to merge as soon as its pipeline has passed and all that GitLab asks for is there. It is
// locked to the commit: whatever is pushed afterwards ends it. Where the branch must be rebased first (merge method
// fast-forward), GitLab does that, and reviewed is asked whether the rebased commit still has the same change. One that is set
// already stays as it is. What GitLab does not allow, or a pipeline whose state is not known, is ErrNotMergeable. merged says
// that nothing had to be waited for.
func (c *Client) AutoMerge(ctx context.Context, iid int64, commit string, reviewed Reviewed) (merged bool, err error) {
	for attempt := range settles {
		found, err := c.get(ctx, iid)
		if err != nil {
			return false, err
		}
		if found.State == string(Merged) {
			return true, nil
		}
		switch next, why := stateOf(found, commit); next {
		case refuses:
			return false, fmt.Errorf("merge request !%d: %w: %s", iid, ErrNotMergeable, c.presentable(errors.New(why)))
		case rebases:
			if commit, err = c.Rebase(ctx, iid, commit, reviewed); err != nil {
				return false, err
			}
		case allows:
			if isSet(found) {
				return false, nil
			}
			merged, err := c.accept(ctx, iid, commit)
			if !isUndecided(err) || attempt == settles-1 {
				return merged, c.failed(fmt.Sprintf("setting merge request !%d to merge", iid), err)
			}
		}
		if err := c.wait(ctx, attempt); err != nil {
			return false, err
		}
	}
	return false, fmt.Errorf("merge request !%d: %w: GitLab has not made up its mind about it, or knows no pipeline of commit %s; look at %s", iid, ErrNotMergeable, commit, c.pageOf(iid))
}

// Rebase has GitLab rebase a merge request's branch, which is at a commit, onto its target, and returns the commit that it is at
// then. reviewed is asked whether that one has the same change; where it has not, the error is ErrNotMergeable.
func (c *Client) Rebase(ctx context.Context, iid int64, commit string, reviewed Reviewed) (string, error) {
	if _, err := c.api.MergeRequests.RebaseMergeRequest(c.project.Path, iid, nil, with(ctx)); err != nil {
		return commit, c.failed(fmt.Sprintf("rebasing merge request !%d", iid), err)
	}
	for attempt := range settles {
		if err := c.wait(ctx, attempt); err != nil {
			return commit, err
		}
		found, err := c.get(ctx, iid)
		if err != nil {
			return commit, err
		}
		switch {
		case found.MergeError != "":
			return commit, fmt.Errorf("merge request !%d: %w: it does not rebase: %s", iid, ErrNotMergeable, c.presentable(errors.New(found.MergeError)))
		case found.RebaseInProgress || found.SHA == commit:
			continue
		}
		if err := reviewed(ctx, found.SHA); err != nil {
			return commit, fmt.Errorf("merge request !%d: %w: after the rebase: %w", iid, ErrNotMergeable, err)
		}
		return found.SHA, nil
	}
	return commit, fmt.Errorf("merge request !%d: %w: GitLab has not rebased it; look at %s", iid, ErrNotMergeable, c.pageOf(iid))
}

// isSet reports whether a merge request is set to merge already, and still waits. A push would have ended that.
func isSet(m *gitlab.MergeRequest) bool {
	waits := m.DetailedMergeStatus != "mergeable" || m.HeadPipeline == nil || m.HeadPipeline.Status != "success"
	return m.MergeWhenPipelineSucceeds && waits
}

// stateOf says what to do with a merge request, and why not.
func stateOf(m *gitlab.MergeRequest, commit string) (verdict, string) {
	switch {
	case m.State != string(Opened):
		return refuses, "it is " + m.State
	case m.RebaseInProgress:
		return asksAgain, ""
	case m.SHA != commit:
		return refuses, fmt.Sprintf("its branch is at %s, and not at %s, which was reviewed", m.SHA, commit)
	}
	next := mergeStatuses[m.DetailedMergeStatus]
	if next != allows {
		return next, fmt.Sprintf("GitLab says %q (detailed_merge_status)", m.DetailedMergeStatus)
	}
	pipeline := ""
	if m.HeadPipeline != nil && m.HeadPipeline.SHA == commit {
		pipeline = m.HeadPipeline.Status
	}
	return pipelineStatuses[pipeline], fmt.Sprintf("its pipeline is %q", pipeline)
}

func (c *Client) accept(ctx context.Context, iid int64, commit string) (merged bool, err error) {
	auto, remove := true, true
	accepted, _, err := c.api.MergeRequests.AcceptMergeRequest(c.project.Path, iid, &gitlab.AcceptMergeRequestOptions{
		AutoMerge: &auto, SHA: &commit, ShouldRemoveSourceBranch: &remove,
	}, with(ctx))
	return err == nil && accepted.State == string(Merged), err
}

// isUndecided reports whether GitLab refuses to merge because it has not looked at the merge request yet: it answers 405 and
// 422 for that as well as for conflicts, so that the state has to be read again.
func isUndecided(err error) bool {
	status := statusOf(err)
	return status == http.StatusMethodNotAllowed || status == http.StatusUnprocessableEntity
}
