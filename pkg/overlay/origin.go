package overlay

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Origin is where an object stands in the tree before kustomize worked on it.
type Origin struct {
	File string
	Line int // from 1
}

// Origin tells which file an object comes from: the file that holds it, or the kustomization that
// generates it. False where an overlay changed it beyond recognition. Patches are not told of.
//
// kustomize can write origins into annotations, but during the build, where a patch of annotations would
// then do something else than in the cluster; so the files are read instead, when first asked.
func (r *Result) Origin(o Object) (Origin, bool) {
	return r.origins().find(o)
}

// originIndex holds every object of the files read and every generated one.
type originIndex struct{ entries []originEntry }

type originEntry struct {
	kind            schema.GroupKind
	namespace, name string
	origin          Origin
}

// find prefers the object of the same name and namespace, then of the same name (an overlay set the
// namespace), then of the longest name within the built one (an overlay set a prefix or a suffix, a
// generator a hash).
func (x *originIndex) find(o Object) (Origin, bool) {
	kind := schema.FromAPIVersionAndKind(o.APIVersion(), o.Kind()).GroupKind()
	best, rank := Origin{}, 0
	for _, entry := range x.entries {
		if entry.kind != kind {
			continue
		}
		if r := entry.rank(o); r > rank {
			best, rank = entry.origin, r
		}
	}
	return best, rank > 0
}

// rank is higher for a better match, 0 for none. Names have at most 253 characters.
func (e originEntry) rank(o Object) int {
	switch {
	case e.name == "" || !strings.Contains(o.Name(), e.name):
		return 0
	case e.name != o.Name():
		return len(e.name)
	case e.namespace != o.Namespace():
		return 1000
	}
	return 1001
}

func (in *inspection) indexOrigins() *originIndex {
	x := &originIndex{}
	for _, file := range in.resources {
		x.addFile(file, in.tree.contents[file])
	}
	for _, g := range in.generators {
		x.entries = append(x.entries, originEntry{kind: schema.GroupKind{Kind: g.kind}, name: g.name, origin: g.origin})
	}
	return x
}

func (x *originIndex) addFile(file string, content []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		if decoder.Decode(&document) != nil {
			return // what kustomize built is YAML; a file that is none holds none of it
		}
		if len(document.Content) == 1 {
			x.addObject(file, document.Content[0])
		}
	}
}

func (x *originIndex) addObject(file string, node *yaml.Node) {
	var head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct{ Name, Namespace string }
		Items      []yaml.Node
	}
	_ = node.Decode(&head) // a field of another type leaves its name empty, which matches nothing
	if strings.HasSuffix(head.Kind, "List") {
		for i := range head.Items {
			x.addObject(file, &head.Items[i])
		}
	}
	x.entries = append(x.entries, originEntry{
		kind:      schema.FromAPIVersionAndKind(head.APIVersion, head.Kind).GroupKind(),
		namespace: head.Metadata.Namespace,
		name:      head.Metadata.Name,
		origin:    Origin{File: file, Line: node.Line},
	})
}
