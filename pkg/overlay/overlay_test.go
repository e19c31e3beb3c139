package overlay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/types"
)

const (
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: b\n"
	component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
)

func names(objects []Object) []string {
	var list []string
	for _, o := range objects {
		list = append(list, o.Kind()+" "+o.Namespace()+"/"+o.Name())
	}
	return list
}

// A cluster directory as people extend it: patches, a component, generators, a Secret encrypted by SOPS,
// manifests of a component kept elsewhere in the repository.
func cluster() map[string]string {
	return map[string]string{
		"clusters/tools/kustomization.yaml": `resources:
  - manifests
  - flux-system
  - secret.sops.yaml
components: [../../people/component]
patches:
  - path: patch.yaml
  - target: {kind: HelmRelease, name: b}
    patch: |
      - {op: add, path: /spec/values/added, value: "09895639"}
secretGenerator:
  - {name: token, files: [token.txt], envs: [token.env], literals: [password=hunter2]}
configMapGenerator:
  - {name: dashboards, files: [board=files/board.json], options: {disableNameSuffixHash: true}}
`,
		"clusters/tools/manifests/kustomization.yaml": "resources:\n- _namespaces.yaml\n- a.yaml\n- ../../../components/gateway-api/manifests/1.4.1\n",
		"clusters/tools/manifests/_namespaces.yaml":   "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: jobs\n",
		"clusters/tools/manifests/a.yaml": release + "{keep: \"2024-04-01\", drop: 1}\n---\n" +
			strings.Replace(release, "name: a", "name: b", 1) + "{keep: null}\n",
		"components/gateway-api/manifests/1.4.1/kustomization.yaml": "resources: [install.yaml]\n",
		"components/gateway-api/manifests/1.4.1/install.yaml":       "# The CRDs\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: gateway, namespace: kube-system}\n",
		"clusters/tools/flux-system/kustomization.yaml":             "resources: [gotk-sync.yaml]\n",
		"clusters/tools/flux-system/gotk-sync.yaml":                 "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: flux-system, namespace: flux-system}\nspec: {prune: true}\n",
		"clusters/tools/secret.sops.yaml":                           "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: jobs}\nstringData: {key: \"ENC[AES256_GCM,data:p673w==,iv:YY=,aad:UQ=,tag:A=]\"}\nsops: {version: 3.9.0, mac: \"ENC[x]\", age: [{recipient: age1, enc: \"-----BEGIN\\n\"}]}\n",
		"clusters/tools/patch.yaml":                                 release + "{drop: null, patched: \"yes\"}\n",
		"clusters/tools/token.txt":                                  "t0ken\n",
		"clusters/tools/token.env":                                  "USER=me\n",
		"clusters/tools/files/board.json":                           "{\"&a\": \"*a\"}\n",
		"people/component/kustomization.yaml":                       component + "labels: [{pairs: {team: cloud}}]\nresources: [extra.yaml]\n",
		"people/component/extra.yaml":                               "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: extra}\n",
	}
}

