package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// MergeRequest is a merge request of the project.
type MergeRequest struct {
	// IID is its number, as in !5.
	IID    int64
	URL    string
	Title  string
	State  State
	Draft  bool
	Source string // the branch with the change
	Target string // the branch that it is for
	// SHA is the commit that the source branch is at.
	SHA    string
	Labels []string

	reviewers []int64
}

// State is what became of a merge request.
type State string

// The states of a merge request. A closed one was not merged.
const (
	Opened State = "opened"
	Closed State = "closed"
	Merged State = "merged"
)

// Ref is how people write it.
func (m MergeRequest) Ref() string { return fmt.Sprintf("!%d", m.IID) }

// Has reports whether it has a label.
func (m MergeRequest) Has(label string) bool { return slices.Contains(m.Labels, label) }

// Proposal is a merge request as it is to be opened.
type Proposal struct {
	Source, Target string
	Title          string
	// Describe writes the description. It is called only where there is no merge request yet.
	Describe func(context.Context) string
	// Labels and Reviewers (names of users) are added to those that are there.
	Labels, Reviewers []string
	// Draft opens it as a draft. One that is there already stays as it is.
	Draft bool
}

// draftPrefix makes a title that of a draft.
const draftPrefix = "Draft: "

// Propose returns the open merge request from the proposal's source branch to its target, and opens it where there is none:
// created says which. Of one that is there, nothing changes but labels and reviewers that are missing. Another process may
// open it at the same time; it is opened once.
func (c *Client) Propose(ctx context.Context, p Proposal) (found MergeRequest, created bool, err error) {
	reviewers, err := c.users(ctx, p.Reviewers)
	if err != nil {
		return MergeRequest{}, false, err
	}
	for attempt := 0; ; attempt++ {
		open, err := c.Find(ctx, Opened, p.Source, p.Target)
		if err != nil {
			return MergeRequest{}, false, err
		}
		if len(open) > 0 {
			found, err = c.add(ctx, open[0], p.Labels, reviewers)
			return found, created, err
		}
		found, err = c.create(ctx, p, reviewers)
		if err == nil {
			return found, true, nil
		}
		if !mayBeThere(ctx, err) || attempt == attempts-1 {
			return MergeRequest{}, false, c.failed(fmt.Sprintf("opening a merge request from branch %q", p.Source), err)
		}
		created = isBroken(ctx, err)
		if err := c.wait(ctx, attempt); err != nil {
			return MergeRequest{}, false, err
		}
	}
}

// mayBeThere reports whether a failed attempt is worth another: somebody else was faster (409), the answer got lost, or GitLab
// does not see the pushed branch yet (422).
func mayBeThere(ctx context.Context, err error) bool {
	switch statusOf(err) {
	case http.StatusConflict:
		return true
	case http.StatusUnprocessableEntity:
		return strings.Contains(strings.ToLower(said(err)), "does not exist")
	}
	return isBroken(ctx, err)
}

func (c *Client) create(ctx context.Context, p Proposal, reviewers []int64) (MergeRequest, error) {
	title, description, remove := p.Title, p.Describe(ctx), true
	if p.Draft {
		title = draftPrefix + title
	}
	options := &gitlab.CreateMergeRequestOptions{
		Title: &title, Description: &description, SourceBranch: &p.Source, TargetBranch: &p.Target, RemoveSourceBranch: &remove,
	}
	if len(p.Labels) > 0 {
		options.Labels = (*gitlab.LabelOptions)(&p.Labels)
	}
	if len(reviewers) > 0 {
		options.ReviewerIDs = &reviewers
	}
	made, _, err := c.api.MergeRequests.CreateMergeRequest(c.project.Path, options, with(ctx))
	if err != nil {
		return MergeRequest{}, err
	}
	return c.mergeRequest(&made.BasicMergeRequest), nil
}

// add adds what is missing.
func (c *Client) add(ctx context.Context, m MergeRequest, labels []string, reviewers []int64) (MergeRequest, error) {
	options, needed := &gitlab.UpdateMergeRequestOptions{}, false
	if missing := without(labels, m.Labels); len(missing) > 0 {
		options.AddLabels, needed = (*gitlab.LabelOptions)(&missing), true
	}
	if missing := without(reviewers, m.reviewers); len(missing) > 0 {
		whole := append(slices.Clone(m.reviewers), missing...) // GitLab has no way to add one
		options.ReviewerIDs, needed = &whole, true
	}
	if !needed {
		return m, nil
	}
	return c.update(ctx, m, "adding labels and reviewers to", options)
}

func (c *Client) update(ctx context.Context, m MergeRequest, doing string, options *gitlab.UpdateMergeRequestOptions) (MergeRequest, error) {
	updated, _, err := c.api.MergeRequests.UpdateMergeRequest(c.project.Path, m.IID, options, with(ctx))
	if err != nil {
		return m, c.failed(doing+" merge request "+m.Ref(), err)
	}
	return c.mergeRequest(&updated.BasicMergeRequest), nil
}

