package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// FileChange is what a commit does to one file.
type FileChange struct {
	Path    string
	Content []byte // the whole new content
	Remove  bool   // the file goes away; Content is not read
}

// CommitOnto makes a commit of the changes on top of base and returns its id.
// No branch, no index and no work tree of the person's is touched: the commit is
// made in a temporary linked worktree, by `git commit`, so that commit hooks,
// signing, identity and file filters are the person's own. Hooks see the whole
// tree when there is a pre-commit hook; without one only the changed files are
// written, which keeps it fast in large repositories. Modes stay as they are in
// base; new files are plain. No difference is ErrNothingToCommit.
//
// Push can send the returned id without a local branch.
func (r *Repo) CommitOnto(ctx context.Context, base string, changes []FileChange, message string, opts CommitOptions) (string, error) {
	id, err := r.commitOnto(ctx, base, changes, message, opts)
	if err != nil {
		return "", fmt.Errorf("committing on top of %s: %w", base, lockError(err))
	}
	return id, nil
}

// CommitToBranch is CommitOnto, and then creates the branch at the new commit.
// A branch of that name is ErrBranchExists and stays as it is.
func (r *Repo) CommitToBranch(ctx context.Context, branch, base string, changes []FileChange, message string, opts CommitOptions) (string, error) {
	if err := r.newBranch(ctx, branch); err != nil {
		return "", err
	}
	id, err := r.CommitOnto(ctx, base, changes, message, opts)
	if err != nil {
		return "", err
	}
	return id, r.CreateBranch(ctx, branch, id)
}

// newBranch checks before the work what CreateBranch checks again after it.
func (r *Repo) newBranch(ctx context.Context, branch string) error {
	if err := r.checkBranch(ctx, branch); err != nil {
		return err
	}
	if _, exists, err := r.known(ctx, "refs/heads/"+branch); err != nil || exists {
		return errors.Join(err, fmt.Errorf("branch %q: %w", branch, ErrBranchExists))
	}
	return nil
}

// noCommit is how Git writes "this ref does not exist".
const noCommit = "0000000000000000000000000000000000000000"

// CreateBranch creates a branch at a commit. It never moves one: a branch of
// that name is ErrBranchExists, unless it is at that commit already.
func (r *Repo) CreateBranch(ctx context.Context, branch, rev string) error {
	if err := r.checkBranch(ctx, branch); err != nil {
		return err
	}
	id, err := r.Resolve(ctx, rev)
	if err != nil {
		return err
	}
	ref := "refs/heads/" + branch
	if at, exists, err := r.known(ctx, ref); err != nil || exists && at == id {
		return err
	}
	if _, err := r.git.run(ctx, "update-ref", "-m", "branch: created by tfgitops", ref, id, noCommit); err != nil {
		if _, exists, _ := r.known(ctx, ref); exists {
			err = ErrBranchExists
		}
		return fmt.Errorf("creating branch %q: %w", branch, lockError(err))
	}
	return nil
}

func (r *Repo) commitOnto(ctx context.Context, base string, changes []FileChange, message string, opts CommitOptions) (string, error) {
	for _, change := range changes {
		if err := checkPath(change.Path); err != nil {
			return "", err
		}
	}
	changes = removalsFirst(changes)
	id, err := r.Resolve(ctx, base)
	if err != nil {
		return "", err
	}
	known, err := r.inCommit(ctx, id, changes)
	if err != nil {
		return "", err
	}
	tree, err := r.addWorktree(ctx, id, r.topPaths(known))
	if err != nil {
		return "", err
	}
	made, err := r.commitIn(ctx, tree, changes, message, opts)
	return made, errors.Join(err, r.removeWorktree(ctx, tree))
}

// removalsFirst lets a directory take the place of a file and the reverse.
func removalsFirst(changes []FileChange) []FileChange {
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b FileChange) int {
		switch {
		case a.Remove == b.Remove:
			return 0
		case a.Remove:
			return -1
		}
		return 1
	})
	return sorted
}

// inCommit returns the changes to files that the commit has already.
func (r *Repo) inCommit(ctx context.Context, id string, changes []FileChange) ([]FileChange, error) {
	fsys, err := r.FS(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // not even the opened directory
	}
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(changes), func(change FileChange) bool {
		entry, err := fsys.lookup("stat", change.Path)
		return err != nil || entry.Mode == filemode.Dir
	}), nil
}

// topPaths are the changes' paths from the top of the work tree.
func (r *Repo) topPaths(changes []FileChange) []string {
	paths := make([]string, len(changes))
	for i, change := range changes {
		paths[i] = r.prefix + change.Path
	}
	return paths
}

// commitIn writes the changes into the worktree and commits its index.
func (r *Repo) commitIn(ctx context.Context, tree git, changes []FileChange, message string, opts CommitOptions) (string, error) {
	if err := r.writeChanges(tree.dir, changes); err != nil {
		return "", err
	}
	_, err := tree.feed(ctx, nulJoined(r.topPaths(changes)), "update-index", "--add", "--remove", "-z", "--stdin")
	if err != nil {
		return "", err
	}
	_, err = tree.run(ctx, "diff-index", "--cached", "--quiet", "HEAD", "--")
	if err == nil {
		return "", ErrNothingToCommit
	}
	if _, code := gitOutput(err); code != 1 {
		return "", err
	}
	if opts.Signoff, err = wantsSignoff(ctx, tree, opts); err != nil {
		return "", err
	}
	if err := runCommit(ctx, tree, message, opts); err != nil {
		return "", err
	}
	return tree.line(ctx, "rev-parse", "--verify", "HEAD")
}

// writeChanges writes files below dir. os.Root keeps them there, whatever
// symbolic links the commit holds.
func (r *Repo) writeChanges(dir string, changes []FileChange) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, change := range changes {
		if err := writeChange(root, r.prefix+change.Path, change); err != nil {
			return fmt.Errorf("%q: %w", change.Path, err)
		}
	}
	return nil
}

func writeChange(root *os.Root, name string, change FileChange) error {
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is no plain file", ErrBadPath)
	}
	if change.Remove {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return root.Remove(name)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = bytes.NewReader(change.Content).WriteTo(file)
	return errors.Join(err, file.Close())
}
