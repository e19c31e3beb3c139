package bump

import (
	"slices"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// Plan is what a request comes to. It changes nothing by itself.
type Plan struct {
	Request   Request
	Component string
	// Changes has every cluster that was asked for, in the order of the stages.
	Changes []Change
	// Said is what a person must be told: what was chosen, what was not checked.
	Said []string
	// Refusals are the safety rules that fired, overridden ones included.
	Refusals []Refusal
	// Changelog is what the component's source says between the versions.
	Changelog *Changelog
	// Folded are the values that move into the component's files, by release.
	Folded map[string]FoldedValues
	// Waits are what a deferred plan waits for.
	Waits []string
	// At is when the plan was made.
	At time.Time
}

// Change is what happens to the pin of one cluster.
type Change struct {
	Cluster string
	// Old is the pin as it is; nil where the component is not installed.
	Old *v1alpha1.PinSpec
	// New is the pin as it is to be. It equals Old where nothing changes.
	New *v1alpha1.PinSpec
	// Unchanged says why nothing changes; empty otherwise.
	Unchanged string
}

// Changed returns the changes that change something.
func (p *Plan) Changed() []Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return c.Unchanged != "" })
}

// Clusters returns the clusters whose pins change, in order.
func (p *Plan) Clusters() []string {
	var names []string
	for _, change := range p.Changed() {
		names = append(names, change.Cluster)
	}
	return names
}

// From is the version before, as a person reads it.
func (c Change) From() string { return Describe(c.Old) }

// To is the version after, as a person reads it.
func (c Change) To() string { return Describe(c.New) }

// Describe returns a pin's version as a person reads it: the only one, or each release with its own.
func Describe(pin *v1alpha1.PinSpec) string {
	switch {
	case pin == nil:
		return "not installed"
	case pin.Manifests != nil:
		return pin.Manifests.Version
	}
	names := releaseNames(pin)
	if len(names) == 1 {
		return pin.Releases[names[0]].Version
	}
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + " " + pin.Releases[name].Version
	}
	return strings.Join(parts, ", ")
}

// Refusal is a safety rule that fired.
type Refusal struct {
	Rule string
	// Cluster is where; empty for the plan as a whole. Merged joins several with commas.
	Cluster string
	Message string
	// Reason is why a person went on all the same; empty where nobody did.
	Reason string
}

// Overridden reports whether a person went on past the rule.
func (r Refusal) Overridden() bool { return r.Reason != "" }

// Where names the rule and the cluster.
func (r Refusal) Where() string {
	if r.Cluster == "" {
		return r.Rule
	}
	return r.Rule + " on " + r.Cluster
}

// Merged returns the refusals with those that say the same of several clusters as one.
func Merged(refusals []Refusal) []Refusal {
	var merged []Refusal
	for _, r := range refusals {
		i := slices.IndexFunc(merged, func(m Refusal) bool {
			return m.Rule == r.Rule && m.Message == r.Message && m.Reason == r.Reason && m.Cluster != "" && r.Cluster != ""
		})
		if i < 0 {
			merged = append(merged, r)
		} else {
			merged[i].Cluster += ", " + r.Cluster
		}
	}
	return merged
}

// RefusedError says that safety rules refuse a plan.
type RefusedError struct{ Refusals []Refusal }

// Refused marks the error as one of a safety rule, for the exit code.
func (*RefusedError) Refused() bool { return true }

func (e *RefusedError) Error() string {
	var out strings.Builder
	for i, r := range Merged(e.Refusals) {
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString("refused by " + r.Where() + ": " + r.Message)
	}
	out.WriteString("\nto go on all the same, add")
	for _, rule := range e.rules() {
		out.WriteString(" --override " + rule)
	}
	out.WriteString(" --reason TEXT: it is recorded in the commit")
	return out.String()
}

func (e *RefusedError) rules() []string {
	var rules []string
	for _, r := range e.Refusals {
		if !slices.Contains(rules, r.Rule) {
			rules = append(rules, r.Rule)
		}
	}
	return rules
}

// Err returns a RefusedError with every refusal that nobody overrode, or nil.
func (p *Plan) Err() error {
	open := slices.DeleteFunc(slices.Clone(p.Refusals), Refusal.Overridden)
	if len(open) == 0 {
		return nil
	}
	return &RefusedError{Refusals: open}
}

func (p *Plan) say(text string) {
	if text != "" && !slices.Contains(p.Said, text) {
		p.Said = append(p.Said, text)
	}
}
