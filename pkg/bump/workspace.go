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
	// There says that the remote had the change already.
	There bool
	// Main is the remote's main branch and Base the commit of it that the plan is for, where the delivery asked the remote.
	Main, Base string
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
		return ws.branch(ctx, request, delivery)
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
	written, err := ws.write(outcome.Changes, durabilityOf)
	if err != nil {
		ws.undo(written)
	}
	return outcome, err
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
	if err := ws.checkDirty(ctx, outcome); err != nil || delivery.DryRun || len(outcome.Changes) == 0 {
		return outcome, err
	}
	written, err := ws.write(outcome.Changes, unsynced)
	if err == nil {
		outcome.Commit, err = ws.Git.Commit(ctx, paths(outcome.Changes), outcome.Plan.Message(), gitrepo.CommitOptions{})
	}
	if err != nil && !ws.isCommitted(ctx, outcome.Changes) {
		ws.undo(written)
	}
	return outcome, err
}

// isCommitted reports whether HEAD has the changes, or cannot be read: an interruption may come after the commit was made.
func (ws *Workspace) isCommitted(ctx context.Context, changes []render.Change) bool {
	has, err := ws.has(context.WithoutCancel(ctx), "HEAD", changes)
	return has || err != nil
}

// has reports whether a commit has the files as the changes make them.
func (ws *Workspace) has(ctx context.Context, rev string, changes []render.Change) (bool, error) {
	at, err := ws.Git.FS(ctx, rev)
	if err != nil {
		return false, err
	}
	for _, change := range changes {
		content, err := readIfThere(at, change.Path)
		if err != nil || !sameContent(content, change.New) {
			return false, err
		}
	}
	return true, nil
}

// at returns a commit of the control repo as a file system.
func (ws *Workspace) at(ctx context.Context, rev string) (fs.FS, error) {
	if ws.Git == nil {
		return nil, fmt.Errorf("%w: commits need a Git repository; run `git init` and commit the control repo first, or leave --commit out", gitrepo.ErrNotRepository)
	}
	return ws.Git.FS(ctx, rev)
}

// checkDirty adds a refusal for each file to be written that is neither as in HEAD nor as it is to be, in the working tree
// or in the index, and returns the plan's refusals.
func (ws *Workspace) checkDirty(ctx context.Context, outcome *Outcome) error {
	other := map[string]string{}
	for _, change := range outcome.Changes {
		there, err := readIfThere(ws.Root.FS(), change.Path)
		if err != nil {
			return err
		}
		if !sameContent(there, change.Old) && !sameContent(there, change.New) {
			other[change.Path] = "uncommitted"
		}
	}
	if len(outcome.Changes) > 0 {
		dirty, err := ws.Git.Dirty(ctx, paths(outcome.Changes))
		if err != nil {
			return err
		}
		for _, file := range dirty {
			if file.Staged && file.Modified && other[file.Path] == "" {
				other[file.Path] = "staged"
			}
		}
	}
	for _, change := range outcome.Changes {
		if kind := other[change.Path]; kind != "" {
			outcome.Plan.refuse(RuleDirty, "", fmt.Sprintf("%s has other %s changes: commit them, or drop them with `git restore --staged --worktree %s`", change.Path, kind, change.Path))
		}
	}
	return outcome.Plan.Err()
}

// sameContent compares files; an absent one is the same as an absent one only.
func sameContent(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// write makes the changes in the working tree, pins first, and returns those that it made.
func (ws *Workspace) write(changes []render.Change, durability func(file string) atomicfile.Durability) ([]render.Change, error) {
	var written []render.Change
	for _, change := range changes {
		there, err := readIfThere(ws.Root.FS(), change.Path)
		if err != nil {
			return written, err
		}
		if sameContent(there, change.New) {
			continue
		}
		if err := ws.writeFile(change.Path, change.New, durability(change.Path)); err != nil {
			return written, fmt.Errorf("cannot write %s: %w", change.Path, err)
		}
		written = append(written, render.Change{Path: change.Path, Old: there, New: change.New})
	}
	return written, nil
}

func (ws *Workspace) writeFile(file string, content []byte, durability atomicfile.Durability) error {
	if content == nil {
		return ws.Root.Remove(file)
	}
	return atomicfile.Write(ws.Root, file, content, durability)
}

// undo puts files back that write changed, the last first, unless somebody has changed them since. It does what it can: the
// error that led here is the one to show.
func (ws *Workspace) undo(written []render.Change) {
	for _, change := range slices.Backward(written) {
		if there, err := readIfThere(ws.Root.FS(), change.Path); err == nil && sameContent(there, change.New) {
			_ = ws.writeFile(change.Path, change.Old, durabilityOf(change.Path))
		}
	}
}

// unsynced is for files that Git keeps a copy of: it syncs its own.
func unsynced(string) atomicfile.Durability { return atomicfile.Unsynced }

// durabilityOf syncs pins to the disk, for nothing else says what they say.
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

// branch makes the commit on a branch of its own, on top of HEAD, and touches neither the checked out branch nor the index.
// What the same request has changed in the working tree moves to the branch: it is restored here.
func (ws *Workspace) branch(ctx context.Context, request Request, delivery Delivery) (*Outcome, error) {
	base, err := ws.at(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	outcome, err := ws.plan(ctx, base, request)
	if err != nil || delivery.DryRun || len(outcome.Changes) == 0 {
		return outcome, err
	}
	outcome.Branch = outcome.Plan.branchFor(delivery)
	outcome.Commit, err = ws.Git.CommitToBranch(ctx, outcome.Branch, "HEAD", fileChanges(outcome.Changes), outcome.Plan.Message(), gitrepo.CommitOptions{})
	if errors.Is(err, gitrepo.ErrBranchExists) {
		err = ws.onBranchAlready(ctx, outcome)
	}
	if err != nil {
		return outcome, err
	}
	return outcome, ws.moved(ctx, outcome.Changes)
}

// branchFor is the branch that a delivery names, or the plan's own.
func (p *Plan) branchFor(delivery Delivery) string {
	if delivery.Branch == "" || delivery.Branch == DefaultBranch {
		return p.BranchName()
	}
	return delivery.Branch
}

// onBranchAlready accepts a branch that has the very same change, from an earlier run.
func (ws *Workspace) onBranchAlready(ctx context.Context, outcome *Outcome) error {
	id, err := ws.Git.Resolve(ctx, "refs/heads/"+outcome.Branch)
	if err != nil {
		return err
	}
	has, err := ws.has(ctx, id, outcome.Changes)
	if err != nil {
		return err
	}
	if !has {
		return branchInTheWay(outcome.Branch)
	}
	outcome.Commit = id
	outcome.Plan.say(fmt.Sprintf("branch %s has this change already", outcome.Branch))
	return nil
}

func branchInTheWay(branch string) error {
	return fmt.Errorf("branch %q: %w with other content: look at it, and name another with --branch NAME if it is not in the way of yours", branch, gitrepo.ErrBranchExists)
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
	_, err = ws.write(restore, unsynced)
	return err
}
