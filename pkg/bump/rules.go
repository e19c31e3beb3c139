package bump

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// The names of the safety rules, as --override takes them.
const (
	RuleAncestry   = "ancestry"
	RuleDowngrade  = "downgrade"
	RuleHold       = "hold"
	RuleFreeze     = "freeze"
	RuleStageOrder = "stage-order"
	RuleSoak       = "soak"
	RuleUnverified = "unverified"
	RuleDirty      = "dirty"
	RuleDependency = "dependency"
	RuleNote       = "note"
)

// Rule is a safety rule. A new one is a row of the table in Rules.
type Rule struct {
	Name string
	// Refuses says what, for the reference page.
	Refuses string
	// Ops are the operations that it applies to; none says that it applies to every commit.
	Ops []Op
	// check returns why the change of one cluster is refused; empty where it is not.
	check func(*planning, context.Context, Change) (string, error)
}

// forward are the operations that bring a version where it has not been; going back must work when nobody answers.
var forward = []Op{OpBump, OpPromote}

// Rules returns the safety rules, in the order in which refusals are shown.
func Rules() []Rule {
	deploying := []Op{OpBump, OpPromote, OpRollback, OpUnhold}
	return []Rule{
		{RuleHold, "a pin that is held, or a version that its hold refuses", []Op{OpBump, OpPromote, OpRollback}, (*planning).checkHold},
		{RuleFreeze, "a change inside a freeze window of the cluster or of tfgitops.yaml", deploying, (*planning).checkFreeze},
		{RuleDowngrade, "a version that is older than the pinned one", forward, (*planning).checkDowngrade},
		{RuleAncestry, "a commit that does not descend from the pinned one, or is not on the source's branch", []Op{OpBump}, (*planning).checkAncestry},
		{RuleStageOrder, "a version that the stage before does not run, or for which its gates are not open", forward, (*planning).checkStageOrder},
		{RuleSoak, "a version that the stage before has not run for long enough", forward, (*planning).checkSoak},
		{RuleDependency, "a component on a cluster that does not have what it depends on", forward, (*planning).checkDependency},
		{RuleNote, "a change across a version with a step that people must take first", deploying, (*planning).checkNote},
		{RuleUnverified, "a change of which something declared could not be asked", forward, (*planning).checkUnverified},
		{RuleDirty, "a file to be written that has other uncommitted changes", nil, nil}, // the Workspace's: it knows the files
	}
}

// rules fills the plan's refusals, and says what the changelog is.
func (w *planning) rules(ctx context.Context) error {
	for _, change := range w.plan.Changed() {
		for _, rule := range Rules() {
			if !slices.Contains(rule.Ops, w.plan.Request.Op) {
				continue
			}
			message, err := rule.check(w, ctx, change)
			if err != nil {
				return err
			}
			if message != "" {
				w.plan.refuse(rule.Name, change.Cluster, message)
			}
		}
	}
	if message := w.unaskedOf(""); message != "" && slices.Contains(forward, w.plan.Request.Op) {
		w.plan.refuse(RuleUnverified, "", message)
	}
	if slices.ContainsFunc(w.plan.Refusals, func(r Refusal) bool { return r.Rule == RuleUnverified && r.Overridden() }) {
		w.plan.say(takesEffect)
	}
	return w.changelog(ctx)
}

func (p *Plan) refuse(rule, cluster, message string) {
	p.Refusals = append(p.Refusals, Refusal{Rule: rule, Cluster: cluster, Message: message, Reason: p.Request.Overrides[rule]})
}

