package chart

import (
	"fmt"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"sigs.k8s.io/kustomize/kyaml/resid"
)

// helm-controller sends what the templates wrote through kustomize, always: the
// origin labels are added by it. So documents are read with its rules here too.
// Each is read once, not written and read again at each step.

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
	objects, err := readAll(documents, read)
	if err != nil {
		return nil, err
	}
	return renderObjects(hr, objects)
}

// renderObjects runs objects through every post-renderer.
func renderObjects(hr *helmv2.HelmRelease, objects []object) ([]object, error) {
	var err error
	for i, renderer := range hr.Spec.PostRenderers {
		if renderer.Kustomize == nil {
			continue
		}
		if objects, err = postRenderer(renderer.Kustomize, objects); err != nil {
			return nil, fmt.Errorf("postRenderers[%d]: %w", i, err)
		}
	}
	for _, o := range objects {
		addMetadata(hr, o.fields)
	}
	return objects, nil
}

// readAll reads documents and refuses, as kustomize does, a resource with the
// identity of another.
func readAll(documents []document, read func(document) ([]object, error)) ([]object, error) {
	var all []object
	seen := map[resid.ResId]string{}
	for _, d := range documents {
		objects, err := read(d)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if err := claim(seen, o); err != nil {
				return nil, err
			}
		}
		all = append(all, objects...)
	}
	return all, nil
}

// claim refuses an object that is there already. Without a namespace it is in
// the default one for kustomize, whatever the release's is.
func claim(seen map[resid.ResId]string, o object) error {
	ref := newResource(o)
	group, version := resid.ParseGroupVersion(ref.APIVersion)
	id := resid.NewResIdWithNamespace(resid.NewGvk(group, version, ref.Kind), ref.Name, ref.Namespace)
	id.Namespace = id.EffectiveNamespace()
	if first, ok := seen[id]; ok {
		return fmt.Errorf("%s: %s %q is in %s already: helm-controller refuses a resource that comes twice, hooks included, unless spec.postRenderStrategy is separate or nohooks",
			o.source, id.Kind, id.Name, first)
	}
	seen[id] = o.source
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
