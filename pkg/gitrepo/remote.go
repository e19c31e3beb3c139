package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// complaints says what Git means by a failed connection. The first text found
// decides, so the telling ones come first: most failures end with a general
// "Could not read from remote repository".
var complaints = []struct {
	text  string
	means error
}{
	{"authentication failed", ErrAuth},
	{"could not read username", ErrAuth},
	{"could not read password", ErrAuth},
	{"terminal prompts disabled", ErrAuth},
	{"access denied", ErrAuth},
	{"permission denied (", ErrAuth}, // ssh: (publickey,password)
	{"host key verification failed", ErrAuth},
	{"returned error: 401", ErrAuth},
	{"returned error: 403", ErrRefused},
	{"not allowed to", ErrRefused}, // GitLab: push code, download code
	{"access not granted", ErrRefused},
	{"does not appear to be a git repository", ErrNoRemoteRepository},
	{"repository not found", ErrNoRemoteRepository},
	{"' not found", ErrNoRemoteRepository}, // fatal: repository 'URL' not found
	{"could not be found", ErrNoRemoteRepository},
	{"does not exist", ErrNoRemoteRepository},
	{"could not resolve host", ErrUnreachable},
	{"could not connect", ErrUnreachable},
	{"couldn't connect", ErrUnreachable},
	{"failed to connect", ErrUnreachable},
	{"connection refused", ErrUnreachable},
	{"connection reset", ErrUnreachable},
	{"connection closed", ErrUnreachable},
	{"connection timed out", ErrUnreachable},
	{"operation timed out", ErrUnreachable},
	{"no route to host", ErrUnreachable},
	{"network is unreachable", ErrUnreachable},
	{"hung up unexpectedly", ErrUnreachable},
	{"unexpected disconnect", ErrUnreachable},
	{"empty reply from server", ErrUnreachable},
	{"rpc failed", ErrUnreachable},
	{"early eof", ErrUnreachable},
	{"unable to access", ErrUnreachable},
	{"could not read from remote repository", ErrUnreachable},
}

// meaning returns the sentinel for a failed conversation with a remote, nil
// when git failed for another reason.
func meaning(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrUnreachable
	}
	said, _ := gitOutput(err)
	said = strings.ToLower(said)
	for _, c := range complaints {
		if strings.Contains(said, c.text) {
			return c.means
		}
	}
	return nil
}

// remoteError adds the sentinel to an error of a conversation with a remote.
func remoteError(doing, remote string, err error) error {
	if err == nil {
		return nil
	}
	if means := meaning(err); means != nil {
		return fmt.Errorf("%s %q: %w: %w", doing, Redact(remote), means, err)
	}
	return fmt.Errorf("%s %q: %w", doing, Redact(remote), err)
}

// RemoteURL returns the URL that a configured remote is fetched from, without
// credentials.
func (r *Repo) RemoteURL(ctx context.Context, remote string) (string, error) {
	if !remoteName.MatchString(remote) {
		return "", fmt.Errorf("remote %q: %w: not the name of a remote", Redact(remote), ErrRefusedURL)
	}
	url, err := r.git.line(ctx, "remote", "get-url", remote)
	if err != nil {
		return "", fmt.Errorf("reading the URL of remote %q: %w", remote, err)
	}
	return Redact(url), nil
}

// RemoteRef asks the remote which commit a branch is at; "" when it has no such
// branch. remote is the name of a configured remote or a URL.
func (r *Repo) RemoteRef(ctx context.Context, remote, branch string) (string, error) {
	refs, err := r.lsRemote(ctx, remote, "refs/heads/"+branch)
	if err != nil {
		return "", err
	}
	return refs["refs/heads/"+branch], nil
}

// RemoteHead asks the remote for its default branch and that branch's commit.
// Both are "" when the remote is empty.
func (r *Repo) RemoteHead(ctx context.Context, remote string) (branch, id string, err error) {
	refs, err := r.lsRemote(ctx, remote, "HEAD")
	if err != nil {
		return "", "", err
	}
	return strings.TrimPrefix(refs["ref: HEAD"], "refs/heads/"), refs["HEAD"], nil
}

// lsRemote returns ref → id, and "ref: NAME" → target for symbolic refs.
func (r *Repo) lsRemote(ctx context.Context, remote, ref string) (map[string]string, error) {
	if err := checkRemote(remote); err != nil {
		return nil, err
	}
	out, err := r.git.run(ctx, "ls-remote", "--symref", "--quiet", "--", remote, ref)
	if err != nil {
		return nil, remoteError("asking the remote", remote, err)
	}
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		value, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if target, symbolic := strings.CutPrefix(value, "ref: "); symbolic {
			refs["ref: "+name] = target
		} else if objectID.MatchString(value) {
			refs[name] = value
		}
	}
	return refs, nil
}

// Fetch brings a branch of a configured remote up to date and returns its
// commit. It moves the remote branch REMOTE/BRANCH and nothing of the person's.
func (r *Repo) Fetch(ctx context.Context, remote, branch string) (string, error) {
	if !remoteName.MatchString(remote) {
		return "", fmt.Errorf("fetching from %q: %w: give the name of a configured remote", Redact(remote), ErrRefusedURL)
	}
	if err := r.checkBranch(ctx, branch); err != nil {
		return "", err
	}
	tracking := "refs/remotes/" + remote + "/" + branch
	_, err := r.git.run(ctx, "fetch", "--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules",
		"--no-write-fetch-head", "--", remote, "+refs/heads/"+branch+":"+tracking)
	if said, _ := gitOutput(err); strings.Contains(said, "couldn't find remote ref") {
		return "", fmt.Errorf("fetching from %q: %w: it has no branch %q", remote, ErrUnknownRevision, branch)
	}
	if err != nil {
		return "", remoteError("fetching from", remote, err)
	}
	return r.Resolve(ctx, tracking)
}

// checkBranch refuses what is no branch name.
func (r *Repo) checkBranch(ctx context.Context, branch string) error {
	if strings.HasPrefix(branch, "-") {
		return fmt.Errorf("branch %q: %w", branch, ErrBadBranch)
	}
	_, err := r.git.run(ctx, "check-ref-format", "refs/heads/"+branch)
	if _, code := gitOutput(err); code == 1 {
		return fmt.Errorf("branch %q: %w", branch, ErrBadBranch)
	}
	return err
}
