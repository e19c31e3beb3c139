package repo_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// module is the path that imports of this repository's own packages begin with.
const module = "gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops"

// goPackage is the source of one folder.
type goPackage struct {
	dir   string
	files map[string]*ast.File // by path, tests left out
	tests map[string]*ast.File
}

// imports returns the import paths of the package without its tests, sorted.
func (p *goPackage) imports() []string {
	seen := map[string]bool{}
	for _, file := range p.files {
		for _, spec := range file.Imports {
			if name, err := strconv.Unquote(spec.Path.Value); err == nil {
				seen[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// parseModule reads the Go files of the module at the root of fsys, by folder. Modules below it are left out.
func parseModule(fsys fs.FS) (map[string]*goPackage, error) {
	packages := map[string]*goPackage{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (ignored(entry.Name()) || isOtherModule(fsys, name)):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		return parseInto(packages, fsys, name)
	})
	return packages, err
}

// ignored tells whether the go command ignores a folder of that name too.
func ignored(folder string) bool {
	return folder == "testdata" || folder == "vendor" || len(folder) > 1 && strings.ContainsAny(folder[:1], "._")
}

func isOtherModule(fsys fs.FS, dir string) bool {
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	return dir != "." && err == nil
}

func parseInto(packages map[string]*goPackage, fsys fs.FS, name string) error {
	source, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Deleted since the folder was listed: an editor's temporary file.
	}
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if packages[dir] == nil {
		packages[dir] = &goPackage{dir: dir, files: map[string]*ast.File{}, tests: map[string]*ast.File{}}
	}
	if strings.HasSuffix(name, "_test.go") {
		packages[dir].tests[name] = file
	} else {
		packages[dir].files[name] = file
	}
	return nil
}

// thisModule parses the repository that the tests belong to.
func thisModule(t *testing.T) map[string]*goPackage {
	t.Helper()
	return parsed(t, os.DirFS("../.."))
}

func parsed(t *testing.T, fsys fs.FS) map[string]*goPackage {
	t.Helper()
	packages, err := parseModule(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// fixture is a module of the given files.
func fixture(t *testing.T, files map[string]string) map[string]*goPackage {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return parsed(t, fsys)
}

func TestParseModuleFindsThisPackage(t *testing.T) {
	t.Parallel()
	packages := thisModule(t)
	self := packages["test/repo"]
	if self == nil || self.files["test/repo/doc.go"] == nil || self.tests["test/repo/source_test.go"] == nil {
		t.Fatalf("test/repo was not found among %q", slices.Sorted(maps.Keys(packages)))
	}
	if packages["test/bench/gen"] != nil {
		t.Error("test/bench is another module and was not left out")
	}
}
