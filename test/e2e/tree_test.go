package e2e_test

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// treeOf is the files of txtar texts, later ones over earlier ones.
func treeOf(texts ...string) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, text := range texts {
		maps.Copy(tree, filesOf(txtar.Parse([]byte(text))))
	}
	return tree
}

func filesOf(archive *txtar.Archive) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, f := range archive.Files {
		tree[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	return tree
}

func archiveOf(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// rendered is the tree as `tfgitops render` leaves it, with an overlay of nothing but the manifests where a cluster has none.
func rendered(t *testing.T, tree fstest.MapFS) fstest.MapFS {
	t.Helper()
	tree = maps.Clone(tree)
	changes, err := render.Plan(t.Context(), tree, control.Only{})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		if change.New == nil {
			delete(tree, change.Path)
			continue
		}
		tree[change.Path] = &fstest.MapFile{Data: change.New, Mode: 0o644}
	}
	for _, cluster := range control.ClusterFolders(tree) {
		if file := control.OverlayFile(cluster); tree[file] == nil {
			tree[file] = &fstest.MapFile{Data: []byte("resources: [manifests]\n"), Mode: 0o644}
		}
	}
	return tree
}

// with is the tree with one file's text replaced or added.
func with(tree fstest.MapFS, name, text string) fstest.MapFS {
	tree = maps.Clone(tree)
	tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	return tree
}

// without is the tree without some files.
func without(tree fstest.MapFS, names ...string) fstest.MapFS {
	tree = maps.Clone(tree)
	for _, name := range names {
		delete(tree, name)
	}
	return tree
}

// sourceOnly is the part of a repository that Flux reads: what source-controller would put into an artifact matters no more.
func sourceOnly(t *testing.T, fsys fs.FS) fstest.MapFS {
	t.Helper()
	tree := fstest.MapFS{}
	for _, dir := range []string{"clusters", "components"} {
		if _, err := fs.Stat(fsys, dir); err != nil {
			continue
		}
		err := fs.WalkDir(fsys, dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" {
				return err
			}
			content, err := fs.ReadFile(fsys, name)
			tree[name] = &fstest.MapFile{Data: content, Mode: 0o644}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// built is what Flux applies for a cluster, Namespaces and CustomResourceDefinitions first.
func built(t *testing.T, fsys fs.FS, cluster string) []overlay.Object {
	t.Helper()
	result, err := overlay.Build(t.Context(), fsys, control.ClusterDir(cluster))
	if err != nil {
		t.Fatal(err)
	}
	var first, rest []overlay.Object
	for _, object := range result.Objects {
		if kind := object.Kind(); kind == "Namespace" || kind == "CustomResourceDefinition" {
			first = append(first, object)
		} else {
			rest = append(rest, object)
		}
	}
	return append(first, rest...)
}

// load is the control repo of a tree, which must have no findings that prevent rendering.
func load(t *testing.T, fsys fs.FS) *control.Repo {
	t.Helper()
	repo, findings := control.Load(t.Context(), fsys, control.Only{})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return repo
}

// releasesOf are the releases of a cluster, by name.
func releasesOf(t *testing.T, repo *control.Repo, cluster string) map[string]control.Release {
	t.Helper()
	deployments, findings := repo.Deployments(cluster)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	releases := map[string]control.Release{}
	for _, deployment := range deployments {
		for _, release := range deployment.Releases {
			releases[release.Name] = release
		}
	}
	return releases
}

// section is the text of one part of an archive.
func section(archive *txtar.Archive, name string) string {
	for _, f := range archive.Files {
		if f.Name == name {
			return string(bytes.TrimSpace(f.Data))
		}
	}
	return ""
}

// caseName is a golden file's name without folders and extension.
func caseName(file string) string { return strings.TrimSuffix(path.Base(file), ".txtar") }
