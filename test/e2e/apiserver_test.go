package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// TestAPIServerAcceptsToolforge applies every object of Toolforge's clusters, strictly.
func TestAPIServerAcceptsToolforge(t *testing.T) {
	tree := repository(t)
	for _, cluster := range control.ClusterFolders(tree) {
		t.Run(cluster, func(t *testing.T) {
			objects := built(t, tree, cluster)
			for _, refused := range applyAll(t, sharedCluster(t), objects) {
				t.Error(refused)
			}
			if len(objects) < 50 {
				t.Errorf("only %d objects are built", len(objects))
			}
			t.Logf("%d objects", len(objects))
		})
	}
}

// TestAPIServerAcceptsVariants applies what is rendered of the golden control repos: pinning by digest, plain manifests, and
// older Flux versions.
func TestAPIServerAcceptsVariants(t *testing.T) {
	for _, file := range golden(t, "render/*.txtar") {
		t.Run(caseName(file), func(t *testing.T) {
			tree := rendered(t, filesOf(archiveOf(t, file)))
			c := sharedCluster(t)
			for _, cluster := range load(t, tree).Clusters {
				makeNamespace(t, c, cluster.FluxNamespaceName())
				for _, refused := range applyAll(t, c, built(t, tree, cluster.Name)) {
					t.Error(refused)
				}
			}
		})
	}
}

// TestAPIServerRejectsBrokenExamples holds the golden table of `validate` against the API server: it refuses the objects in
// which the rule invalid-object finds something, for one of the fields named there, and no other.
func TestAPIServerRejectsBrokenExamples(t *testing.T) {
	base := filesOf(archiveOf(t, golden(t, "validate/base.txtar")[0]))
	for _, file := range golden(t, "validate/invalid-object*.txtar") {
		t.Run(caseName(file), func(t *testing.T) {
			archive := archiveOf(t, file)
			tree := maps.Clone(base)
			maps.Copy(tree, filesOf(archive))
			fields := fieldsFound(section(archive, "want"))
			agree(t, fields, built(t, rendered(t, tree), "prod"))
		})
	}
}

// brokenObjects have one fault each, so that none hides behind another.
var brokenObjects = map[string]string{
	"no fault":                           `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: 1m, chartRef: {kind: OCIRepository, name: x}}}`,
	"no fault in a number of 64 bits":    `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: 1m, chartRef: {kind: OCIRepository, name: x}, values: {n: 9223372036854775807}}}`,
	"an unknown field":                   `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: 1m, chartRef: {kind: OCIRepository, name: x}, maxHistroy: 3}}`,
	"no chart":                           `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: 1m}}`,
	"two charts":                         `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: 1m, chartRef: {kind: OCIRepository, name: x}, chart: {spec: {chart: x, sourceRef: {kind: HelmRepository, name: x}}}}}`,
	"an interval in words":               `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: soon, chartRef: {kind: OCIRepository, name: x}}}`,
	"a text for a number":                `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: 1m, chartRef: {kind: OCIRepository, name: x}, maxHistory: three}}`,
	"an unknown kind of chart source":    `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {interval: 1m, chartRef: {kind: Chart, name: x}}}`,
	"no interval":                        `{kind: HelmRelease, apiVersion: helm.toolkit.fluxcd.io/v2, spec: {chartRef: {kind: OCIRepository, name: x}}}`,
	"a repository over another protocol": `{kind: OCIRepository, apiVersion: source.toolkit.fluxcd.io/v1, spec: {interval: 1m, url: "https://registry.example/x"}}`,
	"a timeout in hours":                 `{kind: OCIRepository, apiVersion: source.toolkit.fluxcd.io/v1, spec: {interval: 1m, url: "oci://registry.example/x", timeout: 1h}}`,
	"a Git repository without a scheme":  `{kind: GitRepository, apiVersion: source.toolkit.fluxcd.io/v1, spec: {interval: 1m, url: "git.example/x"}}`,
	"a Kustomization without prune":      `{kind: Kustomization, apiVersion: kustomize.toolkit.fluxcd.io/v1, spec: {interval: 1m, path: ./x, sourceRef: {kind: GitRepository, name: x}}}`,
}

