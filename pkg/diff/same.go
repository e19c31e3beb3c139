package diff

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// objectIDer is a file system that knows the Git object ids of its entries, as gitrepo.TreeFS. Equal ids mean equal content.
type objectIDer interface {
	ObjectID(name string) (string, bool)
}

// sameCluster reports whether a cluster builds the same on both sides without building it: its folder has one Git object id on
// both, and so has everything outside of it that its overlay may lead to. False where that cannot be told.
func sameCluster(base, head fs.FS, cluster string) bool {
	return sameTree(base, head, control.ClusterDir(cluster))
}

// sameTree is the same of any directory with a kustomization.
func sameTree(base, head fs.FS, dir string) bool {
	if !sameID(base, head, dir) {
		return false
	}
	outside, err := leadingOut(base, dir, map[string]bool{})
	return err == nil && !slices.ContainsFunc(outside, func(name string) bool { return !sameID(base, head, name) })
}

func sameID(base, head fs.FS, name string) bool {
	baseIDs, ok := base.(objectIDer)
	if !ok {
		return false
	}
	headIDs, ok := head.(objectIDer)
	if !ok {
		return false
	}
	baseID, ok := baseIDs.ObjectID(name)
	if !ok {
		return false
	}
	headID, ok := headIDs.ObjectID(name)
	return ok && baseID == headID
}

// leadingOut returns every path outside a directory that YAML files below it name, and what these lead to. A reference out of
// a directory has two dots in it, as absolute and remote ones are never built. Pins and values are no part of an overlay.
func leadingOut(fsys fs.FS, dir string, seen map[string]bool) ([]string, error) {
	var found []string
	err := fs.WalkDir(fsys, dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == dir+"/pins" || name == dir+"/values"):
			return fs.SkipDir
		case entry.IsDir() || !isYAML(name):
			return nil
		}
		named, err := namedOutside(fsys, dir, name)
		found = append(found, named...)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Clone(found) {
		if seen[name] {
			continue
		}
		seen[name] = true
		if info, err := fs.Stat(fsys, name); err == nil && info.IsDir() {
			further, err := leadingOut(fsys, name, seen)
			if err != nil {
				return nil, err
			}
			found = append(found, further...)
		}
	}
	return found, nil
}

func isYAML(name string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)) || path.Base(name) == "Kustomization"
}

// waysOut are one of what a file has that names a path outside its directory: two dots and a slash, perhaps as escapes of YAML.
// Two dots alone lead to a directory around the own one, which overlays refuse.
var waysOut = []string{"../", `/..`, `\x2`, `\u002`, `\U0000002`, `\/`}

// namedOutside returns the paths outside dir that one file names.
func namedOutside(fsys fs.FS, dir, file string) ([]string, error) {
	content, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(waysOut, func(way string) bool { return bytes.Contains(content, []byte(way)) }) {
		return nil, nil
	}
	var found []string
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if err != nil {
			if err.Error() == "EOF" {
				return found, nil
			}
			return nil, fmt.Errorf("%q: %w", file, err)
		}
		eachScalar(&document, func(text string) {
			target := path.Join(path.Dir(file), text)
			if strings.Contains(text, "..") && fs.ValidPath(target) && target != dir && !strings.HasPrefix(target, dir+"/") {
				if _, err := fs.Stat(fsys, target); err == nil {
					found = append(found, target)
				}
			}
		})
	}
}

func eachScalar(n *yaml.Node, do func(string)) {
	if n.Kind == yaml.ScalarNode {
		do(n.Value)
	}
	for _, child := range n.Content {
		eachScalar(child, do)
	}
}
