package overlay

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// maxVisits bounds how many directories kustomize builds, a directory that is named twice counted
// twice: ten that each name the next one twice are a thousand.
const maxVisits = 1000

// maxDepth bounds how many kustomizations may be between the one that is built and the last.
const maxDepth = 50

// inspection follows the local references of a kustomization, recursively and before anything is built.
type inspection struct {
	tree     *tree
	visits   map[string]int // directory → how many directories kustomize builds for it
	problems Problems

	resources  []string    // files of objects, in the order of reading
	generators []generated // what configMapGenerator and secretGenerator make
	secrets    []string    // text that must not reach a message
}

// generated is an object that a kustomization makes.
type generated struct {
	kind, name string
	origin     Origin
}

// at is a place in a kustomization from which something is referred to.
type at struct {
	file  string
	lines lines
	chain []string // the directories from the one being built to this one
}

func inspect(t *tree, dir string) *inspection {
	in := &inspection{tree: t, visits: map[string]int{}}
	in.visit(dir, at{file: dir}, "")
	return in
}

func (in *inspection) report(from at, value string, reason error, format string, args ...any) {
	in.problems = append(in.problems, &Problem{
		File: from.file, Line: from.lines.of(value), Reason: reason, Message: fmt.Sprintf(format, args...),
	})
}

// visit reads the kustomization of a directory, which value in from names, and all that it leads to.
func (in *inspection) visit(dir string, from at, value string) int {
	if n, seen := in.visits[dir]; seen {
		return n
	}
	file, content := in.kustomizationFile(dir, from, value)
	if file == "" {
		return 1
	}
	here := at{file: file, lines: linesOf(content), chain: append(slices.Clone(from.chain), dir)}
	k, ok := in.parse(here, content)
	if !ok {
		return 1
	}
	in.remember(here, k)
	n := 1
	for _, ref := range referencesOf(k) {
		n = min(n+in.follow(here, dir, ref), maxVisits+1)
	}
	if n > maxVisits && len(from.chain) == 0 {
		in.report(here, "", ErrTooLarge, "leads to more than %d kustomizations", maxVisits)
	}
	in.visits[dir] = n
	return n
}

// kustomizationFile finds the one kustomization of a directory, or reports and returns "".
func (in *inspection) kustomizationFile(dir string, from at, value string) (string, []byte) {
	var file string
	var content []byte
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		candidate := path.Join(dir, name)
		data, err := in.tree.read(candidate)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			in.report(from, value, reasonOf(err), "%q cannot be read: %v", candidate, err)
			return "", nil
		case file != "":
			in.report(from, value, ErrSyntax, "%q has two kustomizations: keep one of %q and %q", dir, file, candidate)
			return "", nil
		default:
			file, content = candidate, data
		}
	}
	if file == "" {
		in.report(from, value, ErrMissing, "no kustomization.yaml in %q", dir)
	}
	return file, content
}

// parse decodes exactly as kustomize does: its decoder also accepts keys in another case.
func (in *inspection) parse(here at, content []byte) (*types.Kustomization, bool) {
	if err := checkAliases(content); err != nil {
		in.report(here, "", ErrTooLarge, "%v", err)
		return nil, false
	}
	var k types.Kustomization
	if err := k.Unmarshal(content); err != nil {
		in.problems = append(in.problems, &Problem{File: here.file, Line: lineIn(err), Message: err.Error(), Reason: ErrSyntax})
		return nil, false
	}
	k.FixKustomization()
	if len(k.HelmCharts) > 0 {
		in.report(here, "helmCharts", ErrPlugin, "helmCharts runs helm, which Flux does not do: write a HelmRelease")
		return nil, false
	}
	return &k, true
}

// remember notes what the origins of objects and the cleaning of messages need.
func (in *inspection) remember(here at, k *types.Kustomization) {
	note := func(kind string, args types.GeneratorArgs) {
		origin := Origin{File: here.file, Line: here.lines.of(args.Name)}
		in.generators = append(in.generators, generated{kind: kind, name: args.Name, origin: origin})
	}
	for _, g := range k.ConfigMapGenerator {
		note("ConfigMap", g.GeneratorArgs)
	}
	for _, g := range k.SecretGenerator {
		note("Secret", g.GeneratorArgs)
		for _, literal := range g.LiteralSources {
			_, text, _ := strings.Cut(literal, "=")
			in.secrets = append(in.secrets, literal, text)
		}
	}
}

// follow checks one reference and what it leads to, and returns how many directories kustomize builds
// for it.
func (in *inspection) follow(here at, dir string, ref reference) int {
	if isRemote(ref.path) {
		in.report(here, ref.value, ErrRemote, "%s: %q is remote: kustomize would fetch it, add a copy to the repository",
			ref.field, redactURL(ref.value))
		return 0
	}
	if ref.reach == toPlugin && in.inlinePlugin(here, dir, ref) || ref.reach == toFileOrInline && isMapping(ref.value) {
		return 0
	}
	target := path.Join(dir, ref.path)
	if path.IsAbs(ref.path) || target == ".." || strings.HasPrefix(target, "../") {
		in.report(here, ref.value, ErrOutside, "%s: %q is outside the repository: name something inside it, from this directory",
			ref.field, ref.value)
		return 0
	}
	isDir, err := in.tree.kindOf(target)
	if err != nil {
		in.reportUnreadable(here, ref, target, err)
		return 0
	}
	if isDir {
		return in.followDirectory(here, target, ref)
	}
	return in.followFile(here, dir, target, ref)
}

func (in *inspection) reportUnreadable(here at, ref reference, target string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		in.report(here, ref.value, ErrMissing, "%s: %q does not exist", ref.field, target)
		return
	}
	in.report(here, ref.value, reasonOf(err), "%s: %v", ref.field, err)
}

func (in *inspection) followDirectory(here at, target string, ref reference) int {
	switch ref.reach {
	case toPlugin:
		// A kustomization could patch a configuration after it was checked.
		in.report(here, ref.value, ErrPlugin, "%s: %q is a directory: name the files in it", ref.field, target)
		return 0
	case toFile, toFileOrInline:
		in.report(here, ref.value, ErrMissing, "%s: %q is a directory, not a file", ref.field, target)
		return 0
	}
	if len(here.chain) >= maxDepth {
		in.report(here, ref.value, ErrTooLarge, "%s: %q is %d kustomizations deep", ref.field, target, maxDepth)
		return 0
	}
	for i, ancestor := range here.chain {
		if target == ancestor || target == "." || strings.HasPrefix(ancestor, target+"/") {
			in.report(here, ref.value, ErrCycle, "%s: %q includes itself: %s", ref.field, target,
				strings.Join(append(slices.Clone(here.chain[i:]), target), " → "))
			return 0
		}
	}
	return in.visit(target, here, ref.value)
}

func (in *inspection) followFile(here at, dir, target string, ref reference) int {
	if ref.reach == toDirectory {
		in.report(here, ref.value, ErrMissing, "%s: %q is a file, not a directory", ref.field, target)
		return 0
	}
	content, err := in.tree.read(target)
	if err == nil && !strings.HasPrefix(ref.field, "configMapGenerator") && !strings.HasPrefix(ref.field, "secretGenerator") {
		err = checkAliases(content)
	}
	if err != nil {
		in.reportUnreadable(here, ref, target, err)
		return 0
	}
	switch {
	case ref.reach == toPlugin:
		in.plugins(at{file: target, lines: linesOf(content), chain: here.chain}, dir, content)
	case ref.reach == toFileOrDirectory && !slices.Contains(in.resources, target):
		in.resources = append(in.resources, target)
	}
	return 0
}
