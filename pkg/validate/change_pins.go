package validate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// moved returns the pins that were there and now deploy another version.
func (c *changeCheck) moved() []pinChange {
	return slices.DeleteFunc(slices.Clone(c.pins), func(p pinChange) bool {
		return p.old == nil || p.new == nil || bump.SameVersion(p.spec())
	})
}

// spec returns the pins before and after as package bump takes them.
func (p pinChange) spec() (old, new *v1alpha1.PinSpec) {
	if p.old != nil {
		old = &p.old.PinSpec
	}
	if p.new != nil {
		new = &p.new.PinSpec
	}
	return old, new
}

// named is how findings name a pin.
func (p pinChange) named() string { return fmt.Sprintf("%q on %s", p.component, p.cluster) }

// ends describes a pin before and after.
func (p pinChange) ends() string {
	old, new := p.spec()
	return fmt.Sprintf("from %s to %s", bump.Describe(old), bump.Describe(new))
}

// on returns a finding on the version of a pin.
func (c *changeCheck) on(p pinChange, message, help string) control.Finding {
	path := []string{"spec"}
	if p.new != nil && p.new.Manifests != nil {
		path = []string{"spec", "manifests", "version"}
	}
	if p.new != nil {
		for _, name := range sortedKeys(p.new.Releases) {
			if p.old == nil || p.old.Releases[name].Version != p.new.Releases[name].Version {
				path = []string{"spec", "releases", name, "version"}
				break
			}
		}
	}
	finding := control.At(c.Head, "", p.file, path, message, help)
	finding.Severity = ""
	return finding
}

// pinLowered finds pins that go back although nobody says so.
func (c *changeCheck) pinLowered(ctx context.Context) control.Findings {
	var findings control.Findings
	for _, p := range c.moved() {
		order := c.order(ctx, p)
		if order.Older == gitrepo.No || c.restores(ctx, p) != gitrepo.No || c.rolledBack(p) {
			continue
		}
		if order.Older == gitrepo.Unknown {
			finding := c.on(p, fmt.Sprintf("whether %s is older than %s is unknown: they cannot be compared", order.After, order.Before), "look at the two commits in the component's source")
			finding.Severity = control.Warning
			findings = append(findings, finding)
			continue
		}
		_, spec := p.spec()
		findings = append(findings, c.on(p,
			fmt.Sprintf("%s goes back from %s to %s, and no commit says that it is a rollback", p.named(), order.Before, order.After),
			fmt.Sprintf("from a stale tree? `git checkout %s -- %s` and `tfgitops render` undo it; on purpose: `tfgitops rollback %s --cluster %s --to %s`", c.Ref, p.file, p.component, p.cluster, revisionOf(spec))))
	}
	return findings
}

// revisionOf is what --to takes for a pin.
func revisionOf(pin *v1alpha1.PinSpec) string {
	if pin.Commit != "" {
		return pin.Commit[:min(len(pin.Commit), 12)]
	}
	return shellWord(bump.Describe(pin))
}

