package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// PushOptions says what a push may do to the remote branch. The zero value
// creates it or moves it forward, nothing else.
type PushOptions struct {
	// Expect allows replacing the branch's history, if it is at exactly this
	// commit (40 hex digits) when the push arrives.
	Expect string
	// New demands that the branch does not exist yet, or is at that commit already.
	New bool
	// Timeout bounds the push itself; 0: only ctx does.
	Timeout time.Duration
}

// PushResult is a push that arrived.
type PushResult struct {
	ID       string // the commit that the remote branch is at
	Created  bool   // the branch is new
	UpToDate bool   // the branch was there already
	Forced   bool   // history was replaced, as Expect allowed
	// Reread: the connection broke or timed out, but the remote has the commit.
	Reread bool
}

// PushError is a push that did not arrive, or may not have. errors.Is finds its
// Kind: ErrRace (fetch, plan again, push again), ErrRefused, ErrAuth,
// ErrUnreachable, ErrNoRemoteRepository, ErrBranchExists; nil is none of these.
type PushError struct {
	Kind   error
	Remote string // name or URL, without credentials
	Branch string
	Reason string // what the remote or Git gave as the reason, on one line
	Output string // all that was said, hooks included
	// RemoteID is the commit that the branch was at when it was read again after
	// a broken connection ("" for no such branch); Reread says whether it was.
	RemoteID string
	Reread   bool
	Err      error
}

func (e *PushError) Error() string {
	text := fmt.Sprintf("pushing branch %q to %q: ", e.Branch, e.Remote)
	if e.Kind != nil {
		text += e.Kind.Error() + ": "
	}
	text += e.Reason
	if said := strings.TrimSpace(e.Output); said != "" && said != e.Reason {
		text += "\n" + said
	}
	if errors.Is(e.Kind, ErrUnreachable) && !e.Reread {
		text += "\nwhether the push arrived is not known; `git ls-remote` tells"
	}
	return text
}

func (e *PushError) Unwrap() []error {
	return []error{e.Kind, e.Err}
}

// rereadTime bounds reading the remote after the caller's time ran out.
const rereadTime = 15 * time.Second

// Push sends the commit rev to a branch of the remote (a configured name or a
// URL). It never forces, but for what opts.Expect allows. After a time-out or a
// broken connection it reads the remote branch before it says anything: a push
// that arrived is a success. A failure is a *PushError.
func (r *Repo) Push(ctx context.Context, remote, rev, branch string, opts PushOptions) (PushResult, error) {
	if err := errors.Join(checkRemote(remote), r.checkBranch(ctx, branch), opts.check()); err != nil {
		return PushResult{}, err
	}
	id, err := r.Resolve(ctx, rev)
	if err != nil {
		return PushResult{}, err
	}
	report, err := r.push(ctx, remote, id, branch, opts)
	if err == nil {
		return report.result(id), nil
	}
	failed := pushFailure(remote, branch, opts, report, err)
	if errors.Is(failed, ErrUnreachable) && !errors.Is(ctx.Err(), context.Canceled) {
		return r.reread(ctx, remote, id, failed)
	}
	return PushResult{}, failed
}

func (o PushOptions) check() error {
	if o.Expect != "" && !objectID.MatchString(o.Expect) {
		return fmt.Errorf("%w: the expected commit %q is not 40 hex digits", ErrUnknownRevision, o.Expect)
	}
	if o.Expect != "" && o.New {
		return fmt.Errorf("%w: a new branch is at no commit to expect", ErrUnknownRevision)
	}
	return nil
}

// lease is git's flag for what opts allow; "" for a plain push.
func (o PushOptions) lease(ref string) string {
	switch {
	case o.New:
		return "--force-with-lease=" + ref + ":"
	case o.Expect != "":
		return "--force-with-lease=" + ref + ":" + o.Expect
	}
	return ""
}

// push runs git once and returns its line about the branch.
func (r *Repo) push(ctx context.Context, remote, id, branch string, opts PushOptions) (refReport, error) {
	ref := "refs/heads/" + branch
	args := []string{"push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no"}
	if lease := opts.lease(ref); lease != "" {
		args = append(args, lease)
	}
	if opts.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opts.Timeout)
		defer cancel()
	}
	out, err := r.git.run(ctx, append(args, "--", remote, id+":"+ref)...)
	return parseReport(out, ref), err
}

// reread finds out whether a push whose connection broke has arrived.
func (r *Repo) reread(ctx context.Context, remote, id string, failed *PushError) (PushResult, error) {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), rereadTime)
		defer cancel()
	}
	at, err := r.RemoteRef(ctx, remote, failed.Branch)
	if err != nil {
		return PushResult{}, failed
	}
	if at == id {
		return PushResult{ID: id, Reread: true}, nil
	}
	failed.RemoteID, failed.Reread = at, true
	return PushResult{}, failed
}
