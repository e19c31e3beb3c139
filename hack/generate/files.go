package main

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/invopop/jsonschema"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// examples is a small control repo with one file of each kind.
//
//go:embed example
var examples embed.FS

type documentedKind struct {
	kind   v1alpha1.Kind
	schema *jsonschema.Schema
}

// place says where the files of a kind are, and which of the examples is one.
type place struct{ path, example string }

func places() map[v1alpha1.Kind]place {
	return map[v1alpha1.Kind]place{
		v1alpha1.KindControlRepo: {"tfgitops.yaml", "tfgitops.yaml"},
		v1alpha1.KindComponent:   {"components/<component>/component.yaml", "components/hello/component.yaml"},
		v1alpha1.KindCluster:     {"clusters/<cluster>/cluster.yaml", "clusters/demo/cluster.yaml"},
		v1alpha1.KindPin:         {"clusters/<cluster>/pins/<component>.yaml", "clusters/demo/pins/hello.yaml"},
	}
}

// field is one row of a kind's table.
type field struct {
	Path, Type, Default, Description string
	Required                         bool
}

// section is one kind on the page.
type section struct {
	Kind              v1alpha1.Kind
	Path, Description string
	Example           string
	Fields            []field
}

// filesPage is the reference page on the kinds of file: an example and a table of every field for each.
func filesPage(kinds []documentedKind) ([]byte, error) {
	var sections []section
	for _, k := range kinds {
		where := places()[k.kind]
		example, err := examples.ReadFile("example/" + where.example)
		if err != nil {
			return nil, err
		}
		sections = append(sections, section{
			Kind: k.kind, Path: where.path, Description: k.schema.Description,
			Example: string(example), Fields: fieldsOf("", k.schema),
		})
	}
	return execute(filesTemplate, sections)
}

const filesTemplate = `<!-- Written by make generate from pkg/api/v1alpha1. Do not edit. -->
# Files

A control repo is written in four kinds of file. ` + "`tfgitops schema KIND`" + ` prints the JSON Schema of a kind; the first line of each
example makes editors with the YAML language server complete and check the file.

In the tables, NAME stands for a name of your choice, and [] for each element of a list; a required field is required
where the field around it is written. A string that YAML reads as something else, such as the version 1.32, must be quoted.
{{range .}}
- [{{.Kind}}](#{{lower .Kind}}): ` + "`{{.Path}}`" + `{{end}}
{{range .}}
## {{.Kind}}

{{cell .Description}}

` + "```yaml\n{{.Example}}```" + `

| field | type | required | default | description |
|---|---|---|---|---|
{{- range .Fields}}
| ` + "`{{.Path}}`" + ` | {{.Type}} | {{if .Required}}yes{{end}} | {{with .Default}}` + "`{{.}}`" + `{{end}} | {{cell .Description}} |
{{- end}}
{{end}}`

// execute fills in a page's template.
func execute(text string, data any) ([]byte, error) {
	parsed, err := template.New("page").Funcs(template.FuncMap{
		"lower": func(k v1alpha1.Kind) string { return strings.ToLower(string(k)) },
		"cell":  cell,
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, data)
	return out.Bytes(), err
}

// cell makes text safe in a cell of a Markdown table: a bar would end it, and <this> would be taken for HTML.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`).Replace(text)
}

// fieldsOf lists the fields below a schema, each before its own fields.
func fieldsOf(path string, s *jsonschema.Schema) []field {
	var fields []field
	if s.Properties == nil {
		return nil
	}
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		name, property := pair.Key, pair.Value
		f := field{
			Path: path + name, Type: typeOf(property), Description: property.Description,
			Required: slices.Contains(s.Required, name),
		}
		if property.Default != nil {
			f.Default = fmt.Sprint(property.Default)
		}
		fields = append(fields, f)
		inner, suffix := innerOf(property)
		fields = append(fields, fieldsOf(path+name+suffix+".", inner)...)
	}
	return fields
}

// innerOf returns the schema whose fields are below a property: its own, its elements' or its values'.
func innerOf(s *jsonschema.Schema) (inner *jsonschema.Schema, suffix string) {
	switch {
	case s.Type == "array":
		return s.Items, "[]"
	case isDictionary(s):
		return s.AdditionalProperties, ".NAME"
	default:
		return s, ""
	}
}

func isDictionary(s *jsonschema.Schema) bool {
	return s.Type == "object" && s.Properties == nil && s.AdditionalProperties != nil
}

// typeOf says in a word or two what is written.
func typeOf(s *jsonschema.Schema) string {
	switch {
	case s.Const != nil:
		return fmt.Sprintf("`%v`", s.Const)
	case len(s.Enum) > 0:
		return alternatives(s.Enum)
	case s.Type == "array":
		return "list of " + typeOf(s.Items)
	case isDictionary(s):
		return "by name: " + typeOf(s.AdditionalProperties)
	case s.Type == "object" && s.Properties == nil:
		return "any mapping"
	case s.Title != "":
		return s.Title // a string of a particular form
	default:
		return s.Type
	}
}

func alternatives(values []any) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = fmt.Sprintf("`%v`", value)
	}
	return strings.Join(quoted, ", ")
}
