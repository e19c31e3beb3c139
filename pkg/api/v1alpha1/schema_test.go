package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	sigsyaml "sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// root is the project's root, which is a control repo too.
const root = "../../.."

func compile(t *testing.T, kind v1alpha1.Kind) *jsonschema.Schema {
	t.Helper()
	data, err := v1alpha1.Schema(kind)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(kind.SchemaFile(), document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(kind.SchemaFile())
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, document []byte) error {
	t.Helper()
	converted, err := sigsyaml.YAMLToJSON(document)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(converted))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestSchemasAcceptTheFilesOfThisControlRepo(t *testing.T) {
	t.Parallel()
	for kind, pattern := range map[v1alpha1.Kind]string{
		v1alpha1.KindControlRepo: "tfgitops.yaml",
		v1alpha1.KindComponent:   "components/*/component.yaml",
		v1alpha1.KindCluster:     "clusters/*/cluster.yaml",
		v1alpha1.KindPin:         "clusters/*/pins/*.yaml",
	} {
		schema := compile(t, kind)
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no file is %s: %v", pattern, err)
		}
		for _, file := range files {
			document, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(t, schema, document); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			checkSchemaLine(t, kind, file, document)
		}
	}
}

// checkSchemaLine holds that an editor finds the kind's schema through the first line of the file.
func checkSchemaLine(t *testing.T, kind v1alpha1.Kind, file string, document []byte) {
	t.Helper()
	first, _, _ := strings.Cut(string(document), "\n")
	path, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
	if !ok {
		t.Errorf("%s does not name its schema in its first line", file)
		return
	}
	found, err := os.ReadFile(filepath.Join(filepath.Dir(file), path))
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	want, err := v1alpha1.Schema(kind)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(found, want) {
		t.Errorf("%s names %s, which is not the schema of a %s: run make generate", file, path, kind)
	}
}

// The documents that the cases below break in one place each.
const (
	goodControlRepo = `{apiVersion: tfgitops.toolforge.org/v1alpha1, kind: ControlRepo, metadata: {name: x}, spec: {
		repositories: {r: {url: 'oci://x/y', pinning: digest, verify: {provider: cosign}, secretRef: {name: s}}},
		stages: [{name: test, clusters: [c], requires: [ready], soak: 1h30m}],
		freeze: [{from: '2026-12-20', to: '2027-01-02T00:00:00+01:00', reason: holidays}]}}`
	goodComponent = `{apiVersion: tfgitops.toolforge.org/v1alpha1, kind: Component, metadata: {name: x}, spec: {timeout: 5m,
		releases: [{name: r, crds: Skip, kubeVersion: '1.32', valuesFrom: [{kind: Secret, name: s, targetPath: 'a.b[0]'}]}]}}`
	goodCluster = `{apiVersion: tfgitops.toolforge.org/v1alpha1, kind: Cluster, metadata: {name: x}, spec: {kubeVersion: 1.32.4, fluxVersion: '2.9',
		repositories: {r: {insecure: true}}, releases: {r: {suspend: true}}, allowApply: false}}`
	goodPin = `{apiVersion: tfgitops.toolforge.org/v1alpha1, kind: Pin, metadata: {name: x}, spec: {commit: 0a1b2c3d,
		releases: {r: {version: '1.2.3', values: {any: [1, null, {x: y}]}}}, hold: {reason: why}}}`
)