// without returns the items that others lacks.
func without[T comparable](items, others []T) []T {
	return slices.DeleteFunc(slices.Clone(items), func(item T) bool { return slices.Contains(others, item) })
}

// Find returns the merge requests in a state ("" for any) from a branch of the project itself, to a target; an empty name means
// all. The newest come first. Those of forks are left out, whatever their branches are called.
func (c *Client) Find(ctx context.Context, state State, source, target string) ([]MergeRequest, error) {
	options := &gitlab.ListProjectMergeRequestsOptions{ListOptions: gitlab.ListOptions{PerPage: 100}}
	set := func(field **string, value string) {
		if value != "" {
			*field = &value
		}
	}
	set(&options.State, string(state))
	set(&options.SourceBranch, source)
	set(&options.TargetBranch, target)
	set(&options.OrderBy, "created_at")
	set(&options.Sort, "desc")
	listed, err := all(func(page gitlab.PaginationOptionFunc) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		return c.api.MergeRequests.ListProjectMergeRequests(c.project.Path, options, page, with(ctx))
	})
	if err != nil {
		return nil, c.failed("listing merge requests", err)
	}
	var found []MergeRequest
	for _, one := range listed {
		ours := one.SourceProjectID == one.TargetProjectID
		if ours && is(one.State, string(state)) && is(one.SourceBranch, source) && is(one.TargetBranch, target) {
			found = append(found, c.mergeRequest(one))
		}
	}
	return found, nil
}

// is compares with what was asked for, if anything was.
func is(value, wanted string) bool { return wanted == "" || value == wanted }

// Get returns one merge request.
func (c *Client) Get(ctx context.Context, iid int64) (MergeRequest, error) {
	found, err := c.get(ctx, iid)
	if err != nil {
		return MergeRequest{}, err
	}
	return c.mergeRequest(&found.BasicMergeRequest), nil
}

func (c *Client) get(ctx context.Context, iid int64) (*gitlab.MergeRequest, error) {
	found, _, err := c.api.MergeRequests.GetMergeRequest(c.project.Path, iid, nil, with(ctx))
	return found, c.failed(fmt.Sprintf("reading merge request !%d", iid), err)
}

// Of returns the merge requests that a commit belongs to, open or merged. A commit that GitLab does not have has none.
func (c *Client) Of(ctx context.Context, commit string) ([]MergeRequest, error) {
	listed, err := all(func(page gitlab.PaginationOptionFunc) ([]*gitlab.BasicMergeRequest, *gitlab.Response, error) {
		return c.api.Commits.ListMergeRequestsByCommit(c.project.Path, commit, page, with(ctx))
	})
	if err != nil {
		return nil, c.failed("asking which merge request commit "+commit+" is of", err)
	}
	var found []MergeRequest
	for _, one := range listed {
		if one.SourceProjectID == one.TargetProjectID && one.State != string(Closed) {
			found = append(found, c.mergeRequest(one))
		}
	}
	return found, nil
}

// mergeRequest takes over what GitLab says of one, but its address: that is shown, and follows from the number.
func (c *Client) mergeRequest(m *gitlab.BasicMergeRequest) MergeRequest {
	found := MergeRequest{
		IID: m.IID, URL: c.pageOf(m.IID), Title: m.Title, State: State(m.State), Draft: m.Draft, Source: m.SourceBranch, Target: m.TargetBranch,
		SHA: m.SHA, Labels: m.Labels,
	}
	for _, reviewer := range m.Reviewers {
		found.reviewers = append(found.reviewers, reviewer.ID)
	}
	return found
}

// pageOf is the page of a merge request.
func (c *Client) pageOf(iid int64) string {
	return fmt.Sprintf("%s/-/merge_requests/%d", c.project.URL(), iid)
}

// Ready marks a draft ready. What is no draft stays as it is.
func (c *Client) Ready(ctx context.Context, m MergeRequest) (MergeRequest, error) {
	if !m.Draft {
		return m, nil
	}
	title := m.Title
	for _, prefix := range []string{"Draft:", "[Draft]", "(Draft)"} { // what GitLab takes for one
		if len(title) >= len(prefix) && strings.EqualFold(title[:len(prefix)], prefix) {
			title = strings.TrimSpace(title[len(prefix):])
		}
	}
	return c.update(ctx, m, "marking ready", &gitlab.UpdateMergeRequestOptions{Title: &title})
}

// users returns the numbers of users.
func (c *Client) users(ctx context.Context, names []string) ([]int64, error) {
	var ids []int64
	for _, name := range names {
		found, _, err := c.api.Users.ListUsers(&gitlab.ListUsersOptions{Username: &name}, with(ctx))
		if err != nil {
			return nil, c.failed(fmt.Sprintf("looking for user %q", name), err)
		}
		i := slices.IndexFunc(found, func(user *gitlab.User) bool { return strings.EqualFold(user.Username, name) })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s has no user %q", ErrNoUser, c.project.Server, name)
		}
		ids = append(ids, found[i].ID)
	}
	return ids, nil
}

// ErrNoUser says that a reviewer is not there.
var ErrNoUser = errors.New("no such user")
