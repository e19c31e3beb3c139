package gitrepo

import (
	"errors"
	"fmt"
	"strings"
)

// One sentinel for each outcome that a caller branches on.
var (
	// ErrNoGit: the git program is not installed.
	ErrNoGit = errors.New("the git program was not found in PATH; install Git 2.30 or newer")
	// ErrNotRepository: the directory is not inside a Git repository.
	ErrNotRepository = errors.New("not a Git repository")
	// ErrUnsupported: the repository uses a Git feature this package cannot read.
	ErrUnsupported = errors.New("unsupported Git repository")
	// ErrUnknownRevision: the revision does not exist in this clone.
	ErrUnknownRevision = errors.New("unknown revision")
	// ErrAmbiguousRevision: the abbreviated id fits several commits.
	ErrAmbiguousRevision = errors.New("ambiguous revision")
	// ErrNoMergeBase: the two commits share no history.
	ErrNoMergeBase = errors.New("no common history")
	// ErrShallow: the answer lies in history that this shallow clone does not hold.
	ErrShallow = errors.New("the clone is shallow: its history is cut off; run `git fetch --unshallow`")
	// ErrSymlink: the path is, or leads through, a symbolic link.
	ErrSymlink = errors.New("is a symbolic link, which is not followed")
	// ErrTooLarge: an object or an answer is over the size this package reads.
	ErrTooLarge = errors.New("too large")
	// ErrMalformed: Git data that breaks its own format.
	ErrMalformed = errors.New("malformed Git data")
	// ErrRefusedURL: the URL is not one that this package gives to Git.
	ErrRefusedURL = errors.New("refused URL")
	// ErrBadPath: the path cannot be committed.
	ErrBadPath = errors.New("cannot commit this path")
	// ErrNothingToCommit: none of the paths differs from the commit they would change.
	ErrNothingToCommit = errors.New("nothing to commit")
	// ErrLocked: another Git process works here, or one was killed and left its lock.
	ErrLocked = errors.New("the repository is locked")
	// ErrBranchExists: the branch to create is already there.
	ErrBranchExists = errors.New("the branch already exists")
	// ErrBadBranch: not a valid branch name.
	ErrBadBranch = errors.New("not a valid branch name")

	// ErrRace: the remote branch moved; fetch, plan again on the new head, push again.
	ErrRace = errors.New("the remote branch moved")
	// ErrRefused: the remote or a hook declined; trying again will not help.
	ErrRefused = errors.New("declined")
	// ErrAuth: the remote wants credentials that Git does not have.
	ErrAuth = errors.New("not authorised")
	// ErrUnreachable: the remote did not answer, or the connection broke.
	ErrUnreachable = errors.New("the remote cannot be reached")
	// ErrNoRemoteRepository: the remote answers, but has no such repository (or hides it).
	ErrNoRemoteRepository = errors.New("the remote repository was not found")
)

// GitError is a failed run of the git program.
type GitError struct {
	Command string // "git push": the subcommand alone, no arguments
	Code    int    // the exit code; -1 when it was killed or never ran
	Output  string // what it said on standard error, without credentials and terminal codes
	Err     error  // the cause, when it is not just an exit code
}

func (e *GitError) Error() string {
	text := strings.TrimSpace(e.Output)
	switch {
	case e.Err != nil && text != "":
		return fmt.Sprintf("%s: %v: %s", e.Command, e.Err, text)
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", e.Command, e.Err)
	case text != "":
		return fmt.Sprintf("%s: %s", e.Command, text)
	}
	return fmt.Sprintf("%s: exit code %d", e.Command, e.Code)
}

func (e *GitError) Unwrap() error { return e.Err }

// gitOutput returns what git said when it failed with err, and its exit code.
func gitOutput(err error) (string, int) {
	var failed *GitError
	if errors.As(err, &failed) {
		return failed.Output, failed.Code
	}
	return "", -1
}
