package validate

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// clusterBuilds are what Flux applies to a cluster before and after a change.
type clusterBuilds struct {
	base, head       *overlay.Result
	errBase, errHead error
}

// built builds a cluster on both sides, once.
func (c *changeCheck) built(ctx context.Context, cluster string) *clusterBuilds {
	if c.builds[cluster] == nil {
		b := &clusterBuilds{}
		b.base, b.errBase = overlay.Build(ctx, c.Base, control.ClusterDir(cluster))
		b.head, b.errHead = overlay.Build(ctx, c.Head, control.ClusterDir(cluster))
		c.builds[cluster] = b
	}
	return c.builds[cluster]
}

// freezeCrossed finds what changes on frozen clusters.
func (c *changeCheck) freezeCrossed(ctx context.Context) control.Findings {
	var findings control.Findings
	for _, cluster := range c.base.ClusterNames() {
		frozen := bump.Frozen(c.base, cluster, c.Now) // by what was reviewed before: the change must not lift it for itself
		if frozen == "" || len(c.files) == 0 {
			continue
		}
		builds := c.built(ctx, cluster)
		switch {
		case builds.errHead != nil: // a finding of its own
		case builds.errBase != nil:
			findings = append(findings, control.Finding{
				Severity: control.Warning, File: control.OverlayFile(cluster),
				Message: fmt.Sprintf("%s is %s, and whether this changes anything there is unknown: it could not be built before", cluster, frozen),
			})
		default:
			if changed := c.frozenObjects(builds, cluster); len(changed) > 0 {
				findings = append(findings, c.frozenFinding(builds, cluster, frozen, changed))
			}
		}
	}
	return findings
}

func (c *changeCheck) frozenFinding(builds *clusterBuilds, cluster, frozen string, changed []overlay.Object) control.Finding {
	finding := control.Finding{
		File: builds.fileOf(changed[0], cluster), Severity: control.Warning,
		Message: fmt.Sprintf("%s is %s; this changes %s there", cluster, frozen, listOf(changed)),
		Help:    "wait until then; " + trailerHelp(bump.RuleFreeze),
	}
	if slices.ContainsFunc(changed, func(object overlay.Object) bool { return !c.reverted(builds.fileOf(object, cluster)) }) {
		finding.Severity = "" // more than a git revert, which must not fail at night
	}
	return finding
}

// fileOf returns the file that an object comes from, or came from.
func (b *clusterBuilds) fileOf(object overlay.Object, cluster string) string {
	for _, side := range []*overlay.Result{b.head, b.base} {
		if origin, known := side.Origin(object); known {
			return origin.File
		}
	}
	return control.OverlayFile(cluster)
}

// frozenObjects returns the objects that differ, were added or are gone, without those that an override speaks of.
func (c *changeCheck) frozenObjects(builds *clusterBuilds, cluster string) []overlay.Object {
	before, after := byID(builds.base), byID(builds.head)
	var changed []overlay.Object
	for _, id := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(sortedKeys(before), sortedKeys(after))))) {
		object, is := after[id]
		if was, there := before[id]; there && is && bytes.Equal(was.JSON(), object.JSON()) {
			continue
		}
		if !is {
			object = before[id]
		}
		if !c.states(componentOf(object), cluster, overrides(bump.RuleFreeze)) {
			changed = append(changed, object)
		}
	}
	return changed
}

func byID(result *overlay.Result) map[string]overlay.Object {
	objects := map[string]overlay.Object{}
	for _, object := range result.Objects {
		objects[objectID(object.Kind(), object.Namespace(), object.Name())] = object
	}
	return objects
}

// componentOf is the component that an object says it belongs to.
func componentOf(object overlay.Object) string {
	metadata, _ := object.Content["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	name, _ := annotations[render.AnnotationComponent].(string)
	return name
}

// listOf names objects, the first few.
func listOf(objects []overlay.Object) string {
	names := make([]string, len(objects))
	for i, object := range objects {
		names[i] = object.Kind() + " " + object.Name()
	}
	return firstFew(names)
}

const maxListed = 5

// firstFew lists names, and counts those that are too many to read.
func firstFew(names []string) string {
	if more := len(names) - maxListed; more > 0 {
		names = append(slices.Clone(names[:maxListed]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// releaseRemoved finds HelmReleases that Flux applied and no longer would, although the component stays pinned.
func (c *changeCheck) releaseRemoved(ctx context.Context) control.Findings {
	var findings control.Findings
	for _, cluster := range c.base.ClusterNames() {
		if c.head.Clusters[cluster] == nil || !slices.ContainsFunc(c.files, func(file string) bool { return isApplied(file, cluster) }) {
			continue
		}
		builds := c.built(ctx, cluster)
		if builds.errBase != nil || builds.errHead != nil {
			continue // Flux applied nothing before; or a finding of its own says that it cannot any more
		}
		after := byID(builds.head)
		for _, object := range builds.base.Objects {
			if _, stays := after[objectID(object.Kind(), object.Namespace(), object.Name())]; stays || object.Kind() != "HelmRelease" {
				continue
			}
			component := cmp.Or(componentOf(object), object.Name())
			pinGone := pinOf(c.base, cluster, component) != nil && !c.head.Clusters[cluster].Pinned[component]
			if pinGone || c.removed(component, cluster) {
				continue
			}
			findings = append(findings, c.releaseFinding(builds, cluster, component, object))
		}
	}
	return findings
}

func (c *changeCheck) releaseFinding(builds *clusterBuilds, cluster, component string, object overlay.Object) control.Finding {
	return control.Finding{
		File: builds.fileOf(object, cluster), Message: fmt.Sprintf("Flux applied the HelmRelease %q to %s, and would no longer: it would uninstall it", object.Name(), cluster),
		Help: fmt.Sprintf("if that is meant, write the trailers `%s: %s`, `%s: %s` and `%s: %s` into the commit, as `tfgitops component remove` does",
			bump.TrailerOp, bump.OpRemove, bump.TrailerComponent, component, bump.TrailerCluster, cluster),
	}
}

// isApplied reports whether a file may be part of what Flux applies to a cluster: all of its folder but our own sources.
func isApplied(file, cluster string) bool {
	inside, is := strings.CutPrefix(file, control.ClusterDir(cluster)+"/")
	top, _, _ := strings.Cut(inside, "/")
	return is && inside != path.Base(control.ClusterFile(cluster)) && top != "pins" && top != "values"
}
