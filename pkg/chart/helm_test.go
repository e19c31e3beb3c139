package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"text/template"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	kubefake "helm.sh/helm/v4/pkg/kube/fake"
	"helm.sh/helm/v4/pkg/postrenderer"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"sigs.k8s.io/kustomize/api/builtins" //nolint:staticcheck // helm-controller uses it
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	kustypes "sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// These tests run Helm's own install action, with post-renderers that work on
// text as helm-controller's do, and compare.

// runHelm renders the release with Helm. funcs is nil for Helm's own functions.
func runHelm(t testing.TB, in Input, archive []byte, renderer postrenderer.PostRenderer, funcs template.FuncMap) (*helmrelease.Release, error) {
	t.Helper()
	parsed, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	caps, err := in.Capabilities.helm()
	if err != nil {
		t.Fatal(err)
	}
	config := action.NewConfiguration()
	config.CustomTemplateFuncs = funcs
	config.Capabilities = caps
	config.KubeClient = &kubefake.PrintingKubeClient{Out: io.Discard}
	id := IdentityOf(in.Release)
	install := action.NewInstall(config)
	// A client-side dry run would replace the capabilities; without a REST
	// client a server-side one asks no server either.
	install.DryRunStrategy = action.DryRunServer
	install.ReleaseName, install.Namespace = id.Name, id.Namespace
	install.IsUpgrade = in.Upgrade
	install.SkipCRDs = true
	install.PostRenderer = renderer
	install.PostRenderStrategy = action.PostRenderStrategy(in.Release.GetPostRenderStrategy())
	values, err := values(t.Context(), in.Release, in.References)
	if err != nil {
		t.Fatal(err)
	}
	out, err := install.RunWithContext(t.Context(), parsed, values.AsMap())
	if err != nil {
		return nil, err
	}
	return out.(*helmrelease.Release), nil
}

// controller post-renders as helm-controller does: each step reads text and
// writes text.
type controller struct{ hr *helmv2.HelmRelease }

func (c controller) Run(in *bytes.Buffer) (*bytes.Buffer, error) {
	text := in.Bytes()
	var err error
	for _, r := range c.hr.Spec.PostRenderers {
		if text, err = c.kustomize(r.Kustomize, text); err != nil {
			return nil, err
		}
	}
	var steps []resmap.Transformer
	field := func(path string) []kustypes.FieldSpec {
		return []kustypes.FieldSpec{{Path: path, CreateIfNotPresent: true}}
	}
	if common := c.hr.Spec.CommonMetadata; common != nil {
		steps = append(steps,
			&builtins.LabelTransformerPlugin{Labels: common.Labels, FieldSpecs: field("metadata/labels")},
			&builtins.AnnotationsTransformerPlugin{Annotations: common.Annotations, FieldSpecs: field("metadata/annotations")})
	}
	steps = append(steps, &builtins.LabelTransformerPlugin{
		Labels: map[string]string{
			"helm.toolkit.fluxcd.io/name":      c.hr.Name,
			"helm.toolkit.fluxcd.io/namespace": c.hr.Namespace,
		}, FieldSpecs: field("metadata/labels"),
	})
	for _, step := range steps {
		resources, err := resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()).NewResMapFromBytes(text)
		if err != nil {
			return nil, err
		}
		if err := step.Transform(resources); err != nil {
			return nil, err
		}
		if text, err = resources.AsYaml(); err != nil {
			return nil, err
		}
	}
	return bytes.NewBuffer(text), nil
}

func (c controller) kustomize(spec *helmv2.Kustomize, text []byte) ([]byte, error) {
	files := filesys.MakeFsInMemory()
	config := map[string]any{"resources": []string{"in.yaml"}, "images": spec.Images, "patches": spec.Patches}
	kustomization, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	_ = files.WriteFile("in.yaml", text)
	_ = files.WriteFile("kustomization.yaml", kustomization)
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, ".")
	if err != nil {
		return nil, err
	}
	return built.AsYaml()
}

// flatObject is what the comparison looks at.
type flatObject struct {
	Source string
	Fields map[string]any
}

// normal drops an empty annotations mapping, which Helm leaves behind where it
// noted the file name.
func normal(fields map[string]any) map[string]any {
	metadata, _ := fields["metadata"].(map[string]any)
	if annotations, ok := metadata["annotations"].(map[string]any); ok && len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	return fields
}

// helmObjects parses a manifest of Helm's.
func helmObjects(t testing.TB, manifest string) (all []flatObject) {
	t.Helper()
	for _, part := range strings.Split("\n"+manifest, "\n---\n# Source: ")[1:] {
		source, text, _ := strings.Cut(part, "\n")
		objects, err := parseAsHelm([]document{{source: source, text: text}})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			all = append(all, flatObject{o.source, normal(o.fields)})
		}
	}
	return all
}

