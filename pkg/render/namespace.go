package render

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// builtinNamespaces are there before Flux is, and are nobody's to declare.
var builtinNamespaces = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

// namespaces returns the namespaces that the releases of a cluster go to, each once, sorted by name.
func namespaces(cluster *control.Cluster, deployments []control.Deployment) []*corev1.Namespace {
	names := map[string]bool{}
	for _, d := range deployments {
		for _, r := range d.Releases {
			names[r.Namespace] = true
		}
	}
	var objects []*corev1.Namespace
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if name != cluster.FluxNamespaceName() && !slices.Contains(builtinNamespaces, name) {
			objects = append(objects, namespace(name))
		}
	}
	return objects
}

// namespace is never pruned: with it Kubernetes would delete everything in it.
func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotationPrune: disabled}},
	}
}
