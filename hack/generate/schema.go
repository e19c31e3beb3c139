package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
)

// draft07 is the newest draft that yaml-language-server, and so every editor that uses it, checks documents by.
const draft07 = "http://json-schema.org/draft-07/schema#"

// documentedPackages are the packages whose types our kinds and reports are made of.
func documentedPackages() []string {
	return []string{
		reflect.TypeFor[diff.Document]().PkgPath(),
		reflect.TypeFor[v1alpha1.Pin]().PkgPath(),
		"github.com/fluxcd/pkg/apis/meta",
		"github.com/fluxcd/source-controller/api/v1",
	}
}

// kindType is a kind with its Go type, and what holds for that kind's files only.
type kindType struct {
	kind   v1alpha1.Kind
	goType reflect.Type
	adjust func(*jsonschema.Schema)
}

func kindTypes() []kindType {
	return []kindType{
		{v1alpha1.KindControlRepo, reflect.TypeFor[v1alpha1.ControlRepo](), requireRepositoryURL},
		{v1alpha1.KindComponent, reflect.TypeFor[v1alpha1.Component](), nil},
		{v1alpha1.KindCluster, reflect.TypeFor[v1alpha1.Cluster](), dropDefaultsOfOverrides},
		{v1alpha1.KindPin, reflect.TypeFor[v1alpha1.Pin](), nil},
	}
}

// requireRepositoryURL: a repository in tfgitops.yaml stands alone, one in a cluster overrides it field by field.
func requireRepositoryURL(s *jsonschema.Schema) {
	repository := at(s, "spec", "repositories").AdditionalProperties
	repository.Required = append(repository.Required, "url")
}

// dropDefaultsOfOverrides: what an override leaves out is as the component or tfgitops.yaml has it, not the default.
func dropDefaultsOfOverrides(s *jsonschema.Schema) {
	for _, name := range []string{"repositories", "releases"} {
		override := at(s, "spec", name).AdditionalProperties
		for pair := override.Properties.Oldest(); pair != nil; pair = pair.Next() {
			pair.Value.Default = nil
		}
	}
}

// at returns the schema of the property that the names lead to.
func at(s *jsonschema.Schema, names ...string) *jsonschema.Schema {
	for _, name := range names {
		s = s.Properties.Value(name)
	}
	return s
}

// schemaOf makes the schema of a kind's files. Nothing in it is a reference: editors show the description of the field
// that a person is on, which draft-07 ignores beside $ref.
func schemaOf(k kindType, comments source) (*jsonschema.Schema, error) {
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, Mapper: scalarSchema, LookupComment: comments.describe}
	s := reflector.ReflectFromType(k.goType)
	s.Version, s.Title = draft07, string(k.kind)
	at(s, "apiVersion").Const = v1alpha1.APIVersion
	at(s, "kind").Const = string(k.kind)
	at(s, "kind").Description = "Kind is " + string(k.kind) + "."
	if err := applyMarkers(s, k.goType, comments); err != nil {
		return nil, err
	}
	if k.adjust != nil {
		k.adjust(s)
	}
	return s, nil
}

// reportSchema makes the schema of what diff writes as JSON. Readers must expect fields that it does not have: a version gains some.
func reportSchema(comments source) *jsonschema.Schema {
	reflector := jsonschema.Reflector{Anonymous: true, DoNotReference: true, AllowAdditionalProperties: true, LookupComment: comments.describe}
	s := reflector.ReflectFromType(reflect.TypeFor[diff.Document]())
	s.Version, s.Title = draft07, "What tfgitops diff -o json writes"
	at(s, "version").Const = diff.JSONVersion
	return s
}

// scalarSchema is the schema of the types that say themselves what they accept, and nil for any other.
func scalarSchema(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[apiextensionsv1.JSON]() {
		return &jsonschema.Schema{Type: "object"} // Helm values: any mapping
	}
	zero := reflect.Zero(t)
	s := &jsonschema.Schema{Type: "string", Title: strings.ToLower(t.Name())}
	if formed, ok := zero.Interface().(interface{ Pattern() string }); ok {
		s.Pattern = formed.Pattern()
		return s
	}
	if accepted := zero.MethodByName("Accepted"); accepted.IsValid() {
		s.Title = ""
		values := accepted.Call(nil)[0]
		for i := range values.Len() {
			s.Enum = append(s.Enum, values.Index(i).String())
		}
		return s
	}
	return nil
}

// applyMarkers adds to the schema of t what controller-gen's markers in the source say of its fields.
func applyMarkers(s *jsonschema.Schema, t reflect.Type, comments source) error {
	t = element(t)
	switch {
	case s.Type == "array":
		return applyMarkers(s.Items, t.Elem(), comments)
	case t.Kind() == reflect.Map:
		return applyMarkers(s.AdditionalProperties, t.Elem(), comments)
	case s.Properties == nil:
		return nil
	}
	for i := range t.NumField() {
		if err := applyFieldMarkers(s, t, t.Field(i), comments); err != nil {
			return fmt.Errorf("%s.%s: %w", t, t.Field(i).Name, err)
		}
	}
	return nil
}

func applyFieldMarkers(s *jsonschema.Schema, owner reflect.Type, field reflect.StructField, comments source) error {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	if name == "" {
		return applyMarkers(s, field.Type, comments) // inlined
	}
	property := at(s, name)
	for _, marker := range comments.markers(owner, field.Name) {
		if err := applyMarker(property, marker); err != nil {
			return err
		}
	}
	return applyMarkers(property, field.Type, comments)
}

// applyMarker knows every marker on the types that are used. One that it does not know is an error, so that a new
// version of Flux's types cannot add a condition that the schemas lack.
func applyMarker(s *jsonschema.Schema, marker string) error {
	name, value, _ := strings.Cut(marker, "=")
	var err error
	switch strings.TrimSuffix(name, ":") {
	case "required", "optional": // the json tag says the same
	case "kubebuilder:default":
		s.Default = value
	case "kubebuilder:validation:Enum":
		for accepted := range strings.SplitSeq(value, ";") {
			s.Enum = append(s.Enum, accepted)
		}
	case "kubebuilder:validation:Pattern":
		s.Pattern = strings.Trim(value, "`")
	case "kubebuilder:validation:MinLength":
		s.MinLength, err = number(value)
	case "kubebuilder:validation:MaxLength":
		s.MaxLength, err = number(value)
	default:
		return fmt.Errorf("the marker +%s is not known here", marker)
	}
	return err
}

func number(text string) (*uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	return &n, err
}

// encodeSchema writes a schema as people read it: indented, and with <, > and & as they are.
func encodeSchema(s *jsonschema.Schema) ([]byte, error) {
	compact, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(compact))
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(plain), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
