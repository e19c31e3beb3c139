package validate

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/kinds"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
)

// unplaced finds objects without the namespace that their kind needs. Flux's own kinds are for the rule invalid-object, and
// kinds that neither Kubernetes has nor the build defines are let through: only the cluster knows.
func (c *clusterCheck) unplaced() {
	defined := definedScopes(c.build.Objects)
	for _, object := range c.build.Objects {
		kind := kindOf(object)
		if object.Namespace() != "" || c.validator.Known(kind.GroupKind()) {
			continue
		}
		namespaced, known := defined[kind.GroupKind()]
		if !known {
			namespaced, _ = kinds.Scope(kind)
		}
		if namespaced {
			c.find(RuleUnplacedObject, object, fmt.Sprintf("the %s %q names no namespace", object.Kind(), object.Name()),
				"write its namespace under metadata (a generator has the field namespace): Flux puts in none")
		}
	}
}

// definedScopes are the kinds that CustomResourceDefinitions of a build define, and whether their objects have a namespace.
func definedScopes(objects []overlay.Object) map[schema.GroupKind]bool {
	defined := map[schema.GroupKind]bool{}
	for _, object := range objects {
		if kindOf(object).GroupKind() != (schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}) {
			continue
		}
		spec, _ := object.Content["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		defined[schema.GroupKind{Group: group, Kind: kind}] = spec["scope"] == "Namespaced"
	}
	return defined
}

func kindOf(object overlay.Object) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(object.APIVersion(), object.Kind())
}
