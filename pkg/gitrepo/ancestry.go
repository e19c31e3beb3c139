package gitrepo

import (
	"context"
	"fmt"
)

// Relation answers a question about ancestry. The zero value claims nothing.
type Relation int

// The answers.
const (
	Unknown Relation = iota // a commit is missing here, or history is cut off
	No
	Yes
)

func (r Relation) String() string {
	switch r {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "unknown"
}

// IsAncestor reports whether new has old in its history (or is old). A commit
// that this clone does not hold, or a shallow clone's missing history, makes it
// Unknown, not No. An ambiguous abbreviation is an error.
func (r *Repo) IsAncestor(ctx context.Context, old, new string) (Relation, error) {
	relation, err := r.isAncestor(ctx, old, new)
	if err != nil {
		return Unknown, fmt.Errorf("asking whether %s descends from %s: %w", new, old, err)
	}
	return relation, nil
}

func (r *Repo) isAncestor(ctx context.Context, old, new string) (Relation, error) {
	oldID, haveOld, err := r.known(ctx, old)
	if err != nil {
		return Unknown, err
	}
	newID, haveNew, err := r.known(ctx, new)
	if err != nil || !haveOld || !haveNew {
		return Unknown, err
	}
	reached, err := r.reaches(ctx, oldID, newID)
	if err != nil || reached {
		return relationOf(reached), err
	}
	if !r.Shallow() {
		return No, nil
	}
	// Even cut off history proves that a descendant is no ancestor.
	if reverse, err := r.reaches(ctx, newID, oldID); err != nil || reverse {
		return No, err
	}
	return Unknown, nil
}

// reaches asks git about two commits that are both here.
func (r *Repo) reaches(ctx context.Context, old, new string) (bool, error) {
	if old == new {
		return true, nil
	}
	_, err := r.git.run(ctx, "merge-base", "--is-ancestor", old, new)
	if _, code := gitOutput(err); code == 1 {
		return false, nil
	}
	return err == nil, err
}

func relationOf(yes bool) Relation {
	if yes {
		return Yes
	}
	return No
}

// Contains reports whether a branch, as this clone knows it, has the commit.
func (r *Repo) Contains(ctx context.Context, branch, commit string) (Relation, error) {
	return r.IsAncestor(ctx, commit, branch)
}

// MergeBase returns the best common ancestor of two commits. There may be none:
// ErrNoMergeBase, or ErrShallow where the missing history may hold it.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (string, error) {
	ids, err := r.resolveBoth(ctx, a, b)
	if err != nil {
		return "", err
	}
	base, err := r.git.line(ctx, "merge-base", ids[0], ids[1])
	if _, code := gitOutput(err); code == 1 {
		err = ErrNoMergeBase
		if r.Shallow() {
			err = ErrShallow
		}
	}
	if err != nil {
		return "", fmt.Errorf("finding where %s and %s parted: %w", a, b, err)
	}
	return base, nil
}