// TestAPIServerAndValidateAgree holds that `validate` and the API server refuse the same objects.
func TestAPIServerAndValidateAgree(t *testing.T) {
	base := filesOf(archiveOf(t, golden(t, "validate/base.txtar")[0]))
	base = rendered(t, with(base, "clusters/prod/kustomization.yaml", "resources: [manifests, extra.yaml]\n"))
	for name, object := range brokenObjects {
		t.Run(name, func(t *testing.T) {
			object = strings.TrimSuffix(object, "}") + `, metadata: {name: example, namespace: flux-system}}`
			tree := with(base, "clusters/prod/extra.yaml", object+"\n")
			findings := validate.New().Run(t.Context(), tree)
			wrong := slices.ContainsFunc(findings, func(f control.Finding) bool { return f.Rule == "invalid-object" })
			err := sharedCluster(t).Apply(within(t, time.Minute), []byte(object))
			if err != nil && !harness.IsRefusal(err) {
				t.Fatal(err)
			}
			if wrong != (err != nil) || wrong == strings.HasPrefix(name, "no fault") {
				t.Errorf("validate: %v\nAPI server: %v", findings, err)
			}
		})
	}
}

// TestValidateKnowsWhatNeedsANamespace has validate look at an object of every kind that the API server has of its own,
// without a namespace: it finds those that need one, and no other.
func TestValidateKnowsWhatNeedsANamespace(t *testing.T) {
	kinds, err := sharedCluster(t).OwnKinds(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var objects strings.Builder
	want := map[string]bool{}
	for kind, namespaced := range kinds {
		name := strings.ToLower(kind.Kind + "." + kind.Version + "." + kind.Group)
		fmt.Fprintf(&objects, "---\n{apiVersion: %s, kind: %s, metadata: {name: %q}}\n", kind.GroupVersion(), kind.Kind, name)
		if namespaced {
			want[fmt.Sprintf("the %s %q names no namespace", kind.Kind, name)] = true
		}
	}
	base := filesOf(archiveOf(t, golden(t, "validate/base.txtar")[0]))
	base = rendered(t, with(base, "clusters/prod/kustomization.yaml", "resources: [manifests, extra.yaml]\n"))
	found := map[string]bool{}
	for _, finding := range validate.New().Run(t.Context(), with(base, "clusters/prod/extra.yaml", objects.String())) {
		if finding.Rule == validate.RuleUnplacedObject {
			found[finding.Message] = true
		}
	}
	if diff := cmp.Diff(want, found); diff != "" || len(want) < 30 || len(want) == len(kinds) {
		t.Errorf("of %d kinds (-API server +validate):\n%s", len(kinds), diff)
	}
}

// applyAll returns what the API server refuses.
func applyAll(t *testing.T, c *harness.Cluster, objects []overlay.Object) map[string]error {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	refused := map[string]error{}
	for _, object := range objects {
		if err := c.Apply(ctx, object.JSON()); err != nil {
			refused[nameOf(object)] = errors.Join(errors.New(nameOf(object)), err)
		}
	}
	return refused
}

func nameOf(object overlay.Object) string { return object.Kind() + ` "` + object.Name() + `"` }

// findingLine is how `validate` names an object and one of its fields.
var findingLine = regexp.MustCompile(`error: (\w+ "[^"]+"): ([\w.]+): .*\[invalid-object\]`)

// fieldsFound are the fields in which findings are, by object.
func fieldsFound(findings string) map[string][]string {
	fields := map[string][]string{}
	for _, found := range findingLine.FindAllStringSubmatch(findings, -1) {
		fields[found[1]] = append(fields[found[1]], found[2])
	}
	return fields
}

// agree wants the API server to refuse exactly the objects in which something was found.
func agree(t *testing.T, fields map[string][]string, objects []overlay.Object) {
	t.Helper()
	refused := applyAll(t, sharedCluster(t), objects)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(refused))); diff != "" {
		t.Errorf("objects refused (-validate +API server):\n%s", diff)
	}
	for object, err := range refused {
		if !harness.IsRefusal(err) {
			t.Errorf("%s: %v", object, err)
		}
		named := func(field string) bool { return strings.Contains(err.Error(), field) }
		if !slices.ContainsFunc(fields[object], named) {
			t.Errorf("%s is refused for none of %v: %v", object, fields[object], err)
		}
	}
}

func makeNamespace(t *testing.T, c *harness.Cluster, name string) {
	t.Helper()
	if err := c.Apply(t.Context(), []byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+name+`"}}`)); err != nil {
		t.Fatal(err)
	}
}

// golden are the golden files of that pattern.
func golden(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "testdata/golden", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files %s: %v", pattern, err)
	}
	return files
}
