package helmfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// manifests are the files of a component that is applied as it is, without Helm.
type manifests struct {
	version string
	files   map[string][]byte // by name
}

// leftovers looks at the folders next to those with a helmfile: plain manifests become components; values that others
// read, tests and packages are reported.
func (r *reader) leftovers(units []*unit) ([]*component, []Item) {
	var found []*component
	var items []Item
	for _, dir := range r.siblings(units) {
		files, err := r.source.files(dir)
		if err != nil {
			items = append(items, failure(Position{File: dir}, err))
			continue
		}
		switch plain := r.plainManifests(dir, files); {
		case plain != nil:
			found = append(found, r.manifestsComponent(dir, plain, files))
		case slices.ContainsFunc(files, func(f string) bool { return r.source.read[f] }):
			items = append(items, Item{Position: Position{File: dir}, Construct: "folder", Status: Mapped, Text: "values that helmfiles read: they are in the values files of each release"})
		default:
			items = append(items, Item{
				Position: Position{File: dir}, Construct: "folder", Status: Todo, Text: "no helmfile and no manifests: nothing is deployed from here",
				Help: "if it is delivered otherwise (a Debian package, say), write a component.yaml with external: to have it listed",
			})
		}
	}
	return found, items
}

// siblings returns the folders that stand next to those with a helmfile and have none.
func (r *reader) siblings(units []*unit) []string {
	with, parents := map[string]bool{}, map[string]bool{}
	for _, u := range units {
		dir := path.Dir(u.file)
		if dir == "." || path.Base(dir) == manyHelmfile {
			continue
		}
		with[dir], parents[path.Dir(dir)] = true, true
	}
	var dirs []string
	for in := range parents {
		entries, _ := r.source.glob(in, "*")
		for _, entry := range entries {
			base := path.Base(entry)
			if r.source.isDir(entry) && !strings.HasPrefix(base, ".") && !r.holds(with, entry) {
				dirs = append(dirs, entry)
			}
		}
	}
	slices.Sort(dirs)
	return dirs
}

// holds reports whether a folder is, or is above, one of those.
func (r *reader) holds(dirs map[string]bool, dir string) bool {
	for with := range dirs {
		if with == dir || strings.HasPrefix(with, dir+"/") {
			return true
		}
	}
	return false
}

// plainManifests returns the files of a folder if its YAML files are all Kubernetes objects.
func (r *reader) plainManifests(dir string, files []string) map[string][]byte {
	plain := map[string][]byte{}
	for _, file := range files {
		if ext := path.Ext(file); ext != ".yaml" && ext != ".yml" || path.Dir(file) != dir || r.source.read[file] {
			continue
		}
		content, err := r.source.file(file)
		if err != nil || !areObjects(content) {
			return nil
		}
		plain[path.Base(file)] = content
	}
	if len(plain) == 0 {
		return nil
	}
	return plain
}

// areObjects reports whether every document is a Kubernetes object, and there is one.
func areObjects(content []byte) bool {
	count := 0
	for object, err := range objects(content) {
		if err != nil || object.APIVersion == "" || object.Kind == "" {
			return false
		}
		count++
	}
	return count > 0
}

// object is what is read of a Kubernetes object.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Labels      map[string]string `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
}

func objects(content []byte) func(func(object, error) bool) {
	return func(yield func(object, error) bool) {
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		for {
			var document yaml.Node
			if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
				return
			} else if err != nil {
				yield(object{}, err)
				return
			}
			var o object
			if err := document.Decode(&o); !yield(o, err) || err != nil {
				return
			}
		}
	}
}

func (r *reader) manifestsComponent(dir string, plain map[string][]byte, files []string) *component {
	name := dnsName(path.Base(dir))
	c := newComponent(name, dir, nil)
	c.manifests = &manifests{files: plain}
	version, how := versionOf(plain)
	if c.manifests.version = version; how == "" {
		how = "no label or annotation of the objects names their version, so it is made of their digest"
	}
	c.notes.add(Item{Position: Position{File: dir}, Construct: "manifests", Status: Mapped, Text: fmt.Sprintf("plain manifests, version %s (%s): a component that Flux applies as it is", c.manifests.version, how)})
	for _, file := range files {
		if plain[path.Base(file)] == nil && !strings.HasSuffix(file, ".md") {
			c.notes.add(Item{Position: Position{File: file}, Construct: "file", Status: Todo, Text: "not carried over", Help: "if it does more than apply the manifests, write it down in notes: of the component"})
		}
	}
	return c
}

// versionKeys are labels and annotations that say which version an object belongs to.
var versionKeys = []string{"bundle-version", "version"}

// versionOf returns the version that the objects name, if all that name one agree, and where it is from; or else one made
// of their content.
func versionOf(files map[string][]byte) (version, from string) {
	digest := sha256.New()
	said := map[string]map[string]bool{} // by key, then version
	for _, name := range slices.Sorted(maps.Keys(files)) {
		digest.Write(files[name])
		for o, err := range objects(files[name]) {
			if err != nil {
				break // it has been read before
			}
			for _, set := range []map[string]string{o.Metadata.Labels, o.Metadata.Annotations} {
				noteVersions(said, set)
			}
		}
	}
	for _, suffix := range versionKeys {
		for _, key := range slices.Sorted(maps.Keys(said)) {
			if versions := slices.Sorted(maps.Keys(said[key])); path.Base(key) == suffix && len(versions) == 1 {
				return strings.TrimPrefix(versions[0], "v"), key
			}
		}
	}
	return fmt.Sprintf("0-%x", digest.Sum(nil)[:4]), ""
}

func noteVersions(said map[string]map[string]bool, set map[string]string) {
	for key, version := range set {
		if !slices.Contains(versionKeys, path.Base(key)) || !exactVersion.MatchString(version) {
			continue
		}
		if said[key] == nil {
			said[key] = map[string]bool{}
		}
		said[key][version] = true
	}
}

// kustomizationName is the file that lists a folder's manifests.
const kustomizationName = "kustomization.yaml"

// kustomized returns the files with a kustomization, if they have none of their own.
func (m *manifests) kustomized() map[string][]byte {
	files := map[string][]byte{}
	maps.Copy(files, m.files)
	if files[kustomizationName] != nil {
		return files
	}
	text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		text += "  - " + name + "\n"
	}
	files[kustomizationName] = []byte(text)
	return files
}
