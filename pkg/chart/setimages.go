package chart

import (
	"fmt"
	"maps"
	"slices"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
)

// site is a place of an image: the mapping and its key.
type site struct {
	in  map[string]any
	key string
}

func (s site) image() string { text, _ := s.in[s.key].(string); return text }

// setImages sets images where kustomize sets them. What it makes of a reference
// is asked once for all of them, with a pod that has nothing else.
func setImages(spec *helmv2.Kustomize, objects []object) error {
	var sites []site
	images := map[string]string{}
	for _, o := range objects {
		sites = append(sites, imageSites(o.fields)...)
	}
	for _, s := range sites {
		images[s.image()] = ""
	}
	if len(sites) == 0 {
		return nil
	}
	if err := renameImages(spec, images); err != nil {
		return err
	}
	for _, s := range sites {
		s.in[s.key] = images[s.image()]
	}
	return nil
}

// renameImages fills in what each image becomes.
func renameImages(spec *helmv2.Kustomize, images map[string]string) error {
	old := slices.Sorted(maps.Keys(images))
	containers := make([]any, len(old))
	for i, image := range old {
		containers[i] = map[string]any{"image": image}
	}
	pod := object{fields: map[string]any{
		"apiVersion": "v1",
		"kind":       "Pod",
		"metadata":   map[string]any{"name": "images"},
		"spec":       map[string]any{"containers": containers},
	}}
	changed, err := kustomize(spec, []object{pod})
	if err != nil {
		return err
	}
	if len(changed) != 1 {
		return fmt.Errorf("setting images made %d pods of one", len(changed))
	}
	podSpec, _ := changed[0].fields["spec"].(map[string]any)
	i := 0
	for container := range mappings(podSpec["containers"]) {
		images[old[i]], _ = container["image"].(string)
		i++
	}
	return nil
}

// imageSites are where kustomize sets images: in everything called containers
// or initContainers, custom resources included, and in the volumes of pods.
func imageSites(fields map[string]any) []site {
	if fields["kind"] == "CustomResourceDefinition" {
		return nil
	}
	sites := containerSites(fields)
	for _, where := range [][]string{
		{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"},
	} {
		pod := fields
		for _, key := range where {
			pod, _ = pod[key].(map[string]any)
		}
		for volume := range mappings(pod["volumes"]) {
			if image, ok := volume["image"].(map[string]any); ok {
				sites = addSite(sites, image, "reference")
			}
		}
	}
	return sites
}

func containerSites(v any) (sites []site) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			sites = append(sites, containerSites(item)...)
		}
	case map[string]any:
		for key, item := range v {
			sites = append(sites, containerSites(item)...)
			if key != "containers" && key != "initContainers" {
				continue
			}
			for container := range mappings(item) {
				sites = addSite(sites, container, "image")
			}
		}
	}
	return sites
}

func addSite(sites []site, in map[string]any, key string) []site {
	if s := (site{in, key}); s.image() != "" {
		return append(sites, s)
	}
	return sites
}
