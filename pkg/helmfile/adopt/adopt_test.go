package adopt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/release/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile/adopt"
)

// live are the releases of the test's cluster, by namespace.
var live = map[string][]releasev1.Release{
	"web": {
		made("same", 1, common.StatusSuperseded, "same", "0.9.0"), made("same", 2, common.StatusDeployed, "same", "1.0.0"),
		made("newer", 7, common.StatusDeployed, "newer", "v1.1.0"),
		made("stuck", 3, common.StatusPendingUpgrade, "stuck", "1.0.0"),
		made("renamed", 1, common.StatusDeployed, "other", "1.0.0"),
	},
	"elsewhere": {made("moved", 1, common.StatusDeployed, "moved", "1.0.0")},
}

func made(name string, revision int, status common.Status, chartName, version string) releasev1.Release {
	return releasev1.Release{
		Name: name, Version: revision, Info: &releasev1.Info{Status: status},
		Chart: &chart.Chart{Metadata: &chart.Metadata{Name: chartName, Version: version, APIVersion: "v2"}},
	}
}

// apiServer serves the Secrets that Helm would have made of the live releases. Listing all namespaces may be forbidden.
func apiServer(t *testing.T, forbidden bool) *httptest.Server {
	t.Helper()
	var secrets []corev1.Secret
	for namespace, releases := range live {
		client := fake.NewClientset()
		store := driver.NewSecrets(client.CoreV1().Secrets(namespace))
		for _, r := range releases {
			r.Namespace = namespace
			if err := store.Create("sh.helm.release.v1."+r.Name+".v"+string(rune('0'+r.Version)), &r); err != nil {
				t.Fatal(err)
			}
		}
		list, err := client.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, list.Items...)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		namespace, one := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/")
		if !one && forbidden {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`))
			return
		}
		selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
		if err != nil || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		found := corev1.SecretList{TypeMeta: metav1.TypeMeta{Kind: "SecretList", APIVersion: "v1"}}
		for _, secret := range secrets {
			if (!one || namespace == secret.Namespace+"/secrets") && selector.Matches(labels.Set(secret.Labels)) {
				found.Items = append(found.Items, secret)
			}
		}
		_ = json.NewEncoder(w).Encode(found)
	}))
	t.Cleanup(server.Close)
	return server
}

// controlRepo pins a release each at 1.0.0 in namespace web.
func controlRepo(t *testing.T, names ...string) *control.Repo {
	t.Helper()
	const head = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: "
	files := fstest.MapFS{
		"tfgitops.yaml":              {Data: []byte(head + "ControlRepo\nmetadata: {name: x}\nspec: {repositories: {acme: {url: https://charts.example.org}}}\n")},
		"clusters/prod/cluster.yaml": {Data: []byte(head + "Cluster\nmetadata: {name: prod}\nspec: {kubeVersion: 1.32.0, fluxVersion: \"2.9\"}\n")},
	}
	after := ""
	for i, name := range names {
		if i > 0 {
			after = "  dependsOn: [" + names[i-1] + "]\n"
		}
		files["components/"+name+"/component.yaml"] = &fstest.MapFile{Data: []byte(head + "Component\nmetadata: {name: " + name + "}\nspec:\n  namespace: web\n" + after + "  releases: [{name: " + name + ", repository: acme}]\n")}
		files["clusters/prod/pins/"+name+".yaml"] = &fstest.MapFile{Data: []byte(head + "Pin\nmetadata: {name: " + name + "}\nspec: {releases: {" + name + ": {version: 1.0.0}}}\n")}
	}
	repo, findings := control.Load(t.Context(), files, control.Only{})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return repo
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		release   string
		forbidden bool
		verdict   adopt.Verdict
		text      string
		record    *adopt.Record
	}{
		{release: "same", verdict: adopt.Adopts, text: "in place", record: &adopt.Record{Namespace: "web", Revision: 2, Status: "deployed", Chart: "same", Version: "1.0.0"}},
		{release: "newer", verdict: adopt.Upgrades, text: "v1.1.0 runs", record: &adopt.Record{Namespace: "web", Revision: 7, Status: "deployed", Chart: "newer", Version: "v1.1.0"}},
		{release: "stuck", verdict: adopt.Stop, text: "pending-upgrade", record: &adopt.Record{Namespace: "web", Revision: 3, Status: "pending-upgrade", Chart: "stuck", Version: "1.0.0"}},
		{release: "renamed", verdict: adopt.Stop, text: `chart "other"`, record: &adopt.Record{Namespace: "web", Revision: 1, Status: "deployed", Chart: "other", Version: "1.0.0"}},
		{release: "moved", verdict: adopt.Stop, text: "is in elsewhere", record: &adopt.Record{Namespace: "elsewhere", Revision: 1, Status: "deployed", Chart: "moved", Version: "1.0.0"}},
		{release: "moved", forbidden: true, verdict: adopt.Installs, text: "no such release"},
		{release: "absent", verdict: adopt.Installs, text: "no such release"},
	} {
		t.Run(c.release, func(t *testing.T) {
			t.Parallel()
			cluster := adopt.New(&rest.Config{Host: apiServer(t, c.forbidden).URL})
			plan, err := adopt.NewPlan(t.Context(), controlRepo(t, c.release), "prod", cluster)
			if err != nil {
				t.Fatal(err)
			}
			got := plan.Checks[0]
			if got.Verdict != c.verdict || !strings.Contains(got.Text, c.text) {
				t.Errorf("%s: %s, want %s: … %s …", got.Verdict, got.Text, c.verdict, c.text)
			}
			if difference := cmp.Diff(c.record, got.Record); difference != "" {
				t.Errorf("(-want +got)\n%s", difference)
			}
			if ready := c.verdict == adopt.Adopts || c.verdict == adopt.Installs; plan.Ready() != ready {
				t.Errorf("ready: %v, want %v", plan.Ready(), ready)
			}
		})
	}
}

func TestPlanOfFailingServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(server.Close)
	if _, err := adopt.NewPlan(t.Context(), controlRepo(t, "same"), "prod", adopt.New(&rest.Config{Host: server.URL})); err == nil {
		t.Error("a server that fails is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := adopt.NewPlan(ctx, controlRepo(t, "same"), "prod", adopt.New(&rest.Config{Host: apiServer(t, false).URL})); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled plan: %v", err)
	}
}

func TestWritePlan(t *testing.T) {
	t.Parallel()
	plan, err := adopt.NewPlan(t.Context(), controlRepo(t, "zebra", "apple"), "prod", nil)
	if err != nil {
		t.Fatal(err)
	}
	var markdown, asJSON bytes.Buffer
	if err := errors.Join(plan.WriteMarkdown(&markdown), plan.WriteJSON(&asJSON)); err != nil {
		t.Fatal(err)
	}
	text := markdown.String()
	for _, want := range []string{"not looked at", "| zebra | zebra | web | zebra 1.0.0 |  | not checked |", "suspend: true", "import secrets --from FILE --cluster prod", "## Backing out"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan has no %q:\n%s", want, text)
		}
	}
	if strings.Index(text, ". zebra:") > strings.Index(text, ". apple:") || !strings.Contains(text, ". apple:") {
		t.Errorf("apple, which depends on zebra, is not behind it:\n%s", text)
	}
	var read struct {
		Version int
		Checks  []adopt.Check
	}
	if err := json.Unmarshal(asJSON.Bytes(), &read); err != nil || read.Version != 1 || len(read.Checks) != 2 {
		t.Errorf("JSON: %v\n%s", err, &asJSON)
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	if _, err := adopt.Connect(t.TempDir()+"/none", ""); err == nil {
		t.Error("a kubeconfig that is not there is no error")
	}
}