func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		kind      v1alpha1.Kind
		good      string
		old, new  string
		wantWords string // in the validator's message
	}{
		{"another kind", v1alpha1.KindPin, goodPin, "kind: Pin", "kind: Cluster", "/kind"},
		{"another version", v1alpha1.KindPin, goodPin, "v1alpha1", "v1beta1", "/apiVersion"},
		{"no metadata", v1alpha1.KindPin, goodPin, "metadata: {name: x}, ", "", "missing property 'metadata'"},
		{"no spec", v1alpha1.KindComponent, goodComponent, "spec:", "specification:", "missing property 'spec'"},
		{"an empty name", v1alpha1.KindPin, goodPin, "{name: x}", "{name: ''}", "/metadata/name"},
		{"a name that is no DNS label", v1alpha1.KindPin, goodPin, "{name: x}", "{name: X_y}", "/metadata/name"},
		{"an unknown key at the top", v1alpha1.KindPin, goodPin, "kind: Pin", "kind: Pin, status: {}", "'status' not allowed"},
		{"an unknown key in the spec", v1alpha1.KindPin, goodPin, "commit:", "comit:", "'comit' not allowed"},
		{"an unknown key in a release", v1alpha1.KindComponent, goodComponent, "crds:", "crd:", "'crd' not allowed"},
		{"an unknown key in Flux's type", v1alpha1.KindComponent, goodComponent, "targetPath:", "path:", "'path' not allowed"},
		{"an unquoted number as a version", v1alpha1.KindPin, goodPin, "'1.2.3'", "1.2", "/version"},
		{"an unquoted number as a commit", v1alpha1.KindPin, goodPin, "0a1b2c3d", "40551e32", "/spec/commit"},
		{"an unquoted number as a Flux version", v1alpha1.KindCluster, goodCluster, "'2.9'", "2.9", "/spec/fluxVersion"},
		{"an unquoted number in a range", v1alpha1.KindComponent, goodComponent, "'1.32'", "1.32", "/kubeVersion"},
		{"a commit that is not hexadecimal", v1alpha1.KindPin, goodPin, "0a1b2c3d", "main", "/spec/commit"},
		{"values that are no mapping", v1alpha1.KindPin, goodPin, "values: {any: [1, null, {x: y}]}", "values: [1]", "/values"},
		{"a release without a version", v1alpha1.KindPin, goodPin, "version: '1.2.3', ", "", "missing property 'version'"},
		{"a digest that is none", v1alpha1.KindPin, goodPin, "version:", "digest: abc, version:", "/digest"},
		{"a hold without a reason", v1alpha1.KindPin, goodPin, "{reason: why}", "{task: T1}", "missing property 'reason'"},
		{"a timestamp that is none", v1alpha1.KindPin, goodPin, "{reason: why}", "{reason: why, until: tomorrow}", "/until"},
		{"a repository without a URL", v1alpha1.KindControlRepo, goodControlRepo, "url: 'oci://x/y', ", "", "missing property 'url'"},
		{"a URL of another scheme", v1alpha1.KindControlRepo, goodControlRepo, "oci:", "ftp:", "/url"},
		{"an unknown pinning", v1alpha1.KindControlRepo, goodControlRepo, "pinning: digest", "pinning: tag", "/pinning"},
		{"an unknown signature provider of Flux", v1alpha1.KindControlRepo, goodControlRepo, "provider: cosign", "provider: gpg", "/verify/provider"},
		{"a Secret without a name", v1alpha1.KindControlRepo, goodControlRepo, "secretRef: {name: s}", "secretRef: {}", "missing property 'name'"},
		{"a stage without clusters", v1alpha1.KindControlRepo, goodControlRepo, "clusters: [c]", "clusters: []", "/clusters"},
		{"an unknown gate", v1alpha1.KindControlRepo, goodControlRepo, "[ready]", "[green]", "/requires/0"},
		{"a duration without a unit", v1alpha1.KindControlRepo, goodControlRepo, "1h30m", "'90'", "/soak"},
		{"a freeze without an end", v1alpha1.KindControlRepo, goodControlRepo, "to: '2027-01-02T00:00:00+01:00', ", "", "missing property 'to'"},
		{"an unknown policy of Flux", v1alpha1.KindComponent, goodComponent, "crds: Skip", "crds: skip", "/crds"},
		{"values from what Flux does not read", v1alpha1.KindComponent, goodComponent, "kind: Secret", "kind: Vault", "/valuesFrom/0/kind"},
		{"a targetPath that Flux refuses", v1alpha1.KindComponent, goodComponent, "a.b[0]", "a b", "/targetPath"},
		{"a release name that Helm refuses", v1alpha1.KindComponent, goodComponent, "{name: r,", "{name: " + strings.Repeat("r", 54) + ",", "/name"},
		{"a string for a boolean", v1alpha1.KindCluster, goodCluster, "suspend: true", "suspend: 'true'", "/suspend"},
		{"a chart in a cluster's override", v1alpha1.KindCluster, goodCluster, "suspend: true", "chart: other", "'chart' not allowed"},
		{"a Flux version with a patch", v1alpha1.KindCluster, goodCluster, "'2.9'", "'2.9.1'", "/spec/fluxVersion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			schema := compile(t, c.kind)
			if err := validate(t, schema, []byte(c.good)); err != nil {
				t.Fatalf("the good document: %v", err)
			}
			bad := strings.Replace(c.good, c.old, c.new, 1)
			if bad == c.good {
				t.Fatalf("%q is not in the good document", c.old)
			}
			err := validate(t, schema, []byte(bad))
			if err == nil || !strings.Contains(err.Error(), c.wantWords) {
				t.Errorf("got %v, want an error with %q", err, c.wantWords)
			}
		})
	}
}

// fieldFacts is what a Go type and a schema must agree on for each field, by its path.
type fieldFacts map[string]struct{ Type, Required string }

func TestSchemasAgreeWithTheTypes(t *testing.T) {
	t.Parallel()
	for kind, goType := range map[v1alpha1.Kind]reflect.Type{
		v1alpha1.KindControlRepo: reflect.TypeFor[v1alpha1.ControlRepo](),
		v1alpha1.KindComponent:   reflect.TypeFor[v1alpha1.Component](),
		v1alpha1.KindCluster:     reflect.TypeFor[v1alpha1.Cluster](),
		v1alpha1.KindPin:         reflect.TypeFor[v1alpha1.Pin](),
	} {
		data, err := v1alpha1.Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		var schema map[string]any
		if err := json.Unmarshal(data, &schema); err != nil {
			t.Fatal(err)
		}
		inType, inSchema := fieldFacts{}, fieldFacts{}
		inType.ofType("", goType)
		inSchema.ofSchema(t, "", schema)
		if kind == v1alpha1.KindControlRepo {
			// Required there and not in a cluster's override, which is the same Go type.
			url := inType["/spec/repositories/*/url"]
			url.Required = "required"
			inType["/spec/repositories/*/url"] = url
		}
		if difference := cmp.Diff(inType, inSchema); difference != "" {
			t.Errorf("%s: the type (-) and the schema (+) differ: run make generate\n%s", kind, difference)
		}
	}
}

