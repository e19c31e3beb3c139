package validate

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// Change is a change under review: from where it left the branch that it goes to, up to the tree that is checked.
type Change struct {
	// Ref is the branch that the change goes to, as a person named it.
	Ref string
	// Base is where the change left that branch, Target what the branch is now, Head the tree that is checked.
	Base, Target, Head fs.FS
	// Commits are those that the branch does not have, newest first, each with what it changed. A merge has no changes of
	// its own here: the trees show what it did.
	Commits []*gitrepo.Commit
	// CutOff says that the clone is shallow, and that a part of the change is not in it.
	CutOff bool
	// Former returns the changes of a component's pin on a cluster before the change, newest first; whole says that there
	// were no others.
	Former func(ctx context.Context, component, cluster string) (former []bump.Deployed, whole bool, err error)
	// OpenSource opens a component's source, which knows which of two commits is older. Without it the versions tell.
	OpenSource func(ctx context.Context, url string) (bump.Source, error)
	// Now is the time at which holds and freezes count.
	Now time.Time
}

// ErrNoBase says that there is nothing to compare a change with.
var ErrNoBase = errors.New("no base to compare with")

// ChangeSince returns what leads from a branch to head, the tree of a control repo whose checked out commit is HEAD. The
// error is ErrNoBase where the branch, or the place where the change left it, is not in this clone.
func ChangeSince(ctx context.Context, repo *gitrepo.Repo, head fs.FS, ref string, now time.Time) (*Change, error) {
	target, err := repo.Resolve(ctx, ref)
	if err != nil {
		return nil, noBase(ref, err)
	}
	base, err := repo.MergeBase(ctx, target, "HEAD")
	if err != nil {
		return nil, noBase(ref, err)
	}
	c := &Change{Ref: ref, Head: head, Now: now}
	if c.Base, err = treeOf(ctx, repo, base); err != nil {
		return nil, err
	}
	if c.Target, err = treeOf(ctx, repo, target); err != nil {
		return nil, err
	}
	if c.Commits, err = repo.ChangesSince(ctx, target, "HEAD"); err != nil {
		return nil, err
	}
	if c.CutOff, err = cutOff(ctx, repo, c.Commits, target); err != nil {
		return nil, err
	}
	planner := &bump.Planner{History: repo, Head: base}
	c.Former = func(ctx context.Context, component, cluster string) ([]bump.Deployed, bool, error) {
		former, err := planner.Deployments(ctx, component, cluster)
		return former, !repo.Shallow(), err
	}
	return c, nil
}

// treeOf is a commit's control repo; an empty one where the commit has none yet.
func treeOf(ctx context.Context, repo *gitrepo.Repo, commit string) (fs.FS, error) {
	tree, err := repo.FS(ctx, commit)
	if errors.Is(err, fs.ErrNotExist) {
		return embed.FS{}, nil
	}
	return tree, err
}

// cutOff reports whether history ends on either side between here and where the two parted: the place that was found may
// then be another than the true one.
func cutOff(ctx context.Context, repo *gitrepo.Repo, ours []*gitrepo.Commit, target string) (bool, error) {
	if !repo.Shallow() {
		return false, nil
	}
	theirs, err := repo.ChangesSince(ctx, "HEAD", target)
	return slices.ContainsFunc(slices.Concat(ours, theirs), func(c *gitrepo.Commit) bool { return c.CutOff }), err
}

// noBase says what to type so that there is a base.
func noBase(ref string, err error) error {
	var help string
	switch {
	case errors.Is(err, gitrepo.ErrShallow):
		help = fmt.Sprintf("so it is unknown where HEAD left %q, and what the change is; in GitLab CI set GIT_DEPTH: 0 for the job", ref)
	case errors.Is(err, gitrepo.ErrUnknownRevision):
		help = "fetch it, as in `" + fetchCommand(ref) + "`, or name another branch or commit with --base"
	case errors.Is(err, gitrepo.ErrNoMergeBase):
		help = fmt.Sprintf("HEAD and %q have nothing in common: name the branch that this one started from", ref)
	default:
		return fmt.Errorf("comparing with %q: %w", ref, err)
	}
	return fmt.Errorf("%w: %w; %s", ErrNoBase, err, help)
}

// fetchCommand brings a branch under the name that was asked for.
func fetchCommand(ref string) string {
	remote, branch, isRemote := strings.Cut(strings.TrimPrefix(ref, "refs/remotes/"), "/")
	if !isRemote {
		return "git fetch origin " + ref
	}
	return fmt.Sprintf("git fetch %s %s:refs/remotes/%s/%s", remote, branch, remote, branch)
}

