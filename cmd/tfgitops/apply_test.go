package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// kubeconfig leads to a server under the context "tools".
func kubeconfig(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	content := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: " + server + "}}]\ncontexts: [{name: tools, context: {cluster: c}}]\ncurrent-context: tools\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A command that is refused or mistaken does not touch the cluster.
func TestApplyAsksNothingOfTheClusterBeforeItMay(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.URL)
	}))
	t.Cleanup(server.Close)
	config := kubeconfig(t, server.URL)
	for _, c := range []struct {
		name string
		code int
		args []string
		want string
	}{
		{"only Flux may", exitRefused, []string{"app"}, "--override allow-apply"},
		{"an override without a reason", exitFailed, []string{"app", "--override", "allow-apply"}, "--reason"},
		{"another rule", exitFailed, []string{"app", "--override", "hold", "--reason", "x"}, "no such rule"},
		{"a long reason", exitFailed, []string{"app", "--reason", strings.Repeat("x", 151)}, "at most 150"},
		{"no date", exitFailed, []string{"app", "--until", "soon"}, "--until"},
		{"not pinned", exitFailed, []string{"ap"}, "it has app"},
		{"no such release", exitFailed, []string{"app/web"}, "it has app"},
		{"no component", exitFailed, nil, "requires at least 1"},
		{"no context", exitFailed, []string{"app", "--override", "allow-apply", "--reason", "x"}, "--context"},
		{"a chart that is not the release's", exitFailed, []string{"app", "--override", "allow-apply", "--reason", "x", "--context", "tools", "--chart", "CHART"}, `is "other", and the release's is "app"`},
		{"two ways to name a chart", exitFailed, []string{"app", "--chart", "x", "--version", "1"}, "chart version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, folder := publishRepo(t), t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "Chart.yaml"), []byte("apiVersion: v2\nname: other\nversion: 1.0.0\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := slices.Clone(c.args)
			for i := range args {
				args[i] = strings.Replace(args[i], "CHART", folder, 1)
			}
			_, stderr := tfgitops(t, dir, c.code, append([]string{"apply", "--cluster", "tools", "--kubeconfig", config}, args...)...)
			if !strings.Contains(stderr, c.want) {
				t.Errorf("want %q in:\n%s", c.want, stderr)
			}
		})
	}
}

func TestApplyWantsWhatFluxWouldApply(t *testing.T) {
	t.Parallel()
	dir := publishRepo(t)
	pin := filepath.Join(dir, "clusters/tools/pins/app.yaml")
	content, err := os.ReadFile(pin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pin, []byte(strings.Replace(string(content), "1.2.3", "1.2.4", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr := tfgitops(t, dir, exitFailed, "apply", "app", "--cluster", "tools")
	if !strings.Contains(stderr, "not as rendered") {
		t.Errorf("got:\n%s", stderr)
	}
}

// What the overlay's patches do to a HelmRelease is in what apply takes.
func TestFindReleasesTakesTheOverlay(t *testing.T) {
	t.Parallel()
	dir := publishRepo(t)
	found, err := findReleases(t.Context(), os.DirFS(dir), "tools", []string{"app", "app/app"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.list) != 1 || found.list[0].object.GetMaxHistory() != 7 || found.list[0].Version != "1.2.3" {
		t.Fatalf("found %+v", found.list)
	}
	if len(found.namespaces) != 1 {
		t.Errorf("%d namespaces, want that of app", len(found.namespaces))
	}
	for _, want := range []string{`"date":"2024-04-01"`, `"gone":null`} {
		if raw := string(found.list[0].object.Spec.Values.Raw); !strings.Contains(raw, want) {
			t.Errorf("no %s in the values %s", want, raw)
		}
	}
}

func TestApplyOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		asked []string
		needs map[string][]string
		want  []string // none: a circle
	}{
		{"as asked", []string{"b", "a"}, nil, []string{"b", "a"}},
		{"needed first", []string{"a", "b", "c"}, map[string][]string{"a": {"b"}, "b": {"c"}}, []string{"c", "b", "a"}},
		{"not asked for", []string{"a", "b"}, map[string][]string{"a": {"elsewhere"}}, []string{"a", "b"}},
		{"a circle", []string{"a", "b"}, map[string][]string{"a": {"b"}, "b": {"a"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &releases{}
			for _, name := range c.asked {
				object := &helmv2.HelmRelease{}
				object.Name, object.Namespace = name, "flux-system"
				for _, need := range c.needs[name] {
					object.Spec.DependsOn = append(object.Spec.DependsOn, helmv2.DependencyReference{Name: need})
				}
				one := deployed{object: object}
				one.Name = name
				f.list = append(f.list, one)
			}
			err := f.sort()
			var got []string
			for _, one := range f.list {
				got = append(got, one.Name)
			}
			if (err != nil) != (c.want == nil) || err == nil && !cmp.Equal(c.want, got) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestAllowApply(t *testing.T) {
	t.Parallel()
	cluster := &control.Cluster{Name: "tools"}
	if err := (&applyFlags{}).allowed(cluster); exitCode(err) != exitRefused {
		t.Errorf("not allowed: %v", err)
	}
	if err := (&applyFlags{overrides: []string{ruleAllowApply}}).allowed(cluster); err != nil {
		t.Errorf("overridden: %v", err)
	}
	cluster.AllowApply = true
	if err := (&applyFlags{}).allowed(cluster); err != nil {
		t.Errorf("allowed: %v", err)
	}
}

// A cluster that does not answer is exit 2, with its address and the chart left alone.
func TestApplyToAnUnreachableCluster(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	config := kubeconfig(t, server.URL)
	server.Close()
	dir, folder := publishRepo(t), t.TempDir()
	for name, content := range map[string]string{"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, stderr := tfgitops(t, dir, exitFailed, "apply", "app", "--cluster", "tools", "--context", "tools", "--kubeconfig", config,
		"--chart", folder, "--override", "allow-apply", "--reason", "x", "--yes")
	if !strings.Contains(stderr, "refused") {
		t.Errorf("got:\n%s", stderr)
	}
}
