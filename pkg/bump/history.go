package bump

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// ErrNoHistory says that the control repo's history cannot be read.
var ErrNoHistory = errors.New("the control repo has no Git history here")

// Deployed is one change of one cluster's pin in the control repo's history.
type Deployed struct {
	Cluster, Component string
	// Commit is the control repo's commit that made the change.
	Commit  string
	Subject string
	Author  string
	// Time is when the change reached the branch: the committer's time.
	Time time.Time
	// Op is what was done: what the commit's trailer says, or what the pins before and after it show.
	Op Op
	// Before and After are the pin; nil where it was not there.
	Before, After *v1alpha1.PinSpec

	reverts bool // Git's own words for a revert are in the message
}

// Deployments returns the changes of pins, newest first, of one component on one cluster; an empty name means all.
func (p *Planner) Deployments(ctx context.Context, component, cluster string) ([]Deployed, error) {
	found, err := p.record(ctx, component, cluster)
	return found.entries, err
}

// record is what the history says of pins.
type record struct {
	entries []Deployed // newest first
	// cutOff: the clone is shallow, and there may have been more before the last entry.
	cutOff bool
}

func (p *Planner) record(ctx context.Context, component, cluster string) (record, error) {
	if p.History == nil {
		return record{}, fmt.Errorf("%w: commit it to Git first", ErrNoHistory)
	}
	var found record
	pins := pinReader{history: p.History, read: map[string]*v1alpha1.PinSpec{}}
	for commit, err := range p.History.History(ctx, p.Head, gitrepo.HistoryOptions{Paths: pinPaths(component, cluster)}) {
		if err != nil {
			return record{}, fmt.Errorf("reading the history of pins: %w", err)
		}
		found.cutOff = found.cutOff || commit.CutOff
		for _, change := range commit.Changes {
			entry, ok, err := pins.deployed(ctx, commit, change)
			if err != nil {
				return record{}, err
			}
			if ok && (component == "" || entry.Component == component) && (cluster == "" || entry.Cluster == cluster) {
				found.entries = append(found.entries, entry)
			}
		}
	}
	tellOps(found.entries)
	return found, nil
}

// pinPaths narrows what Git looks at.
func pinPaths(component, cluster string) []string {
	switch {
	case cluster != "" && component != "":
		return []string{control.PinFile(cluster, component)}
	case cluster != "":
		return []string{path.Dir(control.PinFile(cluster, "x"))}
	default:
		return []string{path.Dir(control.ClusterDir("x"))}
	}
}

// pinReader decodes the pins of the past, each once: what one change leaves is what the next one finds.
type pinReader struct {
	history History
	read    map[string]*v1alpha1.PinSpec // by object id
}

// deployed reads one file's change, and reports whether it is one of a pin.
func (r pinReader) deployed(ctx context.Context, commit *gitrepo.Commit, change gitrepo.Change) (Deployed, bool, error) {
	cluster, component, isPin := control.ParsePinFile(change.Path)
	if !isPin || commit.CutOff {
		return Deployed{}, false, nil
	}
	entry := Deployed{
		Cluster: cluster, Component: component, Commit: commit.ID, Subject: commit.Subject,
		Author: commit.Author.Name, Time: commit.Committer.Time, Op: statedOp(commit), reverts: Reverts(commit),
	}
	var err error
	if entry.Before, err = r.pin(ctx, change.Path, change.Before.ID); err != nil {
		return Deployed{}, false, err
	}
	if entry.After, err = r.pin(ctx, change.Path, change.After.ID); err != nil {
		return Deployed{}, false, err
	}
	return entry, !samePin(entry.Before, entry.After), nil
}

// pin decodes a pin of the past; one that cannot be read counts as none, for old mistakes must not stop a rollback.
func (r pinReader) pin(ctx context.Context, file, id string) (*v1alpha1.PinSpec, error) {
	if id == "" {
		return nil, nil
	}
	if pin, known := r.read[id]; known {
		return pin, nil
	}
	data, err := r.history.Blob(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading %s from history: %w", file, err)
	}
	pin, findings := control.DecodePin(file, data)
	if err := findings.Err(); err != nil {
		r.read[id] = nil
		return nil, nil //nolint:nilerr // an old mistake must not stop a rollback
	}
	r.read[id] = &pin.Spec
	return &pin.Spec, nil
}

// statedOp is what our trailer says that a commit does; nothing where there is none, or several in a squashed one.
func statedOp(commit *gitrepo.Commit) Op {
	stated := commit.Trailer(TrailerOp)
	if len(stated) != 1 || !slices.Contains(ops(), Op(stated[0])) {
		return ""
	}
	return Op(stated[0])
}

// tellOps fills in what commits without our trailer did: edits by hand, reverts and reverts of those, and the merge
// commits of merge requests. The pins tell, not the words: a revert of a rollback takes a version up again.
func tellOps(history []Deployed) {
	seen := map[[2]string]*past{}
	for i := len(history) - 1; i >= 0; i-- {
		entry := &history[i]
		of := [2]string{entry.Cluster, entry.Component}
		if seen[of] == nil {
			seen[of] = &past{ran: map[string]bool{}, left: map[string]bool{}}
		}
		if entry.Op == "" {
			entry.Op = seen[of].op(*entry)
		}
		seen[of].add(*entry)
	}
}

// past is what a cluster has run of a component up to some change.
type past struct{ ran, left map[string]bool }

func (p *past) op(entry Deployed) Op {
	before, after := entry.Before, entry.After
	switch {
	case before == nil || after == nil:
		return OpBump
	case sameVersion(before, after):
		return holdOp(before.Hold, after.Hold)
	case p.left[versionKey(after)]:
		return OpUnhold
	case p.ran[versionKey(after)], entry.reverts, holdsAny(after.Hold, leftVersions(before, after)):
		return OpRollback
	default:
		return OpBump
	}
}

func holdOp(before, after *v1alpha1.Hold) Op {
	switch {
	case after != nil && (before == nil || describeHold(before) != describeHold(after) || !slices.Equal(before.Refuse, after.Refuse)):
		return OpHold
	case before != nil && after == nil:
		return OpUnhold
	default:
		return OpBump
	}
}

func holdsAny(hold *v1alpha1.Hold, versions []string) bool {
	return hold != nil && slices.ContainsFunc(versions, func(v string) bool { return slices.Contains(hold.Refuse, v) })
}

func (p *past) add(entry Deployed) {
	if entry.Before != nil {
		p.ran[versionKey(entry.Before)] = true
		if entry.Op == OpRollback {
			p.left[versionKey(entry.Before)] = true
		}
	}
	if entry.After != nil {
		p.ran[versionKey(entry.After)] = true
		delete(p.left, versionKey(entry.After))
	}
}

// since returns when the cluster came to run the version that it runs now, on the branch that history is read from. It is
// not known where that version is not the last one there. atLeast says that the clone knows no earlier time, though there
// may be one.
func (r record) since(current *v1alpha1.PinSpec) (at time.Time, known, atLeast bool) {
	for _, entry := range r.entries {
		if !sameVersion(entry.After, current) {
			return at, known, false
		}
		at, known = entry.Time, true
	}
	return at, known, r.cutOff
}