// RunChange returns everything that is wrong with the control repo in change.Head, as Run does, and with the change that led
// there.
func (v *Validator) RunChange(ctx context.Context, change *Change) control.Findings {
	findings := v.Run(ctx, change.Head)
	c := newChangeCheck(ctx, change)
	for _, rule := range changeRules() {
		for _, found := range rule.check(c, ctx) {
			found.Rule = rule.ID
			if found.Severity == "" {
				found.Severity = rule.Severity
			}
			findings = append(findings, found)
		}
	}
	return withoutTwice(findings).Sorted()
}

// withoutTwice leaves out that a file is not rendered where it is said that a person edited it.
func withoutTwice(findings control.Findings) control.Findings {
	edited := map[string]bool{}
	for _, f := range findings {
		edited[f.File] = edited[f.File] || f.Rule == RuleManifestsEdited
	}
	return slices.DeleteFunc(findings, func(f control.Finding) bool { return f.Rule == RuleNotRendered && edited[f.File] })
}

// changeCheck is a change, with what the rules ask of it.
type changeCheck struct {
	*Change
	base, head, target *control.Repo
	// readable says that head could be read whole: nothing is said otherwise of what would be rendered from it.
	readable bool
	files    []string // what differs, sorted
	pins     []pinChange
	stated   []bump.Stated
	builds   map[string]*clusterBuilds
	sources  map[string]bump.Source
	unasked  []error               // why sources could not be asked
	orders   map[string]bump.Order // by the pin's file
}

// pinChange is how a component's pin on a cluster differs. Old or New is nil where there is none.
type pinChange struct {
	cluster, component, file string
	old, new                 *control.Pin
}

func newChangeCheck(ctx context.Context, change *Change) *changeCheck {
	c := &changeCheck{Change: change, builds: map[string]*clusterBuilds{}, sources: map[string]bump.Source{}, orders: map[string]bump.Order{}}
	c.base, _ = control.Load(ctx, change.Base, control.Only{}) // what is wrong there is not this change's
	c.target, _ = control.Load(ctx, change.Target, control.Only{})
	head, findings := control.Load(ctx, change.Head, control.Only{})
	c.head, c.readable = head, findings.Err() == nil
	c.files = changedFiles(change.Base, change.Head)
	for _, file := range c.files {
		if cluster, component, isPin := control.ParsePinFile(file); isPin {
			c.pins = append(c.pins, pinChange{cluster, component, file, pinOf(c.base, cluster, component), pinOf(c.head, cluster, component)})
		}
	}
	for _, commit := range change.Commits {
		c.stated = append(c.stated, bump.StatedOps(commit)...)
	}
	return c
}

func pinOf(repo *control.Repo, cluster, component string) *control.Pin {
	if repo.Clusters[cluster] == nil {
		return nil
	}
	return repo.Clusters[cluster].Pins[component]
}

// states reports whether a commit of the change states something about a component on a cluster.
func (c *changeCheck) states(component, cluster string, what func(bump.Stated) bool) bool {
	return slices.ContainsFunc(c.stated, func(s bump.Stated) bool { return s.Covers(component, cluster) && what(s) })
}

// overrides is a statement that goes on past a safety rule.
func overrides(rules ...string) func(bump.Stated) bool {
	return func(s bump.Stated) bool {
		return slices.ContainsFunc(rules, func(rule string) bool { return s.Overrides[rule] != "" })
	}
}

// reverted reports whether a commit of the change that says it reverts another touched a file.
func (c *changeCheck) reverted(file string) bool {
	return slices.ContainsFunc(c.Commits, func(commit *gitrepo.Commit) bool { return bump.Reverts(commit) && touches(commit, file) })
}

func touches(commit *gitrepo.Commit, file string) bool {
	return slices.ContainsFunc(commit.Changes, func(change gitrepo.Change) bool { return change.Path == file })
}

// mildIfReverted makes a warning of what a git revert does: it must not fail at night.
func (c *changeCheck) mildIfReverted(file string) control.Severity {
	if c.reverted(file) {
		return control.Warning
	}
	return ""
}

// trailerHelp says how to record that a rule is passed on purpose.
func trailerHelp(rule string) string {
	return fmt.Sprintf("to go on all the same, write the trailer `%s: %s REASON` into the commit, as `--override %s --reason TEXT` does", bump.TrailerOverride, rule, rule)
}
