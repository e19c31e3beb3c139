package repo_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A check looks at one package and returns a line for everything that is against it.
type check func(*goPackage) []string

var checks = map[string]check{
	"every package has a doc.go with its comment": withoutDoc,
	"no package has an init function":             initFunctions,
	"no package has state":                        packageState,
	"package names say what is inside":            vagueNames,
}

func TestPackages(t *testing.T) {
	t.Parallel()
	packages := thisModule(t)
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, dir := range slices.Sorted(maps.Keys(packages)) {
				for _, broken := range check(packages[dir]) {
					t.Error(broken)
				}
			}
		})
	}
}

// withoutDoc wants the package comment in doc.go, and there alone.
func withoutDoc(p *goPackage) []string {
	var broken []string
	name := path.Join(p.dir, "doc.go")
	if doc := p.files[name]; doc == nil || doc.Doc == nil {
		broken = append(broken, name+" is missing, or has no package comment")
	}
	for _, other := range slices.Sorted(maps.Keys(p.files)) {
		if other != name && p.files[other].Doc != nil {
			broken = append(broken, other+" has a package comment: it belongs in doc.go")
		}
	}
	return broken
}

func initFunctions(p *goPackage) []string {
	var broken []string
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		for _, decl := range p.files[name].Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				broken = append(broken, name+" has an init function")
			}
		}
	}
	return broken
}

// packageState wants package variables to be constants in all but name: sentinels, tables, patterns and embedded files.
// So each has a value from the start, and none is assigned to. A table's entries could still be changed; nobody does.
func packageState(p *goPackage) []string {
	var broken []string
	names := map[string]bool{}
	for _, file := range slices.Sorted(maps.Keys(p.files)) {
		for _, spec := range packageVariables(p.files[file]) {
			for _, ident := range spec.Names {
				if ident.Name == "_" {
					continue // var _ I = T{} only says that T has the methods of I.
				}
				names[ident.Name] = true
				if len(spec.Values) == 0 && !embeds(spec) {
					broken = append(broken, fmt.Sprintf("%s: the package variable %s has no value from the start", file, ident.Name))
				}
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(p.files)) {
		for _, name := range assigned(p.files[file], names) {
			broken = append(broken, fmt.Sprintf("%s assigns to the package variable %s", file, name))
		}
	}
	return broken
}

func packageVariables(file *ast.File) []*ast.ValueSpec {
	var specs []*ast.ValueSpec
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.VAR {
			continue
		}
		for _, spec := range general.Specs {
			value := spec.(*ast.ValueSpec)
			if value.Doc == nil {
				value.Doc = general.Doc
			}
			specs = append(specs, value)
		}
	}
	return specs
}

func embeds(spec *ast.ValueSpec) bool {
	return spec.Doc != nil && slices.ContainsFunc(spec.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// assigned returns those of the names that the file assigns to with = or an operator, where no local variable of the same
// name hides them. The parser resolves local names and those of the same file; what it leaves open is the package's.
func assigned(file *ast.File, names map[string]bool) []string {
	found := map[string]bool{}
	note := func(target ast.Expr) {
		ident, ok := target.(*ast.Ident)
		if ok && names[ident.Name] && (ident.Obj == nil || file.Scope.Lookup(ident.Name) == ident.Obj) {
			found[ident.Name] = true
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch statement := node.(type) {
		case *ast.AssignStmt:
			if statement.Tok != token.DEFINE {
				for _, target := range statement.Lhs {
					note(target)
				}
			}
		case *ast.IncDecStmt:
			note(statement.X)
		}
		return true
	})
	return slices.Sorted(maps.Keys(found))
}

func vagueNames(p *goPackage) []string {
	name := path.Base(p.dir)
	if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc", "shared"}, name) {
		return []string{fmt.Sprintf("%s: %s says nothing of what is inside", p.dir, name)}
	}
	return nil
}

func TestChecksCanFail(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		check check
		files map[string]string
		want  []string
	}{
		"no doc.go": {
			check: withoutDoc,
			files: map[string]string{"pkg/a/a.go": "// Package a is described in the wrong file.\npackage a"},
			want:  []string{"pkg/a/doc.go is missing, or has no package comment", "pkg/a/a.go has a package comment: it belongs in doc.go"},
		},
		"doc.go without a comment": {
			check: withoutDoc,
			files: map[string]string{"pkg/a/doc.go": "package a"},
			want:  []string{"pkg/a/doc.go is missing, or has no package comment"},
		},
		"a doc.go": {
			check: withoutDoc,
			files: map[string]string{"pkg/a/doc.go": "// Package a is described.\npackage a", "pkg/a/a.go": "package a"},
		},
		"init": {
			check: initFunctions,
			files: map[string]string{"pkg/a/a.go": "package a; func init() {}"},
			want:  []string{"pkg/a/a.go has an init function"},
		},
		"a method named init": {
			check: initFunctions,
			files: map[string]string{"pkg/a/a.go": "package a; type t int; func (t) init() {}"},
		},
		"state": {
			check: packageState,
			files: map[string]string{
				"pkg/a/a.go": "package a\nvar count int\nvar table = []int{1}\nvar flag = false",
				"pkg/a/b.go": "package a\nfunc f() { flag = true; count++; table = nil }\nfunc g() { flag := true; flag = false; _ = flag }",
			},
			want: []string{
				"pkg/a/a.go: the package variable count has no value from the start",
				"pkg/a/b.go assigns to the package variable count",
				"pkg/a/b.go assigns to the package variable flag",
				"pkg/a/b.go assigns to the package variable table",
			},
		},
		"state in the same file": {
			check: packageState,
			files: map[string]string{"pkg/a/a.go": "package a\nvar flag = false\nfunc f() { flag = true }"},
			want:  []string{"pkg/a/a.go assigns to the package variable flag"},
		},
		"no state": {
			check: packageState,
			files: map[string]string{"pkg/a/a.go": "package a\n//go:embed x\nvar x string\nvar err = f()\nvar _ error = err\nfunc f() error { _ = 1; err := g(); err = nil; return err }"},
		},
		"vague name": {
			check: vagueNames,
			files: map[string]string{"pkg/a/utils/a.go": "package utils"},
			want:  []string{"pkg/a/utils: utils says nothing of what is inside"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range fixture(t, test.files) {
				got = append(got, test.check(p)...)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
