package bump

import (
	"fmt"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// The trailers of our commits, for machines: log, rollback and validate read them.
const (
	TrailerOp        = "Tfgitops-Op"
	TrailerComponent = "Tfgitops-Component"
	TrailerFrom      = "Tfgitops-From"
	TrailerTo        = "Tfgitops-To"
	TrailerCommit    = "Tfgitops-Source-Sha"
	TrailerDigest    = "Tfgitops-Digest"
	TrailerOverride  = "Tfgitops-Override"
	// TrailerCluster stands in the commits of `component remove`.
	TrailerCluster = "Tfgitops-Cluster"
)

// Message is the commit message of a plan: what changes where, why, and what the component's source says, then trailers.
func (p *Plan) Message() string {
	parts := []string{p.Subject(), p.perCluster()}
	if reason := p.reason(); reason != "" {
		parts = append(parts, reason)
	}
	if p.Changelog != nil {
		parts = append(parts, p.Changelog.text())
	}
	parts = append(parts, strings.Join(p.trailers(), "\n"))
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n\n") + "\n"
}

// Subject is the commit's first line, in the form that the operators use.
func (p *Plan) Subject() string {
	to, on := p.target(), strings.Join(p.Clusters(), ", ")
	switch p.Request.Op {
	case OpPromote:
		return fmt.Sprintf("%s: promote %s to %s", p.Component, to, on)
	case OpRollback:
		return fmt.Sprintf("%s: roll back to %s on %s", p.Component, to, on)
	case OpHold:
		return fmt.Sprintf("%s: hold on %s", p.Component, on)
	case OpUnhold:
		if p.Request.Reapply {
			return fmt.Sprintf("%s: re-apply %s on %s", p.Component, to, on)
		}
		return fmt.Sprintf("%s: lift the hold on %s", p.Component, on)
	case OpFold:
		return fmt.Sprintf("%s: fold the values of the pins into the component", p.Component)
	default:
		changed := p.Changed()
		if len(changed) > 0 && !slices.ContainsFunc(changed, func(c Change) bool { return c.Old != nil }) {
			return fmt.Sprintf("%s: install %s on %s", p.Component, to, on)
		}
		return fmt.Sprintf("%s: bump to %s", p.Component, to)
	}
}

// target is the version that the change leads to. Where clusters come to different ones, each is named with its clusters.
func (p *Plan) target() string {
	var targets []string
	on := map[string][]string{}
	for _, change := range p.Changed() {
		to := change.target()
		if on[to] == nil {
			targets = append(targets, to)
		}
		on[to] = append(on[to], change.Cluster)
	}
	if len(targets) < 2 {
		return strings.Join(targets, "")
	}
	for i, to := range targets {
		targets[i] = fmt.Sprintf("%s (%s)", to, strings.Join(on[to], ", "))
	}
	return strings.Join(targets, ", ")
}

// target is the version of what changes: of some releases, where there are several.
func (c Change) target() string {
	if c.Old == nil || len(c.New.Releases) < 2 {
		return c.To()
	}
	var parts []string
	for _, name := range releaseNames(c.New) {
		if c.Old.Releases[name].Version != c.New.Releases[name].Version {
			parts = append(parts, name+" "+c.New.Releases[name].Version)
		}
	}
	if len(parts) == 0 {
		return c.To()
	}
	return strings.Join(parts, ", ")
}

// perCluster says the truth about each cluster: those with the same change together, and none that does not change.
func (p *Plan) perCluster() string {
	type ends struct{ from, to string }
	var order []ends
	clusters := map[ends][]string{}
	for _, change := range p.Changed() {
		key := ends{change.From(), change.To()}
		if clusters[key] == nil {
			order = append(order, key)
		}
		clusters[key] = append(clusters[key], change.Cluster)
	}
	var lines []string
	for _, key := range order {
		names := strings.Join(clusters[key], ", ")
		if key.from == key.to {
			lines = append(lines, fmt.Sprintf("%s: still %s", names, key.to))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s:\n  From: %s\n  To:   %s", names, key.from, key.to))
	}
	return strings.Join(lines, "\n")
}

func (p *Plan) reason() string {
	hold := p.Request.Hold
	if hold.Reason == "" || (p.Request.Op != OpHold && p.Request.Op != OpRollback) {
		return ""
	}
	return "Reason: " + plainText(describeHold(&hold))
}

func (c *Changelog) text() string {
	var out strings.Builder
	if len(c.Commits) > 0 {
		fmt.Fprintf(&out, "Changes from %s to %s:\n", short(c.Old), short(c.New))
		for _, commit := range c.Commits {
			fmt.Fprintf(&out, "- %s (%s, %s)\n", commit.Subject, short(commit.ID), commit.Author)
		}
		if c.More > 0 {
			fmt.Fprintf(&out, "- and %d older ones\n", c.More)
		}
	}
	out.WriteString(c.Compare)
	return strings.TrimRight(out.String(), "\n")
}

// short is a commit id as people write it.
func short(id string) string { return id[:min(len(id), 8)] }

func (p *Plan) trailers() []string {
	var lines []string
	for _, bug := range p.Changelog.Bugs() {
		lines = append(lines, "Bug: "+bug)
	}
	if task := p.Request.Hold.Task; gitrepo.IsTask(task) && !slices.Contains(lines, "Bug: "+task) {
		lines = append(lines, "Bug: "+task)
	}
	trailer := func(key, format string, args ...any) {
		lines = append(lines, key+": "+oneLineOf(format, args...))
	}
	trailer(TrailerOp, "%s", p.Request.Op)
	trailer(TrailerComponent, "%s", p.Component)
	for _, change := range p.Changed() {
		trailer(TrailerFrom, "%s %s", change.Cluster, change.From())
		trailer(TrailerTo, "%s %s", change.Cluster, change.To())
		if change.New.Commit != "" {
			trailer(TrailerCommit, "%s %s", change.Cluster, change.New.Commit)
		}
		for _, name := range releaseNames(change.New) {
			if digest := change.New.Releases[name].Digest; digest != "" {
				trailer(TrailerDigest, "%s %s %s", change.Cluster, name, digest)
			}
		}
	}
	seen := map[string]bool{}
	for _, refusal := range p.Refusals {
		if refusal.Overridden() && !seen[refusal.Rule] {
			seen[refusal.Rule] = true
			trailer(TrailerOverride, "%s %s", refusal.Rule, refusal.Reason)
		}
	}
	return lines
}

// oneLineOf keeps a trailer to its line, whatever is in it.
func oneLineOf(format string, args ...any) string {
	return plainText(fmt.Sprintf(format, args...))
}
