package validate

import (
	"context"
	"fmt"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// The ids of the rules on a change. Those that have a safety rule of the same purpose are overridden by its name.
const (
	RuleChangeUnknown   = "change-unknown"
	RulePinLowered      = "pin-lowered"
	RulePinReverted     = "pin-reverted"
	RulePinRemoved      = "pin-removed"
	RuleReleaseRemoved  = "release-removed"
	RuleHoldCrossed     = "hold-crossed"
	RuleFreezeCrossed   = "freeze-crossed"
	RuleStageOrder      = bump.RuleStageOrder
	RuleMixedChange     = "mixed-change"
	RuleSubjectClusters = "subject-clusters"
	RuleManifestsEdited = "manifests-edited"
)

// changeRule is a rule on a change. What check returns is of this rule, and of its severity where it says no other.
type changeRule struct {
	control.Rule
	check func(*changeCheck, context.Context) control.Findings
}

// ChangeRules returns the rules that `validate --base` adds to those of Rules.
func ChangeRules() []control.Rule {
	var rules []control.Rule
	for _, rule := range changeRules() {
		rules = append(rules, rule.Rule)
	}
	return rules
}

// changeRules is the table of the rules on a change: a new one is a row. What the others could not see comes last.
func changeRules() []changeRule {
	return []changeRule{
		{control.Rule{ID: RulePinLowered, Severity: control.Error, Finds: "a pin that goes back to an older version, by the source's history or the build times (never the counter), without a rollback trailer or `downgrade` overridden; a warning where the order is unknown", Because: "an edit from a stale tree takes a deployment back, unnoticed"}, (*changeCheck).pinLowered},
		{control.Rule{ID: RulePinReverted, Severity: control.Warning, Finds: "a `git revert` that restores a former pin, which counts as a rollback, and holds nothing", Because: "the next bump would bring the bad version back"}, (*changeCheck).pinReverted},
		{control.Rule{ID: RulePinRemoved, Severity: control.Error, Finds: "a pin that disappears without `component remove`", Because: "Flux would uninstall it"}, (*changeCheck).pinRemoved},
		{control.Rule{ID: RuleReleaseRemoved, Severity: control.Error, Finds: "a HelmRelease that disappears from what Flux applies without `component remove`", Because: "Flux would uninstall it"}, (*changeCheck).releaseRemoved},
		{control.Rule{ID: RuleHoldCrossed, Severity: control.Error, Finds: "a pin that changes against its hold, without `hold` overridden or the hold lifted by `unhold`", Because: "what somebody stopped on purpose would be deployed"}, (*changeCheck).holdCrossed},
		{control.Rule{ID: RuleFreezeCrossed, Severity: control.Error, Finds: "anything that Flux applies to a frozen cluster that changes, without `freeze` overridden", Because: "a cluster would change while nobody is there to mend it"}, (*changeCheck).freezeCrossed},
		{control.Rule{ID: RuleStageOrder, Severity: control.Error, Finds: "a version, or a change of shared files (components, tfgitops.yaml), that reaches a later stage before, or together with, an earlier one, without `stage-order` overridden", Because: "production would try it first"}, (*changeCheck).stageOrder},
		{control.Rule{ID: RuleMixedChange, Severity: control.Warning, Finds: "a pin that changes together with values of clusters whose pins do not", Because: "reverting one would revert the other"}, (*changeCheck).mixedChange},
		{control.Rule{ID: RuleSubjectClusters, Severity: control.Warning, Finds: "a commit whose subject names other clusters than it changes", Because: "people would look for it in the wrong place"}, (*changeCheck).subjectClusters},
		{control.Rule{ID: RuleManifestsEdited, Severity: control.Error, Finds: "a file in clusters/*/manifests that was edited by hand: its sources did not change", Because: "the next render would undo it"}, (*changeCheck).manifestsEdited},
		{control.Rule{ID: RuleChangeUnknown, Severity: control.Error, Finds: "a change of which a part is not in a shallow clone, or that starts from what cannot be read, or of whose order nobody could be asked (warnings)", Because: "the other rules would pass what they have not seen"}, (*changeCheck).unknown},
	}
}

// unknown finds that a part of the change cannot be seen.
func (c *changeCheck) unknown(context.Context) control.Findings {
	var findings control.Findings
	if c.CutOff {
		findings = append(findings, control.Finding{
			File: control.RootFile, Message: "the clone is shallow, and a part of the change is not in it: whether it breaks a rule is unknown",
			Help: "run `git fetch --unshallow`; in GitLab CI set GIT_DEPTH: 0 for the job",
		})
	}
	for _, pin := range c.pins {
		if cluster := c.base.Clusters[pin.cluster]; cluster != nil && cluster.Pinned[pin.component] && pin.old == nil && pin.new != nil {
			findings = append(findings, control.Finding{
				Severity: control.Warning, File: pin.file, Message: "this pin could not be read before the change: whether it goes back, or crosses a hold, is unknown",
				Help: "compare it with `git diff " + c.Ref + " -- " + pin.file + "`",
			})
		}
	}
	for _, err := range c.unasked {
		cause, _, _ := strings.Cut(err.Error(), "\n") // git goes on for several lines
		findings = append(findings, control.Finding{
			Severity: control.Warning, File: control.RootFile,
			Message: fmt.Sprintf("which of two commits is older is unknown, and the versions told: %s", cause),
		})
	}
	return findings
}
