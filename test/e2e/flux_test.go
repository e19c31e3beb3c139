package e2e_test

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// source is the name of the GitRepository and of the Kustomization, as `flux bootstrap` has them.
const source = "flux-system"

func newSources(t *testing.T) *harness.Sources {
	t.Helper()
	sources := harness.NewSources()
	t.Cleanup(sources.Close)
	return sources
}

// publish gives a tree to the cluster's GitRepository and returns its revision.
func publish(t *testing.T, sources *harness.Sources, c *harness.Cluster, tree fs.FS) string {
	t.Helper()
	revision, err := sources.Publish(within(t, time.Minute), c, source, tree)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// apply makes the cluster's Flux Kustomization and waits until it has applied the revision.
func apply(t *testing.T, c *harness.Cluster, revision string, spec kustomizev1.KustomizationSpec) *kustomizev1.Kustomization {
	t.Helper()
	if err := c.Create(within(t, time.Minute), kustomizationFor(spec)); err != nil {
		t.Fatal(err)
	}
	return applied(t, c, revision)
}

// kustomizationFor is the cluster's Flux Kustomization, of the GitRepository that publish makes.
func kustomizationFor(spec kustomizev1.KustomizationSpec) *kustomizev1.Kustomization {
	spec.SourceRef = kustomizev1.CrossNamespaceSourceReference{Kind: "GitRepository", Name: source}
	spec.Interval = metav1.Duration{Duration: time.Hour}
	return &kustomizev1.Kustomization{ObjectMeta: metav1.ObjectMeta{Name: source, Namespace: harness.FluxNamespace}, Spec: spec}
}

// applied waits until the cluster's Flux Kustomization has applied a revision.
func applied(t *testing.T, c *harness.Cluster, revision string) *kustomizev1.Kustomization {
	t.Helper()
	k, err := c.Applied(within(t, time.Minute), source, revision)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// set puts a value where a target path leads, a dot after a backslash being part of a key.
func set(values map[string]any, path, value string) {
	const dot = "\x00"
	keys := strings.Split(strings.ReplaceAll(path, `\.`, dot), ".")
	for i, key := range keys {
		key = strings.ReplaceAll(key, dot, ".")
		if i == len(keys)-1 {
			values[key] = value
			return
		}
		next, isMap := values[key].(map[string]any)
		if !isMap {
			next = map[string]any{}
			values[key] = next
		}
		values = next
	}
}
