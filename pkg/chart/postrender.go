package chart

import (
	"fmt"
	"slices"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// helm-controller sends what the templates wrote through kustomize, always: the
// origin labels are added by it. So kustomize reads the documents here too, and
// what it makes of a date or refuses as a duplicate is the same. It reads and
// writes each document once, not once a step.

// object is a resource after post-rendering.
type object struct {
	source string
	fields map[string]any
}

// postRender turns documents into objects as spec.postRenderers, commonMetadata
// and postRenderStrategy say.
func postRender(hr *helmv2.HelmRelease, documents []document) ([]object, error) {
	switch strategy := hr.GetPostRenderStrategy(); strategy {
	case "", helmv2.PostRenderStrategyCombined:
		return renderGroup(hr, documents)
	case helmv2.PostRenderStrategySeparate:
		return inTwo(documents,
			func(d []document) ([]object, error) { return renderGroup(hr, d) },
			func(d []document) ([]object, error) { return renderGroup(hr, d) })
	case helmv2.PostRenderStrategyNoHooks:
		return inTwo(documents,
			func(d []document) ([]object, error) { return renderGroup(hr, d) },
			parseAsHelm)
	default:
		return nil, fmt.Errorf("postRenderStrategy %q: want combined, separate or nohooks", strategy)
	}
}

// inTwo handles a release's own documents and its hooks apart.
func inTwo(documents []document, own, hooks func([]document) ([]object, error)) ([]object, error) {
	var groups [2][]document
	for _, d := range documents {
		if d.hook {
			groups[1] = append(groups[1], d)
		} else {
			groups[0] = append(groups[0], d)
		}
	}
	objects, err := own(groups[0])
	if err != nil {
		return nil, err
	}
	more, err := hooks(groups[1])
	return append(objects, more...), err
}

// renderGroup runs one group of documents through every post-renderer.
func renderGroup(hr *helmv2.HelmRelease, documents []document) ([]object, error) {
	resources, err := parse(documents)
	if err != nil {
		return nil, err
	}
	for i, renderer := range hr.Spec.PostRenderers {
		if renderer.Kustomize == nil {
			continue
		}
		if resources, err = kustomizeWhere(renderer.Kustomize, resources); err != nil {
			return nil, fmt.Errorf("postRenderers[%d]: %w", i, err)
		}
	}
	objects := make([]object, len(resources))
	for i, r := range resources {
		if err := r.decode(); err != nil {
			return nil, err
		}
		addMetadata(hr, r.fields)
		objects[i] = object{source: r.source, fields: r.fields}
	}
	return objects, nil
}

// located is a resource that knows the template it came from.
type located struct {
	*resource.Resource
	source string
	fields map[string]any // nil until decoded
}

// parse reads documents as kustomize reads them: lists become their items, and
// what has no kind or name, or the identity of another, is refused.
func parse(documents []document) ([]*located, error) {
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	var all []*located
	seen := map[resid.ResId]string{}
	for _, d := range documents {
		resources, err := parseTwice(factory, d.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.source, err)
		}
		for _, r := range resources {
			if err := claim(seen, r, d.source); err != nil {
				return nil, err
			}
			all = append(all, &located{Resource: r, source: d.source})
		}
	}
	return all, nil
}

// parseTwice reads a document. Helm reads and writes it before kustomize gets
// it, so one that this changes is read once more.
func parseTwice(factory *resource.Factory, text string) ([]*resource.Resource, error) {
	resources, err := factory.SliceFromBytes([]byte(text))
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(resources, func(r *resource.Resource) bool { return !ordinary(r.YNode()) }) {
		return resources, nil
	}
	var again strings.Builder
	for _, r := range resources {
		written, err := r.RNode.String()
		if err != nil {
			return nil, err
		}
		again.WriteString("---\n" + written)
	}
	return factory.SliceFromBytes([]byte(again.String()))
}

// claim refuses a resource that is there already. Without a namespace it is in
// the default one for kustomize, whatever the release's is.
func claim(seen map[resid.ResId]string, r *resource.Resource, source string) error {
	id := r.CurId()
	key := resid.NewResIdWithNamespace(id.Gvk, id.Name, id.EffectiveNamespace())
	if first, ok := seen[key]; ok {
		return fmt.Errorf("%s: %s %q is in %s already: helm-controller refuses a resource that comes twice, hooks included, unless spec.postRenderStrategy is separate or nohooks",
			source, id.Kind, id.Name, first)
	}
	seen[key] = source
	return nil
}

// originLabels tell which HelmRelease a resource comes from.
func originLabels(hr *helmv2.HelmRelease) map[string]string {
	return map[string]string{
		helmv2.GroupVersion.Group + "/name":      hr.Name,
		helmv2.GroupVersion.Group + "/namespace": hr.Namespace,
	}
}

// addMetadata adds the common metadata, then the origin labels, which win.
func addMetadata(hr *helmv2.HelmRelease, fields map[string]any) {
	if common := hr.Spec.CommonMetadata; common != nil {
		setMetadata(fields, "labels", common.Labels)
		setMetadata(fields, "annotations", common.Annotations)
	}
	setMetadata(fields, "labels", originLabels(hr))
}

func setMetadata(fields map[string]any, key string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	metadata, ok := fields["metadata"].(map[string]any)
	if !ok {
		metadata = map[string]any{}
		fields["metadata"] = metadata
	}
	table, ok := metadata[key].(map[string]any)
	if !ok {
		table = map[string]any{}
		metadata[key] = table
	}
	for k, v := range values {
		table[k] = v
	}
}
