package crds

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// goTypes are the types that the definitions are made from.
var goTypes = map[string]reflect.Type{
	"HelmRelease":      reflect.TypeFor[helmv2.HelmRelease](),
	"Kustomization":    reflect.TypeFor[kustomizev1.Kustomization](),
	"Bucket":           reflect.TypeFor[sourcev1.Bucket](),
	"ExternalArtifact": reflect.TypeFor[sourcev1.ExternalArtifact](),
	"GitRepository":    reflect.TypeFor[sourcev1.GitRepository](),
	"HelmChart":        reflect.TypeFor[sourcev1.HelmChart](),
	"HelmRepository":   reflect.TypeFor[sourcev1.HelmRepository](),
	"OCIRepository":    reflect.TypeFor[sourcev1.OCIRepository](),
}

func TestEveryDefinitionIsListedAndCompiles(t *testing.T) {
	t.Parallel()
	entries, err := schemas.ReadDir("schemas")
	if err != nil {
		t.Fatal(err)
	}
	var files, listed []string
	for _, entry := range entries {
		files = append(files, entry.Name())
	}
	for gk, name := range definitionFiles {
		listed = append(listed, name)
		crd, err := loadDefinition(gk)
		if err != nil {
			t.Fatal(err)
		}
		if crd.Spec.Group != gk.Group || crd.Spec.Names.Kind != gk.Kind {
			t.Errorf("%s defines %s/%s, listed as %s", name, crd.Spec.Group, crd.Spec.Names.Kind, gk)
		}
		if _, err := newKind(gk); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(files, listed); diff != "" {
		t.Errorf("schemas/ and definitionFiles differ (-files +listed):\n%s", diff)
	}
}

// hack/crds.sh --check proves that the definitions are what controller-gen makes. This says the same of
// the field names without building controller-gen: whoever moves an API module and forgets the script
// sees it in go test.
func TestDefinitionsHaveTheFieldsOfTheGoTypes(t *testing.T) {
	t.Parallel()
	for gk := range definitionFiles {
		t.Run(gk.Kind, func(t *testing.T) {
			t.Parallel()
			k, err := newKind(gk)
			if err != nil {
				t.Fatal(err)
			}
			for _, version := range k.served {
				compareFields(t, gk.Kind, goTypes[gk.Kind], k.versions[version].structural)
			}
		})
	}
}

func compareFields(t *testing.T, path string, typ reflect.Type, s *schema.Structural) {
	t.Helper()
	switch typ.Kind() {
	case reflect.Pointer:
		compareFields(t, path, typ.Elem(), s)
		return
	case reflect.Slice:
		if s.Items != nil {
			compareFields(t, path+"[]", typ.Elem(), s.Items)
		}
		return
	case reflect.Struct:
	default:
		return
	}
	if len(s.Properties) == 0 { // a duration, any JSON: a struct in Go alone
		return
	}
	fields := map[string]reflect.Type{}
	jsonFields(typ, fields)
	for name := range s.Properties {
		if _, ok := fields[name]; !ok {
			t.Errorf("%s.%s is in the definition but not in the Go type: run hack/crds.sh", path, name)
		}
	}
	for name, fieldType := range fields {
		property, ok := s.Properties[name]
		if !ok {
			t.Errorf("%s.%s is in the Go type but not in the definition: run hack/crds.sh", path, name)
			continue
		}
		compareFields(t, path+"."+name, fieldType, &property)
	}
}

// jsonFields collects the fields of a struct as JSON sees them, embedded ones included.
func jsonFields(typ reflect.Type, into map[string]reflect.Type) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case name == "" && f.Anonymous || strings.Contains(options, "inline"):
			jsonFields(f.Type, into)
		case name != "":
			into[name] = f.Type
		}
	}
}
