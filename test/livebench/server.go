package main

import (
	"bytes"
	"context"
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
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	kubeconfigName = "kubeconfig"
	fluxNamespace  = "/namespaces/flux-system/"
)

// serve is one API server for each cluster of a control repo, over TLS and HTTP/2 as real ones are, until it is killed. It
// writes the kubeconfig that leads to them, and then a line.
func serve(ctx context.Context, dir string) error {
	certificate, authority, err := newCertificate()
	if err != nil {
		return err
	}
	folders, err := os.ReadDir(filepath.Join(dir, "clusters"))
	if err != nil {
		return err
	}
	answers, err := newAnswers(dir, folders[0].Name())
	if err != nil {
		return err
	}
	var clusters, contexts strings.Builder
	for _, folder := range folders {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler: answers, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13},
		}
		go func() { _ = server.ServeTLS(listener, "", "") }()
		fmt.Fprintf(&clusters, "- {name: %s, cluster: {server: \"https://%s\", certificate-authority-data: %s}}\n", folder.Name(), listener.Addr(), authority)
		fmt.Fprintf(&contexts, "- {name: %s, context: {cluster: %s, user: me}}\n", folder.Name(), folder.Name())
	}
	config := "apiVersion: v1\nkind: Config\nusers: [{name: me, user: {token: none}}]\nclusters:\n" + clusters.String() + "contexts:\n" + contexts.String()
	if err := os.WriteFile(filepath.Join(dir, kubeconfigName), []byte(config), 0o600); err != nil {
		return err
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

func newCertificate() (certificate tls.Certificate, authority string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate, "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return certificate, "", err
	}
	authority = base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, authority, nil
}

// answers are the bodies of what is asked for, by path, made once: what is measured is not how they are made.
type answers map[string][]byte

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, known := a[r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the reader went away
}

// newAnswers says of each pin of a cluster that it is deployed.
func newAnswers(dir, cluster string) (answers, error) {
	pins, err := os.ReadDir(filepath.Join(dir, "clusters", cluster, "pins"))
	if err != nil {
		return nil, err
	}
	var releases, pods []any
	for _, pin := range pins {
		name := strings.TrimSuffix(pin.Name(), ".yaml")
		text, err := os.ReadFile(filepath.Join(dir, "clusters", cluster, "pins", pin.Name()))
		if err != nil {
			return nil, err
		}
		_, version, _ := bytes.Cut(text, []byte("version: \""))
		version, _, _ = bytes.Cut(version, []byte("\""))
		releases, pods = append(releases, helmRelease(name, string(version))), append(pods, pod(name, 0), pod(name, 1))
	}
	all := answers{}
	for path, list := range map[string][]any{
		"/apis/helm.toolkit.fluxcd.io/v2" + fluxNamespace + "helmreleases":        releases,
		"/apis/source.toolkit.fluxcd.io/v1" + fluxNamespace + "helmrepositories":  {},
		"/apis/source.toolkit.fluxcd.io/v1" + fluxNamespace + "helmcharts":        {},
		"/apis/source.toolkit.fluxcd.io/v1" + fluxNamespace + "ocirepositories":   {},
		"/apis/kustomize.toolkit.fluxcd.io/v1" + fluxNamespace + "kustomizations": {},
		"/apis/apps/v1" + fluxNamespace + "deployments":                           {},
		"/api/v1/pods": pods,
	} {
		if all[path], err = json.Marshal(map[string]any{"metadata": map[string]any{}, "items": list}); err != nil {
			return nil, err
		}
	}
	all["/version"] = []byte(`{"gitVersion":"v1.32.4"}`)
	return all, nil
}

// helmRelease is one of the size that they have: some seven kilobytes, most of it values and who manages which field.
func helmRelease(name, version string) any {
	values, fields := map[string]any{}, map[string]any{}
	for i := range 40 {
		values[fmt.Sprint("value", i)] = map[string]any{"enabled": true, "replicas": i, "name": "something of a length"}
		fields[fmt.Sprint("f:value", i)] = map[string]any{"f:enabled": map[string]any{}, "f:replicas": map[string]any{}, "f:name": map[string]any{}}
	}
	const at = "2026-08-01T00:00:00Z"
	return map[string]any{
		"metadata": map[string]any{
			"name": name, "namespace": "flux-system", "generation": 1, "managedFields": []any{map[string]any{"fieldsV1": fields}},
			"annotations": map[string]any{"tfgitops.toolforge.org/component": name},
		},
		"spec": map[string]any{"targetNamespace": name, "values": values, "chart": map[string]any{"spec": map[string]any{"chart": name, "version": version, "sourceRef": map[string]any{"kind": "HelmRepository", "name": "registry"}}}},
		"status": map[string]any{
			"observedGeneration": 1, "lastAttemptedRevision": version,
			"conditions": []any{
				map[string]any{"type": "Ready", "status": "True", "reason": "UpgradeSucceeded", "lastTransitionTime": at, "message": "Helm upgrade succeeded for release " + name + " with chart " + version},
				map[string]any{"type": "Released", "status": "True", "reason": "UpgradeSucceeded", "lastTransitionTime": at, "message": "Helm upgrade succeeded for release " + name + " with chart " + version},
				map[string]any{"type": "Drifted", "status": "False", "reason": "NoDriftDetected", "lastTransitionTime": at},
			},
			"history": []any{map[string]any{"chartName": name, "chartVersion": version, "status": "deployed", "lastDeployed": at}},
		},
	}
}

// pod is one of the size that they have, as far as it matters: two to three kilobytes.
func pod(component string, number int) any {
	var env []any
	for i := range 20 {
		env = append(env, map[string]any{"name": fmt.Sprint("VARIABLE_", i), "value": "something of a length"})
	}
	image := "registry.example.org/" + component + ":image-1"
	return map[string]any{
		"metadata": map[string]any{"name": fmt.Sprint(component, "-", number), "namespace": component},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": component, "image": image, "env": env}}},
		"status":   map[string]any{"phase": "Running", "containerStatuses": []any{map[string]any{"image": image, "imageID": image + "@sha256:0", "state": map[string]any{"running": map[string]any{}}}}},
	}
}
