package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
)

// HistoryOptions narrows a history.
type HistoryOptions struct {
	Paths []string // files or directories, literally; none: everything under Dir
	Limit int      // at most so many commits; 0: all
}

// errStop ends a walk whose reader has seen enough.
var errStop = errors.New("stop")

// History walks the first-parent line from rev, newest first, over the commits
// that changed the paths. Each carries its changes to those paths; a merge is
// compared with its first parent. The walk ends with the first error. Breaking
// out of the loop stops git.
func (r *Repo) History(ctx context.Context, rev string, opts HistoryOptions) iter.Seq2[*Commit, error] {
	return func(yield func(*Commit, error) bool) {
		err := r.history(ctx, rev, opts, func(commit *Commit) bool { return yield(commit, nil) })
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, fmt.Errorf("reading the history of %q: %w", rev, err))
		}
	}
}

func (r *Repo) history(ctx context.Context, rev string, opts HistoryOptions, visit func(*Commit) bool) error {
	id, err := r.Resolve(ctx, rev)
	if err != nil {
		return err
	}
	args := append(append([]string{}, logArgs...), rawArgs...)
	if opts.Limit > 0 {
		args = append(args, "--max-count="+strconv.Itoa(opts.Limit))
	}
	args = append(append(args, id, "--"), r.pathspecs(opts.Paths)...)
	return r.log(ctx, args, visit)
}

// log runs git log and visits what it prints until visit says no.
func (r *Repo) log(ctx context.Context, args []string, visit func(*Commit) bool) error {
	cutOff, err := r.cutOffs()
	if err != nil {
		return err
	}
	read := func(out io.Reader) error {
		reader := newLogReader(out, r.prefix)
		for {
			commit, err := reader.next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			commit.CutOff = cutOff[commit.ID]
			if !visit(commit) {
				return errStop
			}
		}
	}
	return r.git.stream(ctx, read, args...)
}

// cutOffs returns the commits at which a shallow clone's history ends.
func (r *Repo) cutOffs() (map[string]bool, error) {
	content, err := os.ReadFile(r.shallowFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	ids := map[string]bool{}
	for id := range strings.FieldsSeq(string(content)) {
		ids[id] = true
	}
	return ids, nil
}

// Range is the commits that one commit has and another has not.
type Range struct {
	Commits []*Commit // newest first, without Changes
	More    int       // how many older ones the limit left out
}

// Commits returns the commits reachable from new and not from old, newest
// first, merged branches included: what a changelog lists. At most limit are
// returned (0: all), the rest is counted. A commit missing from this clone is
// ErrUnknownRevision. In a shallow clone the range may end early (CutOff).
func (r *Repo) Commits(ctx context.Context, old, new string, limit int) (Range, error) {
	span, err := r.commits(ctx, old, new, limit)
	if err != nil {
		return Range{}, fmt.Errorf("listing the commits %s..%s: %w", old, new, err)
	}
	return span, nil
}

func (r *Repo) commits(ctx context.Context, old, new string, limit int) (Range, error) {
	ids, err := r.resolveBoth(ctx, old, new)
	if err != nil {
		return Range{}, err
	}
	args := append([]string{}, logArgs...)
	if limit > 0 {
		args = append(args, "--max-count="+strconv.Itoa(limit))
	}
	var span Range
	args = append(args, ids[1], "^"+ids[0], "--")
	err = r.log(ctx, args, func(commit *Commit) bool {
		span.Commits = append(span.Commits, commit)
		return true
	})
	if err != nil || limit == 0 || len(span.Commits) < limit {
		return span, err
	}
	span.More, err = r.count(ctx, ids[0], ids[1])
	span.More -= len(span.Commits)
	return span, err
}

// ChangesSince returns the commits reachable from new and not from old, newest
// first, merged branches included, each with its changes against its parent.
// A merge carries none: its parents' commits have them. In a shallow clone the
// list may end early: the last commit of a line is then CutOff, and its changes
// are not known.
func (r *Repo) ChangesSince(ctx context.Context, old, new string) ([]*Commit, error) {
	var commits []*Commit
	ids, err := r.resolveBoth(ctx, old, new)
	if err == nil {
		args := append(append([]string{}, logArgs...), sinceArgs...)
		args = append(append(args, ids[1], "^"+ids[0], "--"), r.pathspecs(nil)...)
		err = r.log(ctx, args, func(commit *Commit) bool {
			commits = append(commits, commit)
			return true
		})
	}
	if err != nil {
		return nil, fmt.Errorf("listing the changes %s..%s: %w", old, new, err)
	}
	for _, commit := range commits {
		if commit.CutOff {
			commit.Changes = nil // git compares it with nothing
		}
	}
	return commits, nil
}

// count returns how many commits new has that old has not.
func (r *Repo) count(ctx context.Context, old, new string) (int, error) {
	out, err := r.git.line(ctx, "rev-list", "--count", new, "^"+old, "--")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out)
}

func (r *Repo) resolveBoth(ctx context.Context, a, b string) (ids [2]string, err error) {
	for i, rev := range []string{a, b} {
		if ids[i], err = r.Resolve(ctx, rev); err != nil {
			return ids, err
		}
	}
	return ids, nil
}
