package chart

import (
	"encoding/json"
	"fmt"
	"regexp"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	fluxkustomize "github.com/fluxcd/pkg/apis/kustomize"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kustomizeWhere runs a post-renderer over the objects it can change. Patches
// may concern all of them. Images alone, which is how a release pins its
// digests, concern those that name one; the others need not go through text.
func kustomizeWhere(spec *helmv2.Kustomize, objects []object) ([]object, error) {
	if len(spec.Patches) > 0 {
		return kustomize(spec, objects)
	}
	var concerned []object
	var at []int
	for i, o := range objects {
		if mentions(o.fields, spec.Images) {
			concerned, at = append(concerned, o), append(at, i)
		}
	}
	if len(concerned) == 0 {
		return objects, nil
	}
	changed, err := kustomize(spec, concerned)
	if err != nil {
		return nil, err
	}
	if len(changed) != len(concerned) {
		return nil, fmt.Errorf("setting images made %d resources of %d", len(changed), len(concerned))
	}
	for i, o := range changed {
		objects[at[i]] = o
	}
	return objects, nil
}

// mentions reports whether a text in the fields may be one of the images.
// kustomize takes the name for a regular expression.
func mentions(fields map[string]any, images []fluxkustomize.Image) bool {
	found := false
	for _, image := range images {
		pattern, err := regexp.Compile("^" + image.Name)
		eachText(fields, func(text string) {
			found = found || err != nil || pattern.MatchString(text)
		})
	}
	return found
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
			delete(fields["metadata"].(map[string]any), "annotations")
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
