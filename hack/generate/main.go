package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// run writes every generated file below the repository's root, which is the only argument.
func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: go run ./hack/generate ROOT")
	}
	files, err := generate()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeFile(filepath.Join(args[0], filepath.FromSlash(name)), files[name]); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // checked in, for everyone to read
		return err
	}
	return os.WriteFile(name, content, 0o644) //nolint:gosec // checked in, for everyone to read
}

// generate returns the content of every generated file, by its path in the repository.
func generate() (map[string][]byte, error) {
	comments, err := readSource(documentedPackages()...)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	var documented []documentedKind
	for _, k := range kindTypes() {
		schema, err := schemaOf(k, comments)
		if err != nil {
			return nil, err
		}
		encoded, err := encodeSchema(schema)
		if err != nil {
			return nil, err
		}
		// Embedded into the program, and at the root for this control repo's own files.
		files["pkg/api/v1alpha1/schemas/"+k.kind.SchemaFile()] = encoded
		files["schemas/"+k.kind.SchemaFile()] = encoded
		documented = append(documented, documentedKind{k.kind, schema})
	}
	if files["docs/reference/diff.schema.json"], err = encodeSchema(reportSchema(comments)); err != nil {
		return nil, err
	}
	if files["docs/reference/files.md"], err = filesPage(documented); err != nil {
		return nil, err
	}
	if files["docs/reference/rules.md"], err = rulesPage(validate.Rules(), validate.ChangeRules()); err != nil {
		return nil, err
	}
	files["docs/reference/safety-rules.md"], err = safetyRulesPage(bump.Rules())
	return files, err
}
