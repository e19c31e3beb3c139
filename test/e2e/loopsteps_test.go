package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	helmchart "helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/loader"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// ask tells Flux that there is a push, as its webhook receiver does.
func (l *loop) ask(t *testing.T) {
	t.Helper()
	l.askFor(t, "GitRepository", l.source)
}

// versionOf is the API version of a kind that is no source.
var versionOf = map[string]string{"HelmRelease": helmv2.GroupVersion.String(), "Kustomization": kustomizev1.GroupVersion.String()}

// askFor has Flux look at an object now.
func (l *loop) askFor(t *testing.T, kind, name string) {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(cmp.Or(versionOf[kind], sourcev1.GroupVersion.String()))
	object.SetKind(kind)
	object.SetName(name)
	object.SetNamespace(harness.FluxNamespace)
	asked := time.Now().Format(time.RFC3339Nano)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":%q}}}`, asked)
	if err := l.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	err := harness.Poll(within(t, loopTimeout), kind+" to be looked at", func(ctx context.Context) error {
		if err := l.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		handled, _, err := unstructured.NestedString(object.Object, "status", "lastHandledReconcileAt")
		if handled != asked {
			return errors.Join(err, fmt.Errorf("handled %q", handled))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// uninstalled waits until a release and what it installed are gone.
func (l *loop) uninstalled(t *testing.T, name string) {
	t.Helper()
	installed := &corev1.ConfigMap{}
	installed.Name, installed.Namespace = name+"-echo", "e2e-"+l.namespaceName()
	err := harness.Poll(within(t, loopTimeout), name+" to be uninstalled", func(ctx context.Context) error {
		for _, object := range []client.Object{release(name), installed} {
			if err := l.Get(ctx, client.ObjectKeyFromObject(object), object); client.IgnoreNotFound(err) != nil || err == nil {
				return errors.Join(err, fmt.Errorf("%T %q is there", object, object.GetName()))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// namespaceName is the component's name, which its namespace is named after.
func (l *loop) namespaceName() string { return strings.TrimSuffix(l.name, "-new") }

// echoes wants the chart of that version to be what is installed.
func echoes(t *testing.T, l *loop, version string) {
	t.Helper()
	got := echoed(t.Context(), t, l, "e2e-"+l.namespaceName(), l.name)
	if got["version"] != version {
		t.Errorf("%v is installed, want %s", got["version"], version)
	}
	if values, _ := got["values"].(map[string]any); values["greeting"] != "hello" {
		t.Errorf("installed with the values %v", got["values"])
	}
}

// uid identifies what the chart made.
func uid(t *testing.T, l *loop) types.UID {
	t.Helper()
	var made corev1.ConfigMap
	if err := l.Get(t.Context(), client.ObjectKey{Namespace: "e2e-" + l.name, Name: l.name + "-echo"}, &made); err != nil {
		t.Fatal(err)
	}
	return made.UID
}

// replaceAll edits a file of the clone, NAME standing for the component's name. The text must be there.
func (l *loop) replaceAll(t *testing.T, file, old, replacement string) {
	t.Helper()
	fill := func(text string) string { return strings.ReplaceAll(text, "NAME", l.name) }
	path := filepath.Join(l.clone, fill(file))
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.ReplaceAll(string(content), fill(old), fill(replacement))
	if edited == string(content) {
		t.Fatalf("%s has no %q:\n%s", file, fill(old), content)
	}
	if err := os.WriteFile(path, []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
}

func loadChart(t *testing.T, archive []byte) helmchart.Charter {
	t.Helper()
	chart, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	return chart
}
