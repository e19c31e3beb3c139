package crds

import (
	"fmt"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuralcel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// compiled is one version of one kind, ready to check objects. It is read-only once made.
type compiled struct {
	gvk        schema.GroupVersionKind
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	cel        *structuralcel.Validator // nil where the kind has no rules
	namespaced bool
	hasStatus  bool // status is a subresource, which the API server drops from what is created
}

// compile prepares the checks of one version of a kind as the API server does when it serves it.
func compile(gvk schema.GroupVersionKind, crd *apiextensions.CustomResourceDefinition) (*compiled, error) {
	validationSchema, err := apiextensions.GetSchemaForVersion(crd, gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("finding the schema of %q: %w", gvk, err)
	}
	structural, err := structuralschema.NewStructural(validationSchema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("making the structural schema of %q: %w", gvk, err)
	}
	if err := structuraldefaulting.PruneDefaults(structural); err != nil {
		return nil, fmt.Errorf("pruning the defaults of %q: %w", gvk, err)
	}
	schemaValidator, _, err := validation.NewSchemaValidator(validationSchema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema of %q: %w", gvk, err)
	}
	subresources, err := apiextensions.GetSubresourcesForVersion(crd, gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("finding the subresources of %q: %w", gvk, err)
	}
	return &compiled{
		gvk:        gvk,
		structural: structural,
		schema:     schemaValidator,
		cel:        structuralcel.NewValidator(structural, true, celconfig.PerCallLimit),
		namespaced: crd.Spec.Scope == apiextensions.NamespaceScoped,
		hasStatus:  subresources != nil && subresources.Status != nil,
	}, nil
}

// servedVersions are the API versions in which a definition may be used.
func servedVersions(crd *apiextensions.CustomResourceDefinition) []string {
	var versions []string
	for _, v := range crd.Spec.Versions {
		if v.Served {
			versions = append(versions, v.Name)
		}
	}
	slices.Sort(versions)
	return versions
}
