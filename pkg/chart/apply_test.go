package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	kubefake "helm.sh/helm/v4/pkg/kube/fake"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// target is a cluster in memory: objects by a fake client, Helm's records in
// Helm's own memory driver. Helm's objects go nowhere.
func target(t testing.TB, objects ...client.Object) (*Target, *storage.Storage) {
	t.Helper()
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, helmv2.AddToScheme} {
		if err := add(kinds); err != nil {
			t.Fatal(err)
		}
	}
	records := driver.NewMemory()
	records.SetNamespace("apps")
	kept := storage.Init(records)
	caps, err := capabilities.helm()
	if err != nil {
		t.Fatal(err)
	}
	return &Target{
		client:       fake.NewClientBuilder().WithScheme(kinds).WithObjects(objects...).Build(),
		capabilities: func() (*common.Capabilities, error) { return caps, nil },
		forget:       func() {},
		helm: func(_, _ string) (*action.Configuration, error) {
			configuration := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
			configuration.Releases, configuration.Capabilities = kept, caps
			configuration.KubeClient = &kubefake.PrintingKubeClient{Out: io.Discard}
			configuration.HookOutputFunc = func(_, _, _ string) io.Writer { return io.Discard }
			return configuration, nil
		},
	}, kept
}

func secret(name string, content map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "flux-system"}, Data: map[string][]byte{}}
	for key, value := range content {
		s.Data[key] = []byte(value)
	}
	return s
}

func fromSecret(hr *helmv2.HelmRelease) {
	hr.Spec.ValuesFrom = []helmv2.ValuesReference{{Kind: "Secret", Name: "app", ValuesKey: "password", TargetPath: "password"}}
}

func prepare(t testing.TB, to *Target, a Application) *Preparation {
	t.Helper()
	p, err := to.Prepare(t.Context(), a)
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	return p
}

func applied(t testing.TB, to *Target, a Application) Record {
	t.Helper()
	record, err := prepare(t, to, a).Apply(t.Context(), false, "a test")
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return record
}

// last is Helm's newest record of the release.
func last(t testing.TB, kept *storage.Storage) *helmrelease.Release {
	t.Helper()
	found, err := kept.Last("demo")
	if err != nil {
		t.Fatal(err)
	}
	return found.(*helmrelease.Release)
}

// versioned is the demo chart in a version, with templates.
func versioned(version string, templates files) files {
	chart := files{"Chart.yaml": "apiVersion: v2\nname: demo\nversion: " + version + "\n"}
	for name, text := range templates {
		chart["templates/"+name] = text
	}
	return chart
}

func TestApplyInstallsAndUpgradesAsTheControllerWould(t *testing.T) {
	t.Parallel()
	to, kept := target(t, secret("app", map[string]string{"password": "hunter2!"}))
	template := files{"a.yaml": configMap("words: {{ .Values.words }}", "password: {{ .Values.password }}", "upgrade: {{ .Release.IsUpgrade | quote }}")}
	hr := helmRelease(t, "words: first", fromSecret)
	record := applied(t, to, Application{Release: hr, Chart: load(t, versioned("1.0.0", template))})
	want := Record{Identity: IdentityOf(hr), Revision: 1, Chart: "demo", Version: "1.0.0", Status: "deployed"}
	if diff := cmp.Diff(want, record); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	record = applied(t, to, Application{Release: helmRelease(t, "words: second", fromSecret), Chart: load(t, versioned("1.1.0", template))})
	want.Revision, want.Version = 2, "1.1.0"
	if diff := cmp.Diff(want, record); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	release := last(t, kept)
	if release.Namespace != "apps" || release.Info.Description != "a test" || release.ApplyMethod != "ssa" {
		t.Errorf("release in %q, described %q, applied %q", release.Namespace, release.Info.Description, release.ApplyMethod)
	}
	got := helmObjects(t, release.Manifest)[0].Fields
	wantObject := map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "demo", "labels": map[string]any{"helm.toolkit.fluxcd.io/name": "demo", "helm.toolkit.fluxcd.io/namespace": "flux-system"}},
		"data":     map[string]any{"words": "second", "password": "hunter2!", "upgrade": "true"},
	}
	if diff := cmp.Diff(wantObject, got); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"words": "second", "password": "hunter2!"}, release.Config); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// What Helm makes with our renderer is what it makes with helm-controller's.
