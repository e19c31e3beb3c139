package chart

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	yaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// Helm reads every document to find out where it belongs, and then it is read
// again for what it holds. A plain one that is no hook is read once here; Helm
// sorts the others.

// documentsRead keeps what a chart's templates wrote before, read: most of it is
// the same on every cluster, and copying takes a tenth of reading.
type documentsRead struct {
	mu    sync.Mutex
	files map[string][]kindOf // by name and text
}

// maxFilesRead bounds how much is kept of one chart.
const maxFilesRead = 1000

// plain is plainDocuments, which the caller may change.
func (r *documentsRead) plain(file, text string) ([]kindOf, bool) {
	key := file + "\n" + text
	r.mu.Lock()
	documents, known := r.files[key]
	r.mu.Unlock()
	if known {
		return copyDocuments(documents), true
	}
	documents, ok := plainDocuments(file, text)
	if !ok {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files = map[string][]kindOf{}
	}
	if len(r.files) < maxFilesRead {
		r.files[key] = copyDocuments(documents)
	}
	return documents, true
}

func copyDocuments(documents []kindOf) []kindOf {
	copied := slices.Clone(documents)
	for i := range copied {
		copied[i].fields = copyMap(copied[i].fields)
	}
	return copied
}

// split takes the files apart into documents, sorted as Helm sorts them: the
// release's own by kind, then hooks by kind.
func split(files map[string]string, read *documentsRead) ([]document, error) {
	var own, hooks []kindOf
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if plain, ok := read.plain(file, files[file]); ok {
			own = append(own, plain...)
			continue
		}
		theirHooks, manifests, err := releaseutil.SortManifests(map[string]string{file: files[file]}, nil, releaseutil.InstallOrder)
		if err != nil {
			return nil, err
		}
		for _, m := range manifests {
			own = append(own, kindOf{m.Head.Kind, document{source: m.Name, text: m.Content}})
		}
		for _, h := range theirHooks {
			hooks = append(hooks, kindOf{h.Kind, document{source: h.Path, text: h.Manifest, hook: true}})
		}
	}
	slices.SortStableFunc(own, compareKinds)
	slices.SortStableFunc(hooks, compareKinds)
	var documents []document
	for _, d := range append(own, hooks...) {
		documents = append(documents, d.document)
	}
	return documents, nil
}

// kindOf is a document and its kind.
type kindOf struct {
	kind string
	document
}

// installOrder is where Helm puts each kind that it knows.
var installOrder = func() map[string]int {
	order := map[string]int{}
	for i, kind := range releaseutil.InstallOrder {
		order[kind] = i
	}
	return order
}()

// compareKinds puts unknown kinds last, by name.
func compareKinds(a, b kindOf) int {
	first, known := installOrder[a.kind]
	second, alsoKnown := installOrder[b.kind]
	switch {
	case known && alsoKnown:
		return cmp.Compare(first, second)
	case known:
		return -1
	case alsoKnown:
		return 1
	}
	return strings.Compare(a.kind, b.kind)
}

// plainDocuments returns the documents of a file. ok is false where Helm has to
// read it: for hooks, for partials, and for all that it may read in another way.
func plainDocuments(file, text string) (documents []kindOf, ok bool) {
	if strings.TrimSpace(text) == "" || strings.Contains(file, "/_") || strings.HasPrefix(file, "_") {
		return nil, false
	}
	for _, part := range parts(text) {
		node, fields, ok := readPlain(part)
		if !ok || !headIsPlain(node) {
			return nil, false
		}
		if _, isHook := annotationsOf(fields)[helmrelease.HookAnnotation]; isHook {
			return nil, false
		}
		kind, _ := fields["kind"].(string)
		documents = append(documents, kindOf{kind, document{source: file, text: part, fields: fields}})
	}
	return documents, true
}

// parts takes a file apart as Helm does. Most have nothing to take apart.
func parts(text string) []string {
	if !strings.HasPrefix(strings.TrimLeftFunc(text, unicode.IsSpace), "---") && !strings.Contains(text, "\n---") {
		return []string{strings.TrimLeftFunc(text, unicode.IsSpace)}
	}
	numbered := releaseutil.SplitManifests(text)
	parts := make([]string, len(numbered))
	for i := range parts {
		parts[i] = numbered[fmt.Sprintf("manifest-%d", i)]
	}
	return parts
}

// headIsPlain reports whether Helm reads the kind and the hook of a document as
// they are written: it takes Kind for kind, and its parser follows YAML 1.1,
// where a plain yes is true.
func headIsPlain(node *yaml.Node) bool {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i].Value, node.Content[i+1]
		for _, name := range []string{"kind", "metadata", "annotations"} {
			if strings.EqualFold(key, name) && key != name {
				return false
			}
		}
		if key == "kind" && !textInYAML1(value) || key == "metadata" && !headIsPlain(value) {
			return false
		}
	}
	return true
}

// wordsInYAML1 are those that are no text.
var wordsInYAML1 = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

func textInYAML1(scalar *yaml.Node) bool {
	if scalar.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle) != 0 {
		return true
	}
	letter := scalar.Value != "" && strings.ContainsAny(strings.ToLower(scalar.Value[:1]), "abcdefghijklmnopqrstuvwxyz")
	return letter && !slices.Contains(wordsInYAML1, strings.ToLower(scalar.Value))
}
