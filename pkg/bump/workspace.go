package bump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/atomicfile"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// Delivery says how far a plan is carried out. Each one includes those before it, but for the working tree, which Branch
// and those after it leave alone.
type Delivery struct {
	// Commit makes a commit of exactly the plan's files.
	Commit bool
	// Branch makes the commit on a new branch of this name, or of one made from the plan where it is DefaultBranch.
	Branch string
	// Push sends the branch to the remote.
	Push bool
	// Direct pushes to the main branch itself.
	Direct bool
	// DryRun changes nothing.
	DryRun bool
}

// DefaultBranch asks for a branch named after the plan.
const DefaultBranch = "-"

// Outcome is what was done.
type Outcome struct {
	Plan *Plan
	// Changes are the files that the plan changes, pins first, against what they are compared with: the commit that the
	// plan is for, or the working tree.
	Changes []render.Change
	// Commit is the commit that was made; empty where none was.
	Commit string
	// Branch is the branch that the commit is on, where it is not the checked out one.
	Branch string
	// Pushed says that the remote has the commit.
	Pushed bool
}

// Workspace is a control repo on disk, with its Git repository if it has one.
type Workspace struct {
	Root *os.Root
	// Git is nil where the control repo is in no Git repository.
	Git     *gitrepo.Repo
	Planner *Planner
	// Remote is the Git remote to push to.
	Remote string
	// Jitter returns a random pause's share of its maximum, 0 to 1.
	Jitter func() float64
}

// Do plans a request on the right base and carries it out as far as the delivery says. A plan that is refused is returned
// with its error.
func (ws *Workspace) Do(ctx context.Context, request Request, delivery Delivery) (*Outcome, error) {
	switch {
	case delivery.Push || delivery.Direct:
		return ws.push(ctx, request, delivery)
	case delivery.Branch != "":
		return ws.onto(ctx, request, delivery, "HEAD")
	case delivery.Commit:
		return ws.commit(ctx, request, delivery)
	default:
		return ws.workingTree(ctx, request, delivery)
	}
}

// workingTree changes files, and no history.
func (ws *Workspace) workingTree(ctx context.Context, request Request, delivery Delivery) (*Outcome, error) {
	outcome, err := ws.plan(ctx, ws.Root.FS(), request)
	if err != nil || delivery.DryRun {
		return outcome, err
	}
	return outcome, ws.write(outcome.Changes)
}

// plan plans on a base and stages the files.
func (ws *Workspace) plan(ctx context.Context, base fs.FS, request Request) (*Outcome, error) {
	plan, err := ws.Planner.Plan(ctx, base, request)
	if err != nil {
		return nil, err
	}
	outcome := &Outcome{Plan: plan}
	if outcome.Changes, err = Stage(ctx, base, plan); err != nil {
		return outcome, err
	}
	return outcome, plan.Err()
}