func TestTextRendererIsHelmControllers(t *testing.T) {
	for i, c := range equalityCases {
		t.Run(c.name, func(t *testing.T) {
			in, archive := equalityInput(t, i)
			funcs := functions(in.seed())
			want, wantErr := runHelm(t, in, archive, controller{in.Release}, funcs)
			got, err := runHelm(t, in, archive, textRenderer{in.Release}, functions(in.seed()))
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("helm-controller's: %v, ours: %v", wantErr, err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(helmObjects(t, want.Manifest), helmObjects(t, got.Manifest)); diff != "" {
				t.Errorf("objects (-helm-controller +ours):\n%s", diff)
			}
		})
	}
}

func TestPrepareShowsDifferencesWithoutSecrets(t *testing.T) {
	t.Parallel()
	template := files{
		"a.yaml": configMap("words: {{ .Values.words }}", "url: http://u:{{ .Values.password }}@host", "encoded: {{ .Values.password | b64enc }}"),
		"b.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: made}\nstringData: {key: {{ .Values.other }}}\n",
	}
	first := secret("app", map[string]string{"password": "hunter2!"})
	to, _ := target(t, first)
	before := Application{Release: helmRelease(t, "words: first\nother: swordfish", fromSecret), Chart: load(t, versioned("1.0.0", template))}
	if p := prepare(t, to, before); p.Upgrade() || p.Nothing() || len(p.Differences) != 2 || p.Differences[0].Old != nil {
		t.Errorf("before the installation: %+v", p)
	}
	applied(t, to, before)
	if p := prepare(t, to, before); !p.Nothing() {
		t.Errorf("the same again differs: %s", shown(p))
	}
	rotated := secret("app", map[string]string{"password": "correct-horse"})
	if err := to.client.Update(t.Context(), rotated); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, to, before)
	if len(p.Differences) != 1 || p.Differences[0].Kind != "ConfigMap" || p.Nothing() {
		t.Errorf("a rotated secret: %s", shown(p))
	}
	before.Release = helmRelease(t, "words: second\nother: tuna-fish", fromSecret)
	p = prepare(t, to, before)
	text := shown(p)
	for _, secret := range []string{"hunter2!", "correct-horse", "swordfish", "tuna-fish", "aHVudGVyMiE", "Y29ycmVjdC1ob3JzZQ"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is shown:\n%s", secret, text)
		}
	}
	if len(p.Differences) != 2 || !strings.Contains(text, "words: first") || !strings.Contains(text, "words: second") {
		t.Errorf("the difference does not show:\n%s", text)
	}
}

func shown(p *Preparation) string {
	var out strings.Builder
	for _, d := range p.Differences {
		out.WriteString(d.Kind + " " + d.Namespace + "/" + d.Name + "\n" + string(d.Old) + string(d.New))
	}
	return out.String()
}

func TestPrepareUsesRealRandomFunctions(t *testing.T) {
	t.Parallel()
	to, _ := target(t)
	a := Application{Release: helmRelease(t, ""), Chart: load(t, versioned("1.0.0", files{"a.yaml": configMap("x: {{ randAlphaNum 20 }}")}))}
	if one, two := shown(prepare(t, to, a)), shown(prepare(t, to, a)); one == two {
		t.Errorf("twice the same by chance:\n%s", one)
	}
}

func TestApplyFailures(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		template string
		values   string
		change   func(*helmv2.HelmRelease)
		want     string
	}{
		{"a Secret that is not there", configMap("a: b"), "", fromSecret, `Secret`},
		{"a template that fails", `{{ fail (printf "no %s" .Values.password) }}`, "password: x", nil, "no x"},
		{"an object without a name", "kind: ConfigMap\napiVersion: v1\n", "", nil, "name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			to, kept := target(t)
			hr := helmRelease(t, c.values)
			if c.change != nil {
				c.change(hr)
			}
			_, err := to.Prepare(t.Context(), Application{Release: hr, Chart: load(t, versioned("1.0.0", files{"a.yaml": c.template}))})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if _, err := kept.Last("demo"); !errors.Is(err, driver.ErrReleaseNotFound) {
				t.Errorf("there is a record: %v", err)
			}
		})
	}
}

