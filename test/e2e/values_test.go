package e2e_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

var helmReleaseKind = schema.GroupVersionKind{Group: helmv2.GroupVersion.Group, Version: helmv2.GroupVersion.Version, Kind: helmv2.HelmReleaseKind}

// storedRelease is a HelmRelease as the API server stores it, its values in their bytes.
func storedRelease(t *testing.T, c *harness.Cluster, name string) *helmv2.HelmRelease {
	t.Helper()
	content, err := c.JSON(t.Context(), helmReleaseKind, client.ObjectKey{Namespace: harness.FluxNamespace, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	var release helmv2.HelmRelease
	if err := json.Unmarshal(content, &release); err != nil {
		t.Fatal(err)
	}
	return &release
}

// sameValues wants the values that the API server stores to be those of the control repo: nulls, dates as text, and every
// digit of every number.
func sameValues(t *testing.T, want control.Values, stored *helmv2.HelmRelease) {
	t.Helper()
	got := any(map[string]any{})
	if stored.Spec.Values != nil {
		got = decoded(t, stored.Spec.Values.Raw)
	}
	if diff := cmp.Diff(exact(want), exact(got)); diff != "" {
		t.Errorf("values of %q (-control repo +API server):\n%s", stored.Name, diff)
	}
}

// decoded is JSON with its numbers as they are written.
func decoded(t *testing.T, content []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v in %.200s", err, content)
	}
	return value
}

// exact writes every number in one way: 1.50 is 1.5, 1e3 is 1000, and no digit is lost.
func exact(value any) any {
	return mapped(value, func(n json.Number) any {
		rational, isNumber := new(big.Rat).SetString(n.String())
		if !isNumber {
			return n
		}
		return json.Number(rational.RatString())
	})
}

// asHelm is values as Helm's templates and records have them: numbers in floating point.
func asHelm(t *testing.T, value any) any {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var asFloats any
	if err := json.Unmarshal(encoded, &asFloats); err != nil {
		t.Fatal(err)
	}
	return asFloats
}

// mapped replaces every number below a value.
func mapped(value any, number func(json.Number) any) any {
	switch value := value.(type) {
	case map[string]any:
		result := make(map[string]any, len(value))
		for key, child := range value {
			result[key] = mapped(child, number)
		}
		return result
	case []any:
		result := make([]any, len(value))
		for i, child := range value {
			result[i] = mapped(child, number)
		}
		return result
	case json.Number:
		return number(value)
	}
	return value
}
