package toolforge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// release is what Helm is asked for, by helmfile or by Flux.
type release struct {
	Name       string
	Chart      string
	Repository string // URL, oci:// or https://
	Version    string
	Namespace  string
	Timeout    time.Duration
	Values     map[string]any // numbers are json.Number
	Secrets    []secretValue
}

// secretValue is a value that comes from a Secret: the one at Path, or all of the release's values where Path is empty.
type secretValue struct {
	Path    string
	Literal bool // taken as it is, not as the argument of --set
}

// differences says in what got differs from want, one line or diff each.
func differences(want, got release) []string {
	var found []string
	for _, field := range []struct{ name, want, got string }{
		{"chart", want.Chart, got.Chart},
		{"repository", want.Repository, got.Repository},
		{"version", want.Version, got.Version},
		{"namespace", want.Namespace, got.Namespace},
		{"timeout", want.Timeout.String(), got.Timeout.String()},
	} {
		if field.want != field.got {
			found = append(found, fmt.Sprintf("%s: %s is %q, want %q", want.Name, field.name, field.got, field.want))
		}
	}
	if diff := cmp.Diff(want.Secrets, got.Secrets); diff != "" {
		found = append(found, fmt.Sprintf("%s: values from Secrets (-want +got):\n%s", want.Name, diff))
	}
	if diff := cmp.Diff(want.Values, got.Values); diff != "" {
		found = append(found, fmt.Sprintf("%s: values (-want +got):\n%s", want.Name, diff))
	}
	return found
}

// decodeYAML reads one document as Helm does: dates stay strings, integers keep every digit. An empty document is an
// empty map.
func decodeYAML(data []byte) (map[string]any, error) {
	asJSON, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	var m map[string]any
	if err := decoder.Decode(&m); err != nil {
		return nil, err
	}
	if m == nil {
		m = map[string]any{}
	}
	return m, nil
}

// mergeHelm merges as helm --values does: maps deeply, everything else replaced, null included.
func mergeHelm(base, over map[string]any) map[string]any {
	merged := maps.Clone(base)
	for k, v := range over {
		below, belowIsMap := merged[k].(map[string]any)
		if above, ok := v.(map[string]any); ok && belowIsMap {
			v = mergeHelm(below, above)
		}
		merged[k] = v
	}
	return merged
}

// takeSecrets moves what contains mark out of the values. A value that only maps lead to is taken alone. One inside a
// list cannot be: then all values come from the Secret, and none is left.
func takeSecrets(values map[string]any, mark string) (map[string]any, []secretValue) {
	left, secrets := takeFromMap(values, mark, nil)
	if contains(left, mark) {
		return map[string]any{}, []secretValue{{}}
	}
	slices.SortFunc(secrets, bySecretPath)
	return left, secrets
}

func takeFromMap(m map[string]any, mark string, path []string) (map[string]any, []secretValue) {
	left := map[string]any{}
	var secrets []secretValue
	for k, v := range m {
		here := append(slices.Clone(path), k)
		switch v := v.(type) {
		case map[string]any:
			below, more := takeFromMap(v, mark, here)
			left[k], secrets = below, append(secrets, more...)
		case string:
			if strings.Contains(v, mark) {
				secrets = append(secrets, secretValue{Path: strings.Join(here, "."), Literal: true})
				continue
			}
			left[k] = v
		default:
			left[k] = v
		}
	}
	return left, secrets
}

func contains(values map[string]any, mark string) bool {
	data, err := json.Marshal(values)
	return err != nil || bytes.Contains(data, []byte(mark))
}

func bySecretPath(a, b secretValue) int { return strings.Compare(a.Path, b.Path) }
