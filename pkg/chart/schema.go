package chart

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// Helm checks values with a validator that fetches what a schema refers to,
// from any URL and any file. This one knows only the schema itself.

// schemas keeps the compiled schemas of a chart and its subcharts.
type schemas struct{ compiled sync.Map } // *byte, the schema's first, to *compiledSchema

type compiledSchema struct {
	schema   *jsonschema.Schema
	warnings []string
	err      error
}

// check validates the values of a chart and, below their names, of its
// subcharts. The error lists the violations of all of them.
func (s *schemas) check(c *helmchart.Chart, values map[string]any) (warnings []string, err error) {
	var violations []string
	s.walk(c, values, func(chart, violation string) {
		violations = append(violations, fmt.Sprintf("chart %q: %s", chart, violation))
	}, &warnings)
	if len(violations) == 0 {
		return warnings, nil
	}
	return warnings, fmt.Errorf("%w: %s", ErrSchema, strings.Join(violations, "\n"))
}

func (s *schemas) walk(c *helmchart.Chart, values map[string]any, report func(chart, violation string), warnings *[]string) {
	if len(c.Schema) > 0 {
		compiled := s.compile(c)
		*warnings = append(*warnings, compiled.warnings...)
		if err := compiled.validate(values); err != nil {
			report(c.Name(), err.Error())
		}
	}
	deps := slices.Clone(c.Dependencies())
	slices.SortFunc(deps, func(a, b *helmchart.Chart) int { return strings.Compare(a.Name(), b.Name()) })
	for _, dep := range deps {
		switch sub := values[dep.Name()].(type) {
		case nil:
		case map[string]any:
			s.walk(dep, sub, report, warnings)
		default:
			report(dep.Name(), fmt.Sprintf("its values are a %T, want a mapping", sub))
		}
	}
}

func (s *schemas) compile(c *helmchart.Chart) *compiledSchema {
	key := &c.Schema[0]
	if found, ok := s.compiled.Load(key); ok {
		return found.(*compiledSchema) //nolint:forcetypeassert // the map holds nothing else
	}
	found, _ := s.compiled.LoadOrStore(key, compileSchema(c.Name(), c.Schema))
	return found.(*compiledSchema) //nolint:forcetypeassert // the map holds nothing else
}

// schemaURL is where Helm places the schema, which relative references resolve
// against.
const schemaURL = "file:///values.schema.json"

func compileSchema(chart string, text []byte) (out *compiledSchema) {
	out = &compiledSchema{}
	defer func() {
		if r := recover(); r != nil {
			out.err = fmt.Errorf("values.schema.json cannot be read: %v", r)
		}
	}()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		out.err = fmt.Errorf("values.schema.json is not JSON: %w", err)
		return out
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(refuser(func(url string) {
		out.warnings = append(out.warnings, fmt.Sprintf("chart %q: values.schema.json refers to %q, which is taken to allow anything", chart, url))
	}))
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		out.err = err
		return out
	}
	out.schema, out.err = compiler.Compile(schemaURL)
	return out
}

func (s *compiledSchema) validate(values map[string]any) error {
	if s.err != nil {
		return s.err
	}
	if err := s.schema.Validate(values); err != nil {
		_, detail, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%s", detail)
	}
	return nil
}

// refuser loads nothing: every document allows anything.
type refuser func(url string)

// Load reports the document and returns the schema true.
func (r refuser) Load(url string) (any, error) {
	r(url)
	return true, nil
}
