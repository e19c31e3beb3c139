package repo_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the rules name: everything at or below these import paths.
const (
	cobra    = "github.com/spf13/cobra"
	netHTTP  = "net/http"
	clientGo = "k8s.io/client-go"
	runtime  = "sigs.k8s.io/controller-runtime"
	goGit    = "github.com/go-git/go-git"
	helm     = "helm.sh/helm"
	anyOurs  = module
)

// afterControl are the packages that work on what control loads.
var afterControl = ours("render", "overlay", "validate", "scaffold", "artifact", "gitrepo", "bump", "chart", "diff", "forge", "live", "prune", "helmfile")

// neverImports says for each package of pkg what it must not import: itself, or through other packages of ours. What a
// library imports is the library's business. A package that has no row yet needs one.
var neverImports = map[string][]string{
	"api/v1alpha1": {anyOurs},
	"control":      append(afterControl, cobra),
	"render":       {cobra, netHTTP, clientGo, runtime, goGit, helm},
	"overlay":      {cobra},
	"validate":     {cobra},
	"scaffold":     {cobra},
	"artifact":     append(ours("control", "render"), cobra),
	"gitrepo":      append(ours("control", "render"), cobra),
	"bump":         {cobra},
	"chart":        {cobra},
	"diff":         {cobra},
	"forge":        append(ours("control", "render"), cobra),
	"live":         {cobra},
	"prune":        {cobra},
	"helmfile":     {cobra},
}

func ours(names ...string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = module + "/pkg/" + name
	}
	return paths
}

// forbiddenImports returns a line for every import that breaks a rule, with the way that leads to it.
func forbiddenImports(packages map[string]*goPackage, rules map[string][]string) []string {
	var broken []string
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if packages["pkg/"+name] == nil {
			continue
		}
		broken = append(broken, follow(packages, rules[name], []string{module + "/pkg/" + name}, map[string]bool{})...)
	}
	return broken
}

// follow looks at the imports of the last package of way, and at those of the packages of ours among them.
func follow(packages map[string]*goPackage, forbidden, way []string, seen map[string]bool) []string {
	var broken []string
	last := way[len(way)-1]
	for _, imported := range packages[strings.TrimPrefix(last, module+"/")].imports() {
		next := append(slices.Clone(way), imported)
		if slices.ContainsFunc(forbidden, func(f string) bool { return within(imported, f) }) {
			broken = append(broken, strings.ReplaceAll(strings.Join(next, " → "), module+"/", ""))
			continue
		}
		if !seen[imported] && packages[strings.TrimPrefix(imported, module+"/")] != nil {
			seen[imported] = true
			broken = append(broken, follow(packages, forbidden, next, seen)...)
		}
	}
	return broken
}

// within tells whether an import path is the tree's root or below it. helm.sh/helm/v4 is within helm.sh/helm.
func within(imported, tree string) bool {
	return imported == tree || strings.HasPrefix(imported, tree+"/")
}

// withoutRule returns the packages of pkg that no row speaks of.
func withoutRule(packages map[string]*goPackage, rules map[string][]string) []string {
	var missing []string
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		name, isLibrary := strings.CutPrefix(dir, "pkg/")
		if !isLibrary || strings.HasPrefix(name, "internal/") {
			continue
		}
		covered := slices.ContainsFunc(slices.Collect(maps.Keys(rules)), func(rule string) bool { return within(name, rule) })
		if !covered {
			missing = append(missing, dir)
		}
	}
	return missing
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	packages := thisModule(t)
	for _, broken := range forbiddenImports(packages, neverImports) {
		t.Errorf("this import is against the rules in neverImports: %s", broken)
	}
	for _, dir := range withoutRule(packages, neverImports) {
		t.Errorf("%s has no row in neverImports", dir)
	}
}

func TestNothingImportsCommands(t *testing.T) {
	t.Parallel()
	for _, broken := range importersOf(thisModule(t), module+"/cmd") {
		t.Error(broken)
	}
}

// importersOf returns a line for every package outside tree that imports from it.
func importersOf(packages map[string]*goPackage, tree string) []string {
	var broken []string
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		for _, imported := range packages[dir].imports() {
			if within(imported, tree) && !within(module+"/"+dir, tree) {
				broken = append(broken, fmt.Sprintf("%s imports %s", dir, imported))
			}
		}
	}
	return broken
}

func TestImportRulesCanFail(t *testing.T) {
	t.Parallel()
	rules := map[string][]string{"pure": {netHTTP, helm, module + "/pkg/late"}, "absent": {cobra}}
	tests := map[string]struct {
		files map[string]string
		want  []string
	}{
		"direct": {
			files: map[string]string{"pkg/pure/pure.go": `package pure; import _ "net/http/httptest"`},
			want:  []string{"pkg/pure → net/http/httptest"},
		},
		"major version below the path": {
			files: map[string]string{"pkg/pure/pure.go": `package pure; import _ "helm.sh/helm/v4/pkg/action"`},
			want:  []string{"pkg/pure → helm.sh/helm/v4/pkg/action"},
		},
		"through ours": {
			files: map[string]string{
				"pkg/pure/pure.go":          `package pure; import _ "` + module + `/pkg/internal/way"`,
				"pkg/internal/way/way.go":   `package way; import _ "` + module + `/pkg/late"`,
				"pkg/late/late.go":          `package late`,
				"pkg/internal/way/x.go":     `package way`,
				"pkg/internal/unrelated.go": `package internal; import _ "net/http"`,
			},
			want: []string{"pkg/pure → pkg/internal/way → pkg/late"},
		},
		"a longer name is another package": {
			files: map[string]string{"pkg/pure/pure.go": `package pure; import _ "helm.sh/helmet"`},
		},
		"tests may": {
			files: map[string]string{"pkg/pure/pure.go": `package pure`, "pkg/pure/pure_test.go": `package pure; import _ "net/http"`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, forbiddenImports(fixture(t, test.files), rules)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryLibraryNeedsARow(t *testing.T) {
	t.Parallel()
	packages := fixture(t, map[string]string{
		"pkg/known/known.go":     "package known",
		"pkg/known/below/b.go":   "package below",
		"pkg/unknown/unknown.go": "package unknown",
		"pkg/internal/x/x.go":    "package x",
		"cmd/tool/main.go":       "package main",
	})
	if diff := cmp.Diff([]string{"pkg/unknown"}, withoutRule(packages, map[string][]string{"known": nil})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestImportersOf(t *testing.T) {
	t.Parallel()
	packages := fixture(t, map[string]string{
		"cmd/tool/main.go": `package main; import _ "` + module + `/cmd/tool/flags"`,
		"pkg/a/a.go":       `package a; import _ "` + module + `/cmd/tool/flags"`,
	})
	want := []string{"pkg/a imports " + module + "/cmd/tool/flags"}
	if diff := cmp.Diff(want, importersOf(packages, module+"/cmd")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
