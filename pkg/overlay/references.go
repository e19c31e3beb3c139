package overlay

import (
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// reach says what kustomize does with a reference.
type reach int

const (
	toFile            reach = iota // reads a file
	toFileOrDirectory              // reads a file, else builds a directory
	toDirectory                    // builds a directory
	toFileOrInline                 // takes a patch as it stands, else reads a file
	toPlugin                       // takes a plugin's configuration as it stands, else reads a file of it
)

// reference is one thing outside itself that a kustomization names.
type reference struct {
	field string // of the kustomization, for messages
	value string // as written
	path  string // the part of value that is a path
	reach reach
}

// referencesOf lists everything that kustomize would read for a kustomization, in its own order. A test
// holds that no field of types.Kustomization is forgotten.
func referencesOf(k *types.Kustomization) []reference {
	var refs []reference
	add := func(field string, reach reach, values ...string) {
		for _, value := range values {
			if value != "" {
				refs = append(refs, reference{field: field, value: value, path: value, reach: reach})
			}
		}
	}
	add("resources", toFileOrDirectory, k.Resources...)
	add("configurations", toFile, k.Configurations...)
	add("crds", toFile, k.Crds...)
	add("openapi.path", toFile, k.OpenAPI["path"])
	for _, g := range k.ConfigMapGenerator {
		refs = append(refs, generatorReferences("configMapGenerator", g.KvPairSources)...)
	}
	for _, g := range k.SecretGenerator {
		refs = append(refs, generatorReferences("secretGenerator", g.KvPairSources)...)
	}
	add("generators", toPlugin, k.Generators...)
	add("components", toDirectory, k.Components...)
	for _, p := range k.Patches {
		add("patches.path", toFile, p.Path)
	}
	for _, p := range k.PatchesJson6902 { //nolint:staticcheck // deprecated, and people have it
		add("patchesJson6902.path", toFile, p.Path)
	}
	for _, p := range k.PatchesStrategicMerge { //nolint:staticcheck // deprecated, and people have it
		add("patchesStrategicMerge", toFileOrInline, string(p))
	}
	for _, r := range k.Replacements {
		add("replacements.path", toFile, r.Path)
	}
	add("transformers", toPlugin, k.Transformers...)
	add("validators", toPlugin, k.Validators...)
	return refs
}

func generatorReferences(field string, sources types.KvPairSources) []reference {
	var refs []reference
	for _, value := range sources.FileSources {
		refs = append(refs, reference{field: field + ".files", value: value, path: sourcePath(value), reach: toFile})
	}
	for _, value := range append(sources.EnvSources, sources.EnvSource) {
		if value != "" {
			refs = append(refs, reference{field: field + ".envs", value: value, path: value, reach: toFile})
		}
	}
	return refs
}

// sourcePath takes the path out of a generator's "key=path".
func sourcePath(source string) string {
	if _, p, found := strings.Cut(source, "="); found {
		return p
	}
	return source
}
