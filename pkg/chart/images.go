package chart

import (
	"cmp"
	"slices"
	"strings"
)

// Image is one use of an image by a pod.
type Image struct {
	// Image is the reference as it is in the manifest.
	Image string
	// Container names the container, or the volume for an image volume.
	Container string
	// In is the object.
	In ObjectRef
}

// podSpecs says where the kinds that make pods have their pod spec.
var podSpecs = map[string][]string{
	"Pod":                   {"spec"},
	"PodTemplate":           {"template", "spec"},
	"Deployment":            {"spec", "template", "spec"},
	"StatefulSet":           {"spec", "template", "spec"},
	"DaemonSet":             {"spec", "template", "spec"},
	"ReplicaSet":            {"spec", "template", "spec"},
	"ReplicationController": {"spec", "template", "spec"},
	"Job":                   {"spec", "template", "spec"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template", "spec"},
}

// podGroups are the API groups of these kinds.
var podGroups = []string{"", "apps", "batch", "extensions"}

var containerLists = []string{"initContainers", "containers", "ephemeralContainers"}

// imagesOf lists the images of the resources' pods, sorted by image, then by
// object and container.
func imagesOf(resources []Resource) []Image {
	var found []Image
	for _, r := range resources {
		found = append(found, podImages(r)...)
	}
	slices.SortStableFunc(found, func(a, b Image) int {
		return cmp.Or(cmp.Compare(a.Image, b.Image), cmp.Compare(a.In.Kind, b.In.Kind),
			cmp.Compare(a.In.Namespace, b.In.Namespace), cmp.Compare(a.In.Name, b.In.Name),
			cmp.Compare(a.Container, b.Container))
	})
	return found
}

func podImages(r Resource) []Image {
	group, _, versioned := strings.Cut(r.APIVersion, "/")
	if !versioned {
		group = ""
	}
	where, ok := podSpecs[r.Kind]
	if !ok || !slices.Contains(podGroups, group) {
		return nil
	}
	pod := r.Object
	for _, key := range where {
		pod, _ = pod[key].(map[string]any)
	}
	var found []Image
	add := func(item map[string]any, image any) {
		if text, ok := image.(string); ok && text != "" {
			name, _ := item["name"].(string)
			found = append(found, Image{Image: text, Container: name, In: r.ObjectRef})
		}
	}
	for _, list := range containerLists {
		for item := range mappings(pod[list]) {
			add(item, item["image"])
		}
	}
	for volume := range mappings(pod["volumes"]) {
		if image, ok := volume["image"].(map[string]any); ok {
			add(volume, image["reference"])
		}
	}
	return found
}

// mappings yields the mappings in a list.
func mappings(list any) func(func(map[string]any) bool) {
	return func(yield func(map[string]any) bool) {
		items, _ := list.([]any)
		for _, item := range items {
			if m, ok := item.(map[string]any); ok && !yield(m) {
				return
			}
		}
	}
}
