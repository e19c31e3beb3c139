package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Severity is how grave a risk is.
type Severity string

// The severities, the gravest first.
const (
	High   Severity = "high"   // data, access or a running service may be lost
	Medium Severity = "medium" // look closely
	Low    Severity = "low"    // good to know
)

// Severities are all of them, the gravest first.
func Severities() []Severity { return []Severity{High, Medium, Low} }

// AtLeast reports whether the severity is as grave as another, or graver.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(Severities(), s) <= slices.Index(Severities(), other)
}

// Rule is one risk rule.
type Rule struct {
	// ID is stable: components name it in silence.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Finds says what the rule finds, Because what would happen, Example what it looks like.
	Finds   string `json:"finds"`
	Because string `json:"because"`
	Example string `json:"example"`

	// check is one of objectCheck, releaseCheck, clusterCheck and wholeCheck.
	check any
}

// What a rule looks at. Each returns a message for everything it finds.
type (
	objectCheck  func(p pair) []string         // each changed object
	releaseCheck func(r *releaseDiff) []string // each release that was expanded
	clusterCheck func(d *clusterDiff) []string // each cluster
	wholeCheck   func(c *comparison, components []Component) []wholeRisk
)

// wholeRisk is a finding of a wholeCheck.
type wholeRisk struct {
	component, message, file string
	clusters                 []string
}

// pair is one changed object as a rule sees it: unmasked, so messages name fields and never a value that may be secret.
type pair struct {
	cluster  *clusterDiff
	release  *releaseDiff // nil for Flux objects
	m        matched
	old, new map[string]any // nil where the object is not
}

// removed reports whether the object of the base is deleted: it is gone or has another name, and nothing keeps it.
func (p pair) removed() bool {
	if p.old == nil || p.new != nil && !p.m.renamed {
		return false
	}
	if p.release == nil {
		return !keptByFlux(p.old)
	}
	gone := p.release.m.new == nil && keptByFlux(p.release.m.old.content)
	return !gone && !p.m.old.crd && !p.m.old.hook && annotation(p.old, "helm.sh/resource-policy") != "keep"
}

// keptByFlux reports whether Flux leaves an object when it is no longer in the build.
func keptByFlux(object map[string]any) bool {
	return annotation(object, "kustomize.toolkit.fluxcd.io/prune") == "disabled"
}

// both reports whether the same object is on both sides.
func (p pair) both() bool { return p.old != nil && p.new != nil && !p.m.renamed }

func (p pair) kind() string { return p.m.any().ref.kind }

// Rules returns every risk rule, by severity.
func Rules() []Rule {
	rules := slices.Concat(releaseRules(), removalRules(), fieldRules(), podRules(), accessRules(), versionRules(), changeRules())
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return slices.Index(Severities(), a.Severity) - slices.Index(Severities(), b.Severity)
	})
	return rules
}

// risks runs every rule, folds what is the same on several clusters, and takes out what components silence.
func (c *comparison) risks(components []Component) (risks, silenced []Risk) {
	var found []Risk
	for _, rule := range Rules() {
		before := len(found)
		switch check := rule.check.(type) {
		case objectCheck:
			found = append(found, c.checkObjects(rule, check)...)
		case releaseCheck:
			found = append(found, c.checkReleases(rule, check)...)
		case clusterCheck:
			found = append(found, c.checkClusters(rule, check)...)
		case wholeCheck:
			for _, w := range check(c, components) {
				found = append(found, Risk{Rule: rule.ID, Severity: rule.Severity, Component: w.component, Clusters: w.clusters, Message: w.message, File: w.file})
			}
		}
		for i := range found[before:] {
			found[before+i].Because = rule.Because
		}
	}
	for _, risk := range foldRisks(found) {
		risk.Message = c.mask.text("", risk.Message)
		if reason, ok := c.silence(risk); ok {
			risk.Silenced = reason
			silenced = append(silenced, risk)
		} else {
			risks = append(risks, risk)
		}
	}
	return risks, silenced
}

func (c *comparison) checkObjects(rule Rule, check objectCheck) []Risk {
	var found []Risk
	for _, d := range c.clusters {
		look := func(m matched, r *releaseDiff) {
			p := pair{cluster: d, release: r, m: m}
			if m.old != nil {
				p.old = m.old.content
			}
			if m.new != nil {
				p.new = m.new.content
			}
			it := m.any()
			for _, message := range check(p) {
				found = append(found, Risk{
					Rule: rule.ID, Severity: rule.Severity, Component: it.component, Clusters: []string{d.name},
					Object: it.ref.String(), Message: message, File: it.file, Line: it.line,
				})
			}
		}
		for _, m := range d.flux {
			look(m, nil)
		}
		for _, r := range d.releases {
			for _, m := range r.objects {
				look(m, r)
			}
		}
	}
	return found
}

func (c *comparison) checkReleases(rule Rule, check releaseCheck) []Risk {
	var found []Risk
	for _, d := range c.clusters {
		for _, r := range d.releases {
			it := r.m.any()
			for _, message := range check(r) {
				found = append(found, Risk{
					Rule: rule.ID, Severity: rule.Severity, Component: it.component, Clusters: []string{d.name},
					Object: it.ref.String(), Message: message, File: it.file,
				})
			}
		}
	}
	return found
}

func (c *comparison) checkClusters(rule Rule, check clusterCheck) []Risk {
	var found []Risk
	for _, d := range c.clusters {
		if d.state == Same || d.state == Unknown {
			continue
		}
		for _, message := range check(d) {
			found = append(found, Risk{Rule: rule.ID, Severity: rule.Severity, Clusters: []string{d.name}, Message: message, File: control.OverlayFile(d.name)})
		}
	}
	return found
}

// foldRisks joins what is the same on several clusters. The file is that of the first.
func foldRisks(found []Risk) []Risk {
	var risks []Risk
	index := map[string]int{}
	for _, risk := range found {
		key := strings.Join([]string{risk.Rule, risk.Component, risk.Object, risk.Message}, "\x00")
		if i, known := index[key]; known {
			risks[i].Clusters = slices.Compact(slices.Sorted(slices.Values(append(risks[i].Clusters, risk.Clusters...))))
			continue
		}
		index[key] = len(risks)
		risks = append(risks, risk)
	}
	slices.SortStableFunc(risks, func(a, b Risk) int {
		return cmp.Or(
			slices.Index(Severities(), a.Severity)-slices.Index(Severities(), b.Severity),
			cmp.Compare(a.Component, b.Component), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Message, b.Message))
	})
	return risks
}

// silence finds the reason for which the component's file takes a rule out. The rule that watches for new silences is never
// taken out.
func (c *comparison) silence(risk Risk) (string, bool) {
	component := c.headRepo.Components[risk.Component]
	if component == nil || risk.Rule == ruleSilenceAdded {
		return "", false
	}
	for _, silence := range component.Silence {
		if silence.Rule == risk.Rule {
			return silence.Reason, true
		}
	}
	return "", false
}

// one is a message, if there is something to say.
func one(yes bool, format string, args ...any) []string {
	if !yes {
		return nil
	}
	return []string{fmt.Sprintf(format, args...)}
}