// shellWord keeps a version of several releases in one argument.
func shellWord(text string) string {
	if strings.ContainsAny(text, " ,'") {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}

// rolledBack reports whether the change says that this pin goes back, and to where it goes.
func (c *changeCheck) rolledBack(p pinChange) bool {
	_, spec := p.spec()
	return c.states(p.component, p.cluster, func(s bump.Stated) bool {
		goesBack := s.Op == bump.OpRollback || s.Op == bump.OpUnhold || overrides(bump.RuleDowngrade, bump.RuleAncestry)(s)
		return goesBack && (s.Component == "" || s.To[p.cluster] == bump.Describe(spec))
	})
}

// order tells whether a pin goes back.
func (c *changeCheck) order(ctx context.Context, p pinChange) bump.Order {
	if _, known := c.orders[p.file]; !known {
		old, new := p.spec()
		component := c.base.Components[p.component] // the change itself must not say whom to ask
		backward := gitrepo.Unknown
		if component != nil && component.Source != nil {
			// Where the source cannot be asked, the versions tell.
			backward, _ = bump.Precedes(ctx, c.source(ctx, component.Source.URL), new.Commit, old.Commit)
		}
		c.orders[p.file] = bump.Compare(old, new, backward, func(release string) bool { return c.followsSource(component, release, p.cluster) })
	}
	return c.orders[p.file]
}

// source opens a component's source once; nil where it may not or cannot be asked.
func (c *changeCheck) source(ctx context.Context, url string) bump.Source {
	if c.OpenSource == nil {
		return nil
	}
	if _, asked := c.sources[url]; !asked {
		source, err := c.OpenSource(ctx, url)
		if err != nil {
			source = nil
			c.unasked = append(c.unasked, err)
		}
		c.sources[url] = source
	}
	return c.sources[url]
}

// followsSource reports whether a release's versions are made from the component's commits.
func (c *changeCheck) followsSource(component *control.Component, release, cluster string) bool {
	if component == nil || component.Source == nil || c.base.Clusters[cluster] == nil {
		return false
	}
	declared, known := component.Release(release)
	if !known {
		return false
	}
	repository, _ := c.base.Repository(c.base.Clusters[cluster], declared.Repository)
	return repository.VersionPattern != "" || declared.VersionTemplate != ""
}

// restores reports whether a git revert brings back a pin that the cluster had before. It is unknown where the clone is
// shallow and does not show it.
func (c *changeCheck) restores(ctx context.Context, p pinChange) gitrepo.Relation {
	if !c.reverted(p.file) {
		return gitrepo.No
	}
	former, whole, err := c.Former(ctx, p.component, p.cluster)
	_, spec := p.spec()
	for _, entry := range former {
		if bump.SameVersion(entry.After, spec) || bump.SameVersion(entry.Before, spec) {
			return gitrepo.Yes
		}
	}
	if err != nil || !whole {
		return gitrepo.Unknown
	}
	return gitrepo.No
}

// pinReverted finds reverts that take a pin back and hold nothing.
func (c *changeCheck) pinReverted(ctx context.Context) control.Findings {
	var findings control.Findings
	for _, p := range c.moved() {
		restored := c.restores(ctx, p)
		old, new := p.spec()
		left := bump.LeftVersions(old, new)
		if restored == gitrepo.No || c.order(ctx, p).Older == gitrepo.No || refuses(new.Hold, left) {
			continue
		}
		message := fmt.Sprintf("a git revert takes %s back %s: it counts as a rollback, and nothing holds what it leaves", p.named(), p.ends())
		if restored == gitrepo.Unknown {
			message += " (whether the cluster ran it before is unknown: the clone is shallow; in GitLab CI set GIT_DEPTH: 0)"
		}
		findings = append(findings, c.on(p, message, "so that no bump brings it back: `tfgitops hold "+p.component+" --cluster "+p.cluster+refuseFlags(left)+" --reason TEXT`"))
	}
	return findings
}

func refuses(hold *v1alpha1.Hold, versions []string) bool {
	return hold != nil && (len(hold.Refuse) == 0 || !slices.ContainsFunc(versions, func(v string) bool { return !slices.Contains(hold.Refuse, v) }))
}

func refuseFlags(versions []string) string {
	flags := ""
	for _, version := range versions {
		flags += " --refuse " + version
	}
	return flags
}

// holdCrossed finds pins that change against their holds.
func (c *changeCheck) holdCrossed(ctx context.Context) control.Findings {
	var findings control.Findings
	for _, p := range c.pins {
		if p.old == nil || p.new == nil {
			continue
		}
		old, new := p.spec()
		crosses := bump.CrossesHold(old, new, c.Now)
		lifted := func(s bump.Stated) bool { return s.Op == bump.OpUnhold || overrides(bump.RuleHold)(s) }
		if crosses == "" || bump.SameDeployment(old, new) || c.states(p.component, p.cluster, lifted) {
			continue
		}
		finding := c.on(p, fmt.Sprintf("%s changes against its hold: %s", p.named(), crosses), trailerHelp(bump.RuleHold))
		if c.restores(ctx, p) != gitrepo.No {
			finding.Severity = control.Warning
		}
		findings = append(findings, finding)
	}
	return findings
}

// pinRemoved finds pins that are gone.
func (c *changeCheck) pinRemoved(context.Context) control.Findings {
	var findings control.Findings
	for _, p := range c.pins {
		was := c.base.Clusters[p.cluster] != nil && c.base.Clusters[p.cluster].Pinned[p.component]
		is := c.head.Clusters[p.cluster] != nil && c.head.Clusters[p.cluster].Pinned[p.component]
		if !was || is || c.removed(p.component, p.cluster) {
			continue
		}
		findings = append(findings, control.Finding{
			File: p.file, Message: fmt.Sprintf("the pin of %s is gone, and no commit says that this is meant: Flux would uninstall it", p.named()),
			Help: fmt.Sprintf("`git checkout %s -- %s` brings it back; to remove it on purpose: `tfgitops component remove %s --cluster %s`, and commit with the command that it prints", c.Ref, p.file, p.component, p.cluster),
		})
	}
	return findings
}

func (c *changeCheck) removed(component, cluster string) bool {
	return c.states(component, cluster, func(s bump.Stated) bool { return s.Op == bump.OpRemove && s.Component == component })
}