func (f fieldFacts) ofType(path string, t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[apiextensionsv1.JSON]():
		return "object"
	case t.Kind() == reflect.Pointer:
		return f.ofType(path, t.Elem())
	case t.Kind() == reflect.Slice:
		f.ofType(path+"/*", t.Elem())
		return "array"
	case t.Kind() == reflect.Map:
		f.ofType(path+"/*", t.Elem())
		return "object"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() != reflect.Struct:
		return t.Kind().String()
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			f.ofType(path, field.Type)
			continue
		}
		facts := f[path+"/"+name]
		if options == "" || slices.Contains(strings.Split(field.Tag.Get("jsonschema"), ","), "required") {
			facts.Required = "required"
		}
		facts.Type = f.ofType(path+"/"+name, field.Type)
		f[path+"/"+name] = facts
	}
	return "object"
}

func (f fieldFacts) ofSchema(t *testing.T, path string, schema map[string]any) string {
	t.Helper()
	schemaType, _ := schema["type"].(string)
	if items, ok := schema["items"].(map[string]any); ok {
		f.ofSchema(t, path+"/*", items)
	}
	if values, ok := schema["additionalProperties"].(map[string]any); ok {
		f.ofSchema(t, path+"/*", values)
	}
	properties, hasProperties := schema["properties"].(map[string]any)
	if more, isBool := schema["additionalProperties"].(bool); hasProperties && (more || !isBool) {
		t.Errorf("%s accepts fields that it does not know", path)
	}
	required, _ := schema["required"].([]any)
	for name, value := range properties {
		property := value.(map[string]any)
		if text, _ := property["description"].(string); text == "" || strings.Contains(text, "+kubebuilder") {
			t.Errorf("%s/%s is described as %q", path, name, text)
		}
		facts := f[path+"/"+name]
		if slices.Contains(required, any(name)) {
			facts.Required = "required"
		}
		facts.Type = f.ofSchema(t, path+"/"+name, property)
		f[path+"/"+name] = facts
	}
	return schemaType
}

func TestSchemaOfUnknownKind(t *testing.T) {
	t.Parallel()
	for given, want := range map[v1alpha1.Kind]string{
		"Pins":    `there is no kind "Pins" (did you mean Pin?): the kinds are ControlRepo, Component, Cluster, Pin`,
		"cluser":  `there is no kind "cluser" (did you mean Cluster?): the kinds are ControlRepo, Component, Cluster, Pin`,
		"Secret":  `there is no kind "Secret": the kinds are ControlRepo, Component, Cluster, Pin`,
		"../x":    `there is no kind "../x": the kinds are ControlRepo, Component, Cluster, Pin`,
		"":        `there is no kind "": the kinds are ControlRepo, Component, Cluster, Pin`,
		"compnnt": `there is no kind "compnnt" (did you mean Component?): the kinds are ControlRepo, Component, Cluster, Pin`,
	} {
		if _, err := v1alpha1.Schema(given); err == nil || err.Error() != want {
			t.Errorf("Schema(%q): got %v, want %s", given, err, want)
		}
	}
}

func TestParseKind(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ControlRepo", "controlrepo", "CONTROLREPO"} {
		if kind, err := v1alpha1.ParseKind(name); err != nil || kind != v1alpha1.KindControlRepo {
			t.Errorf("ParseKind(%q) = %q, %v", name, kind, err)
		}
	}
	if _, err := v1alpha1.ParseKind("Secret"); err == nil {
		t.Error("ParseKind accepts Secret")
	}
}

func TestScalars(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		scalar v1alpha1.Scalar
		ok     bool
	}{
		{v1alpha1.Duration("1h30m"), true},
		{v1alpha1.Duration("90"), false},
		{v1alpha1.Timestamp("2026-12-20"), true},
		{v1alpha1.Timestamp("2026-12-20T09:00:00Z"), true},
		{v1alpha1.Timestamp("2026-13-20"), false},
		{v1alpha1.Gate("ready"), true},
		{v1alpha1.Gate("green"), false},
		{v1alpha1.Provider("gcp"), true},
		{v1alpha1.Provider("ibm"), false},
		{v1alpha1.PinningDigest, true},
		{v1alpha1.Pinning("tag"), false},
		{v1alpha1.CRDsCreateReplace, true},
		{v1alpha1.CRDsPolicy("skip"), false},
		{v1alpha1.RemediationRollback, true},
		{v1alpha1.Remediation("uninstall"), false},
	} {
		if err := c.scalar.Check(); (err == nil) != c.ok {
			t.Errorf("%T %q: %v", c.scalar, c.scalar, err)
		}
	}
}
