package strictyaml

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Schema is what a Go type accepts, worked out once from its json tags.
type Schema struct {
	goType   reflect.Type
	kind     kind
	fields   map[string]*Schema // object
	required []string           // object, sorted
	elem     *Schema            // list, dictionary
}

type kind int

const (
	object kind = iota
	dictionary
	list
	text
	boolean
	integer
	freeForm // any YAML: what it holds is Helm's business
)

// checker is a string type that knows which strings it accepts.
type checker interface{ Check() error }

// SchemaOf works out the schema of T. It panics on a type that no YAML can be decoded into: that is a mistake in the
// program, not in its input.
func SchemaOf[T any]() *Schema { return schemaOf(reflect.TypeFor[T]()) }

func schemaOf(t reflect.Type) *Schema {
	if t == reflect.TypeFor[apiextensionsv1.JSON]() {
		return &Schema{goType: t, kind: freeForm}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Struct:
		return objectOf(t)
	case reflect.Map:
		return &Schema{goType: t, kind: dictionary, elem: schemaOf(t.Elem())}
	case reflect.Slice:
		return &Schema{goType: t, kind: list, elem: schemaOf(t.Elem())}
	case reflect.String:
		return &Schema{goType: t, kind: text}
	case reflect.Bool:
		return &Schema{goType: t, kind: boolean}
	case reflect.Int, reflect.Int32, reflect.Int64:
		return &Schema{goType: t, kind: integer}
	default:
		panic("strictyaml: no YAML for the Go type " + t.String())
	}
}

func objectOf(t reflect.Type) *Schema {
	s := &Schema{goType: t, kind: object, fields: map[string]*Schema{}}
	for i := range t.NumField() {
		s.addField(t.Field(i))
	}
	slices.Sort(s.required)
	return s
}

func (s *Schema) addField(f reflect.StructField) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if f.Anonymous && (name == "" || options == "inline") {
		inlined := objectOf(f.Type)
		maps.Copy(s.fields, inlined.fields)
		s.required = append(s.required, inlined.required...)
		return
	}
	if name == "" || name == "-" {
		return
	}
	s.fields[name] = schemaOf(f.Type)
	if slices.Contains(strings.Split(f.Tag.Get("jsonschema"), ","), "required") {
		s.required = append(s.required, name)
	}
}
