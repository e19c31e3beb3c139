package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
)

func TestGeneratedFilesAreCheckedIn(t *testing.T) {
	t.Parallel()
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Error(err)
		} else if string(got) != string(want) {
			t.Errorf("%s is not what the sources say: run make generate (-checked in +generated)\n%s", name, cmp.Diff(string(got), string(want)))
		}
	}
}

func TestRunWritesEveryFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := run([]string{root}); err != nil {
		t.Fatal(err)
	}
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != string(want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := run(nil); err == nil {
		t.Error("run without a root does not fail")
	}
}

// The examples on the page are a control repo in which nothing is wrong.
func TestExamplesLoad(t *testing.T) {
	t.Parallel()
	example, err := fs.Sub(examples, "example")
	if err != nil {
		t.Fatal(err)
	}
	repo, findings := control.Load(t.Context(), example, control.Only{})
	for _, finding := range findings {
		t.Error(finding)
	}
	deployment, findings := repo.Deployment("demo", "hello")
	for _, finding := range findings {
		t.Error(finding)
	}
	if deployment == nil || len(deployment.Releases) != 1 || deployment.Releases[0].Version != "1.2.0-0a1b2c3d" {
		t.Errorf("the example deploys %+v", deployment)
	}
}

func TestApplyMarker(t *testing.T) {
	t.Parallel()
	limit := uint64(253)
	for _, c := range []struct {
		marker string
		want   *jsonschema.Schema // nil: an error
	}{
		{"optional", &jsonschema.Schema{}},
		{"required", &jsonschema.Schema{}},
		{"kubebuilder:default:=cosign", &jsonschema.Schema{Default: "cosign"}},
		{"kubebuilder:default=cosign", &jsonschema.Schema{Default: "cosign"}},
		{"kubebuilder:validation:Enum=a;b", &jsonschema.Schema{Enum: []any{"a", "b"}}},
		{"kubebuilder:validation:Pattern=`^a=b$`", &jsonschema.Schema{Pattern: "^a=b$"}},
		{"kubebuilder:validation:MinLength=253", &jsonschema.Schema{MinLength: &limit}},
		{"kubebuilder:validation:MaxLength=253", &jsonschema.Schema{MaxLength: &limit}},
		{"kubebuilder:validation:MaxLength=many", nil},
		{"kubebuilder:validation:XValidation:rule=\"true\"", nil},
	} {
		got := &jsonschema.Schema{}
		err := applyMarker(got, c.marker)
		if c.want == nil {
			if err == nil {
				t.Errorf("+%s is accepted", c.marker)
			}
			continue
		}
		if err != nil || asJSON(t, got) != asJSON(t, c.want) {
			t.Errorf("+%s gives %s, %v", c.marker, asJSON(t, got), err)
		}
	}
}

func asJSON(t *testing.T, s *jsonschema.Schema) string {
	t.Helper()
	encoded, err := encodeSchema(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestRulesAreNamedOnceAndDescribed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, rule := range slices.Concat(validate.Rules(), validate.ChangeRules()) {
		if seen[rule.ID] {
			t.Errorf("two rules are named %q", rule.ID)
		}
		seen[rule.ID] = true
		if rule.Finds == "" || rule.Because == "" || (rule.Severity != control.Error && rule.Severity != control.Warning) {
			t.Errorf("the rule %q is not described: %+v", rule.ID, rule)
		}
	}
}
