package chart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
)

func TestIdentity(t *testing.T) {
	long := strings.Repeat("a-long-name-", 5)
	cases := []struct {
		name string
		spec helmv2.HelmReleaseSpec
		want Identity
	}{
		{"all said", helmv2.HelmReleaseSpec{ReleaseName: "r", TargetNamespace: "t", StorageNamespace: "s"}, Identity{"r", "t", "s"}},
		{"nothing said", helmv2.HelmReleaseSpec{}, Identity{"demo", "flux-system", "flux-system"}},
		{"a target namespace comes first", helmv2.HelmReleaseSpec{TargetNamespace: "t"}, Identity{"t-demo", "t", "flux-system"}},
		{"53 characters stay", helmv2.HelmReleaseSpec{ReleaseName: long[:53]}, Identity{long[:53], "flux-system", "flux-system"}},
		{"54 are shortened", helmv2.HelmReleaseSpec{ReleaseName: long[:54]}, Identity{"a-long-name-a-long-name-a-long-name-a-lo-274b245ddb56", "flux-system", "flux-system"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			hr := helmRelease(t, "", func(hr *helmv2.HelmRelease) { hr.Spec = c.spec })
			if got := IdentityOf(hr); got != c.want {
				t.Errorf("IdentityOf = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestChartVersion(t *testing.T) {
	digest := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	cases := []struct {
		name, kind, revision string
		want                 string
		err                  error
	}{
		{name: "a tag and a digest", kind: "OCIRepository", revision: "1.2.3@" + digest, want: "1.2.3+0123456789ab"},
		{name: "a digest", kind: "OCIRepository", revision: digest, want: "1.2.3+0123456789ab"},
		{name: "a tag that is no version", kind: "OCIRepository", revision: "latest@" + digest, want: "1.2.3+0123456789ab"},
		{name: "a tag that is another version", kind: "OCIRepository", revision: "1.2.4@" + digest, err: ErrRevision},
		{name: "a commit that looks like a version", kind: "OCIRepository", revision: "36718366@" + digest, err: ErrRevision},
		{name: "no digest", kind: "OCIRepository", revision: "1.2.3", err: ErrRevision},
		{name: "a short digest", kind: "OCIRepository", revision: "sha256:0123", err: ErrRevision},
		{name: "an external artifact", kind: "ExternalArtifact", revision: digest, want: "1.2.3+0123456789ab"},
		{name: "an external artifact with a version", kind: "ExternalArtifact", revision: "1.2.3", want: "1.2.3"},
		{name: "a HelmChart", kind: "HelmChart", revision: digest, want: "1.2.3"},
		{name: "no chartRef", revision: digest, want: "1.2.3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, files{"templates/a.yaml": configMap("v: {{ .Chart.Version }}")}, "")
			if c.kind != "" {
				in.Release.Spec.ChartRef = &helmv2.CrossNamespaceSourceReference{Kind: c.kind, Name: "demo"}
			}
			in.SourceRevision = c.revision
			e, err := Expand(t.Context(), in)
			if !errors.Is(err, c.err) {
				t.Fatalf("err = %v, want %v", err, c.err)
			}
			if err != nil {
				return
			}
			if got := data(t, e, "demo")["v"]; got != c.want || e.ChartVersion != c.want {
				t.Errorf("templates see %q, ChartVersion is %q, want %q", got, e.ChartVersion, c.want)
			}
		})
	}
}

func TestErrorsSayWhere(t *testing.T) {
	cases := []struct {
		name     string
		chart    files
		template string
		line     int
		says     string
	}{
		{"a mistake in a template", files{"templates/a.yaml": "a: b\nc: {{ .Values.x.y.z }}\n"}, "demo/templates/a.yaml", 2, "nil pointer"},
		{"a mistake in an included one", files{"templates/_h.tpl": "{{ define \"x\" }}\n\n{{ index .Values \"a\" \"b\" \"c\" }}{{ end }}", "templates/a.yaml": "{{ include \"x\" . }}"}, "demo/templates/_h.tpl", 3, "index"},
		{"required", files{"templates/a.yaml": "\n\na: {{ required \"a value is needed\" .Values.x }}\n"}, "demo/templates/a.yaml", 3, "a value is needed"},
		{"fail", files{"templates/a.yaml": "{{ fail \"never mind\" }}\n"}, "demo/templates/a.yaml", 1, "never mind"},
		{"not parsed", files{"templates/a.yaml": "a\n{{ if }}\n"}, "demo/templates/a.yaml", 2, "missing value for if"},
		{"not YAML", files{"templates/a.yaml": "a: b: c\n"}, "demo/templates/a.yaml", 0, "YAML parse error"},
		{"in a subchart", files{"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/sub/templates/a.yaml": "{{ fail \"sub\" }}"}, "demo/charts/sub/templates/a.yaml", 1, "sub"},
		{"refused by kustomize", files{"templates/a.yaml": "kind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1, a: 2}\n"}, "demo/templates/a.yaml", 0, "already defined"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Expand(t.Context(), input(t, c.chart, ""))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("err = %v, want an *Error", err)
			}
			if e.Release != "flux-system/demo" || e.Chart != "demo-1.2.3" || e.Template != c.template || e.Line != c.line {
				t.Errorf("Error{Release: %q, Chart: %q, Template: %q, Line: %d}, want template %q line %d:\n%v", e.Release, e.Chart, e.Template, e.Line, c.template, c.line, err)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("err = %v, want it to say %q", err, c.says)
			}
		})
	}
}

func TestRelease(t *testing.T) {
	chart := files{"templates/a.yaml": configMap(`r: "{{ .Release.Revision }} {{ .Release.IsUpgrade }} {{ .Release.IsInstall }} {{ .Release.Name }} {{ .Release.Namespace }}"`)}
	cases := []struct {
		upgrade  bool
		revision int
		want     string
	}{
		{false, 0, "1 false true demo apps"},
		{true, 0, "2 true false demo apps"},
		{true, 17, "17 true false demo apps"},
	}
	for _, c := range cases {
		in := input(t, chart, "")
		in.Upgrade, in.Revision = c.upgrade, c.revision
		if got := data(t, expand(t, in), "demo")["r"]; got != c.want {
			t.Errorf("upgrade %v, revision %d: %q, want %q", c.upgrade, c.revision, got, c.want)
		}
	}
}

// Nobody may see what another expansion did to the chart: Helm changes charts
// while it renders them, and templates can set what they are given.
func TestChartIsNotChanged(t *testing.T) {
	chart := files{"templates/b.yaml": `{{ $_ := set .Chart "Name" "changed" }}{{ $_ := set .Values "own" "changed" }}` +
		`{{ $_ := set (index .Subcharts "one").Values "own" "changed" }}{{ $_ := set .Values.imported "there" "changed" }}`}
	for name, text := range subcharts {
		chart[name] = text
	}
	chart["Chart.yaml"] += "annotations: {a: b}\n"
	c := load(t, chart)
	values := "one: {enabled: true}\n"
	in := Input{Release: helmRelease(t, values), Chart: c, Capabilities: capabilities, Upgrade: true}
	before := fingerprint(c)
	first := expand(t, in)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			other := in
			if i%2 == 0 {
				other.Release = helmRelease(t, "two: {enabled: true}\nown: x\n", postRenderers)
				other.Release.Spec.PostRenderers[0].Kustomize.Patches = nil
				other.Release.Spec.PostRenderers = other.Release.Spec.PostRenderers[:1]
			}
			_, _ = Expand(t.Context(), other)
		})
	}
	wait.Wait()
	if diff := cmp.Diff(before, fingerprint(c)); diff != "" {
		t.Errorf("the chart has changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(first, expand(t, in)); diff != "" {
		t.Errorf("the second expansion differs from the first:\n%s", diff)
	}
}

