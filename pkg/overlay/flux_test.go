package overlay

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fluxcd/pkg/kustomize"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The bytes are those that kustomize-controller makes of the same files on disk: completing the
// kustomization, then a secure build.
func TestSameAsKustomizeController(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, content := range cluster() {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	result, err := Build(t.Context(), os.DirFS(root), "clusters/tools") // before: the next step writes into root
	if err != nil {
		t.Fatal(err)
	}
	got, err := result.YAML()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "clusters", "tools")
	flux := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"path": "./clusters/tools", "prune": true}}}
	if _, err := kustomize.NewGenerator(root, flux).WriteFile(dir); err != nil {
		t.Fatal(err)
	}
	built, err := kustomize.SecureBuild(root, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	want, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-kustomize-controller +ours):\n%s", diff)
	}
}

// A server that counts what is fetched: nothing by Build, something by kustomize alone, or this would
// hold nothing.
func TestNothingIsFetched(t *testing.T) {
	t.Parallel()
	var fetched atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		_, _ = w.Write([]byte(configMap))
	}))
	t.Cleanup(server.Close)
	for _, kustomization := range []string{
		"resources: [URL/a.yaml]\n",
		"RESOURCES: [URL/a.yaml]\n",
		"resources: [a.yaml]\npatches: [{path: URL/a.yaml}]\n",
		"resources: [a.yaml]\npatchesStrategicMerge: [URL/a.yaml]\n",
		"configMapGenerator: [{name: x, files: [\"k=URL/a\"]}]\n",
		"generators: ['{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: x}, FILES: [\"URL/a\"]}']\n",
		"resources: [a.yaml]\ntransformers: [b.yaml]\n",
	} {
		tree := repo(map[string]string{
			"kustomization.yaml": strings.ReplaceAll(kustomization, "URL", server.URL),
			"a.yaml":             configMap,
			"b.yaml":             "apiVersion: builtin\nkind: ReplacementTransformer\nmetadata: {name: x}\nreplacements: [{path: " + server.URL + "/r}]\n",
		})
		fetched.Store(0)
		if _, err := Build(t.Context(), tree, "."); !errors.Is(err, ErrRemote) {
			t.Errorf("%s: got %v, want ErrRemote", kustomization, err)
		}
		if n := fetched.Load(); n != 0 {
			t.Errorf("%s: fetched %d times", kustomization, n)
		}
		_, _ = fluxBytes(tree, ".")
		if fetched.Load() == 0 {
			t.Errorf("%s: kustomize does not fetch this, so the case holds nothing", kustomization)
		}
	}
}