func TestErrorsHaveNoSecrets(t *testing.T) {
	t.Parallel()
	to, _ := target(t, secret("app", map[string]string{"password": "hunter2!"}))
	_, err := to.Prepare(t.Context(), Application{Release: helmRelease(t, "", fromSecret), Chart: load(t, versioned("1.0.0", files{"a.yaml": `{{ fail .Values.password }}`}))})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestApplyMakesMissingNamespaces(t *testing.T) {
	t.Parallel()
	to, _ := target(t)
	namespace := func(name string) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": map[string]any{"of": "git"}}}
	}
	a := Application{Release: helmRelease(t, ""), Chart: load(t, versioned("1.0.0", files{"a.yaml": configMap("a: b")})), Namespaces: []map[string]any{namespace("apps"), namespace("other")}}
	applied(t, to, a)
	applied(t, to, a) // where it is there already
	var made corev1.NamespaceList
	if err := to.client.List(t.Context(), &made); err != nil {
		t.Fatal(err)
	}
	if len(made.Items) != 1 || made.Items[0].Name != "apps" || made.Items[0].Labels["of"] != "git" {
		t.Errorf("namespaces: %+v", made.Items)
	}
}

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	live := helmRelease(t, "words: live")
	to, _ := target(t, live)
	read := func() *helmv2.HelmRelease {
		t.Helper()
		got := &helmv2.HelmRelease{}
		if err := to.client.Get(t.Context(), client.ObjectKeyFromObject(live), got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	found, err := to.Suspend(t.Context(), live, Suspension{Who: "me@laptop", Why: "trying a fix", Until: until})
	if err != nil || !found {
		t.Fatalf("Suspend: %t, %v", found, err)
	}
	want := map[string]string{AnnotationSuspendedBy: "me@laptop", AnnotationSuspendedWhy: "trying a fix", AnnotationSuspendedUntil: "2026-12-01T00:00:00Z"}
	got := read()
	if diff := cmp.Diff(want, got.Annotations); diff != "" || !got.Spec.Suspend || string(got.Spec.Values.Raw) != string(live.Spec.Values.Raw) {
		t.Errorf("suspended: %t, values %s, annotations (-want +got):\n%s", got.Spec.Suspend, got.Spec.Values.Raw, diff)
	}
	if found, err := to.Resume(t.Context(), live, until); err != nil || !found {
		t.Fatalf("Resume: %t, %v", found, err)
	}
	got = read()
	if diff := cmp.Diff(map[string]string{annotationRequested: "2026-12-01T00:00:00Z"}, got.Annotations); diff != "" || got.Spec.Suspend {
		t.Errorf("resumed: suspend %t, annotations (-want +got):\n%s", got.Spec.Suspend, diff)
	}
	live.Spec.Suspend = true // as Git has it
	if _, err := to.Resume(t.Context(), live, until); err != nil || !read().Spec.Suspend {
		t.Errorf("what Git suspends is resumed: %v", err)
	}
	if found, err := to.Suspend(t.Context(), helmRelease(t, "", func(hr *helmv2.HelmRelease) { hr.Name = "absent" }), Suspension{}); err != nil || found {
		t.Errorf("one that is not there: %t, %v", found, err)
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	to, kept := target(t)
	hr := helmRelease(t, "")
	for _, version := range []string{"1.0.0", "2.0.0"} {
		applied(t, to, Application{Release: hr, Chart: load(t, versioned(version, files{"a.yaml": configMap("v: v" + version)}))})
	}
	records, err := to.Records(IdentityOf(hr))
	if err != nil {
		t.Fatal(err)
	}
	back, err := RollbackTarget(records, hr, "demo", "1.0.0", "")
	if err != nil || back.Version != "1.0.0" || back.Revision != 1 {
		t.Fatalf("target %+v, %v", back, err)
	}
	now, err := to.Rollback(t.Context(), hr, back, false, "it broke")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Record{Identity: IdentityOf(hr), Revision: 3, Chart: "demo", Version: "1.0.0", Status: "deployed"}, now); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if release := last(t, kept); release.Info.Description != "it broke" || !strings.Contains(release.Manifest, "v1.0.0") {
		t.Errorf("%q: %s", release.Info.Description, release.Manifest)
	}
	if !now.Runs(hr, "demo", "1.0.0", "") || now.Runs(hr, "demo", "2.0.0", "") || records[0].Runs(hr, "other", "2.0.0", "") {
		t.Error("Runs does not tell the versions apart")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := to.Rollback(ended, hr, back, false, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
	if _, err := to.Rollback(t.Context(), hr, Record{Revision: 99}, false, ""); !errors.Is(err, ErrNoRollbackTarget) {
		t.Errorf("to a revision that is not there: %v", err)
	}
}

func TestRollbackTarget(t *testing.T) {
	t.Parallel()
	record := func(revision int, version, status string) Record {
		return Record{Revision: revision, Chart: "demo", Version: version, Status: status}
	}
	cases := []struct {
		name    string
		records []Record
		want    int
	}{
		{"none", nil, 0},
		{"not kept any more", []Record{record(9, "2.0.0", "deployed"), record(8, "3.0.0", "superseded")}, 0},
		{"the one before", []Record{record(2, "2.0.0", "deployed"), record(1, "1.0.0", "superseded")}, 1},
		{"the newest of several", []Record{record(3, "2.0.0", "deployed"), record(2, "1.0.0", "superseded"), record(1, "1.0.0", "superseded")}, 2},
		{"past a failed one", []Record{record(3, "2.0.0", "deployed"), record(2, "1.0.0", "failed"), record(1, "1.0.0", "superseded")}, 1},
		{"a failed upgrade leaves the deployed one", []Record{record(2, "2.0.0", "failed"), record(1, "1.0.0", "deployed")}, 1},
		{"a local build is not it", []Record{record(2, "2.0.0", "deployed"), record(1, "1.0.0+local", "superseded")}, 0},
		{"nothing was good", []Record{record(1, "1.0.0", "failed")}, 0},
	}
	for _, c := range cases {
		got, err := RollbackTarget(c.records, helmRelease(t, ""), "demo", "1.0.0", "")
		if got.Revision != c.want || errors.Is(err, ErrNoRollbackTarget) != (c.want == 0) {
			t.Errorf("%s: revision %d, %v; want %d", c.name, got.Revision, err, c.want)
		}
		for _, kept := range c.records {
			if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("revision %d (%s, %s)", kept.Revision, kept.Version, kept.Status)) {
				t.Errorf("%s: what Helm keeps is not named: %v", c.name, err)
			}
		}
	}
}

func TestRunsComparesDigests(t *testing.T) {
	t.Parallel()
	byDigest := helmRelease(t, "", func(hr *helmv2.HelmRelease) {
		hr.Spec.ChartRef = &helmv2.CrossNamespaceSourceReference{Kind: "OCIRepository", Name: "demo"}
	})
	digest := "sha256:" + strings.Repeat("ab", 32)
	running := Record{Chart: "demo", Version: "1.0.0+abababababab", Status: "deployed"}
	for _, c := range []struct {
		name   string
		hr     *helmv2.HelmRelease
		record Record
		digest string
		want   bool
	}{
		{"the pinned digest", byDigest, running, digest, true},
		{"another digest", byDigest, running, "sha256:" + strings.Repeat("cd", 32), false},
		{"no digest known", byDigest, running, "", false},
		{"by version", helmRelease(t, ""), Record{Chart: "demo", Version: "v1.0.0", Status: "deployed"}, "", true},
		{"a local build of it", helmRelease(t, ""), Record{Chart: "demo", Version: "1.0.0+local", Status: "deployed"}, "", false},
		{"failed", helmRelease(t, ""), Record{Chart: "demo", Version: "1.0.0", Status: "failed"}, "", false},
	} {
		if got := c.record.Runs(c.hr, "demo", "1.0.0", c.digest); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestLocalMarksTheVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"1.0.0": "1.0.0+local", "v1.0.0": "v1.0.0+local", "1.0.0-20260804-102b23dd": "1.0.0-20260804-102b23dd+local", "1.0.0+x": "1.0.0+x.local"} {
		published := load(t, versioned(version, nil))
		local, err := published.Local()
		if err != nil || local.Version() != want || published.Version() != version {
			t.Errorf("%s: %s, %v; want %s, and the original left alone: %s", version, local.Version(), err, want, published.Version())
		}
	}
}

// TestConnectNamesContexts holds that somebody whose kubeconfig lacks the context reads which there are, and which file.
func TestConnectNamesContexts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	config := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: \"https://127.0.0.1:1\"}}]\n" +
		"contexts: [{name: zeta, context: {cluster: c}}, {name: alpha, context: {cluster: c}}]\ncurrent-context: zeta\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(file, "alpha"); err != nil {
		t.Error(err)
	}
	_, err := Connect(file, "tools")
	for _, want := range []string{`no context "tools"`, file, "alpha, zeta"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
