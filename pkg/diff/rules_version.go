package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
)

// versionRules are about versions: of charts and of Kubernetes' APIs.
func versionRules() []Rule {
	return []Rule{
		{
			ID: "api-removed", Severity: High,
			Finds:   "an object of an API that the cluster's Kubernetes version no longer has",
			Because: "the API server refuses it",
			Example: "policy/v1beta1 PodDisruptionBudget on Kubernetes 1.32",
			check:   objectCheck(apiRemoved),
		},
		{
			ID: "major-version", Severity: Medium,
			Finds:   "a chart whose major version changes, or whose minor version does while the major is 0 and it is no build of a commit",
			Because: "that is how charts announce that something breaks",
			Example: "kyverno 3.4.1 → 4.0.0",
			check:   wholeCheck(majorVersions),
		},
		{
			ID: "older-version", Severity: Medium,
			Finds:   "a chart that is replaced by an older one",
			Because: "it is a rollback, or a change that was made on an old state",
			Example: "0.0.202-… → 0.0.201-…",
			check:   wholeCheck(olderVersions),
		},
	}
}

// goneKinds are kinds that Kubernetes' client no longer knows, with the release that dropped them.
var goneKinds = map[schema.GroupKind]string{
	{Group: "policy", Kind: "PodSecurityPolicy"}:     "1.25.0",
	{Group: "extensions", Kind: "PodSecurityPolicy"}: "1.16.0",
}

func apiRemoved(p pair) []string {
	if p.new == nil || p.cluster.new == nil || p.both() && p.old["apiVersion"] == p.new["apiVersion"] && sameKubernetes(p.cluster) {
		return nil
	}
	gvk := schema.FromAPIVersionAndKind(textAt(p.new, "apiVersion"), p.kind())
	running, err := semver.NewVersion(p.cluster.new.cluster.KubeVersion)
	if err != nil {
		return nil
	}
	gone := removedIn(gvk)
	return one(gone != nil && !running.LessThan(gone), "%s %s is gone since Kubernetes %d.%d", gvk.GroupVersion(), gvk.Kind, majorOf(gone), minorOf(gone))
}

func majorOf(v *semver.Version) uint64 {
	if v == nil {
		return 0
	}
	return v.Major()
}

func minorOf(v *semver.Version) uint64 {
	if v == nil {
		return 0
	}
	return v.Minor()
}

func sameKubernetes(d *clusterDiff) bool {
	return d.old != nil && d.new != nil && d.old.cluster.KubeVersion == d.new.cluster.KubeVersion
}

// removedIn is the release of Kubernetes without an API, nil where there is none yet. The life cycle is in Kubernetes' types.
func removedIn(gvk schema.GroupVersionKind) *semver.Version {
	if text, gone := goneKinds[gvk.GroupKind()]; gone {
		return semver.MustParse(text)
	}
	object, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil
	}
	if lifecycle, ok := object.(interface{ APILifecycleRemoved() (major, minor int) }); ok {
		major, minor := lifecycle.APILifecycleRemoved()
		return semver.New(uint64(max(major, 0)), uint64(max(minor, 0)), 0, "", "")
	}
	return nil
}

// versionChange is one version that takes another's place, on some clusters.
type versionChange struct {
	component string
	clusters  []string
	Version
}

func (v versionChange) name() string {
	if v.Release == "" {
		return v.component
	}
	return v.Release
}

func versionChanges(components []Component) []versionChange {
	var found []versionChange
	for _, component := range components {
		for _, pin := range component.Pins {
			for _, version := range pin.Versions {
				if version.Old != "" && version.New != "" {
					found = append(found, versionChange{component.Name, pin.Clusters, version})
				}
			}
		}
	}
	return found
}

func majorVersions(_ *comparison, components []Component) []wholeRisk {
	return versionRisks(components, "%s: %s → %s is a version that may break things", func(old, new *semver.Version, v versionChange) bool {
		isBuild := !artifact.VersionTime(v.New).IsZero()
		return old.Major() != new.Major() || new.Major() == 0 && old.Minor() != new.Minor() && !isBuild
	})
}

func olderVersions(_ *comparison, components []Component) []wholeRisk {
	return versionRisks(components, "%s: %s → %s goes back", func(old, new *semver.Version, v versionChange) bool {
		if from, to := artifact.VersionTime(v.Old), artifact.VersionTime(v.New); !from.IsZero() && !to.IsZero() {
			return to.Before(from)
		}
		return new.LessThan(old)
	})
}

func versionRisks(components []Component, format string, risky func(old, new *semver.Version, v versionChange) bool) []wholeRisk {
	var found []wholeRisk
	for _, v := range versionChanges(components) {
		old, errOld := semver.NewVersion(v.Old)
		new, errNew := semver.NewVersion(v.New)
		if errOld == nil && errNew == nil && risky(old, new, v) {
			found = append(found, wholeRisk{v.component, fmt.Sprintf(format, v.name(), v.Old, v.New), pinFile(v.clusters, v.component), v.clusters})
		}
	}
	return found
}

// joinNames lists names for people.
func joinNames(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), ", ") }
