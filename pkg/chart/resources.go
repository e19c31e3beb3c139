package chart

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/kinds"
)

// ObjectRef identifies an object in a cluster.
type ObjectRef struct {
	APIVersion string
	Kind       string
	// Namespace is where the object goes: its own, or the release's when it
	// names none. Empty for objects of the whole cluster.
	Namespace string
	Name      string
}

// Resource is one object that Helm applies.
type Resource struct {
	ObjectRef
	// Object is the object as it is sent, with the types of Kubernetes' JSON:
	// integers are int64. A namespace that the manifest leaves out is not in
	// it, as Helm does not add it.
	Object map[string]any
	// Source is the template, with the chart's name in front.
	Source string
	// Hook is set for a hook.
	Hook *Hook
	// CRD reports a file of crds/, which is applied before everything else and
	// never deleted.
	CRD bool
}

// Hook says when a hook runs. Hooks are no part of the release: Helm makes and
// deletes them around an action.
type Hook struct {
	// Events are those of Helm, such as pre-upgrade and test.
	Events []string
	// Weight orders the hooks of an event.
	Weight int
	// DeletePolicies as written; none means before-hook-creation.
	DeletePolicies []string
	// Runs reports whether the hook runs in the action that was expanded, or in
	// the tests that the HelmRelease has enabled after it.
	Runs bool
}

// hookEvents are the names that Helm knows. A resource with another one is
// dropped by Helm.
var hookEvents = map[string]helmrelease.HookEvent{
	"pre-install":   helmrelease.HookPreInstall,
	"post-install":  helmrelease.HookPostInstall,
	"pre-upgrade":   helmrelease.HookPreUpgrade,
	"post-upgrade":  helmrelease.HookPostUpgrade,
	"pre-delete":    helmrelease.HookPreDelete,
	"post-delete":   helmrelease.HookPostDelete,
	"pre-rollback":  helmrelease.HookPreRollback,
	"post-rollback": helmrelease.HookPostRollback,
	"test":          helmrelease.HookTest,
	"test-success":  helmrelease.HookTest, // Helm 2's name
}

// hookOf reads an object's hook annotations. known is false for a hook with an
// event that Helm does not know.
func hookOf(fields map[string]any) (hook *Hook, known bool) {
	annotations := annotationsOf(fields)
	events, ok := annotations[helmrelease.HookAnnotation].(string)
	if !ok {
		return nil, true
	}
	hook = &Hook{}
	for _, name := range commaList(events) {
		event, ok := hookEvents[name]
		if !ok {
			return nil, false
		}
		hook.Events = append(hook.Events, event.String())
	}
	weight, _ := annotations[helmrelease.HookWeightAnnotation].(string)
	hook.Weight, _ = strconv.Atoi(weight)
	if policies, ok := annotations[helmrelease.HookDeleteAnnotation].(string); ok {
		hook.DeletePolicies = commaList(policies)
	}
	return hook, true
}

