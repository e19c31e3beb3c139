package diff_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
)

// TestJSONFollowsItsSchema holds what is written in every case to the schema that other programs read it by.
func TestJSONFollowsItsSchema(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/reference/diff.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range goldenFiles(t, "*.txtar") {
		g, _ := readGolden(t, file)
		var written bytes.Buffer
		if err := diff.Write(&written, "json", g.compare(t, g.options()), diff.Style{}); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(&written)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		value.(map[string]any)["version"] = diff.JSONVersion + 1
		if schema.Validate(value) == nil {
			t.Errorf("%s: another version follows the schema, too", filepath.Base(file))
		}
	}
}
