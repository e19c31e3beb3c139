package scaffold_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

// The sessions in cmd/tfgitops/testdata/script show what each operation makes; the tests here are for what those cannot:
// failures half-way, TLS, and repos with errors of their own.

const apiVersion = "apiVersion: tfgitops.toolforge.org/v1alpha1\n"

var exampleRepo = map[string]string{
	"tfgitops.yaml":                       apiVersion + "kind: ControlRepo\nmetadata: {name: example}\nspec: {repositories: {charts: {url: \"oci://registry.example.org/charts\"}}}\n",
	"clusters/a/cluster.yaml":             apiVersion + "kind: Cluster\nmetadata: {name: a}\nspec: {kubeVersion: \"1.32.4\", fluxVersion: \"2.9\", releases: {db: {timeout: 9m}}}\n",
	"clusters/a/pins/db.yaml":             apiVersion + "kind: Pin\nmetadata: {name: db}\nspec: {releases: {db: {version: \"1.0.0\"}}}\n",
	"clusters/b/cluster.yaml":             apiVersion + "kind: Cluster\nmetadata: {name: b}\nspec:\n  kubeVersion: \"1.32.4\"\n  fluxVersion: \"2.9\"\n  releases:\n    db:\n      timeout: 9m\n",
	"components/db/component.yaml":        apiVersion + "kind: Component\nmetadata: {name: db}\nspec: {namespace: db, releases: [{name: db, repository: charts}]}\n",
	"components/crds/component.yaml":      apiVersion + "kind: Component\nmetadata: {name: crds}\nspec: {}\n",
	"components/crds/manifests/README.md": "Versions.\n",
}