// configMapHook is a hook with the identity of what configMap makes.
func equalityInput(t testing.TB, i int) (Input, []byte) {
	c := equalityCases[i]
	chart := files{}
	for name, text := range c.chart {
		if strings.HasSuffix(name, ".tgz") {
			text = string(pack(t, "sub", files{
				"Chart.yaml":       "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
				"values.yaml":      "v: default\n",
				"templates/a.yaml": configMap("v: {{ .Values.v }}"),
			}))
		}
		chart[name] = text
	}
	archive := pack(t, "demo", chart)
	parsed, err := Load(archive, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Release: helmRelease(t, c.values), Chart: parsed, Capabilities: capabilities, Upgrade: true, Revision: 1}
	if c.change != nil {
		c.change(in.Release)
	}
	return in, archive
}

func TestManifestIsHelms(t *testing.T) {
	for i, c := range equalityCases {
		t.Run(c.name, func(t *testing.T) {
			in, archive := equalityInput(t, i)
			want, err := runHelm(t, in, archive, nil, nil)
			if err != nil {
				t.Fatalf("Helm: %v", err)
			}
			got := expand(t, in)
			if diff := cmp.Diff(want.Manifest, got.Manifest); diff != "" {
				t.Errorf("the manifest differs from Helm's (-helm +ours):\n%s", diff)
			}
			if got.Notes != want.Info.Notes {
				t.Errorf("notes are %q, Helm's are %q", got.Notes, want.Info.Notes)
			}
		})
	}
}

func TestObjectsAreHelmControllers(t *testing.T) {
	for i, c := range equalityCases {
		t.Run(c.name, func(t *testing.T) {
			in, archive := equalityInput(t, i)
			want, err := runHelm(t, in, archive, controller{in.Release}, nil)
			if err != nil {
				t.Fatalf("Helm: %v", err)
			}
			got := expand(t, in)
			var own, hooks []flatObject
			for _, r := range got.Resources {
				switch {
				case r.CRD:
				case r.Hook != nil:
					hooks = append(hooks, flatObject{r.Source, normal(r.Object)})
				default:
					own = append(own, flatObject{r.Source, normal(r.Object)})
				}
			}
			if diff := cmp.Diff(helmObjects(t, want.Manifest), own); diff != "" {
				t.Errorf("objects differ from helm-controller's (-helm +ours):\n%s", diff)
			}
			compareHooks(t, want.Hooks, hooks, got)
		})
	}
}

func compareHooks(t *testing.T, want []*helmrelease.Hook, got []flatObject, e *Expansion) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d hooks, Helm has %d", len(got), len(want))
	}
	for _, w := range want {
		r := find(t, e, w.Kind, w.Name)
		if w.Kind == "ConfigMap" { // of the same name as one that is no hook
			r = e.Resources[len(e.Resources)-1]
		}
		objects, err := parseAsHelm([]document{{source: w.Path, text: w.Manifest}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(normal(objects[0].fields), normal(r.Object)); diff != "" {
			t.Errorf("hook %s differs (-helm +ours):\n%s", w.Name, diff)
		}
		if fmt.Sprint(w.Events) != fmt.Sprint(r.Hook.Events) || w.Weight != r.Hook.Weight || fmt.Sprint(w.DeletePolicies) != fmt.Sprint(r.Hook.DeletePolicies) {
			t.Errorf("hook %s is %+v, Helm has events %v, weight %d, policies %v", w.Name, *r.Hook, w.Events, w.Weight, w.DeletePolicies)
		}
	}
}

// What helm-controller cannot apply is no expansion either.
func TestRefusedLikeHelmController(t *testing.T) {
	cases := []struct{ name, text string }{
		{"a key twice", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 1, k: 2}\n"},
		{"a resource twice", configMap("a: b") + "---\n" + configMap("a: c")},
		{"a hook like a resource", configMapHook("pre-upgrade", "0") + "---\n" + configMap("a: c")},
		{"twice, in the default namespace and in none", configMap("a: b") + "---\n" + strings.Replace(configMap("a: c"), "name: demo", "name: demo\n  namespace: default", 1)},
		{"no name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a}\n"},
		{"no kind", "apiVersion: v1\nmetadata: {name: a}\n"},
		{"no mapping", "just text\n"},
		{"not YAML", "apiVersion: v1\nkind: [\n"},
		{"integer keys", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {1: a}\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			chart := files{"templates/a.yaml": c.text}
			in := input(t, chart, "")
			_, theirs := runHelm(t, in, pack(t, "demo", chart), controller{in.Release}, nil)
			_, ours := Expand(t.Context(), in)
			if theirs == nil || ours == nil {
				t.Errorf("ours is %v, helm-controller's is %v; want both to fail", ours, theirs)
			}
		})
	}
}
