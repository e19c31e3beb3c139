package toolforge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What the old repository had in August 2026.
const releasesPerCluster = 30

var clusters = []string{"local", "toolsbeta", "tools"}

func TestEveryReleaseIsWhatHelmfileDeployed(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	tree, err := openHelmfileTree(filepath.Join(oldRepository(t, root), "components"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range clusters {
		t.Run(cluster, func(t *testing.T) {
			t.Parallel()
			want, err := tree.releases(cluster)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) != releasesPerCluster {
				t.Fatalf("the old repository has %d releases, want %d", len(want), releasesPerCluster)
			}
			compare(t, filepath.Join(root, "clusters", cluster, "manifests"), want)
		})
	}
}

// compare holds the rendered manifests in dir against want: the same releases, each the same in every field and value.
func compare(t *testing.T, dir string, want map[string]release) {
	t.Helper()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: run tfgitops render", dir)
	}
	got, err := renderedReleases(dir)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: not rendered", name)
			continue
		}
		for _, difference := range differences(want[name], got[name]) {
			t.Error(difference)
		}
		compared++
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: rendered, but helmfile had no such release", name)
		}
	}
	if compared != releasesPerCluster {
		t.Errorf("%d releases compared, want %d", compared, releasesPerCluster)
	}
}

func TestGatewayAPIIsTheFileThatWasApplied(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	want, err := os.ReadFile(filepath.Join(oldRepository(t, root), "components", "gateway-api", "gateway-api.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "components", "gateway-api", "manifests", "1.4.1", "gateway-api.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Error("the file differs from the one that the old repository applied")
	}
}

func TestDifferencesSeesEveryField(t *testing.T) {
	t.Parallel()
	same := func() release {
		return release{
			Name: "loki", Chart: "loki", Repository: "https://charts.example.org", Version: "1.2.3", Namespace: "logs",
			Timeout: time.Minute, Secrets: []secretValue{{Path: "s3.key", Literal: true}},
			Values: map[string]any{"n": json.Number("1"), "gone": nil, "ports": []any{json.Number("443")}, "empty": map[string]any{}},
		}
	}
	if found := differences(same(), same()); len(found) != 0 {
		t.Fatalf("equal releases differ: %v", found)
	}
	for name, change := range map[string]func(*release){
		"chart":               func(r *release) { r.Chart = "alloy" },
		"repository":          func(r *release) { r.Repository += "/stable" },
		"version":             func(r *release) { r.Version = "v1.2.3" },
		"namespace":           func(r *release) { r.Namespace = "default" },
		"timeout":             func(r *release) { r.Timeout = time.Hour },
		"no secret":           func(r *release) { r.Secrets = nil },
		"secret not literal":  func(r *release) { r.Secrets[0].Literal = false },
		"number as string":    func(r *release) { r.Values["n"] = "1" },
		"null left out":       func(r *release) { delete(r.Values, "gone") },
		"null as empty map":   func(r *release) { r.Values["gone"] = map[string]any{} },
		"empty map left out":  func(r *release) { delete(r.Values, "empty") },
		"list item":           func(r *release) { r.Values["ports"] = []any{json.Number("80")} },
		"value nobody asked":  func(r *release) { r.Values["more"] = true },
		"secret in the clear": func(r *release) { r.Values["s3"] = map[string]any{"key": "x"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := same()
			change(&changed)
			if found := differences(same(), changed); len(found) != 1 {
				t.Errorf("found %d differences, want one: %v", len(found), found)
			}
		})
	}
}

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	values, err := decodeYAML([]byte("s3:\n  key: " + secretMark + "a\n  region: default\nlist: [b]\n"))
	if err != nil {
		t.Fatal(err)
	}
	left, secrets := takeSecrets(values, secretMark)
	want := release{
		Values:  map[string]any{"s3": map[string]any{"region": "default"}, "list": []any{"b"}},
		Secrets: []secretValue{{Path: "s3.key", Literal: true}},
	}
	for _, difference := range differences(want, release{Values: left, Secrets: secrets}) {
		t.Error(difference)
	}

	values["list"] = []any{map[string]any{"htpasswd": secretMark + "c"}}
	left, secrets = takeSecrets(values, secretMark)
	want = release{Values: map[string]any{}, Secrets: []secretValue{{}}}
	for _, difference := range differences(want, release{Values: left, Secrets: secrets}) {
		t.Error("with a secret in a list: " + difference)
	}
}

// repositoryRoot returns the folder of tfgitops.yaml.
func repositoryRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "tfgitops.yaml")); err != nil {
		t.Fatal(err)
	}
	return root
}

// oldRepository returns the folder of the helmfile-based repository, or skips the test where it is not there.
func oldRepository(t *testing.T, root string) string {
	t.Helper()
	dir := os.Getenv("TOOLFORGE_DEPLOY")
	if dir == "" {
		dir = filepath.Join(root, "..", "shared", "toolforge-deploy")
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("Toolforge's former control repo is not in %s: set TOOLFORGE_DEPLOY to where it is", dir)
	}
	return dir
}
