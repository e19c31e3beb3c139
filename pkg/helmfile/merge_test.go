package helmfile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
)

// mergeSource is a helmfile control repo of two releases in two environments.
var mergeSource = map[string]string{
	"app/helmfile.yaml": `environments: {prod: {}, test: {}}
---
repositories: [{name: acme, url: https://charts.example.org}]
helmDefaults: {timeout: 600}
releases:
  - name: web
    namespace: web
    chart: acme/web
    version: 2.0.0
    values: [values/common.yaml, "values/{{ .Environment.Name }}.yaml.gotmpl"]
  - name: cache
    namespace: web
    chart: acme/cache
    version: 1.0.0
    needs: [web]
`,
	"app/values/common.yaml":      "replicas: 2\nlog: {level: info, json: true}\nports: [80]\n",
	"app/values/prod.yaml.gotmpl": "host: example.org\npassword: {{ exec \"./get\" (list \"password\") }}\n",
	"app/values/test.yaml.gotmpl": "host: test.example.org\npassword: dummy\n",
	"crds/crds.yaml":              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain, labels: {app.kubernetes.io/version: 1.0.0}}\n",
}

func mapFS(files map[string]string) fstest.MapFS {
	made := fstest.MapFS{}
	for name, text := range files {
		made[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return made
}

// TestMerge imports into what an import wrote and somebody changed since: only what comes to something else is changed
// back, and what people wrote beside it stays.
func TestMerge(t *testing.T) {
	t.Parallel()
	first, err := helmfile.Import(t.Context(), mapFS(mergeSource), fstest.MapFS{}, "example", helmfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		edit func(files map[string]string)
		want []string // changed paths
		has  map[string]string
	}{
		{name: "nothing", edit: func(map[string]string) {}},
		{
			name: "what people add stays",
			edit: func(files map[string]string) {
				replace(files, "components/app/component.yaml", "spec:\n", "spec:\n  protect: true # ours\n  dependsOn:\n    - crds\n")
				files["clusters/prod/manifests/app.yaml"] = ""
				delete(files, "clusters/prod/manifests/app.yaml")
				delete(files, "clusters/test/manifests/app.yaml")
			},
			want: []string{"clusters/prod/manifests/app.yaml", "clusters/test/manifests/app.yaml"},
			has:  map[string]string{"components/app/component.yaml": "protect: true # ours"},
		},
		{
			name: "another version",
			edit: func(files map[string]string) {
				replace(files, "clusters/test/pins/app.yaml", `"2.0.0"`, `"2.1.0" # tried`)
			},
			want: []string{"clusters/test/pins/app.yaml"},
			has:  map[string]string{"clusters/test/pins/app.yaml": `version: "2.0.0"`},
		},
		{
			name: "another value everywhere",
			edit: func(files map[string]string) {
				replace(files, "components/app/values/web.yaml", "replicas: 2", "# Why.\nreplicas: 3 # more")
			},
			want: []string{"components/app/values/web.yaml"},
			has:  map[string]string{"components/app/values/web.yaml": "# Why.\nreplicas: 2 # more"},
		},
		{
			name: "another value on one cluster",
			edit: func(files map[string]string) {
				replace(files, "clusters/test/values/web.yaml", "host:", "# Ours.\nlog:\n  level: debug\nhost:")
			},
			want: []string{"clusters/test/values/web.yaml"},
		},
		{
			name: "a value too many everywhere",
			edit: func(files map[string]string) {
				replace(files, "components/app/values/web.yaml", "replicas: 2\n", "replicas: 2\nmore: true\n")
			},
			want: []string{"components/app/values/web.yaml"},
		},
		{
			name: "a value that moved to the clusters",
			edit: func(files map[string]string) {
				replace(files, "components/app/values/web.yaml", "replicas: 2\n", "")
				files["clusters/test/values/web.yaml"] += "replicas: 2\n"
				files["clusters/prod/values/web.yaml"] += "replicas: 2\n"
			},
		},
		{
			name: "a value that comes from a Secret is inline",
			edit: func(files map[string]string) {
				replace(files, "clusters/test/cluster.yaml", "valuesFrom: []", "suspend: false")
				delete(files, "clusters/test/manifests/app.yaml")
			},
			want: []string{"clusters/test/cluster.yaml", "clusters/test/manifests/app.yaml"},
			has:  map[string]string{"clusters/test/cluster.yaml": "suspend: false"},
		},
		{
			name: "Secrets of another name",
			edit: func(files map[string]string) {
				replace(files, "components/app/component.yaml", "name: web-values", "name: passwords")
				delete(files, "clusters/prod/manifests/app.yaml")
			},
			want: []string{"clusters/prod/manifests/app.yaml"},
			has:  map[string]string{"components/app/component.yaml": "name: passwords"},
		},
		{
			name: "another timeout, namespace and repository",
			edit: func(files map[string]string) {
				replace(files, "components/app/component.yaml", "timeout: 10m", "timeout: 11m")
				replace(files, "components/app/component.yaml", "namespace: web", "namespace: other")
				replace(files, "tfgitops.yaml", "    acme:", "    mirror:\n      url: https://mirror.example.org\n    acme:")
				replace(files, "components/app/component.yaml", "repository: acme", "repository: mirror")
			},
			want: []string{"clusters/prod/cluster.yaml", "clusters/test/cluster.yaml"},
			has:  map[string]string{"clusters/prod/cluster.yaml": "timeout: 10m"},
		},
		{
			name: "a component, a cluster and a release are gone",
			edit: func(files map[string]string) {
				for name := range files {
					if strings.Contains(name, "crds") || strings.HasPrefix(name, "clusters/test/") {
						delete(files, name)
					}
				}
				replace(files, "components/app/component.yaml", "    - name: cache\n      repository: acme\n      dependsOn:\n        - web\n", "")
				replace(files, "clusters/prod/pins/app.yaml", "    cache:\n      version: \"1.0.0\"\n", "")
			},
			want: []string{
				"clusters/prod/pins/app.yaml", "clusters/prod/pins/crds.yaml", "clusters/test/cluster.yaml", "clusters/test/kustomization.yaml",
				"clusters/test/manifests/_namespaces.yaml", "clusters/test/manifests/_repositories.yaml", "clusters/test/manifests/app.yaml", "clusters/test/manifests/kustomization.yaml",
				"clusters/test/pins/app.yaml", "clusters/test/pins/crds.yaml", "clusters/test/values/web.yaml",
				"components/app/component.yaml", "components/crds/component.yaml", "components/crds/manifests/1.0.0/crds.yaml", "components/crds/manifests/1.0.0/kustomization.yaml",
			},
		},
		{
			name: "other components and pins of people's own",
			edit: func(files map[string]string) {
				files["components/own/component.yaml"] = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Component\nmetadata: {name: own}\nspec: {external: by hand}\n"
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := texts(first.Changes)
			c.edit(files)
			result, err := helmfile.Import(t.Context(), mapFS(mergeSource), mapFS(files), "example", helmfile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if different := result.Report.Different(); len(different) > 0 {
				t.Fatalf("not what helmfile deploys: %v", different)
			}
			var got []string
			for _, change := range result.Changes {
				files[change.Path] = string(change.New)
				if change.New == nil {
					delete(files, change.Path)
				}
				got = append(got, change.Path)
			}
			if difference := cmp.Diff(c.want, got); difference != "" {
				t.Errorf("changed files (-want +got)\n%s", difference)
			}
			for name, want := range c.has {
				if !strings.Contains(files[name], want) {
					t.Errorf("%s has no %q:\n%s", name, want, files[name])
				}
			}
			again, err := helmfile.Import(t.Context(), mapFS(mergeSource), mapFS(files), "example", helmfile.Options{})
			if err != nil || len(again.Changes) > 0 {
				t.Errorf("a second import changes %v: %v", again.Report.Files, err)
			}
		})
	}
}

// replace edits a file of the target, with what is rendered of it left as it was.
func replace(files map[string]string, name, old, new string) {
	if !strings.Contains(files[name], old) {
		panic(name + " has no " + old + ":\n" + files[name])
	}
	files[name] = strings.Replace(files[name], old, new, 1)
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	broken := mapFS(map[string]string{"tfgitops.yaml": "kind: Else\n"})
	if _, err := helmfile.Import(t.Context(), mapFS(mergeSource), broken, "example", helmfile.Options{}); err == nil || !strings.Contains(err.Error(), "mistakes of its own") {
		t.Errorf("a broken target: %v", err)
	}
	if _, err := helmfile.Import(t.Context(), mapFS(map[string]string{"README": "x"}), fstest.MapFS{}, "example", helmfile.Options{}); err == nil {
		t.Error("a folder without helmfiles is imported")
	}
	for _, c := range []struct {
		want    string
		options helmfile.Options
	}{
		{"cannot be a cluster", helmfile.Options{Environments: map[string]string{"prod": "Prod_EU"}}},
		{"cannot both be the cluster", helmfile.Options{Environments: map[string]string{"prod": "one", "test": "one"}}},
		{"that could be read", helmfile.Options{Environments: map[string]string{"other": "other"}}},
	} {
		if _, err := helmfile.Import(t.Context(), mapFS(mergeSource), fstest.MapFS{}, "example", c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	failing := map[string]string{"bad/helmfile.yaml": "environments: {prod: {}}\nreleases: [{name: x}]\n"}
	for name, text := range mergeSource {
		failing[name] = text
	}
	for _, strict := range []bool{false, true} {
		result, err := helmfile.Import(t.Context(), mapFS(failing), fstest.MapFS{}, "example", helmfile.Options{Strict: strict})
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Report.Failed()) == 0 || (len(result.Changes) == 0) != strict {
			t.Errorf("strict %v: %d failures, %d changes", strict, len(result.Report.Failed()), len(result.Changes))
		}
		if slices.Contains(result.Report.Components, "bad") {
			t.Error("a component that failed is imported")
		}
	}
}