func TestBuildOfACluster(t *testing.T) {
	t.Parallel()
	files := cluster()
	result, err := Build(t.Context(), repo(files), "clusters/tools")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Namespace /jobs",
		"HelmRelease flux-system/a", "HelmRelease flux-system/b",
		"ConfigMap kube-system/gateway",
		"Kustomization flux-system/flux-system",
		"Secret jobs/s",
		"ConfigMap /dashboards", "Secret /token-HASH",
		"ConfigMap /extra",
	}
	got := names(result.Objects)
	for i, name := range got { // the hash is kustomize's to choose
		if strings.HasPrefix(name, "Secret /token-") {
			got[i] = "Secret /token-HASH"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	byName := map[string]Object{}
	for _, o := range result.Objects {
		byName[o.Name()] = o
	}
	for name, values := range map[string]string{
		"a": `{"keep":"2024-04-01","patched":"yes"}`,
		"b": `{"keep":null,"added":"09895639"}`,
	} {
		if diff := cmp.Diff(decodeJSON(t, values), byName[name].Content["spec"].(map[string]any)["values"]); diff != "" {
			t.Errorf("values of %s (-want +got):\n%s", name, diff)
		}
	}
	secret := decodeJSON(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"jobs","labels":{"team":"cloud"}},
		"stringData":{"key":"ENC[AES256_GCM,data:p673w==,iv:YY=,aad:UQ=,tag:A=]"},
		"sops":{"version":"3.9.0","mac":"ENC[x]","age":[{"recipient":"age1","enc":"-----BEGIN\n"}]}}`)
	if diff := cmp.Diff(secret, any(byName["s"].Content)); diff != "" {
		t.Errorf("encrypted Secret (-want +got):\n%s", diff)
	}
	if len(result.Files) != len(files) {
		t.Errorf("read %d files of %d: %v", len(result.Files), len(files), result.Files)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	files := cluster()
	files["clusters/tools/kustomization.yaml"] += "nameSuffix: -x\nnamespace: everywhere\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  map[string]Origin
	}{
		{"as written", cluster(), map[string]Origin{
			"Namespace jobs":            {"clusters/tools/manifests/_namespaces.yaml", 1},
			"HelmRelease a":             {"clusters/tools/manifests/a.yaml", 1},
			"HelmRelease b":             {"clusters/tools/manifests/a.yaml", 9},
			"ConfigMap gateway":         {"components/gateway-api/manifests/1.4.1/install.yaml", 2},
			"Kustomization flux-system": {"clusters/tools/flux-system/gotk-sync.yaml", 1},
			"Secret s":                  {"clusters/tools/secret.sops.yaml", 1},
			"ConfigMap dashboards":      {"clusters/tools/kustomization.yaml", 14},
			"Secret token":              {"clusters/tools/kustomization.yaml", 12},
			"ConfigMap extra":           {"people/component/extra.yaml", 4},
		}},
		{"renamed", files, map[string]Origin{
			"Namespace everywhere":        {}, // kustomize renames Namespaces: nothing is left to know it by
			"HelmRelease a-x":             {"clusters/tools/manifests/a.yaml", 1},
			"HelmRelease b-x":             {"clusters/tools/manifests/a.yaml", 9},
			"ConfigMap gateway-x":         {"components/gateway-api/manifests/1.4.1/install.yaml", 2},
			"Kustomization flux-system-x": {"clusters/tools/flux-system/gotk-sync.yaml", 1},
			"Secret s-x":                  {"clusters/tools/secret.sops.yaml", 1},
			"ConfigMap dashboards-x":      {"clusters/tools/kustomization.yaml", 14},
			"Secret token":                {"clusters/tools/kustomization.yaml", 12},
			"ConfigMap extra-x":           {"people/component/extra.yaml", 4},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			result, err := Build(t.Context(), repo(tt.files), "clusters/tools")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]Origin{}
			for _, o := range result.Objects {
				name := o.Name()
				if strings.HasPrefix(name, "token-") {
					name = "token"
				}
				origin, ok := result.Origin(o)
				if ok != (origin != Origin{}) {
					t.Errorf("%s %s: got %v, %v", o.Kind(), o.Name(), origin, ok)
				}
				got[o.Kind()+" "+name] = origin
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Each case is a tree whose directory "c" must not be built: the exact message, and the reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	type files = map[string]string
	kust := func(text string) files { return files{"c/kustomization.yaml": text, "c/a.yaml": configMap} }
	remote := func(field, value string) string {
		return fmt.Sprintf("%s: %q is remote: kustomize would fetch it, add a copy to the repository", field, value)
	}
	tests := []struct {
		name   string
		files  files
		want   string
		reason error
	}{
		{"remote file", kust("resources:\n- a.yaml\n- https://example.org/x.yaml\n"), "c/kustomization.yaml:3: " + remote("resources", "https://example.org/x.yaml"), ErrRemote},
		{"remote file, shouted", kust("resources: ['HTTPS://example.org/x.yaml']\n"), "c/kustomization.yaml:1: " + remote("resources", "HTTPS://example.org/x.yaml"), ErrRemote},
		{"remote file without slashes", kust("resources: ['http:x']\n"), "c/kustomization.yaml:1: " + remote("resources", "http:x"), ErrRemote},
		{"password in the URL", kust("resources: ['https://u:hunter2@example.org/x']\n"), "c/kustomization.yaml:1: " + remote("resources", "https://u:xxxxx@example.org/x"), ErrRemote},
		{"git::", kust("resources: ['git::https://example.org/r.git']\n"), "c/kustomization.yaml:1: " + remote("resources", "git::https://example.org/r.git"), ErrRemote},
		{"github.com/", kust("resources: [github.com/org/repo]\n"), "c/kustomization.yaml:1: " + remote("resources", "github.com/org/repo"), ErrRemote},
		{"scp style", kust("resources: ['git@example.org:org/repo.git']\n"), "c/kustomization.yaml:1: " + remote("resources", "git@example.org:org/repo.git"), ErrRemote},
		{"ssh", kust("components: ['ssh://git@example.org/org/repo']\n"), "c/kustomization.yaml:1: " + remote("components", "ssh://git@example.org/org/repo"), ErrRemote},
		{"file URL", kust("resources: ['file:///etc']\n"), "c/kustomization.yaml:1: " + remote("resources", "file:///etc"), ErrRemote},
		{"old field", kust("bases: ['https://example.org/x']\n"), "c/kustomization.yaml:1: " + remote("resources", "https://example.org/x"), ErrRemote},
		{"field in another case", kust("Resources: ['https://example.org/x']\n"), "c/kustomization.yaml:1: " + remote("resources", "https://example.org/x"), ErrRemote},
		{"behind an anchor", kust("x-y: 1\n"), "c/kustomization.yaml: invalid Kustomization: json: unknown field \"x-y\"", ErrSyntax},
		{"by alias", kust("namePrefix: &u https://example.org/x\nresources: [*u]\n"), "c/kustomization.yaml:1: " + remote("resources", "https://example.org/x"), ErrRemote},
		{"binary", kust("resources: [!!binary aHR0cDovL2V4YW1wbGUub3JnL3g=]\n"), "c/kustomization.yaml: " + remote("resources", "http://example.org/x"), ErrRemote},
		{"crds", kust("crds: ['https://example.org/x']\n"), "c/kustomization.yaml:1: " + remote("crds", "https://example.org/x"), ErrRemote},
		{"configurations", kust("configurations: ['https://example.org/x']\n"), "c/kustomization.yaml:1: " + remote("configurations", "https://example.org/x"), ErrRemote},
		{"openapi", kust("resources: [a.yaml]\nopenapi: {path: 'https://example.org/x'}\n"), "c/kustomization.yaml:2: " + remote("openapi.path", "https://example.org/x"), ErrRemote},
		{"patch", kust("resources: [a.yaml]\npatches:\n- path: https://example.org/x\n"), "c/kustomization.yaml:3: " + remote("patches.path", "https://example.org/x"), ErrRemote},
		{"JSON patch", kust("resources: [a.yaml]\npatchesJson6902:\n- path: https://example.org/x\n"), "c/kustomization.yaml:3: " + remote("patchesJson6902.path", "https://example.org/x"), ErrRemote},
		{"strategic merge patch", kust("resources: [a.yaml]\npatchesStrategicMerge:\n- https://example.org/x\n"), "c/kustomization.yaml:3: " + remote("patchesStrategicMerge", "https://example.org/x"), ErrRemote},
		{"strategic merge patch that is also YAML", kust("resources: [a.yaml]\npatchesStrategicMerge:\n- 'https://example.org/x?a: b'\n"), "c/kustomization.yaml:3: " + remote("patchesStrategicMerge", "https://example.org/x?a: b"), ErrRemote},
		{"replacement", kust("resources: [a.yaml]\nreplacements:\n- path: https://example.org/x\n"), "c/kustomization.yaml:3: " + remote("replacements.path", "https://example.org/x"), ErrRemote},
		{"generator file", kust("configMapGenerator:\n- name: x\n  files: ['k=https://example.org/x']\n"), "c/kustomization.yaml:3: " + remote("configMapGenerator.files", "k=https://example.org/x"), ErrRemote},
		{"generator env", kust("secretGenerator:\n- name: x\n  envs: ['https://example.org/x']\n"), "c/kustomization.yaml:3: " + remote("secretGenerator.envs", "https://example.org/x"), ErrRemote},
		{"generator env, old field", kust("secretGenerator:\n- name: x\n  env: 'https://example.org/x'\n"), "c/kustomization.yaml:3: " + remote("secretGenerator.envs", "https://example.org/x"), ErrRemote},
		{"generators", kust("generators: ['https://example.org/x']\n"), "c/kustomization.yaml:1: " + remote("generators", "https://example.org/x"), ErrRemote},
		{"transformers", kust("resources: [a.yaml]\ntransformers: ['https://example.org/x']\n"), "c/kustomization.yaml:2: " + remote("transformers", "https://example.org/x"), ErrRemote},
		{"validators", kust("resources: [a.yaml]\nvalidators: ['https://example.org/x']\n"), "c/kustomization.yaml:2: " + remote("validators", "https://example.org/x"), ErrRemote},
		{
			"two levels down",
			files{"c/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../d]\n", "d/kustomization.yaml": "\nresources:\n  - https://example.org/x\n"},
			"d/kustomization.yaml:3: " + remote("resources", "https://example.org/x"), ErrRemote,
		},
		{
			"in a component",
			files{"c/kustomization.yaml": "components: [../b]\n", "b/kustomization.yaml": component + "resources: ['https://example.org/x']\n"},
			"b/kustomization.yaml:3: " + remote("resources", "https://example.org/x"), ErrRemote,
		},
		{
			"in a plugin file",
			files{"c/kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]\n", "c/a.yaml": configMap, "c/t.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: x}\nPath: https://example.org/x\n"},
			"c/t.yaml:4: " + remote("plugin configuration", "https://example.org/x"), ErrRemote,
		},
		{
			"in a plugin written in place", kust("generators:\n- |\n  apiVersion: builtin\n  kind: ConfigMapGenerator\n  metadata: {name: x}\n  files: [\"k=https://example.org/x\"]\n"),
			"c/kustomization.yaml: " + remote("plugin configuration", "k=https://example.org/x"), ErrRemote,
		},
		{
			"a plugin",
			files{"c/kustomization.yaml": "generators: [g.yaml]\n", "c/g.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: x, annotations: {config.kubernetes.io/function: 'container: {image: x}'}}\n"},
			"c/g.yaml: v1 X is a plugin that Flux does not run: accepted are kustomize's own, apiVersion: builtin", ErrPlugin,
		},
		{
			"a plugin that runs helm", kust("generators:\n- '{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}, name: x, repo: \"https://example.org\"}'\n"),
			"c/kustomization.yaml: builtin HelmChartInflationGenerator is a plugin that Flux does not run: accepted are kustomize's own, apiVersion: builtin", ErrPlugin,
		},
		{
			"a plugin directory",
			files{"c/kustomization.yaml": "generators: [g]\n", "c/g/kustomization.yaml": "resources: []\n"},
			"c/kustomization.yaml:1: generators: \"c/g\" is a directory: name the files in it", ErrPlugin,
		},
		{"helmCharts", kust("helmCharts:\n- {name: x, repo: 'https://example.org'}\n"), "c/kustomization.yaml:1: helmCharts runs helm, which Flux does not do: write a HelmRelease", ErrPlugin},

		{"absolute", kust("resources: [/etc/passwd]\n"), "c/kustomization.yaml:1: resources: \"/etc/passwd\" is outside the repository: name something inside it, from this directory", ErrOutside},
		{"absolute, where the tree is mounted", kust("resources: [/.tree/c/a.yaml]\n"), "c/kustomization.yaml:1: resources: \"/.tree/c/a.yaml\" is outside the repository: name something inside it, from this directory", ErrOutside},
		{"above the root", kust("resources: [../../x.yaml]\n"), "c/kustomization.yaml:1: resources: \"../../x.yaml\" is outside the repository: name something inside it, from this directory", ErrOutside},
		{"above the root and back", kust("resources: [../../.tree/c/a.yaml]\n"), "c/kustomization.yaml:1: resources: \"../../.tree/c/a.yaml\" is outside the repository: name something inside it, from this directory", ErrOutside},
		{"secret file above the root", kust("secretGenerator: [{name: x, files: [k=../../id_rsa]}]\n"), "c/kustomization.yaml:1: secretGenerator.files: \"k=../../id_rsa\" is outside the repository: name something inside it, from this directory", ErrOutside},

		{"missing directory", files{"d/x": ""}, "c: no kustomization.yaml in \"c\"", ErrMissing},
		{"missing kustomization", files{"c/a.yaml": configMap}, "c: no kustomization.yaml in \"c\"", ErrMissing},
		{"two kustomizations", files{"c/kustomization.yaml": "", "c/kustomization.yml": ""}, "c: \"c\" has two kustomizations: keep one of \"c/kustomization.yaml\" and \"c/kustomization.yml\"", ErrSyntax},
		{"missing resource", kust("resources:\n  - a.yaml\n  - b.yaml\n"), "c/kustomization.yaml:3: resources: \"c/b.yaml\" does not exist", ErrMissing},
		{"missing patch", kust("resources: [a.yaml]\npatches:\n- path: p.yaml\n"), "c/kustomization.yaml:3: patches.path: \"c/p.yaml\" does not exist", ErrMissing},
		{"missing base's kustomization", files{"c/kustomization.yaml": "resources: [b]\n", "c/b/x.yaml": configMap}, "c/kustomization.yaml:1: no kustomization.yaml in \"c/b\"", ErrMissing},
		{"component that is a file", kust("components: [a.yaml]\n"), "c/kustomization.yaml:1: components: \"c/a.yaml\" is a file, not a directory", ErrMissing},
		{"patch that is a directory", files{"c/kustomization.yaml": "resources: []\npatches: [{path: b}]\n", "c/b/x.yaml": configMap}, "c/kustomization.yaml:2: patches.path: \"c/b\" is a directory, not a file", ErrMissing},
		{"itself", kust("resources: [.]\n"), "c/kustomization.yaml:1: resources: \"c\" includes itself: c → c", ErrCycle},
		{
			"cycle",
			files{"c/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../d]\n", "d/kustomization.yaml": "resources: [../b]\n"},
			"d/kustomization.yaml:1: resources: \"b\" includes itself: b → d → b", ErrCycle,
		},
		{
			"the directory above",
			files{"x/c/kustomization.yaml": "", "c/kustomization.yaml": "resources: [d]\n", "c/d/kustomization.yaml": "resources: [..]\n"},
			"c/d/kustomization.yaml:1: resources: \"c\" includes itself: c → c/d → c", ErrCycle,
		},
		{"bad kustomization", kust("resources: [a.yaml\n"), "c/kustomization.yaml:1: invalid Kustomization: yaml: line 1: did not find expected ',' or ']'", ErrSyntax},
		{"unknown field", kust("resource: [a.yaml]\n"), "c/kustomization.yaml: invalid Kustomization: json: unknown field \"resource\"", ErrSyntax},
		{"bad YAML", files{"c/kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "c/a.yaml": configMap, "c/b.yaml": "a: b\nc: [\n"}, "c/b.yaml:2: yaml: line 2: did not find expected node content", ErrSyntax},
		{"duplicate key", files{"c/kustomization.yaml": "resources: [a.yaml]\n", "c/a.yaml": configMap + "data:\n  c: d\n"}, "c/a.yaml:7: yaml: unmarshal errors:\n  line 7: mapping key \"data\" already defined at line 5", ErrSyntax},
		{"no object", files{"c/kustomization.yaml": "resources: [a.yaml]\n", "c/a.yaml": "a: b\n"}, "c/a.yaml: missing Resource metadata", ErrBuild},
		{"twice", files{"c/kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "c/a.yaml": configMap, "c/b.yaml": configMap}, "c/b.yaml: merging resources from 'b.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/settings.[noNs]", ErrBuild},
		{"patch of nothing", kust("resources: [a.yaml]\npatches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: other}}'\n"), "c: no resource matches strategic merge patch \"ConfigMap.v1.[noGrp]/other.[noNs]\": no matches for Id ConfigMap.v1.[noGrp]/other.[noNs]; failed to find unique target for patch ConfigMap.v1.[noGrp]/other.[noNs]", ErrBuild},
		{"component as a resource", files{"c/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": component + "namePrefix: x\n"}, "c: expected kind != 'Component' for path 'b'", ErrBuild},
		{"empty", files{"c/kustomization.yaml": "kind: Kustomization\n"}, "c: kustomization.yaml is empty", ErrBuild},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Build(t.Context(), repo(tt.files), "c")
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want Problems", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !errors.Is(err, tt.reason) {
				t.Errorf("reason: got %v, want %v", problems[0].Reason, tt.reason)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a password is in the message")
			}
		})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Build(t.Context(), repo(map[string]string{
		"c/kustomization.yaml":   "resources:\n- https://example.org/x\n- b\n- missing.yaml\npatches:\n- path: /p.yaml\n",
		"c/b/kustomization.yaml": "resources: [../..]\n",
	}), "c")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	var got []error
	for _, p := range problems {
		got = append(got, p.Reason)
	}
	want := []error{ErrRemote, ErrCycle, ErrMissing, ErrOutside}
	if !slices.Equal(want, got) {
		t.Errorf("got %v, want %v:\n%v", got, want, err)
	}
}

// What looks a little like something refused, and is not.
func TestNotRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]string{
		"URL in a literal":     {"c/kustomization.yaml": "configMapGenerator: [{name: x, literals: ['u=https://example.org']}]\n"},
		"URL in an annotation": {"c/kustomization.yaml": "resources: [a.yaml]\ncommonAnnotations: {u: 'https://example.org'}\n", "c/a.yaml": configMap},
		"URL in a patch":       {"c/kustomization.yaml": "resources: [a.yaml]\npatches: [{patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {u: \"https://example.org\"}}'}]\n", "c/a.yaml": configMap},
		"URL in a merge patch": {"c/kustomization.yaml": "resources: [a.yaml]\npatchesStrategicMerge: ['{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {u: \"https://example.org\"}}']\n", "c/a.yaml": configMap},
		"file with an @":       {"c/kustomization.yaml": "resources: [a@b.yaml]\n", "c/a@b.yaml": configMap},
		"dots within":          {"c/kustomization.yaml": "resources: [./b/../a.yaml]\n", "c/a.yaml": configMap, "c/b/x": ""},
		"same base twice":      {"c/kustomization.yaml": "resources: [b, d]\n", "c/b/kustomization.yaml": "namePrefix: b-\nresources: [../../e]\n", "c/d/kustomization.yaml": "namePrefix: d-\nresources: [../../e]\n", "e/kustomization.yaml": "resources: [a.yaml]\n", "e/a.yaml": configMap},
		"aliases":              {"c/kustomization.yaml": "resources: [a.yaml]\n", "c/a.yaml": "apiVersion: v1\nkind: X\nmetadata: {name: x}\na: &a {b: c}\nd: *a\ne: [*a, *a]\n"},
		"built-in plugin":      {"c/kustomization.yaml": "resources: [a.yaml]\ntransformers: [t.yaml]\n", "c/a.yaml": configMap, "c/t.yaml": "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: x}\nannotations: {u: 'https://example.org'}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n"},
		"nothing at all":       {"c/kustomization.yaml": "resources: []\n"},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Build(t.Context(), repo(files), "c"); err != nil {
				t.Error(err)
			}
		})
	}
}

// kustomize repeats its configuration in messages; what is secret there must not come out.
func TestSecretsStayOutOfMessages(t *testing.T) {
	t.Parallel()
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {p: hunter2}\n"
	tests := map[string]map[string]string{
		"bad literal":         {"c/kustomization.yaml": "secretGenerator: [{name: x, literals: [hunter2]}]\n"},
		"literal and no key":  {"c/kustomization.yaml": "secretGenerator: [{name: x, literals: ['=hunter2']}]\n"},
		"bad behaviour":       {"c/kustomization.yaml": "secretGenerator: [{name: x, behavior: merge, literals: [a=hunter2]}]\n"},
		"bad patch":           {"c/kustomization.yaml": "resources: [s.yaml]\npatches: [{patch: 'password hunter2'}]\n", "c/s.yaml": secret},
		"patch and path":      {"c/kustomization.yaml": "resources: [s.yaml]\npatches: [{patch: 'password: hunter2', path: s.yaml}]\n", "c/s.yaml": secret},
		"duplicate":           {"c/kustomization.yaml": "resources: [s.yaml, t.yaml]\n", "c/s.yaml": secret, "c/t.yaml": secret},
		"failing replacement": {"c/kustomization.yaml": "resources: [s.yaml]\nreplacements: [{source: {kind: Secret, fieldPath: stringData.p}, targets: [{select: {kind: Secret}, fieldPaths: [stringData.p.q]}]}]\n", "c/s.yaml": secret},
		"control character":   {"c/kustomization.yaml": "resources: [s.yaml]\n", "c/s.yaml": strings.Replace(secret, "hunter2", `"hunter2\x7f"`, 1)},
		"no name":             {"c/kustomization.yaml": "resources: [s.yaml]\n", "c/s.yaml": "apiVersion: v1\nkind: Secret\nstringData: {p: hunter2}\n"},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Build(t.Context(), repo(files), "c")
			if err == nil {
				t.Fatal("built")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret is in the message: %v", err)
			}
		})
	}
}

func TestLinksAreRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	outside := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "secret.yaml"), configMap)
	write(filepath.Join(root, "real", "kustomization.yaml"), "resources: [a.yaml]\n")
	write(filepath.Join(root, "real", "a.yaml"), configMap)
	write(filepath.Join(root, "plain", "kustomization.yaml"), "resources: [../real]\n")
	for name, target := range map[string]string{
		"file/secret.yaml": filepath.Join(outside, "secret.yaml"),
		"inside/a.yaml":    "../real/a.yaml",
		"directory/real":   "../real",
	} {
		link := filepath.Join(root, name)
		write(filepath.Join(filepath.Dir(link), "kustomization.yaml"), "resources: ["+filepath.Base(link)+"]\n")
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("real", filepath.Join(root, "linked")); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"file", "inside", "directory", "linked"} {
		_, err := Build(t.Context(), os.DirFS(root), dir)
		if !errors.Is(err, ErrOutside) || !strings.Contains(err.Error(), "symbolic link") {
			t.Errorf("%s: got %v, want ErrOutside", dir, err)
		}
	}
	if _, err := Build(t.Context(), os.DirFS(root), "plain"); err != nil {
		t.Errorf("a real directory on disk: %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d,", i-1), 8), i-1)
	}
	object := "apiVersion: v1\nkind: X\nmetadata: {name: x}\n"
	twice := fstest.MapFS{}
	for i := range 30 {
		twice[fmt.Sprintf("c%d/kustomization.yaml", i)] = &fstest.MapFile{
			Data: fmt.Appendf(nil, "resources: [../c%d, ../c%d/]\n", i+1, i+1),
		}
	}
	twice["c30/kustomization.yaml"] = &fstest.MapFile{Data: []byte("namePrefix: x\n")}
	deep := fstest.MapFS{}
	for i := range 60 {
		deep[fmt.Sprintf("c%d/kustomization.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "resources: [../c%d]\n", i+1)}
	}
	deep["c60/kustomization.yaml"] = &fstest.MapFile{Data: []byte("namePrefix: x\n")}
	tests := []struct {
		name   string
		tree   fstest.MapFS
		reason error
	}{
		{"alias bomb in an object", repo(map[string]string{"c0/kustomization.yaml": "resources: [a.yaml]\n", "c0/a.yaml": object + bomb}), ErrTooLarge},
		{"alias bomb in a patch", repo(map[string]string{"c0/kustomization.yaml": "resources: [a.yaml]\npatches: [{path: b.yaml}]\n", "c0/a.yaml": object, "c0/b.yaml": object + bomb}), ErrTooLarge},
		{"alias bomb in a kustomization", repo(map[string]string{"c0/kustomization.yaml": "resources: [a.yaml]\n" + bomb}), ErrTooLarge},
		{"huge file", repo(map[string]string{"c0/kustomization.yaml": "resources: [a.yaml]\n", "c0/a.yaml": object + strings.Repeat("# x\n", maxFileSize/4)}), ErrTooLarge},
		{"deep nesting", repo(map[string]string{"c0/kustomization.yaml": "resources: [a.yaml]\n", "c0/a.yaml": object + "a: " + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "\n"}), ErrSyntax},
		{"doubling kustomizations", twice, ErrTooLarge},
		{"a long chain of kustomizations", deep, ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Build(t.Context(), tt.tree, "c0")
			if !errors.Is(err, tt.reason) {
				t.Errorf("got %v, want %v", err, tt.reason)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestCancelledBuild(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, repo(cluster()), "clusters/tools"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestFluxSystemUnlisted(t *testing.T) {
	t.Parallel()
	listed := "resources: [gotk-components.yaml]\n"
	tests := []struct {
		name  string
		files map[string]string
		want  bool
	}{
		{"absent", map[string]string{"c/kustomization.yaml": "resources: [a.yaml]\n", "c/a.yaml": configMap}, false},
		{"listed", map[string]string{"c/kustomization.yaml": "resources: [flux-system]\n", "c/flux-system/kustomization.yaml": listed, "c/flux-system/gotk-components.yaml": configMap}, false},
		{"listed with dots", map[string]string{"c/kustomization.yaml": "resources: [./flux-system/]\n", "c/flux-system/kustomization.yaml": listed, "c/flux-system/gotk-components.yaml": configMap}, false},
		{"its files listed", map[string]string{"c/kustomization.yaml": "resources: [flux-system/gotk-components.yaml]\n", "c/flux-system/gotk-components.yaml": configMap}, false},
		{"reached through another", map[string]string{"c/kustomization.yaml": "resources: [all]\n", "c/all/kustomization.yaml": "resources: [../flux-system]\n", "c/flux-system/kustomization.yaml": listed, "c/flux-system/gotk-components.yaml": configMap}, false},
		{"not listed", map[string]string{"c/kustomization.yaml": "resources: [a.yaml]\n", "c/a.yaml": configMap, "c/flux-system/kustomization.yaml": listed, "c/flux-system/gotk-components.yaml": configMap}, true},
		{"empty folder", map[string]string{"c/kustomization.yaml": "resources: [a.yaml]\n", "c/a.yaml": configMap, "c/flux-system/.gitkeep": ""}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := FluxSystemUnlisted(t.Context(), repo(tt.files), "c")
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// Every field of kustomize's Kustomization is either followed by referencesOf, or listed here as one
// that names nothing outside itself. A new version of kustomize with a new field fails this test.
func TestEveryFieldIsConsidered(t *testing.T) {
	t.Parallel()
	followed := []string{
		"Resources", "Configurations", "Crds", "OpenAPI", "ConfigMapGenerator", "SecretGenerator", "Generators", "Components",
		"Patches", "PatchesJson6902", "PatchesStrategicMerge", "Replacements", "Transformers", "Validators",
	}
	moved := []string{"Bases", "ImageTags", "HelmChartInflationGenerator"} // by FixKustomization, into others
	refused := []string{"HelmCharts"}
	within := []string{
		"TypeMeta", "MetaData", "NamePrefix", "NameSuffix", "Namespace", "CommonLabels", "Labels", "CommonAnnotations",
		"Images", "Replicas", "Vars", "SortOptions", "HelmGlobals", "GeneratorOptions", "BuildMetadata",
	}
	known := map[string]bool{}
	for _, list := range [][]string{followed, moved, refused, within} {
		for _, name := range list {
			known[name] = true
		}
	}
	typ := reflect.TypeFor[types.Kustomization]()
	for i := range typ.NumField() {
		if name := typ.Field(i).Name; !known[name] {
			t.Errorf("types.Kustomization has a new field %s: does it name files or URLs?", name)
		}
	}
}

// FuzzBuild holds that no kustomization makes anything panic, reach out or read what the tree has not.
func FuzzBuild(f *testing.F) {
	f.Add("resources: [a.yaml]\n", configMap)
	f.Add("resources: [a.yaml]\npatches: [{path: a.yaml}]\nnamePrefix: x\n", release+"{a: &a {b: 1}, c: *a}\n")
	f.Add("generators: [a.yaml]\n", "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: x}\nfiles: [a.yaml]\n")
	f.Fuzz(func(t *testing.T, kustomization, resource string) {
		tree := repo(map[string]string{"c/kustomization.yaml": kustomization, "c/a.yaml": resource})
		result, err := Build(t.Context(), tree, "c")
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) {
				t.Errorf("not a Problem: %v", err)
			}
			return
		}
		for _, o := range result.Objects {
			result.Origin(o)
		}
	})
}

func benchmarkTree(releases int) fstest.MapFS {
	tree := fstest.MapFS{"c/kustomization.yaml": &fstest.MapFile{Data: []byte("resources: [manifests]\n")}}
	list := "resources:\n"
	for i := range releases {
		values := ""
		for j := range 60 {
			values += fmt.Sprintf("    key%d:\n      name: \"value %d\"\n      number: %d\n", j, j, j)
		}
		name := fmt.Sprintf("c/manifests/r%d.yaml", i)
		tree[name] = &fstest.MapFile{Data: []byte(strings.Replace(release, "name: a\n", fmt.Sprintf("name: r%d\n", i), 1) + "\n" + values)}
		list += fmt.Sprintf("- r%d.yaml\n", i)
	}
	tree["c/manifests/kustomization.yaml"] = &fstest.MapFile{Data: []byte(list)}
	return tree
}

// BenchmarkBuild: 30 HelmReleases are a cluster of Toolforge's; each has 180 lines of values.
func BenchmarkBuild(b *testing.B) {
	for _, releases := range []int{30, 100} {
		b.Run(fmt.Sprintf("releases=%d", releases), func(b *testing.B) {
			tree := benchmarkTree(releases)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Build(b.Context(), tree, "c"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAnchorsAreSeen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"&a b": true, "x: &a b": true, "- &a b": true, "[&a b, *a]": true, `{"x":&a b}`: true, "x:\n&a b": true, "\ufeff&a b": true,
		"u: https://example.org/?a=1&b=2": false, "html: a&amp;b": false, "*": false,
	} {
		if got := mayHoldAnchors([]byte(text)); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}
