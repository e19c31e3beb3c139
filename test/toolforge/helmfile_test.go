package toolforge_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// helmfileTimeout is what Flux is told where the helmfile says nothing.
const helmfileTimeout = 5 * time.Minute

// leaked are values that reach a chart which has no use for them, only because one file serves two purposes. They hold
// secrets, so they are not carried over.
var leaked = map[string][]string{"infra-tracing-loki": {"infraTracingLoki"}}

// helmfilePart is a document of helmfile.yaml: the fields that this repository uses.
type helmfilePart struct {
	Repositories []helmfileRepository
	Environments map[string]struct{ Values []string }
	HelmDefaults struct{ Timeout int }
	Releases     []helmfileRelease
}

type helmfileRepository struct {
	Name, URL string
	OCI       bool // the URL has no scheme then
}

type helmfileRelease struct {
	Name, Namespace, Chart, Version string
	Values                          []any
}

// helmfileTree is a folder of components, each with a helmfile.yaml.
type helmfileTree struct {
	root string
	// repositories are the URLs of all helmfiles by name: one helmfile uses a repository that only others declare.
	repositories map[string]string
}

// openHelmfileTree reads the tree's repositories.
func openHelmfileTree(root string) (*helmfileTree, error) {
	tree := &helmfileTree{root: root, repositories: map[string]string{}}
	return tree, tree.each("", func(_ string, part helmfilePart, _ map[string]any) error {
		for _, r := range part.Repositories {
			if r.OCI {
				r.URL = "oci://" + r.URL
			}
			tree.repositories[r.Name] = r.URL
		}
		return nil
	})
}

// releases returns what helmfile would give Helm in an environment, by the release's name.
func (tree *helmfileTree) releases(environment string) (map[string]release, error) {
	found := map[string]release{}
	err := tree.each(environment, func(dir string, part helmfilePart, values map[string]any) error {
		for _, r := range part.Releases {
			converted, err := tree.convert(r, part, templateContext{dir, environment, values})
			if err != nil {
				return fmt.Errorf("release %q: %w", r.Name, err)
			}
			found[r.Name] = converted
		}
		return nil
	})
	return found, err
}

// each calls do for every part of every helmfile, with the environment's values so far.
func (tree *helmfileTree) each(environment string, do func(dir string, part helmfilePart, values map[string]any) error) error {
	files, err := filepath.Glob(filepath.Join(tree.root, "*", "helmfile.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := eachPart(file, environment, do); err != nil {
			return fmt.Errorf("%q in environment %q: %w", file, environment, err)
		}
	}
	return nil
}

func eachPart(file, environment string, do func(dir string, part helmfilePart, values map[string]any) error) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	here := templateContext{filepath.Dir(file), environment, map[string]any{}}
	for text := range strings.SplitSeq(string(content), "\n---\n") {
		// Twice, as helmfile does: the first time only for the environment's values, which the second needs.
		draft, err := parsePart(text, here, lenient)
		if err != nil {
			return err
		}
		if err := here.addEnvironment(draft.Environments[environment].Values); err != nil {
			return err
		}
		mode := strict
		if environment == "" {
			mode = lenient
		}
		part, err := parsePart(text, here, mode)
		if err != nil {
			return err
		}
		if err := do(here.Dir, part, here.Values); err != nil {
			return err
		}
	}
	return nil
}

func parsePart(text string, context templateContext, mode string) (helmfilePart, error) {
	var part helmfilePart
	rendered, err := context.execute(text, mode)
	if err != nil {
		return part, err
	}
	return part, yaml.Unmarshal(rendered, &part)
}

// addEnvironment adds the files that the globs match: all of them, in order.
func (c *templateContext) addEnvironment(globs []string) error {
	for _, glob := range globs {
		files, err := filepath.Glob(filepath.Join(c.Dir, glob))
		if err != nil {
			return err
		}
		for _, file := range files {
			values, err := c.load(file)
			if err != nil {
				return err
			}
			c.Values = mergeEnvironment(c.Values, values)
		}
	}
	return nil
}

// mergeEnvironment merges as helmfile merges environments: unlike in Helm, an empty value overrides nothing.
func mergeEnvironment(base, over map[string]any) map[string]any {
	merged := mergeHelm(base, nil)
	for k, v := range over {
		old, exists := merged[k]
		below, belowIsMap := old.(map[string]any)
		above, aboveIsMap := v.(map[string]any)
		switch {
		case belowIsMap && aboveIsMap:
			merged[k] = mergeEnvironment(below, above)
		case !exists || !isEmpty(v):
			merged[k] = v
		}
	}
	return merged
}

func isEmpty(v any) bool {
	if v == nil {
		return true
	}
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Map, reflect.Slice:
		return value.Len() == 0
	default:
		return value.IsZero()
	}
}

func (tree *helmfileTree) convert(r helmfileRelease, part helmfilePart, context templateContext) (release, error) {
	alias, chart, ok := strings.Cut(r.Chart, "/")
	url, known := tree.repositories[alias]
	if !ok || !known {
		return release{}, fmt.Errorf("chart %q is of no known repository", r.Chart)
	}
	values, err := context.releaseValues(r.Values)
	if err != nil {
		return release{}, err
	}
	for _, key := range leaked[r.Name] {
		delete(values, key)
	}
	values, secrets := takeSecrets(withoutHelmfileKeys(values), secretMark)
	timeout := helmfileTimeout
	if part.HelmDefaults.Timeout > 0 {
		timeout = time.Duration(part.HelmDefaults.Timeout) * time.Second
	}
	return release{
		Name: r.Name, Chart: chart, Repository: url, Version: r.Version, Namespace: r.Namespace, Timeout: timeout,
		Values: values, Secrets: secrets,
	}, nil
}

// releaseValues merges a release's values: file names, of which each must match one file, and maps.
func (c templateContext) releaseValues(entries []any) (map[string]any, error) {
	merged := map[string]any{}
	for _, entry := range entries {
		values, err := c.releaseEntry(entry)
		if err != nil {
			return nil, err
		}
		merged = mergeHelm(merged, values)
	}
	return merged, nil
}

func (c templateContext) releaseEntry(entry any) (map[string]any, error) {
	glob, isFile := entry.(string)
	if !isFile {
		inline, err := yaml.Marshal(entry)
		if err != nil {
			return nil, err
		}
		return decodeYAML(inline)
	}
	files, err := filepath.Glob(filepath.Join(c.Dir, glob))
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("values %q match %d files, want one", glob, len(files))
	}
	return c.load(files[0])
}

// withoutHelmfileKeys drops what is in the values for helmfile alone.
func withoutHelmfileKeys(values map[string]any) map[string]any {
	kept := map[string]any{}
	for k, v := range values {
		if k == "chartVersion" || k == "chartRepository" || k == "kubeVersion" || strings.HasSuffix(k, "ChartVersion") {
			continue
		}
		if m, ok := v.(map[string]any); ok {
			m = mergeHelm(m, nil)
			delete(m, "chartVersion")
			v = m
		}
		kept[k] = v
	}
	return kept
}
