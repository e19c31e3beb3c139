package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// fieldManager is the name under which the tests apply objects.
const fieldManager = "e2e"

func (c *Cluster) connect() error {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, apiextensionsv1.AddToScheme, sourcev1.AddToScheme, kustomizev1.AddToScheme, helmv2.AddToScheme,
	} {
		if err := add(all); err != nil {
			return err
		}
	}
	var err error
	if c.Client, err = client.New(c.config, client.Options{Scheme: all}); err != nil {
		return err
	}
	config := rest.CopyConfig(c.config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	c.raw, err = rest.UnversionedRESTClientFor(config)
	return err
}

// Apply applies one object as Flux does, with server-side apply, in its bytes as they are; unlike Flux it has the API server
// refuse unknown and duplicate fields. The error is the API server's.
func (c *Cluster) Apply(ctx context.Context, object []byte) error {
	var head unstructured.Unstructured
	if err := yaml.Unmarshal(object, &head.Object); err != nil {
		return err
	}
	where, err := c.pathOf(head.GroupVersionKind(), client.ObjectKeyFromObject(&head))
	if err != nil {
		return err
	}
	return c.raw.Patch(types.ApplyYAMLPatchType).AbsPath(where).
		Param("fieldManager", fieldManager).Param("force", "true").Param("fieldValidation", metav1.FieldValidationStrict).
		Body(object).Do(ctx).Error()
}

// ApplyYAML applies every document of a YAML text in its order.
func (c *Cluster) ApplyYAML(ctx context.Context, text string) error {
	for document := range strings.SplitSeq(text, "\n---\n") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		if err := c.Apply(ctx, []byte(document)); err != nil {
			return fmt.Errorf("applying %.200q: %w", document, err)
		}
	}
	return nil
}

// JSON returns an object as the API server stores it, in its bytes as they are.
func (c *Cluster) JSON(ctx context.Context, kind schema.GroupVersionKind, key client.ObjectKey) ([]byte, error) {
	where, err := c.pathOf(kind, key)
	if err != nil {
		return nil, err
	}
	return c.raw.Get().AbsPath(where).Do(ctx).Raw()
}

func (c *Cluster) pathOf(kind schema.GroupVersionKind, key client.ObjectKey) (string, error) {
	mapping, err := c.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return "", err
	}
	prefix := "/apis/" + kind.GroupVersion().String()
	if kind.Group == "" {
		prefix = "/api/" + kind.Version
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		prefix = path.Join(prefix, "namespaces", key.Namespace)
	}
	return path.Join(prefix, mapping.Resource.Resource, key.Name), nil
}

// OwnKinds are the kinds of objects that the API server serves without a CustomResourceDefinition, and whether their objects
// live in a namespace.
func (c *Cluster) OwnKinds(ctx context.Context) (map[schema.GroupVersionKind]bool, error) {
	var definitions apiextensionsv1.CustomResourceDefinitionList
	if err := c.List(ctx, &definitions); err != nil {
		return nil, err
	}
	custom := map[string]bool{}
	for _, definition := range definitions.Items {
		custom[definition.Spec.Group] = true
	}
	asked, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return nil, err
	}
	_, lists, err := asked.ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	kinds := map[schema.GroupVersionKind]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			isObject := slices.Contains(resource.Verbs, "patch") && !strings.Contains(resource.Name, "/")
			if isObject && !custom[version.Group] {
				kinds[version.WithKind(resource.Kind)] = resource.Namespaced
			}
		}
	}
	return kinds, nil
}

// awaitKinds waits until the API server serves the kinds of every CustomResourceDefinition.
func (c *Cluster) awaitKinds(ctx context.Context) error {
	return Poll(ctx, "the API server to serve Flux's kinds", func(ctx context.Context) error {
		var all apiextensionsv1.CustomResourceDefinitionList
		if err := c.List(ctx, &all); err != nil {
			return err
		}
		for _, definition := range all.Items {
			if !slices.ContainsFunc(definition.Status.Conditions, isEstablished) {
				return fmt.Errorf("%s is not established", definition.Name)
			}
			for _, version := range definition.Spec.Versions {
				served := path.Join("/apis", definition.Spec.Group, version.Name, definition.Spec.Names.Plural)
				if err := c.raw.Get().AbsPath(served).Param("limit", "1").Do(ctx).Error(); err != nil {
					return fmt.Errorf("%s: %w", served, err)
				}
			}
		}
		return nil
	})
}

func isEstablished(condition apiextensionsv1.CustomResourceDefinitionCondition) bool {
	return condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue
}

// fluxGroups are the API groups of Flux's kinds.
var fluxGroups = []string{"kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "source.toolkit.fluxcd.io"}

// Empty removes every object of Flux's kinds, whatever holds it, and what Helm installed stays.
func (c *Cluster) Empty(ctx context.Context) error {
	if c.lent {
		return errors.New("a cluster that somebody lends is not emptied")
	}
	var all apiextensionsv1.CustomResourceDefinitionList
	if err := c.List(ctx, &all); err != nil {
		return err
	}
	for _, definition := range all.Items {
		if !slices.Contains(fluxGroups, definition.Spec.Group) {
			continue
		}
		kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: storedVersion(&definition), Kind: definition.Spec.Names.ListKind}
		if err := c.emptyKind(ctx, kind); err != nil {
			return fmt.Errorf("removing every %s: %w", definition.Spec.Names.Kind, err)
		}
	}
	return nil
}

func storedVersion(definition *apiextensionsv1.CustomResourceDefinition) string {
	for _, version := range definition.Spec.Versions {
		if version.Storage {
			return version.Name
		}
	}
	return ""
}

func (c *Cluster) emptyKind(ctx context.Context, kind schema.GroupVersionKind) error {
	return Poll(ctx, "no "+kind.Kind, func(ctx context.Context) error {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, &list); err != nil {
			return err
		}
		for i := range list.Items {
			if err := c.remove(ctx, &list.Items[i]); err != nil {
				return err
			}
		}
		if len(list.Items) > 0 {
			return fmt.Errorf("%d are left", len(list.Items))
		}
		return nil
	})
}

// remove deletes an object without its finalizers: no controller is to act on it.
func (c *Cluster) remove(ctx context.Context, object client.Object) error {
	if len(object.GetFinalizers()) > 0 {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
		if err := c.Patch(ctx, object, patch); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return client.IgnoreNotFound(c.Delete(ctx, object))
}

// Poll asks until there is no error, and fails with the last one when the context ends. It says what was waited for.
func Poll(ctx context.Context, what string, ready func(context.Context) error) error {
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if waited := pause(ctx, pollInterval); waited != nil {
			return fmt.Errorf("waiting for %s: %w; last: %w", what, waited, err)
		}
	}
}

const pollInterval = 100 * time.Millisecond

// Status is the HTTP status of an API server's refusal; 0 where the error is another.
func Status(err error) int {
	var refused interface{ Status() metav1.Status }
	if errors.As(err, &refused) {
		return int(refused.Status().Code)
	}
	return 0
}

// IsRefusal reports whether the API server found an object wrong, rather than failed.
func IsRefusal(err error) bool {
	return Status(err) == http.StatusUnprocessableEntity || Status(err) == http.StatusBadRequest || Status(err) == http.StatusInternalServerError && strings.Contains(err.Error(), "failed to create typed patch object")
}
