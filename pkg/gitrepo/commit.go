package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// CommitOptions says how a commit is made.
type CommitOptions struct {
	// Signoff adds Signed-off-by. It is also added where format.signOff is set.
	Signoff bool
}

// undoTime bounds putting the index back after a commit that failed, also when
// the caller's context has ended.
const undoTime = 10 * time.Second

// Commit makes one commit of exactly these files as they are in the work tree:
// new, edited and deleted ones. Everything else that is staged or modified stays
// as it is. Paths that equal HEAD are left out; when all do, the error is
// ErrNothingToCommit. Hooks, signing and identity are the person's own. A failed
// commit (a hook said no, its output is in the error) leaves the index as it
// was. A lock that another Git process holds, or left when it was killed, is
// ErrLocked with the file's name. Returned is the new commit's id.
func (r *Repo) Commit(ctx context.Context, paths []string, message string, opts CommitOptions) (string, error) {
	id, err := r.commit(ctx, paths, message, opts)
	if err != nil {
		return "", fmt.Errorf("committing: %w", lockError(err))
	}
	return id, nil
}

func (r *Repo) commit(ctx context.Context, paths []string, message string, opts CommitOptions) (string, error) {
	if err := r.checkPaths(paths); err != nil {
		return "", err
	}
	changed, opts, err := r.askBeforeCommit(ctx, paths, opts)
	if err != nil {
		return "", err
	}
	added := untracked(changed)
	if err := r.intendToAdd(ctx, added); err != nil {
		return "", err
	}
	if err := r.commitOnly(ctx, changed, message, opts); err != nil {
		return "", errors.Join(err, r.undoIntent(ctx, added))
	}
	return r.Resolve(ctx, "HEAD")
}

// checkPaths accepts files below the opened directory, which need not exist.
func (r *Repo) checkPaths(paths []string) error {
	if r.bare {
		return fmt.Errorf("%w: a bare repository has no work tree", ErrUnsupported)
	}
	for _, path := range paths {
		if err := checkPath(path); err != nil {
			return err
		}
		info, err := os.Lstat(filepath.Join(r.dir, filepath.FromSlash(path)))
		if err == nil && info.IsDir() {
			return fmt.Errorf("%w: %q is a directory; name its files", ErrBadPath, path)
		}
	}
	return nil
}

// checkPath accepts a clean relative path that stays below where it starts and
// does not lead into Git's own directory.
func checkPath(path string) error {
	if !fs.ValidPath(path) || path == "." || strings.ContainsRune(path, 0) {
		return fmt.Errorf("%w: %q is no clean path below the repository's directory", ErrBadPath, path)
	}
	for part := range strings.SplitSeq(path, "/") {
		if strings.EqualFold(part, ".git") {
			return fmt.Errorf("%w: %q is Git's own", ErrBadPath, path)
		}
	}
	return nil
}

// changed returns those of the paths that differ from HEAD.
func (r *Repo) changed(ctx context.Context, paths []string) ([]DirtyPath, error) {
	if len(paths) == 0 {
		return nil, ErrNothingToCommit
	}
	dirty, err := r.Dirty(ctx, paths)
	if err != nil {
		return nil, err
	}
	changed := slices.DeleteFunc(dirty, func(d DirtyPath) bool { return !slices.Contains(paths, d.Path) })
	if len(changed) == 0 {
		if err := r.ignored(ctx, paths); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %d paths equal HEAD", ErrNothingToCommit, len(paths))
	}
	return changed, nil
}

// askBeforeCommit asks git at once for what differs from HEAD and whether commits are signed off: each takes as long as git
// takes to start.
func (r *Repo) askBeforeCommit(ctx context.Context, paths []string, opts CommitOptions) ([]DirtyPath, CommitOptions, error) {
	var configured error
	var asking sync.WaitGroup
	asking.Go(func() { opts.Signoff, configured = wantsSignoff(ctx, r.git, opts) })
	changed, err := r.changed(ctx, paths)
	asking.Wait()
	if err == nil {
		err = configured
	}
	return changed, opts, err
}

