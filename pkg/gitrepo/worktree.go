package gitrepo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// worktreeName begins the names of our temporary worktrees.
const worktreeName = "tfgitops-commit-"

// staleAfter is when a temporary worktree belongs to a process that was killed.
const staleAfter = 24 * time.Hour

// quiet keeps hooks out of the making of the temporary worktree: only the
// commit's own hooks concern the person.
var quiet = []string{"-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"}

// addWorktree makes a temporary worktree at a commit, ready for changes to the
// paths, and returns git in it.
func (r *Repo) addWorktree(ctx context.Context, id string, paths []string) (git, error) {
	r.sweepWorktrees(ctx)
	parent, err := os.MkdirTemp("", worktreeName)
	if err != nil {
		return git{}, err
	}
	tree := r.git.in(filepath.Join(parent, filepath.Base(parent))) // git names its record after the last part
	args := append(quiet[:len(quiet):len(quiet)], "worktree", "add", "--quiet", "--detach", "--no-checkout", tree.dir, id)
	if _, err := r.git.run(ctx, args...); err != nil {
		return git{}, errors.Join(err, os.RemoveAll(parent))
	}
	if err := r.fillWorktree(ctx, tree, paths); err != nil {
		return git{}, errors.Join(err, r.removeWorktree(ctx, tree))
	}
	return tree, nil
}

// fillWorktree reads the commit into the worktree's index and writes the files
// that will change, so that they keep their modes; all files where a hook looks.
func (r *Repo) fillWorktree(ctx context.Context, tree git, paths []string) error {
	all, err := r.hooksNeedFiles(ctx)
	if err != nil {
		return err
	}
	if all {
		_, err = tree.run(ctx, append(quiet[:len(quiet):len(quiet)], "read-tree", "-m", "-u", "HEAD")...)
		return err
	}
	if _, err = tree.run(ctx, "read-tree", "HEAD"); err != nil {
		return err
	}
	if len(paths) == 0 {
		return nil
	}
	_, err = tree.feed(ctx, nulJoined(paths), "checkout-index", "--quiet", "--force", "-z", "--stdin")
	return err
}

// hooksNeedFiles reports whether git would run a pre-commit hook, or looks for
// hooks in the work tree itself (a relative core.hooksPath).
func (r *Repo) hooksNeedFiles(ctx context.Context) (bool, error) {
	configured, err := r.git.line(ctx, "config", "--type=path", "--get", "core.hooksPath")
	if _, code := gitOutput(err); err != nil && code != 1 {
		return false, err
	}
	if configured == "" {
		configured = filepath.Join(r.commonDir, "hooks")
	}
	if !filepath.IsAbs(configured) {
		return true, nil
	}
	info, err := os.Stat(filepath.Join(configured, "pre-commit"))
	return err == nil && info.Mode()&0o111 != 0, nil
}

// removeWorktree takes the temporary worktree away, also after ctx has ended.
func (r *Repo) removeWorktree(ctx context.Context, tree git) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	_, err := r.git.run(ctx, "worktree", "remove", "--force", "--force", tree.dir)
	return errors.Join(err, os.RemoveAll(filepath.Dir(tree.dir)))
}

// sweepWorktrees takes away the worktrees of processes that were killed. Git
// keeps a record of each in its own directory. What cannot be taken away now,
// perhaps because another process is at it, is left to the next time.
func (r *Repo) sweepWorktrees(ctx context.Context) {
	records := filepath.Join(r.commonDir, "worktrees")
	entries, err := os.ReadDir(records)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !strings.HasPrefix(entry.Name(), worktreeName) || time.Since(info.ModTime()) < staleAfter { //nolint:forbidigo // a file is old by the machine's clock
			continue
		}
		if dir, ok := recordedWorktree(filepath.Join(records, entry.Name())); ok {
			_ = r.removeWorktree(ctx, r.git.in(dir))
		}
	}
}

// recordedWorktree returns the directory of a worktree's record, if it is laid
// out as addWorktree does it: PARENT/NAME/NAME. Nothing else is ever removed.
func recordedWorktree(record string) (string, bool) {
	link, err := os.ReadFile(filepath.Join(record, "gitdir"))
	dir := filepath.Dir(strings.TrimSpace(string(link)))
	name := filepath.Base(record)
	return dir, err == nil && filepath.Base(dir) == name && filepath.Base(filepath.Dir(dir)) == name
}
