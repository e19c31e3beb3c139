package chart

import (
	"encoding/json"
	"fmt"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	fluxkustomize "github.com/fluxcd/pkg/apis/kustomize"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/resid"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
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
		if resources, err = kustomize(renderer.Kustomize, resources); err != nil {
			return nil, fmt.Errorf("postRenderers[%d]: %w", i, err)
		}
	}
	objects := make([]object, len(resources))
	for i, r := range resources {
		if objects[i], err = r.object(); err != nil {
			return nil, err
		}
		addMetadata(hr, objects[i].fields)
	}
	return objects, nil
}

// located is a resource that knows the template it came from.
type located struct {
	*resource.Resource
	source string
}

// parse reads documents as kustomize reads them: lists become their items, and
// what has no kind or name, or the identity of another, is refused.
func parse(documents []document) ([]located, error) {
	factory := provider.NewDefaultDepProvider().GetResourceFactory()
	var all []located
	seen := map[resid.ResId]string{}
	for _, d := range documents {
		resources, err := factory.SliceFromBytes([]byte(d.text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.source, err)
		}
		for _, r := range resources {
			if err := claim(seen, r, d.source); err != nil {
				return nil, err
			}
			all = append(all, located{r, d.source})
		}
	}
	return all, nil
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

// object gives the fields the types that Kubernetes' JSON has. The way through
// JSON is kustomize's own: a date becomes a full timestamp on it.
func (r located) object() (object, error) {
	text, err := r.MarshalJSON()
	if err != nil {
		return object{}, fmt.Errorf("%s: %s %q: %w", r.source, r.GetKind(), r.GetName(), err)
	}
	fields := map[string]any{}
	if err := utiljson.Unmarshal(text, &fields); err != nil {
		return object{}, fmt.Errorf("%s: %s %q: %w", r.source, r.GetKind(), r.GetName(), err)
	}
	return object{source: r.source, fields: fields}, nil
}

// kustomize runs the patches and images of one post-renderer.
func kustomize(spec *helmv2.Kustomize, resources []located) ([]located, error) {
	files := filesys.MakeFsInMemory()
	config := kustypes.Kustomization{
		TypeMeta: kustypes.TypeMeta{APIVersion: kustypes.KustomizationVersion, Kind: kustypes.KustomizationKind},
		Images:   images(spec.Images),
		Patches:  patches(spec.Patches),
	}
	for i, r := range resources {
		name := fmt.Sprintf("%d.yaml", i)
		text, err := r.withSource()
		if err != nil {
			return nil, err
		}
		if err := files.WriteFile(name, text); err != nil {
			return nil, err
		}
		config.Resources = append(config.Resources, name)
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	if err := files.WriteFile("kustomization.yaml", text); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(&krusty.Options{
		LoadRestrictions: kustypes.LoadRestrictionsRootOnly,
		PluginConfig:     kustypes.DisabledPluginConfig(),
	}).Run(files, ".")
	if err != nil {
		return nil, err
	}
	return takeSources(built)
}

// sourceAnnotation carries the template through kustomize. Helm does the same
// with one of its own, so a patch finds annotations to add to in both.
const sourceAnnotation = "tfgitops.toolforge.org/source"

func (r located) withSource() ([]byte, error) {
	if err := r.PipeE(kyaml.SetAnnotation(sourceAnnotation, r.source)); err != nil {
		return nil, fmt.Errorf("%s: %w", r.source, err)
	}
	return r.AsYAML()
}

func takeSources(built resmap.ResMap) ([]located, error) {
	var all []located
	for _, r := range built.Resources() {
		source := r.GetAnnotations()[sourceAnnotation]
		if err := r.PipeE(kyaml.ClearAnnotation(sourceAnnotation)); err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		all = append(all, located{r, source})
	}
	return all, nil
}

func images(in []fluxkustomize.Image) (out []kustypes.Image) {
	for _, i := range in {
		out = append(out, kustypes.Image{Name: i.Name, NewName: i.NewName, NewTag: i.NewTag, Digest: i.Digest})
	}
	return out
}

func patches(in []fluxkustomize.Patch) (out []kustypes.Patch) {
	for _, p := range in {
		patch := kustypes.Patch{Patch: p.Patch}
		if t := p.Target; t != nil {
			patch.Target = &kustypes.Selector{LabelSelector: t.LabelSelector, AnnotationSelector: t.AnnotationSelector}
			patch.Target.Group, patch.Target.Version, patch.Target.Kind = t.Group, t.Version, t.Kind
			patch.Target.Name, patch.Target.Namespace = t.Name, t.Namespace
		}
		out = append(out, patch)
	}
	return out
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
