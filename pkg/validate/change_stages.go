package validate

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// stageOrder finds what reaches a later stage before, or together with, an earlier one.
func (c *changeCheck) stageOrder(ctx context.Context) control.Findings {
	if !c.readable {
		return nil
	}
	return append(c.pinsAhead(ctx), c.sharedAhead(ctx)...)
}

// stage returns the index of the stage that a cluster gates, or -1: followers are bumped along. The order is that of before
// the change, which must not make its own.
func (c *changeCheck) stage(cluster string) int {
	return slices.IndexFunc(c.base.Spec.Stages, func(s v1alpha1.Stage) bool { return slices.Contains(s.Clusters, cluster) })
}

// pinsAhead finds pins at a version that the stage before does not run: on the branch that the change goes to, or here.
func (c *changeCheck) pinsAhead(ctx context.Context) control.Findings {
	var findings control.Findings
	for _, p := range c.pins {
		stage := c.stage(p.cluster)
		_, spec := p.spec()
		if stage < 1 || spec == nil || p.old != nil && bump.SameVersion(p.spec()) || c.goesBack(ctx, p) || c.states(p.component, p.cluster, overrides(bump.RuleStageOrder)) {
			continue
		}
		before := c.base.Spec.Stages[stage-1]
		for _, cluster := range before.Clusters {
			runs := pinOf(c.target, cluster, p.component)
			if runs != nil && bump.SameVersion(&runs.PinSpec, spec) {
				continue
			}
			findings = append(findings, c.on(p, fmt.Sprintf("%s goes to %s, which stage %q (%s) does not run on %s", p.named(), bump.Describe(spec), before.Name, cluster, c.Ref),
				fmt.Sprintf("merge it there first, then `tfgitops promote %s`; %s", p.component, trailerHelp(bump.RuleStageOrder))))
			break
		}
	}
	return findings
}

// goesBack reports whether a pin returns to something that ran: rules of their own speak of those.
func (c *changeCheck) goesBack(ctx context.Context, p pinChange) bool {
	return p.old != nil && (c.rolledBack(p) || c.restores(ctx, p) != gitrepo.No || c.order(ctx, p).Older == gitrepo.Yes)
}

// sharedAhead finds shared files whose change alone, with the pins as they were, changes clusters of several stages at once.
// A value that the earlier stage has tried in its own file, and that moves to the shared one, changes the later stage only.
func (c *changeCheck) sharedAhead(ctx context.Context) control.Findings {
	shared := slices.DeleteFunc(slices.Clone(c.files), func(file string) bool { return !isShared(file) })
	if len(shared) == 0 || len(c.base.Spec.Stages) < 2 {
		return nil
	}
	alone, _ := control.Load(ctx, stagedfs.New(c.Base, contents(c.Head, shared)), control.Only{})
	found := map[reach][]string{} // to the components
	for _, component := range c.base.ComponentNames() {
		file := sharedFileOf(shared, component)
		if file == "" {
			continue
		}
		later, first := c.ahead(alone, component)
		later = slices.DeleteFunc(later, func(cluster string) bool {
			return c.states(component, cluster, overrides(bump.RuleStageOrder))
		})
		if len(later) > 0 {
			of := reach{file, strings.Join(later, ", "), first}
			found[of] = append(found[of], fmt.Sprintf("%q", component))
		}
	}
	var findings control.Findings
	for of, components := range found {
		findings = append(findings, control.Finding{
			File: of.file, Severity: c.mildIfReverted(of.file),
			Message: fmt.Sprintf("this changes %s on %s together with %s, where nobody has tried it", firstFew(components), of.later, of.first),
			Help: fmt.Sprintf("try it on %s first, in %s or with the bump (`--values FILE`), and move it here in a change of its own; %s",
				of.first, path.Dir(control.ClusterValuesFile(of.first, "x")), trailerHelp(bump.RuleStageOrder)),
		})
	}
	return findings // which are sorted in the end
}

// reach is how far a shared file's change goes: to clusters of later stages, and first to one of an earlier stage.
type reach struct{ file, later, first string }

// isShared reports whether a file says something about every cluster. Plain manifests are pinned by their digest.
func isShared(file string) bool {
	parts := strings.Split(file, "/")
	return file == control.RootFile || parts[0] == path.Dir(control.ComponentDir("x")) && (len(parts) < 3 || parts[2] != "manifests")
}

// sharedFileOf returns the first changed file that says something about a component, or nothing.
func sharedFileOf(shared []string, component string) string {
	for _, file := range shared {
		if file == control.RootFile || strings.HasPrefix(file, control.ComponentDir(component)+"/") {
			return file
		}
	}
	return ""
}

// contents reads files; nil for one that is not there.
func contents(fsys fs.FS, files []string) map[string][]byte {
	read := map[string][]byte{}
	for _, file := range files {
		read[file], _ = fs.ReadFile(fsys, file) // one that cannot be read is a finding of its own
	}
	return read
}

// ahead returns the clusters of later stages that the shared files alone change together with an earlier one, and the first
// cluster that they change.
func (c *changeCheck) ahead(alone *control.Repo, component string) (later []string, first string) {
	earliest := -1
	for i, stage := range c.base.Spec.Stages {
		for _, cluster := range stage.Clusters {
			if pinOf(c.base, cluster, component) == nil || !c.differs(alone, cluster, component) {
				continue
			}
			switch {
			case earliest < 0:
				earliest, first = i, cluster
			case i > earliest:
				later = append(later, cluster)
			}
		}
	}
	return later, first
}

// differs reports whether the shared files change what is rendered of a component on a cluster. Where they do not go with
// the pins as they were, a new release for one, the change as a whole tells.
func (c *changeCheck) differs(alone *control.Repo, cluster, component string) bool {
	before, findings := render.Component(c.base, cluster, component)
	if findings.Err() != nil {
		return false // it was not deployed
	}
	for _, repo := range []*control.Repo{alone, c.head} {
		if pinOf(repo, cluster, component) == nil {
			continue
		}
		if after, findings := render.Component(repo, cluster, component); findings.Err() == nil {
			return !bytes.Equal(before, after)
		}
	}
	return false // it is not deployed any more, or cannot be: both are findings of their own
}
