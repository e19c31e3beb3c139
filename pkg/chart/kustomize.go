package chart

import (
	"encoding/json"
	"fmt"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	fluxkustomize "github.com/fluxcd/pkg/apis/kustomize"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// postRenderer runs one post-renderer. Images alone, which is how a release
// pins its digests, need not send every object through text.
func postRenderer(spec *helmv2.Kustomize, objects []object) ([]object, error) {
	if len(spec.Patches) > 0 {
		return kustomize(spec, objects)
	}
	return objects, setImages(spec, objects)
}

// kustomize runs the patches and images of one post-renderer.
func kustomize(spec *helmv2.Kustomize, objects []object) ([]object, error) {
	files := filesys.MakeFsInMemory()
	config := kustypes.Kustomization{
		TypeMeta: kustypes.TypeMeta{APIVersion: kustypes.KustomizationVersion, Kind: kustypes.KustomizationKind},
		Images:   images(spec.Images),
		Patches:  patches(spec.Patches),
	}
	for i, o := range objects {
		name := fmt.Sprintf("%d.yaml", i)
		text, err := o.withSource()
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

// withSource writes the object with its template in an annotation.
func (o object) withSource() ([]byte, error) {
	setMetadata(o.fields, "annotations", map[string]string{sourceAnnotation: o.source})
	text, err := yaml.Marshal(o.fields)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.source, err)
	}
	return text, nil
}

// takeSources reads what kustomize made and takes the annotations away.
func takeSources(built resmap.ResMap) ([]object, error) {
	var all []object
	for _, r := range built.Resources() {
		fields, err := decodeResource(r)
		if err != nil {
			return nil, err
		}
		annotations := annotationsOf(fields)
		source, _ := annotations[sourceAnnotation].(string)
		if delete(annotations, sourceAnnotation); len(annotations) == 0 {
			metadata, _ := fields["metadata"].(map[string]any)
			delete(metadata, "annotations")
		}
		all = append(all, object{source, fields})
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
