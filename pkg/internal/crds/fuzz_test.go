package crds

import (
	"encoding/json"
	"testing"

	"sigs.k8s.io/yaml"
)

// FuzzValidate holds that no object, however odd, makes the API server's code panic here.
func FuzzValidate(f *testing.F) {
	for _, text := range good {
		data, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","metadata":null,"spec":[null]}`))
	f.Add([]byte(`{"apiVersion":"helm.toolkit.fluxcd.io/v2","kind":"HelmRelease","metadata":{"name":1e400},"spec":{"maxHistory":1e30}}`))
	v := New()
	f.Fuzz(func(t *testing.T, data []byte) {
		var obj map[string]any
		if json.Unmarshal(data, &obj) != nil {
			t.Skip()
		}
		if _, err := v.Validate(t.Context(), obj); err != nil {
			t.Errorf("an object must give findings, not an error: %v", err)
		}
	})
}
