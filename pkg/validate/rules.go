package validate

import (
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// The ids of this package's rules.
const (
	RuleNotRendered     = "not-rendered"
	RuleBuild           = "build"
	RuleRemoteResource  = "remote-resource"
	RuleClearTextSecret = "clear-text-secret"
	RuleFluxNotListed   = "flux-not-listed"
	RuleValuesChanged   = "values-changed"
	RuleInvalidObject   = "invalid-object"
	RuleUnplacedObject  = "unplaced-object"
	RulePruned          = "pruned"
)

// Rules returns every rule that validate knows, those of the packages before it included.
func Rules() []control.Rule {
	return slices.Concat(control.Rules(), render.Rules(), []control.Rule{
		{ID: RuleNotRendered, Severity: control.Error, Finds: "files in clusters/*/manifests that are not what render writes", Because: "Flux would deploy something else than the pins say"},
		{ID: RuleBuild, Severity: control.Error, Finds: "an overlay that kustomize cannot build", Because: "Flux would stop deploying to the cluster"},
		{ID: RuleRemoteResource, Severity: control.Error, Finds: "an overlay that takes resources from elsewhere", Because: "the cluster would change by surprise, and what is reviewed is not what is deployed"},
		{ID: RuleClearTextSecret, Severity: control.Error, Finds: "a Secret that is not encrypted (SOPS)", Because: "everyone who can read the repo could read it"},
		{ID: RuleFluxNotListed, Severity: control.Error, Finds: "a flux-system folder that the cluster's kustomization.yaml does not list", Because: "Flux would prune itself"},
		{ID: RuleValuesChanged, Severity: control.Error, Finds: "Helm values that an overlay's build changes", Because: "the chart would get other values than were reviewed; change values in the repo's values files"},
		{ID: RuleInvalidObject, Severity: control.Error, Finds: "a Flux object that the API server would refuse", Because: "Flux would stop deploying to the cluster"},
		{ID: RuleUnplacedObject, Severity: control.Error, Finds: "an object without the namespace that its kind needs", Because: "Flux would apply nothing to the cluster, neither this object nor any other"},
		{ID: RulePruned, Severity: control.Error, Finds: "an object of a protected component that Flux would prune", Because: "it would be deleted with its file"},
	})
}
