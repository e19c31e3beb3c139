package diff

import (
	"errors"
	"fmt"
	"slices"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
)

// releaseRules are about what Flux does with a whole Helm release.
func releaseRules() []Rule { //nolint:funlen // a table
	return []Rule{
		{
			ID: "release-removed", Severity: High,
			Finds:   "a HelmRelease that is no longer there",
			Because: "Flux uninstalls the release: every object of it is deleted",
			Example: "components/cert-manager is removed from a cluster",
			check: objectCheck(func(p pair) []string {
				return one(p.old != nil && isHelmRelease(p.m.old) && p.removed(), "the release %q is no longer there", releaseName(p.old))
			}),
		},
		{
			ID: "release-moved", Severity: High,
			Finds:   "a HelmRelease whose releaseName, targetNamespace or storageNamespace changes",
			Because: "Flux uninstalls the old release, with all its objects, before it installs the new one",
			Example: "spec.targetNamespace: jobs-api → jobs",
			check:   objectCheck(releaseMoved),
		},
		{
			ID: "chart-renamed", Severity: High,
			Finds:   "a HelmRelease with another chart, where chartNameChangeStrategy is not InPlaceUpdate",
			Because: "Flux uninstalls the release before it installs the other chart",
			Example: "spec.chart.spec.chart: loki → loki-stack",
			check:   objectCheck(func(p pair) []string { return chartRenamed(p, false) }),
		},
		{
			ID: "chart-replaced", Severity: Medium,
			Finds:   "a HelmRelease with another chart, upgraded in place",
			Because: "what the old chart made and the new one does not is deleted",
			Example: "spec.chart.spec.chart: loki → loki-stack",
			check:   objectCheck(func(p pair) []string { return chartRenamed(p, true) }),
		},
		{
			ID: "release-suspended", Severity: Medium,
			Finds:   "a HelmRelease that is suspended",
			Because: "Flux changes nothing of it any more, and corrects nothing, until it is resumed",
			Example: "spec.suspend: true",
			check: objectCheck(func(p pair) []string {
				return one(p.new != nil && isFlux(p) && suspended(p.new) && !suspended(p.old), "Flux stops reconciling it")
			}),
		},
		{
			ID: "release-resumed", Severity: Low,
			Finds:   "a HelmRelease that is no longer suspended",
			Because: "everything that waited is applied at once",
			Example: "spec.suspend: true → false",
			check: objectCheck(func(p pair) []string {
				return one(p.both() && isFlux(p) && suspended(p.old) && !suspended(p.new), "Flux reconciles it again, with all that changed meanwhile")
			}),
		},
		{
			ID: "depends-on-missing", Severity: High,
			Finds:   "a dependsOn that names nothing on the cluster",
			Because: "Flux waits for it for ever, and never installs or upgrades the release",
			Example: "spec.dependsOn: [{name: cert-manger}]",
			check:   clusterCheck(dependsOnMissing),
		},
		{
			ID: "flux-not-listed", Severity: High,
			Finds:   "a cluster whose kustomization no longer leads to Flux's own manifests",
			Because: "Flux deletes itself",
			Example: "resources: [manifests] without flux-system",
			check: clusterCheck(func(d *clusterDiff) []string {
				return one(d.new != nil && d.new.unlisted, "the folder flux-system is there, and resources: does not list it")
			}),
		},
		{
			ID: "values-schema", Severity: High,
			Finds:   "values that break the chart's values.schema.json",
			Because: "Helm refuses to install or upgrade the release",
			Example: "replicas: many, where the schema wants an integer",
			check:   releaseCheck(func(r *releaseDiff) []string { return failedWith(r, chart.ErrSchema) }),
		},
		{
			ID: "chart-kube-version", Severity: High,
			Finds:   "a chart that does not support the cluster's Kubernetes version",
			Because: "Helm refuses to install or upgrade the release",
			Example: "kubeVersion: \">=1.33\" in Chart.yaml, on a cluster of 1.32.4",
			check:   releaseCheck(func(r *releaseDiff) []string { return failedWith(r, chart.ErrKubeVersion) }),
		},
		{
			ID: "values-unknown", Severity: Medium,
			Finds:   "a value for which the old chart had a default and the new one has none",
			Because: "the chart has probably renamed it, and what is set here is ignored",
			Example: "image.tag is set, and the new chart has images.app.tag",
			check:   releaseCheck(valuesUnknown),
		},
	}
}