// ignored is an error when a path would never be committed because .gitignore
// names it, which looks like "nothing to commit" otherwise.
func (r *Repo) ignored(ctx context.Context, paths []string) error {
	out, err := r.git.feed(ctx, nulJoined(paths), "check-ignore", "-z", "--stdin")
	if _, code := gitOutput(err); code == 1 {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(out, "\x00")
	return fmt.Errorf("%w: %q is ignored by a .gitignore file", ErrBadPath, first)
}

func untracked(changed []DirtyPath) []string {
	var paths []string
	for _, dirty := range changed {
		if dirty.Untracked && !dirty.Staged {
			paths = append(paths, dirty.Path)
		}
	}
	return paths
}

func nulJoined(list []string) *strings.Reader {
	return strings.NewReader(strings.Join(list, "\x00") + "\x00")
}

// intendToAdd tells Git of new files without staging what they hold: `git commit
// --only` takes no file it does not know.
func (r *Repo) intendToAdd(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	_, err := r.git.feed(ctx, nulJoined(r.pathspecs(paths)), "add", "--intent-to-add",
		"--pathspec-from-file=-", "--pathspec-file-nul")
	return err
}

// undoIntent forgets the files that intendToAdd told Git of.
func (r *Repo) undoIntent(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	_, err := r.git.feed(ctx, nulJoined(paths), "update-index", "--force-remove", "-z", "--stdin")
	if err != nil {
		return fmt.Errorf("the index still lists %d new files; run `git reset -- PATHS`: %w", len(paths), err)
	}
	return nil
}

// commitOnly commits the changed paths past the index.
func (r *Repo) commitOnly(ctx context.Context, changed []DirtyPath, message string, opts CommitOptions) error {
	specs := make([]string, len(changed))
	for i, dirty := range changed {
		specs[i] = r.pathspec(dirty.Path)
	}
	list, err := os.CreateTemp("", "tfgitops-paths-*")
	if err != nil {
		return err
	}
	defer os.Remove(list.Name())
	_, err = nulJoined(specs).WriteTo(list)
	if err = errors.Join(err, list.Close()); err != nil {
		return err
	}
	return runCommit(ctx, r.git, message, opts, "--only", "--pathspec-from-file="+list.Name(), "--pathspec-file-nul")
}

// runCommit runs `git commit` with a message that is taken as it is, but for
// white space at line ends.
func runCommit(ctx context.Context, g git, message string, opts CommitOptions, args ...string) error {
	if strings.TrimSpace(message) == "" {
		return errors.New("the commit message is empty")
	}
	if opts.Signoff {
		args = append(args, "--signoff")
	}
	args = append([]string{"commit", "--quiet", "--cleanup=whitespace", "--file=-"}, args...)
	g.attached = true
	_, err := g.feed(ctx, strings.NewReader(message), args...)
	return err
}

// wantsSignoff reads format.signOff, which `git commit` itself does not.
func wantsSignoff(ctx context.Context, g git, opts CommitOptions) (bool, error) {
	if opts.Signoff {
		return true, nil
	}
	value, err := g.line(ctx, "config", "--type=bool", "--get", "format.signOff")
	if _, code := gitOutput(err); code == 1 {
		return false, nil
	}
	return value == "true", err
}

// lockError gives a lock that is in the way its sentinel and the next step.
func lockError(err error) error {
	said, _ := gitOutput(err)
	_, rest, found := strings.Cut(said, "Unable to create '")
	lock, rest, cut := strings.Cut(rest, "'")
	if !found || !cut || !strings.HasPrefix(rest, ": File exists") {
		return err
	}
	return fmt.Errorf("%w: %q exists: wait for the other git process; if none is running, one was killed: remove that file and try again: %w",
		ErrLocked, lock, err)
}