// commit makes a commit on the checked out branch. It plans on HEAD, so that the commit is right by itself whatever else
// lies in the working tree, and takes over what the same request has already changed there.
func (ws *Workspace) commit(ctx context.Context, request Request, delivery Delivery) (*Outcome, error) {
	base, err := ws.at(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	outcome, err := ws.plan(ctx, base, request)
	if outcome == nil || outcome.Plan == nil {
		return outcome, err
	}
	var refused *RefusedError
	if err != nil && !errors.As(err, &refused) {
		return outcome, err
	}
	if err := ws.checkDirty(outcome); err != nil || delivery.DryRun || len(outcome.Changes) == 0 {
		return outcome, err
	}
	if err := ws.write(outcome.Changes); err != nil {
		return outcome, err
	}
	outcome.Commit, err = ws.Git.Commit(ctx, paths(outcome.Changes), outcome.Plan.Message(), gitrepo.CommitOptions{})
	return outcome, err
}

// at returns a commit of the control repo as a file system.
func (ws *Workspace) at(ctx context.Context, rev string) (fs.FS, error) {
	if ws.Git == nil {
		return nil, fmt.Errorf("%w: commits need a Git repository; run `git init` and commit the control repo first, or leave --commit out", gitrepo.ErrNotRepository)
	}
	return ws.Git.FS(ctx, rev)
}

// checkDirty adds a refusal for each file to be written that is neither as in HEAD nor as it is to be, and returns the
// plan's refusals.
func (ws *Workspace) checkDirty(outcome *Outcome) error {
	for _, change := range outcome.Changes {
		there, err := readIfThere(ws.Root.FS(), change.Path)
		if err != nil {
			return err
		}
		if !sameContent(there, change.Old) && !sameContent(there, change.New) {
			outcome.Plan.refuse(RuleDirty, "", fmt.Sprintf("%s has other uncommitted changes: commit them, or restore it with `git restore %s`", change.Path, change.Path))
		}
	}
	return outcome.Plan.Err()
}

// sameContent compares files; an absent one is the same as an absent one only.
func sameContent(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// write makes the changes in the working tree: pins first and synced to the disk, for nothing else says what they say.
func (ws *Workspace) write(changes []render.Change) error {
	for _, change := range changes {
		there, err := readIfThere(ws.Root.FS(), change.Path)
		if err != nil {
			return err
		}
		if sameContent(there, change.New) {
			continue
		}
		if change.New == nil {
			err = ws.Root.Remove(change.Path)
		} else {
			err = atomicfile.Write(ws.Root, change.Path, change.New, durabilityOf(change.Path))
		}
		if err != nil {
			return fmt.Errorf("cannot write %s: %w", change.Path, err)
		}
	}
	return nil
}

func durabilityOf(file string) atomicfile.Durability {
	if strings.Contains(file, "/manifests/") {
		return atomicfile.Unsynced // it can be rendered again
	}
	return atomicfile.Synced
}

func paths(changes []render.Change) []string {
	names := make([]string, len(changes))
	for i, change := range changes {
		names[i] = change.Path
	}
	return names
}

// onto makes the commit on a branch of its own, on top of base, and touches neither the checked out branch nor the index.
// What the same request has changed in the working tree moves to the branch: it is restored here.
func (ws *Workspace) onto(ctx context.Context, request Request, delivery Delivery, base string) (*Outcome, error) {
	baseFS, err := ws.at(ctx, base)
	if err != nil {
		return nil, err
	}
	outcome, err := ws.plan(ctx, baseFS, request)
	if err != nil || delivery.DryRun || len(outcome.Changes) == 0 {
		return outcome, err
	}
	outcome.Branch = delivery.Branch
	if delivery.Branch == DefaultBranch {
		outcome.Branch = outcome.Plan.BranchName()
	}
	head, err := ws.Git.Resolve(ctx, base)
	if err != nil {
		return outcome, err
	}
	if delivery.Push || delivery.Direct {
		outcome.Commit, err = ws.Git.CommitOnto(ctx, head, fileChanges(outcome.Changes), outcome.Plan.Message(), gitrepo.CommitOptions{})
		return outcome, err
	}
	outcome.Commit, err = ws.Git.CommitToBranch(ctx, outcome.Branch, head, fileChanges(outcome.Changes), outcome.Plan.Message(), gitrepo.CommitOptions{})
	if err != nil {
		return outcome, err
	}
	return outcome, ws.moved(ctx, outcome.Changes)
}

func fileChanges(changes []render.Change) []gitrepo.FileChange {
	files := make([]gitrepo.FileChange, len(changes))
	for i, change := range changes {
		files[i] = gitrepo.FileChange{Path: change.Path, Content: change.New, Remove: change.New == nil}
	}
	return files
}

// moved restores files of the working tree that are as the plan wanted them: their change is on the branch now.
func (ws *Workspace) moved(ctx context.Context, changes []render.Change) error {
	head, err := ws.at(ctx, "HEAD")
	if err != nil {
		return err
	}
	var restore []render.Change
	for _, change := range changes {
		there, err := readIfThere(ws.Root.FS(), change.Path)
		if err != nil {
			return err
		}
		inHead, err := readIfThere(head, change.Path)
		if err != nil {
			return err
		}
		if sameContent(there, change.New) && !sameContent(there, inHead) {
			restore = append(restore, render.Change{Path: change.Path, Old: there, New: inHead})
		}
	}
	return ws.write(restore)
}

// BranchName is the plan's own branch: from the component, the version and the clusters, so that another version or
// another cluster never lands in it.
func (p *Plan) BranchName() string {
	parts := []string{string(p.Request.Op), p.Component, p.target(), strings.Join(p.Clusters(), "+")}
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for _, part := range parts {
			if part != "" && !yield(branchPart(part)) {
				return
			}
		}
	}), "/")
}

// branchPart leaves of a text what a branch's name may hold.
func branchPart(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.+", r):
			return r
		}
		return '-'
	}, text)
	for strings.Contains(text, "..") {
		text = strings.ReplaceAll(text, "..", ".")
	}
	return strings.TrimSuffix(strings.Trim(text, ".-"), ".lock")
}