// checkOverrides refuses names of rules that there are not, and overrides without a reason.
func checkOverrides(overrides map[string]string) error {
	var names []string
	for _, rule := range Rules() {
		names = append(names, rule.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if !slices.Contains(names, name) {
			return usagef("there is no rule %q: there are %s", name, strings.Join(names, ", "))
		}
		if strings.TrimSpace(overrides[name]) == "" {
			return usagef("say why with --reason: it is recorded in the commit")
		}
	}
	return nil
}

func (w *planning) checkHold(_ context.Context, c Change) (string, error) {
	if samePin(c.Old, c.New) {
		return "", nil
	}
	return CrossesHold(c.Old, c.New, w.plan.At), nil
}

func describeHold(hold *v1alpha1.Hold) string {
	text := hold.Reason
	if hold.Task != "" {
		text += " (" + hold.Task + ")"
	}
	if hold.Until != "" {
		text += ", until " + string(hold.Until)
	}
	return text
}

func (w *planning) checkFreeze(_ context.Context, c Change) (string, error) {
	if sameDeployment(c.Old, c.New) {
		return "", nil
	}
	return Frozen(w.repo, c.Cluster, w.plan.At), nil
}

func (w *planning) checkDowngrade(ctx context.Context, c Change) (string, error) {
	if c.Old == nil {
		return "", nil
	}
	source, _ := w.openSource() // checkAncestry says why it cannot be opened
	backward, err := Precedes(ctx, source, c.New.Commit, c.Old.Commit)
	if err != nil {
		return "", err
	}
	order := Compare(c.Old, c.New, backward, func(release string) bool { return w.isFollower(release, c.Cluster) })
	switch order.Older {
	case gitrepo.Yes:
		return fmt.Sprintf("%s is older than the pinned %s: `tfgitops rollback` goes back on purpose", order.After, order.Before), nil
	case gitrepo.Unknown:
		w.plan.say(fmt.Sprintf("unknown whether %s is older than the pinned %s: only one of them has a build time", order.After, order.Before))
	}
	return "", nil
}

// isFollower reports whether a release's versions are made from commits of the component's source.
func (w *planning) isFollower(name, cluster string) bool {
	release, known := w.component.Release(name)
	return known && w.followsSource(release, cluster)
}

// descends reports whether descendant has ancestor in its history, as the component's source says.
func (w *planning) descends(ctx context.Context, ancestor, descendant string) (gitrepo.Relation, error) {
	source, _ := w.openSource() // checkAncestry says why it cannot be opened
	return descends(ctx, source, ancestor, descendant)
}

func (w *planning) checkAncestry(ctx context.Context, c Change) (string, error) {
	if w.component.Source == nil || c.New.Commit == "" || (c.Old != nil && c.Old.Commit == c.New.Commit) {
		return "", nil
	}
	source, err := w.openSource()
	if err != nil {
		w.couldNotAsk("", "the history of "+w.component.Source.URL, err)
		return "", nil
	}
	on, err := source.OnBranch(ctx, w.branch(), c.New.Commit)
	switch {
	case on == gitrepo.Unknown && err != nil:
		w.couldNotAsk("", fmt.Sprintf("whether %s is on branch %s of %s", c.New.Commit, w.branch(), w.component.Source.URL), err)
	case on == gitrepo.Unknown:
		w.plan.say(fmt.Sprintf("unknown whether %s is on branch %s: %s does not have it", c.New.Commit, w.branch(), w.component.Source.URL))
	case on == gitrepo.No && !w.allowUnmerged([]string{c.Cluster}):
		return fmt.Sprintf("%s is not on branch %s of %s", c.New.Commit, w.branch(), w.component.Source.URL), nil
	}
	return w.checkDescent(ctx, c)
}

func (w *planning) checkDescent(ctx context.Context, c Change) (string, error) {
	if c.Old == nil || c.Old.Commit == "" {
		return "", nil
	}
	forward, err := w.descends(ctx, c.Old.Commit, c.New.Commit)
	if err != nil || forward == gitrepo.Yes {
		return "", err
	}
	if forward == gitrepo.Unknown {
		w.plan.say(fmt.Sprintf("unknown whether %s descends from the pinned %s: the source's history does not have both", c.New.Commit, c.Old.Commit))
		return "", nil
	}
	backward, err := w.descends(ctx, c.New.Commit, c.Old.Commit)
	if err != nil || backward == gitrepo.Yes { // an ancestor is the downgrade rule's
		return "", err
	}
	return fmt.Sprintf("%s does not descend from the pinned %s: it would undo what is deployed", c.New.Commit, c.Old.Commit), nil
}

// stageBefore returns the stage before the cluster's own, if it has one that gates.
func (w *planning) stageBefore(cluster string) (own, before *v1alpha1.Stage) {
	index, gates := stagePosition(w.repo, cluster)
	if index < 1 || !gates {
		return nil, nil
	}
	return &w.repo.Spec.Stages[index], &w.repo.Spec.Stages[index-1]
}

func (w *planning) checkStageOrder(ctx context.Context, c Change) (string, error) {
	own, before := w.stageBefore(c.Cluster)
	if own == nil || sameVersion(c.Old, c.New) {
		return "", nil
	}
	for _, cluster := range before.Clusters {
		pin := w.oldPin(cluster)
		if !sameVersion(pin, c.New) {
			return fmt.Sprintf("stage %q (%s) does not run %s yet but %s: bump it there first, then `tfgitops promote %s`", before.Name, cluster, c.To(), Describe(pin), w.component.Name), nil
		}
		if w.plan.Request.Deferred {
			w.plan.await(*own, cluster, c.To())
			continue
		}
		if message := w.checkGates(ctx, c.Cluster, *own, cluster, pin); message != "" {
			return message, nil
		}
	}
	return "", nil
}

// errNoGates says that nobody was named who could be asked for gates.
var errNoGates = errors.New("nothing here knows what runs there; --live asks the cluster, --from URL an exporter")

func gateQuestion(gate v1alpha1.Gate, cluster string) string {
	return fmt.Sprintf("whether the gate %q is open on %s", gate, cluster)
}

// checkGates asks each gate of a stage on one cluster of the stage before.
func (w *planning) checkGates(ctx context.Context, to string, own v1alpha1.Stage, cluster string, pin *v1alpha1.PinSpec) string {
	for _, gate := range own.Requires {
		if w.Gates == nil {
			w.couldNotAsk(to, gateQuestion(gate, cluster), errNoGates)
			continue
		}
		open, err := w.Gates.Open(ctx, gate, cluster, w.component.Name, pin)
		switch {
		case err != nil:
			w.couldNotAsk(to, gateQuestion(gate, cluster), err)
		case !open:
			return fmt.Sprintf("the gate %q of stage %q is not open: %s on %s", gate, own.Name, Describe(pin), cluster)
		}
	}
	return ""
}

func (w *planning) checkSoak(ctx context.Context, c Change) (string, error) {
	own, before := w.stageBefore(c.Cluster)
	if own == nil || own.Soak == "" || sameVersion(c.Old, c.New) || w.plan.Request.Deferred {
		return "", nil
	}
	soak, err := own.Soak.Parse()
	if err != nil || soak == 0 {
		return "", err
	}
	for _, cluster := range before.Clusters {
		if !sameVersion(w.oldPin(cluster), c.New) {
			continue // the stage-order rule's
		}
		found, err := w.record(ctx, w.component.Name, cluster)
		if err != nil {
			w.couldNotAsk(c.Cluster, fmt.Sprintf("since when %s runs %s", cluster, c.To()), err)
			continue
		}
		at, known, atLeast := found.since(w.oldPin(cluster))
		left := soak - w.plan.At.Sub(at)
		switch {
		case known && left <= 0:
		case atLeast:
			w.couldNotAsk(c.Cluster, fmt.Sprintf("since when %s runs %s", cluster, c.To()), gitrepo.ErrShallow)
		default:
			return fmt.Sprintf("%s has run %s for %s of the %s that stage %q asks for", cluster, c.To(), soaked(at, known, w.plan.At), soak, own.Name), nil
		}
	}
	return "", nil
}

func soaked(at time.Time, known bool, now time.Time) string {
	if !known {
		return "no time yet: it is not on the branch"
	}
	return now.Sub(at).Round(time.Second).String()
}

func (w *planning) checkDependency(_ context.Context, c Change) (string, error) {
	var absent []string
	for _, name := range w.component.DependsOn {
		dependency := w.repo.Components[name]
		if dependency != nil && dependency.External == "" && !w.repo.Clusters[c.Cluster].Pinned[name] {
			absent = append(absent, name)
		}
	}
	if len(absent) == 0 {
		return "", nil
	}
	return fmt.Sprintf("it depends on %s, which is not on this cluster: Flux would wait for it", strings.Join(absent, ", ")), nil
}

func (w *planning) checkNote(_ context.Context, c Change) (string, error) {
	var blocking []string
	for _, note := range w.component.Notes {
		if !crosses(c, note.Crossing) {
			continue
		}
		if !note.Block {
			w.plan.say(fmt.Sprintf("note of %s: %s", note.Crossing, note.Text))
			continue
		}
		blocking = append(blocking, fmt.Sprintf("crossing %s needs a step first: %s", note.Crossing, note.Text))
	}
	return strings.Join(blocking, "; "), nil
}

// crosses reports whether one end of a change is before a version and the other is not. The three numbers alone are
// compared: what follows them is made from the commit.
func crosses(c Change, crossing string) bool {
	boundary, err := semver.NewVersion(crossing)
	if err != nil || c.Old == nil {
		return false
	}
	pairs := [][2]string{}
	for name, release := range c.New.Releases {
		pairs = append(pairs, [2]string{c.Old.Releases[name].Version, release.Version})
	}
	if c.Old.Manifests != nil && c.New.Manifests != nil {
		pairs = append(pairs, [2]string{c.Old.Manifests.Version, c.New.Manifests.Version})
	}
	return slices.ContainsFunc(pairs, func(pair [2]string) bool {
		before, errBefore := isBefore(pair[0], boundary)
		after, errAfter := isBefore(pair[1], boundary)
		return errBefore == nil && errAfter == nil && before != after
	})
}

func isBefore(version string, boundary *semver.Version) (bool, error) {
	parsed, err := semver.NewVersion(version)
	if err != nil {
		return false, err
	}
	core := semver.New(parsed.Major(), parsed.Minor(), parsed.Patch(), "", "")
	return core.LessThan(semver.New(boundary.Major(), boundary.Minor(), boundary.Patch(), "", "")), nil
}

func (w *planning) checkUnverified(_ context.Context, c Change) (string, error) {
	return w.unaskedOf(c.Cluster), nil
}
