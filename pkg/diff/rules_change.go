package diff

import (
	"fmt"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// ruleSilenceAdded cannot be silenced.
const ruleSilenceAdded = "silence-added"

// changeRules are about the change as a whole.
func changeRules() []Rule {
	return []Rule{
		{
			ID: "many-clusters", Severity: Medium,
			Finds:   "a component that changes on the clusters of several stages at once",
			Because: "nothing was tried before it reaches production",
			Example: "one commit bumps jobs-api on toolsbeta and on tools",
			check:   wholeCheck(manyClusters),
		},
		{
			ID: "many-components", Severity: Medium,
			Finds:   fmt.Sprintf("%d or more components changed at once", manyComponents),
			Because: "when something breaks, nobody knows which of them it was",
			Example: "a change of releaseDefaults",
			check: wholeCheck(func(c *comparison, components []Component) []wholeRisk {
				named := slices.DeleteFunc(slices.Clone(components), func(component Component) bool { return component.Name == "" })
				if len(named) < manyComponents {
					return nil
				}
				return []wholeRisk{{message: fmt.Sprintf("%d components change at once", len(named)), file: control.RootFile, clusters: c.changedClusters()}}
			}),
		},
		{
			ID: "dependents", Severity: Low,
			Finds:   fmt.Sprintf("a release that %d or more others wait for, directly or through others", manyDependents),
			Because: "while it is not ready, none of them is installed or upgraded",
			Example: "cert-manager",
			check: objectCheck(func(p pair) []string {
				if p.new == nil || !isFlux(p) {
					return nil
				}
				n := dependents(p.cluster.new, p.m.new.ref)
				return one(n >= manyDependents, "%d other releases wait for it", n)
			}),
		},
		{
			ID: ruleSilenceAdded, Severity: Medium,
			Finds:   "a rule that the change itself silences",
			Because: "a reviewer should agree with the reason before the rule is quiet; this rule cannot be silenced",
			Example: "silence: [{rule: data-removed, reason: …}] in component.yaml",
			check:   wholeCheck(silencesAdded),
		},
	}
}

// How many are many.
const (
	manyComponents = 10
	manyDependents = 5
)

func pinFile(clusters []string, component string) string {
	if len(clusters) == 0 {
		return control.RootFile
	}
	return control.PinFile(clusters[0], component)
}

func (c *comparison) changedClusters() []string {
	var names []string
	for _, d := range c.clusters {
		if d.state != Same {
			names = append(names, d.name)
		}
	}
	return names
}

func manyClusters(c *comparison, components []Component) []wholeRisk {
	var found []wholeRisk
	for _, component := range components {
		stages, clusters := map[string]bool{}, map[string]bool{}
		for _, pin := range component.Pins {
			for _, cluster := range pin.Clusters {
				if stage, ok := gatingStage(c.headRepo, cluster); ok {
					stages[stage], clusters[cluster] = true, true
				}
			}
		}
		if len(stages) > 1 {
			names := sortedKeys(clusters)
			found = append(found, wholeRisk{component.Name, "changes at once in the stages " + joinNames(sortedKeys(stages)), pinFile(names, component.Name), names})
		}
	}
	return found
}

// gatingStage is the stage of a cluster; followers gate nothing and do not count.
func gatingStage(repo *control.Repo, cluster string) (string, bool) {
	for _, stage := range repo.Spec.Stages {
		if slices.Contains(stage.Clusters, cluster) {
			return stage.Name, true
		}
	}
	return "", false
}

// dependents counts the releases that wait for one, directly or through others.
func dependents(s *snapshot, of ref) int {
	waiting := map[ref][]ref{}
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
			waiting[target] = append(waiting[target], it.ref)
		}
	}
	seen := map[ref]bool{of: true}
	for queue := []ref{of}; len(queue) > 0; queue = queue[1:] {
		for _, next := range waiting[queue[0]] {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return len(seen) - 1
}

func silencesAdded(c *comparison, _ []Component) []wholeRisk {
	known := map[string]bool{}
	for _, rule := range Rules() {
		known[rule.ID] = true
	}
	var found []wholeRisk
	for _, name := range c.headRepo.ComponentNames() {
		if !c.wanted(name) {
			continue
		}
		var before []v1alpha1.Silence
		if old := c.baseRepo.Components[name]; old != nil {
			before = old.Silence
		}
		for _, silence := range c.headRepo.Components[name].Silence {
			if !slices.Contains(before, silence) {
				message := fmt.Sprintf("the rule %s is silenced: %s", silence.Rule, silence.Reason)
				if !known[silence.Rule] {
					message = fmt.Sprintf("there is no rule %q to silence: docs/reference/risks.md lists them", silence.Rule)
				}
				found = append(found, wholeRisk{name, message, control.ComponentFile(name), c.changedClusters()})
			}
		}
	}
	return found
}