func TestWriteIsAllOrNothing(t *testing.T) {
	t.Parallel()
	root := open(t, map[string]string{"kept": "old", "gone/file": "old", "locked": "old"})
	if err := os.Chmod(filepath.Join(root.Name(), "locked"), 0o444); err != nil {
		t.Fatal(err)
	}
	before := tree(t, root)
	plan := scaffold.Plan{Changes: []render.Change{
		{Path: "a/b/new", New: []byte("new")},
		{Path: "gone/file", Old: []byte("old")},
		{Path: "kept", Old: []byte("old"), New: []byte("new")},
		{Path: "locked", Old: []byte("old"), New: []byte("new")},
	}}
	err := scaffold.Write(t.Context(), root, plan)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "cannot write locked") {
		t.Errorf("got %v, want that locked cannot be written", err)
	}
	if diff := cmp.Diff(before, tree(t, root)); diff != "" {
		t.Errorf("after a failure (-before +after): %s", diff)
	}
	plan.Changes = plan.Changes[:3]
	if err := scaffold.Write(t.Context(), root, plan); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "folder", "a/b": "folder", "a/b/new": "new", "kept": "new", "locked": "old"}
	if diff := cmp.Diff(want, tree(t, root)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteStopsWhenInterrupted(t *testing.T) {
	t.Parallel()
	root := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := scaffold.Write(ctx, root, scaffold.Plan{Changes: []render.Change{{Path: "a/b", New: []byte("new")}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if files := tree(t, root); len(files) > 0 {
		t.Errorf("written: %v", files)
	}
}

func TestWriteStaysInside(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	root := open(t, nil)
	if err := os.Symlink(outside, filepath.Join(root.Name(), "clusters")); err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Write(t.Context(), root, scaffold.Plan{Changes: []render.Change{{Path: "clusters/a", New: []byte("new")}}}); err == nil {
		t.Error("a link out of the repo was followed")
	}
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("written outside: %v", entries)
	}
}

func TestOnlyNewErrorsCount(t *testing.T) {
	t.Parallel()
	files := exampleRepo
	root := open(t, files)
	write(t, root, "components/broken/component.yaml", "{{")
	if _, err := scaffold.AddComponent(t.Context(), root.FS(), scaffold.ComponentOptions{Name: "fine"}); err != nil {
		t.Errorf("an error elsewhere prevents adding a component: %v", err)
	}
	write(t, root, "components/extra/values/x.yaml", "{}")
	_, err := scaffold.AddComponent(t.Context(), root.FS(), scaffold.ComponentOptions{Name: "extra"})
	var findings *control.FindingsError
	if !errors.As(err, &findings) || findings.Findings[0].Rule != control.RuleStrayFile || len(findings.Findings) != 1 {
		t.Errorf("got %v, want the new stray file alone", err)
	}
}

func TestRemoveEverywhere(t *testing.T) {
	t.Parallel()
	root := open(t, exampleRepo)
	removal, err := scaffold.Remove(t.Context(), root.FS(), scaffold.RemovalOptions{Component: "db", AllClusters: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := scaffold.Write(t.Context(), root, removal.Plan); err != nil {
		t.Fatal(err)
	}
	after := tree(t, root)
	for _, file := range []string{"clusters/a/cluster.yaml", "clusters/b/cluster.yaml"} {
		if strings.Contains(after[file], "db") || strings.Contains(after[file], "releases") {
			t.Errorf("%s still has an override: %s", file, after[file])
		}
	}
	for _, gone := range []string{"components/db", "clusters/a/pins"} {
		if after[gone] != "" {
			t.Errorf("%s is still there", gone)
		}
	}
}

func TestRefusalIsOne(t *testing.T) {
	t.Parallel()
	root := open(t, exampleRepo)
	write(t, root, "components/db/component.yaml", strings.Replace(exampleRepo["components/db/component.yaml"], "spec: {", "spec: {protect: true, ", 1))
	_, err := scaffold.Remove(t.Context(), root.FS(), scaffold.RemovalOptions{Component: "db", Clusters: []string{"a"}})
	var refused *scaffold.RefusedError
	if !errors.As(err, &refused) || refused.Rule != scaffold.RuleProtect || !refused.Refused() {
		t.Errorf("got %v", err)
	}
	write(t, root, "components/db/component.yaml", "{{")
	if _, err := scaffold.Remove(t.Context(), root.FS(), scaffold.RemovalOptions{Component: "db", Clusters: []string{"a"}}); err == nil {
		t.Error("removed without knowing whether it is protected")
	}
}

const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: default}\n"

func TestVendorOverTLS(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(manifest)) })
	mux.Handle("GET /plain.yaml", http.RedirectHandler("http://manifests.example.org/v1.yaml?token=hunter2", http.StatusFound))
	mux.Handle("GET /round.yaml", http.RedirectHandler("/round.yaml", http.StatusFound))
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	tests := []struct {
		name, source string
		client       *http.Client
		want         string // in the error; empty for none
	}{
		{"served", server.URL + "/v1.yaml?token=hunter2", server.Client(), ""},
		{"a certificate that nobody knows", server.URL + "/v1.yaml?token=hunter2", &http.Client{}, "certificate"},
		{"a redirect to plain HTTP", server.URL + "/plain.yaml", server.Client(), "http://manifests.example.org/v1.yaml is not accepted"},
		{"a redirect to itself", server.URL + "/round.yaml?token=hunter2", server.Client(), "more than 10 redirects"},
		{"nobody there", "http://127.0.0.1:1/v1.yaml?token=hunter2", server.Client(), "cannot fetch http://127.0.0.1:1/v1.yaml: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			root := open(t, exampleRepo)
			before := tree(t, root)
			vendored, err := scaffold.Vendor(t.Context(), root, test.client, scaffold.VendorOptions{Component: "crds", Version: "1.0", Sources: []string{test.source}})
			if test.want == "" {
				checkVendored(t, root, vendored, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if diff := cmp.Diff(before, tree(t, root)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func checkVendored(t *testing.T, root *os.Root, vendored scaffold.Vendored, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := control.ManifestsDigest(root.FS(), vendored.Dir)
	if err != nil || digest != vendored.Digest {
		t.Errorf("the digest is %s (%v), and was said to be %s", digest, err, vendored.Digest)
	}
	if kustomization := tree(t, root)[vendored.Dir+"/kustomization.yaml"]; strings.Contains(kustomization, "hunter2") || !strings.Contains(kustomization, "/v1.yaml\n") {
		t.Errorf("got %s", kustomization)
	}
}

func TestVendorInterrupted(t *testing.T) {
	t.Parallel()
	root := open(t, exampleRepo)
	before := tree(t, root)
	source := filepath.Join(t.TempDir(), "one.yaml")
	if err := os.WriteFile(source, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := scaffold.Vendor(ctx, root, &http.Client{}, scaffold.VendorOptions{Component: "crds", Version: "1.0", Sources: []string{source}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, tree(t, root)); diff != "" {
		t.Error(diff)
	}
}

func TestVendorUnbuildable(t *testing.T) {
	t.Parallel()
	root := open(t, exampleRepo)
	before := tree(t, root)
	source := filepath.Join(t.TempDir(), "patch.yaml")
	// An object whose annotations are no mapping: YAML with a name, and nothing that kustomize builds.
	if err := os.WriteFile(source, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, annotations: [a]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := scaffold.Vendor(t.Context(), root, &http.Client{}, scaffold.VendorOptions{Component: "crds", Version: "1.0", Sources: []string{source}})
	if err == nil || !strings.Contains(err.Error(), "kustomize cannot build these manifests") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, tree(t, root)); diff != "" {
		t.Error(diff)
	}
}

func open(t *testing.T, files map[string]string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	for name, content := range files {
		write(t, root, name, content)
	}
	return root
}

func write(t *testing.T, root *os.Root, name, content string) {
	t.Helper()
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := root.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

// tree returns every file with its content, and every folder.
func tree(t *testing.T, root *os.Root) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case entry.IsDir():
			files[name] = "folder"
			return nil
		}
		content, err := fs.ReadFile(root.FS(), name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