// fingerprint is all of a chart that Helm or a template could change.
func fingerprint(c *Chart) string {
	text := ""
	for _, d := range append(c.parsed.Dependencies(), c.parsed) {
		text += fmt.Sprintf("%s %v %v %v\n", d.ChartFullPath(), *d.Metadata, d.Values, len(d.Dependencies()))
		for _, dep := range d.Metadata.Dependencies {
			text += fmt.Sprintf("  %+v\n", *dep)
		}
	}
	return text
}

func TestExpandEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	in := input(t, files{"templates/a.yaml": "{{ range until 2000 }}{{ range until 1000 }}{{ $_ := now }}{{ end }}{{ end }}"}, "")
	if _, err := Expand(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the context's", err)
	}
}

func TestRenderedSizeIsLimited(t *testing.T) {
	in := input(t, files{"templates/a.yaml": "{{ repeat 70000000 \"x\" }}"}, "")
	if _, err := Expand(t.Context(), in); !errors.Is(err, ErrTooLarge) {
		t.Errorf("err = %v, want ErrTooLarge", err)
	}
}

func TestAliasBombIsRefused(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
	}
	in := input(t, files{"templates/a.yaml": "kind: X\nmetadata: {name: x}\n" + bomb}, "")
	if _, err := Expand(t.Context(), in); err == nil || !strings.Contains(err.Error(), "alias") {
		t.Errorf("err = %v, want one about aliases", err)
	}
}

func TestPostRendererErrors(t *testing.T) {
	in := input(t, files{"templates/a.yaml": deployment("x")}, "", postRenderers)
	in.Release.Spec.PostRenderers[0].Kustomize.Patches[0].Patch = "not: a: patch"
	if _, err := Expand(t.Context(), in); err == nil || !strings.Contains(err.Error(), "postRenderers[0]") {
		t.Errorf("err = %v, want it to name the post-renderer", err)
	}
	in = input(t, files{"templates/a.yaml": deployment("x")}, "", func(hr *helmv2.HelmRelease) { hr.Spec.PostRenderStrategy = "often" })
	if _, err := Expand(t.Context(), in); err == nil || !strings.Contains(err.Error(), "combined, separate or nohooks") {
		t.Errorf("err = %v, want the strategies", err)
	}
}