func isFlux(p pair) bool { return p.release == nil && isHelmRelease(p.m.any()) }

func releaseName(hr map[string]any) string {
	if name := textAt(hr, "spec", "releaseName"); name != "" {
		return name
	}
	return textAt(hr, "metadata", "name")
}

func suspended(hr map[string]any) bool { s, _ := at(hr, "spec", "suspend").(bool); return s }

func releaseMoved(p pair) []string {
	if !p.both() || !isFlux(p) {
		return nil
	}
	var found []string
	for _, field := range []string{"releaseName", "targetNamespace", "storageNamespace"} {
		if old, new := textAt(p.old, "spec", field), textAt(p.new, "spec", field); old != new {
			found = append(found, fmt.Sprintf("spec.%s: %s → %s", field, orNone(old), orNone(new)))
		}
	}
	return found
}

func chartRenamed(p pair, inPlace bool) []string {
	if !p.both() || !isFlux(p) {
		return nil
	}
	old, new := textAt(p.old, "spec", "chart", "spec", "chart"), textAt(p.new, "spec", "chart", "spec", "chart")
	strategy := textAt(p.new, "spec", "upgrade", "chartNameChangeStrategy")
	isInPlace := strategy == string(helmv2.ChartNameChangeStrategyInPlaceUpdate)
	return one(old != "" && new != "" && old != new && isInPlace == inPlace, "the chart %s takes the place of %s", new, old)
}

// dependsOnMissing finds references that are new, or whose target went away.
func dependsOnMissing(d *clusterDiff) []string {
	if d.new == nil {
		return nil
	}
	before := map[string]bool{}
	if d.old != nil {
		note(before, missingDependencies(d.old))
	}
	return slices.DeleteFunc(missingDependencies(d.new), func(message string) bool { return before[message] })
}

func missingDependencies(s *snapshot) []string {
	var found []string
	for i := range s.items {
		it := &s.items[i]
		if !isHelmRelease(it) {
			continue
		}
		for _, dependency := range listAt(it.content, "spec", "dependsOn") {
			target := it.ref
			target.name = textAt(asMap(dependency), "name")
			if namespace := textAt(asMap(dependency), "namespace"); namespace != "" {
				target.namespace = namespace
			}
			if s.find(target) == nil {
				found = append(found, fmt.Sprintf("HelmRelease %q waits for %q, which is not there", it.ref.name, target.name))
			}
		}
	}
	return found
}

func failedWith(r *releaseDiff, reason error) []string {
	for _, err := range r.errors {
		if errors.Is(err, reason) {
			return []string{err.Error()}
		}
	}
	return nil
}

// maxUnknownValues bounds how many values are listed for one release.
const maxUnknownValues = 20

func valuesUnknown(r *releaseDiff) []string {
	paths := r.unknown
	if len(paths) > maxUnknownValues {
		paths = append(slices.Clone(paths[:maxUnknownValues]), fmt.Sprintf("and %d more", len(paths)-maxUnknownValues))
	}
	var found []string
	for _, path := range paths {
		found = append(found, fmt.Sprintf("the value %s is set, and the new chart has no default for it", path))
	}
	return found
}

func unknownValues(given, old, new map[string]any, path string) []string {
	var found []string
	for key, value := range given {
		oldDefault, before := old[key]
		newDefault, now := new[key]
		switch {
		case before && !now:
			found = append(found, path+key)
		case len(asMap(newDefault)) > 0:
			found = append(found, unknownValues(asMap(value), asMap(oldDefault), asMap(newDefault), path+key+".")...)
		}
	}
	return found
}