func annotationsOf(fields map[string]any) map[string]any {
	metadata, _ := fields["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	return annotations
}

// commaList splits as Helm does: trimmed and in lower case.
func commaList(text string) []string {
	parts := strings.Split(text, ",")
	for i, p := range parts {
		parts[i] = strings.ToLower(strings.TrimSpace(p))
	}
	return parts
}

// runs reports whether a hook takes part in an action of a HelmRelease.
func (h *Hook) runs(hr *helmv2.HelmRelease, upgrade bool) bool {
	action, disabled := "install", hr.GetInstall().DisableHooks
	if upgrade {
		action, disabled = "upgrade", hr.GetUpgrade().DisableHooks
	}
	during := slices.Contains(h.Events, "pre-"+action) || slices.Contains(h.Events, "post-"+action)
	return during && !disabled || slices.Contains(h.Events, "test") && hr.GetTest().Enable
}

// resourcesOf makes resources of objects: first those of the release in Helm's
// order, then its hooks by weight and name.
func resourcesOf(objects []object) []Resource {
	var own, hooks []Resource
	for _, o := range objects {
		hook, known := hookOf(o.fields)
		if !known {
			continue
		}
		r := newResource(o)
		if r.Hook = hook; hook == nil {
			own = append(own, r)
		} else {
			hooks = append(hooks, r)
		}
	}
	slices.SortStableFunc(hooks, func(a, b Resource) int {
		return cmp.Or(cmp.Compare(a.Hook.Weight, b.Hook.Weight), cmp.Compare(a.Name, b.Name))
	})
	return append(own, hooks...)
}

func newResource(o object) Resource {
	text := func(m map[string]any, key string) string { s, _ := m[key].(string); return s }
	metadata, _ := o.fields["metadata"].(map[string]any)
	return Resource{
		ObjectRef: ObjectRef{
			APIVersion: text(o.fields, "apiVersion"),
			Kind:       text(o.fields, "kind"),
			Namespace:  text(metadata, "namespace"),
			Name:       text(metadata, "name"),
		},
		Object: o.fields,
		Source: o.source,
	}
}

// crds returns the CustomResourceDefinitions in the crds/ directories, labelled
// as helm-controller does. It post-renders none of them and ignores everything
// else in these directories, which is a warning.
func crds(c *helmchart.Chart, hr *helmv2.HelmRelease) (found []Resource, warnings []string, err error) {
	var files []document
	for _, f := range c.CRDObjects() {
		files = append(files, document{source: f.Filename, text: string(f.File.Data)})
	}
	objects, err := parseAsHelm(files)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range objects {
		r := newResource(o)
		if !isCRD(r.ObjectRef) {
			warnings = append(warnings, fmt.Sprintf("%s: %s %q is left out: crds/ is for CustomResourceDefinitions", r.Source, r.Kind, r.Name))
			continue
		}
		setMetadata(r.Object, "labels", originLabels(hr))
		r.CRD = true
		found = append(found, r)
	}
	return found, warnings, nil
}

func isCRD(ref ObjectRef) bool {
	return ref.Kind == "CustomResourceDefinition" && strings.HasPrefix(ref.APIVersion, "apiextensions.k8s.io/")
}

// parseAsHelm reads documents as Helm's own client does, past kustomize.
func parseAsHelm(documents []document) ([]object, error) {
	var all []object
	for _, d := range documents {
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(append([]byte(d.text), '\n'))))
		for {
			text, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", d.source, err)
			}
			objects, err := parseOne(d.source, text)
			if err != nil {
				return nil, err
			}
			all = append(all, objects...)
		}
	}
	return all, nil
}

// parseOne reads one document; a list gives its items.
func parseOne(source string, text []byte) ([]object, error) {
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if string(asJSON) == "null" {
		return nil, nil
	}
	fields := map[string]any{}
	if err := utiljson.Unmarshal(asJSON, &fields); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	items, isList := fields["items"].([]any)
	if !isList {
		return []object{{source, fields}}, nil
	}
	var all []object
	for i, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: items[%d] is no object", source, i)
		}
		all = append(all, object{source, fields})
	}
	return all, nil
}

// placeIn sets the namespace that each resource goes to. A kind that neither
// Kubernetes, nor a CRD in the list, nor the caller knows is taken to be
// namespaced.
func placeIn(namespace string, resources []Resource, clusterScoped []schema.GroupKind) {
	scoped := map[schema.GroupKind]bool{}
	for _, kind := range clusterScoped {
		scoped[kind] = true
	}
	for _, r := range resources {
		if kind, cluster, ok := definedKind(r); ok {
			scoped[kind] = cluster
		}
	}
	for i := range resources {
		r := &resources[i]
		gvk := schema.FromAPIVersionAndKind(r.APIVersion, r.Kind)
		namespaced, builtin := kinds.Scope(gvk)
		switch {
		case builtin && !namespaced, !builtin && scoped[gvk.GroupKind()]:
			r.Namespace = ""
		case r.Namespace == "":
			r.Namespace = namespace
		}
	}
}

// definedKind reads which kind a CustomResourceDefinition defines.
func definedKind(r Resource) (kind schema.GroupKind, cluster, ok bool) {
	if !isCRD(r.ObjectRef) {
		return kind, false, false
	}
	spec, _ := r.Object["spec"].(map[string]any)
	names, _ := spec["names"].(map[string]any)
	kind.Group, _ = spec["group"].(string)
	kind.Kind, _ = names["kind"].(string)
	return kind, spec["scope"] == "Cluster", true
}
