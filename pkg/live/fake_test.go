package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// fakeAPI is an API server that serves lists, in pages, to those with the right token.
type fakeAPI struct {
	token string
	// lists are the objects of each path.
	lists map[string][]json.RawMessage
	// answers are what some paths do instead.
	answers map[string]http.HandlerFunc
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if instead := f.answers[r.URL.Path]; instead != nil {
		instead(w, r)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+f.token {
		http.Error(w, "who is "+f.token, http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/version" {
		fmt.Fprint(w, `{"gitVersion":"v1.32.4"}`)
		return
	}
	items, known := f.lists[r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	to := min(from+limit, len(items))
	next := ""
	if to < len(items) {
		next = strconv.Itoa(to)
	}
	// Not encoded again: in the test of scale the server would be what is measured.
	fmt.Fprintf(w, `{"metadata":{"continue":%q},"items":[`, next)
	for i, item := range items[from:to] {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		_, _ = w.Write(item)
	}
	fmt.Fprint(w, "]}")
}

const (
	releasesPath       = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/flux-system/helmreleases"
	repositoriesPath   = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/helmrepositories"
	chartsPath         = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/helmcharts"
	ociPath            = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/ocirepositories"
	kustomizationsPath = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"
	podsPath           = "/api/v1/pods"
	deploymentsPath    = "/apis/apps/v1/namespaces/flux-system/deployments"
)

// newFakeAPI serves the releases, and nothing of the other kinds.
func newFakeAPI(releases ...json.RawMessage) *fakeAPI {
	return &fakeAPI{token: "planted-token", lists: map[string][]json.RawMessage{
		releasesPath: releases, repositoriesPath: {}, chartsPath: {}, ociPath: {}, kustomizationsPath: {}, podsPath: {}, deploymentsPath: {},
	}}
}

// testRelease makes a HelmRelease, with all that must not be kept of one.
type testRelease struct {
	Name, Wanted, Live, Ready, Reason, Message, Drifted string
	Suspended                                           bool
	Generation, Observed                                int64
	Failed                                              string // a newer entry of the history
}

func (r testRelease) object(t testing.TB) json.RawMessage {
	t.Helper()
	generation, observed := max(r.Generation, 1), r.Observed
	if observed == 0 {
		observed = generation
	}
	since := "2026-08-01T00:00:00Z"
	conditions := []map[string]any{}
	if r.Ready != "" {
		conditions = append(conditions, map[string]any{"type": "Ready", "status": r.Ready, "reason": r.Reason, "message": r.Message, "lastTransitionTime": since})
	}
	if r.Drifted != "" {
		conditions = append(conditions, map[string]any{"type": "Drifted", "status": r.Drifted, "reason": "DriftDetected", "message": "Deployment/web changed", "lastTransitionTime": since})
	}
	var history []map[string]any
	if r.Failed != "" {
		history = append(history, map[string]any{"chartName": r.Name, "chartVersion": r.Failed, "status": "failed", "lastDeployed": since})
	}
	if r.Live != "" {
		history = append(history, map[string]any{"chartName": r.Name, "chartVersion": r.Live, "status": "deployed", "lastDeployed": since})
	}
	data, err := json.Marshal(map[string]any{
		"metadata": map[string]any{
			"name": r.Name, "namespace": "flux-system", "generation": generation,
			"annotations": map[string]any{
				"tfgitops.toolforge.org/component":                 r.Name,
				"kubectl.kubernetes.io/last-applied-configuration": `{"password":"planted-in-annotation"}`,
			},
			"managedFields": []any{map[string]any{"manager": "kustomize-controller"}},
		},
		"spec": map[string]any{
			"suspend": r.Suspended, "targetNamespace": r.Name,
			"chart":  map[string]any{"spec": map[string]any{"chart": r.Name, "version": r.Wanted, "sourceRef": map[string]any{"kind": "HelmRepository", "name": "toolforge"}}},
			"values": map[string]any{"password": "planted-in-values"},
		},
		"status": map[string]any{"observedGeneration": observed, "conditions": conditions, "history": history, "lastAttemptedRevision": r.Wanted},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fakeClusters serves API servers by cluster, and returns how to read them.
func fakeClusters(t testing.TB, handlers map[string]http.Handler) ([]*control.Cluster, *Kubeconfig) {
	t.Helper()
	certificate := testCertificate(t)
	config := "apiVersion: v1\nkind: Config\nusers: [{name: me, user: {token: planted-token}}]\nclusters:\n"
	contexts := "contexts:\n"
	var clusters []*control.Cluster
	for name, handler := range handlers {
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		// As API servers are: client-go sends a token over TLS only, and HTTP/2 takes all requests through one connection.
		server.TLS, server.EnableHTTP2 = &tls.Config{Certificates: []tls.Certificate{certificate}}, true
		server.StartTLS()
		authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		config += fmt.Sprintf("- {name: %s, cluster: {server: %q, certificate-authority-data: %s}}\n", name, server.URL, authority)
		contexts += fmt.Sprintf("- {name: %s, context: {cluster: %s, user: me}}\n", name, name)
		clusters = append(clusters, &control.Cluster{Name: name, ClusterSpec: v1alpha1.ClusterSpec{Context: name}})
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(config+contexts), 0o600); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := OpenKubeconfig(path)
	if err != nil {
		t.Fatal(err)
	}
	return clusters, kubeconfig
}

// testCertificate makes a certificate for the loopback address. httptest's own has an RSA key, and signing with it is most
// of what a test of many servers would measure.
func testCertificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// testNow is the clock of the tests.
func testNow() time.Time { return time.Date(2026, 8, 10, 12, 0, 0, 0, time.UTC) }

func closesConnection(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func forbids(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, strings.Repeat("planted-in-answer ", 3), http.StatusForbidden)
}
