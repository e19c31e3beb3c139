package bump

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
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
	// Op is what was done: from the commit's trailer, or rollback for a `git revert`, or bump.
	Op Op
	// Before and After are the pin; nil where it was not there.
	Before, After *v1alpha1.PinSpec
}

// Deployments returns the changes of pins, newest first, of one component on one cluster; an empty name means all.
func (p *Planner) Deployments(ctx context.Context, component, cluster string) ([]Deployed, error) {
	if p.History == nil {
		return nil, fmt.Errorf("%w: commit it to Git first", ErrNoHistory)
	}
	var deployed []Deployed
	for commit, err := range p.History.History(ctx, p.Head, gitrepo.HistoryOptions{Paths: pinPaths(component, cluster)}) {
		if err != nil {
			return nil, fmt.Errorf("reading the history of pins: %w", err)
		}
		for _, change := range commit.Changes {
			entry, ok, err := p.deployed(ctx, commit, change)
			if err != nil {
				return nil, err
			}
			if ok && (component == "" || entry.Component == component) && (cluster == "" || entry.Cluster == cluster) {
				deployed = append(deployed, entry)
			}
		}
	}
	return deployed, nil
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

// deployed reads one file's change, and reports whether it is one of a pin.
func (p *Planner) deployed(ctx context.Context, commit *gitrepo.Commit, change gitrepo.Change) (Deployed, bool, error) {
	cluster, component, isPin := parsePinPath(change.Path)
	if !isPin || commit.CutOff {
		return Deployed{}, false, nil
	}
	entry := Deployed{
		Cluster: cluster, Component: component, Commit: commit.ID, Subject: commit.Subject,
		Author: commit.Author.Name, Time: commit.Committer.Time, Op: opOf(commit),
	}
	var err error
	if entry.Before, err = p.pinAt(ctx, change.Path, change.Before); err != nil {
		return Deployed{}, false, err
	}
	if entry.After, err = p.pinAt(ctx, change.Path, change.After); err != nil {
		return Deployed{}, false, err
	}
	return entry, !samePin(entry.Before, entry.After), nil
}

func parsePinPath(file string) (cluster, component string, ok bool) {
	parts := strings.Split(file, "/")
	if len(parts) != 4 {
		return "", "", false
	}
	component, isYAML := strings.CutSuffix(parts[3], ".yaml")
	return parts[1], component, isYAML && file == control.PinFile(parts[1], component)
}

// pinAt decodes a pin of the past; one that cannot be read counts as none, for old mistakes must not stop a rollback.
func (p *Planner) pinAt(ctx context.Context, file string, at gitrepo.File) (*v1alpha1.PinSpec, error) {
	if at.ID == "" {
		return nil, nil
	}
	data, err := p.History.Blob(ctx, at.ID)
	if err != nil {
		return nil, fmt.Errorf("reading %s from history: %w", file, err)
	}
	pin, findings := control.DecodePin(file, data)
	if findings.Err() != nil {
		return nil, nil
	}
	return &pin.Spec, nil
}

// opOf tells what a commit did: our trailer, or Git's own words for a revert.
func opOf(commit *gitrepo.Commit) Op {
	if ops := commit.Trailer(TrailerOp); len(ops) > 0 {
		return Op(ops[len(ops)-1])
	}
	if strings.HasPrefix(commit.Subject, `Revert "`) || strings.Contains(commit.Body, "This reverts commit ") {
		return OpRollback
	}
	return OpBump
}

// rollbackTargets returns the pins that a cluster can return to, the best first: those that ran before the current one and
// were not themselves rolled back from or held, each version once.
func rollbackTargets(history []Deployed, current *v1alpha1.PinSpec) []Deployed {
	bad := leftForGood(history, current)
	var targets []Deployed
	var seen []*v1alpha1.PinSpec
	isSeen := func(pin *v1alpha1.PinSpec) bool {
		return slices.ContainsFunc(seen, func(other *v1alpha1.PinSpec) bool { return sameVersion(other, pin) })
	}
	for _, entry := range history {
		pin := entry.After
		if pin == nil || sameVersion(pin, current) || isSeen(pin) {
			continue
		}
		seen = append(seen, pin)
		if !slices.ContainsFunc(versions(pin), func(v string) bool { return slices.Contains(bad, v) }) {
			targets = append(targets, entry)
		}
	}
	return targets
}

// leftForGood returns the versions that were rolled back from and not taken up again since, and those that are held.
func leftForGood(history []Deployed, current *v1alpha1.PinSpec) []string {
	var bad []string
	if current != nil && current.Hold != nil {
		bad = append(bad, current.Hold.Refuse...)
	}
	var takenUp []string
	for _, entry := range history { // newest first: a version taken up again after it was left counts as good
		if entry.Op == OpRollback {
			for _, version := range leftVersions(entry.Before, entry.After) {
				if !slices.Contains(takenUp, version) {
					bad = append(bad, version)
				}
			}
		} else {
			takenUp = append(takenUp, leftVersions(entry.After, entry.Before)...)
		}
	}
	return bad
}

// since returns when the cluster came to run the version that it runs now, on the branch that history is read from.
func since(history []Deployed, current *v1alpha1.PinSpec) (time.Time, bool) {
	at, found := time.Time{}, false
	for _, entry := range history {
		if !sameVersion(entry.After, current) {
			break
		}
		at, found = entry.Time, true
	}
	return at, found
}
