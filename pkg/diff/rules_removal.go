package diff

import (
	"fmt"
	"slices"
)

// removalRules are about objects that are deleted. Objects that Flux or Helm are told to keep do not count.
func removalRules() []Rule {
	removal := func(id string, severity Severity, because, example string, kinds ...string) Rule {
		return Rule{
			ID: id, Severity: severity, Because: because, Example: example,
			Finds: "a deleted " + listKinds(kinds),
			check: objectCheck(func(p pair) []string {
				return one(p.removed() && slices.Contains(kinds, textAt(p.old, "kind")), "it is deleted")
			}),
		}
	}
	return []Rule{
		removal("data-removed", High, "the data goes with it, or is left without what used it", "the StatefulSet loki is renamed",
			"StatefulSet", "PersistentVolumeClaim", "PersistentVolume", "StorageClass"),
		removal("namespace-removed", High, "everything in the namespace is deleted, also what others put there", "Namespace jobs-api", "Namespace"),
		removal("crd-removed", High, "every object of the kind is deleted, on the whole cluster", "CustomResourceDefinition certificates.cert-manager.io", "CustomResourceDefinition"),
		removal("network-policy-removed", High, "what the policy kept apart can talk again", "NetworkPolicy deny-all", "NetworkPolicy", "GlobalNetworkPolicy"),
		removal("disruption-budget-removed", Medium, "draining a node may stop every pod at once", "PodDisruptionBudget api-gateway", "PodDisruptionBudget"),
		{
			ID: "many-removed", Severity: High,
			Finds:   fmt.Sprintf("%d or more objects deleted on one cluster", manyRemoved),
			Because: "that many at once is more often a mistake than meant",
			Example: "resources: [] in a cluster's kustomization.yaml",
			check:   clusterCheck(manyObjectsRemoved),
		},
	}
}

// manyRemoved is how many deleted objects are many.
const manyRemoved = 20

func manyObjectsRemoved(d *clusterDiff) []string {
	n := 0
	count := func(m matched, r *releaseDiff) {
		p := pair{cluster: d, release: r, m: m}
		if m.old != nil {
			p.old = m.old.content
		}
		if m.new != nil {
			p.new = m.new.content
		}
		if p.removed() && !m.renamed {
			n++
		}
	}
	for _, m := range d.flux {
		count(m, nil)
	}
	for _, r := range d.releases {
		for _, m := range r.objects {
			count(m, r)
		}
	}
	return one(n >= manyRemoved, "%d objects are deleted", n)
}

func listKinds(kinds []string) string {
	if len(kinds) == 1 {
		return kinds[0]
	}
	text := kinds[0]
	for _, kind := range kinds[1 : len(kinds)-1] {
		text += ", " + kind
	}
	return text + " or " + kinds[len(kinds)-1]
}
