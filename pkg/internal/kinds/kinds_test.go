package kinds_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/kinds"
)

func TestScope(t *testing.T) {
	for gvk, want := range map[schema.GroupVersionKind][2]bool{
		{Version: "v1", Kind: "ConfigMap"}:                                               {true, true},
		{Version: "v1", Kind: "Namespace"}:                                               {false, true},
		{Group: "apps", Version: "v1", Kind: "Deployment"}:                               {true, true},
		{Group: "apps", Version: "v9", Kind: "Deployment"}:                               {false, false},
		{Group: "policy", Version: "v1beta1", Kind: "PodSecurityPolicy"}:                 {false, true},
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}: {false, true},
		{Group: "example.org", Version: "v1", Kind: "Namespace"}:                         {false, false},
		{}: {false, false},
	} {
		namespaced, known := kinds.Scope(gvk)
		if got := [2]bool{namespaced, known}; got != want {
			t.Errorf("Scope(%v) = %v, want %v", gvk, got, want)
		}
	}
}

// Where kustomize knows a kind, it says the same.
func TestScopeIsKustomizes(t *testing.T) {
	compared := 0
	for gvk := range scheme.Scheme.AllKnownTypes() {
		want, known := openapi.IsNamespaceScoped(yaml.TypeMeta{APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind})
		if !known || strings.HasSuffix(gvk.Kind, "Options") {
			continue // what is given with a request is no object
		}
		compared++
		if namespaced, known := kinds.Scope(gvk); namespaced != want || !known {
			t.Errorf("Scope(%v) = %t, %t; kustomize says %t", gvk, namespaced, known, want)
		}
	}
	if compared < 50 {
		t.Errorf("only %d kinds were compared", compared)
	}
}
