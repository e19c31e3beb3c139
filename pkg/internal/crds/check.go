package crds

import (
	"context"
	"fmt"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// check runs on obj, which it changes, the steps of a create request with strict field validation, in
// the API server's order: decoding (unknown fields, then defaults), and validation.
func (c *compiled) check(ctx context.Context, obj map[string]any) []FieldError {
	meta, findings := c.decode(obj)
	if meta == nil {
		return findings
	}
	if c.hasStatus {
		delete(obj, "status")
	}
	return append(findings, fieldErrors(c.validate(ctx, meta, obj))...)
}

// decode reports unknown fields, removes them and fills in defaults. Without readable metadata it
// returns nil, and nothing more can be checked.
func (c *compiled) decode(obj map[string]any) (*metav1.ObjectMeta, []FieldError) {
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(obj,
		objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, []FieldError{{Path: "metadata", Reason: TypeInvalid, Message: fmt.Sprintf("cannot be read: %v", err)}}
	}
	if !found {
		meta = &metav1.ObjectMeta{}
	}
	unknown = append(unknown, pruning.PruneWithOptions(obj, c.structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	structuraldefaulting.PruneNonNullableNullsWithoutDefaults(obj, c.structural)
	structuraldefaulting.Default(obj, c.structural)
	return meta, unknownFields(unknown)
}

// validate is the API server's validation of a custom resource on creation. CEL rules run only where
// the schema holds, because they may rely on it.
func (c *compiled) validate(ctx context.Context, meta *metav1.ObjectMeta, obj map[string]any) field.ErrorList {
	errs := apivalidation.ValidateObjectMeta(meta, c.namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	errs = append(errs, validation.ValidateCustomResource(nil, obj, c.schema)...)
	errs = append(errs, objectmeta.Validate(ctx, nil, obj, c.structural, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, c.structural, obj)...)
	if c.cel == nil || blocksRules(errs) {
		return errs
	}
	broken, _ := c.cel.Validate(ctx, nil, c.structural, obj, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, broken...)
}

// blocksRules reports whether a finding is of a kind after which the API server runs no CEL rule.
func blocksRules(errs field.ErrorList) bool {
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong,
			field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		}
	}
	return false
}
