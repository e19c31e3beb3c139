package crds

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Validator checks objects against the definitions of Flux's kinds. A kind is compiled when the first
// object of it is seen, once. It is safe for concurrent use.
type Validator struct {
	kinds map[schema.GroupKind]func() (*kind, error)
}

// kind is a definition with its served versions compiled.
type kind struct {
	served   []string
	versions map[string]*compiled
}

// New returns a Validator for every kind that Known reports. It costs nothing until it is used.
func New() *Validator {
	v := &Validator{kinds: make(map[schema.GroupKind]func() (*kind, error), len(definitionFiles))}
	for gk := range definitionFiles {
		v.kinds[gk] = sync.OnceValues(func() (*kind, error) { return newKind(gk) })
	}
	return v
}

func newKind(gk schema.GroupKind) (*kind, error) {
	crd, err := loadDefinition(gk)
	if err != nil {
		return nil, err
	}
	k := &kind{served: servedVersions(crd), versions: map[string]*compiled{}}
	for _, version := range k.served {
		if k.versions[version], err = compile(gk.WithVersion(version), crd); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Known reports whether objects of the kind are checked. Others (Namespaces, ConfigMaps, people's own
// custom resources) have no definition here and pass Validate without a finding.
func (v *Validator) Known(gk schema.GroupKind) bool {
	_, ok := v.kinds[gk]
	return ok
}

// Validate returns what a Kubernetes API server would refuse obj for on creation, sorted by path; empty
// for an acceptable object and for a kind that is not Known. obj is a decoded JSON object and is not
// changed; numbers may be Go integers, float64 or json.Number.
//
// The error is for what is not the object's fault: a cancelled context, or a definition that does not
// compile.
func (v *Validator) Validate(ctx context.Context, obj map[string]any) ([]FieldError, error) {
	gvk := groupVersionKind(obj)
	load, known := v.kinds[gvk.GroupKind()]
	if !known {
		return nil, nil
	}
	k, err := load()
	if err != nil {
		return nil, err
	}
	c, served := k.versions[gvk.Version]
	if !served {
		return []FieldError{k.notServed(gvk)}, nil
	}
	copied, _ := jsonCopy(obj).(map[string]any) // a copy is of the kind that it is copied from
	found := c.check(ctx, copied)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("validating %q: %w", gvk, err)
	}
	slices.SortStableFunc(found, func(a, b FieldError) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

func (k *kind) notServed(gvk schema.GroupVersionKind) FieldError {
	return FieldError{
		Path:   "apiVersion",
		Reason: NotSupported,
		Value:  gvk.GroupVersion().String(),
		Message: fmt.Sprintf("%s is not served in version %q: accepted: %s/%s",
			gvk.Kind, gvk.Version, gvk.Group, strings.Join(k.served, ", ")),
	}
}

// groupVersionKind reads apiVersion and kind; what is absent or no string gives an empty field, which
// no known kind has.
func groupVersionKind(obj map[string]any) schema.GroupVersionKind {
	apiVersion, _ := obj["apiVersion"].(string)
	kind, _ := obj["kind"].(string)
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}
