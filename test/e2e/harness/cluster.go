package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FluxNamespace is the namespace that Flux runs in.
const FluxNamespace = "flux-system"

// startTimeout bounds how long one process may take until it answers, on a machine that is busy with other things. It does
// not run while a program is built, the first time.
const startTimeout = 2 * time.Minute

// Cluster is a Kubernetes API server. It has no nodes and no controllers but those that are started: pods stay pending,
// deleted namespaces stay terminating.
type Cluster struct {
	// Client reads and writes objects of any kind, with all rights.
	client.Client
	// Kubeconfig is the file that gives all rights, in the context Context.
	Kubeconfig, Context string

	config *rest.Config
	raw    rest.Interface
	run    *Run
	name   string
	lent   bool // somebody else's
	access access
}

// NewCluster starts etcd and an API server, with Flux's namespace, kinds and rights. It takes about 5 seconds. The name is
// for its files and logs.
func (r *Run) NewCluster(ctx context.Context, name string) (*Cluster, error) {
	c, err := r.NewBareCluster(ctx, name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return c, c.prepareForFlux(ctx)
}

// NewBareCluster starts etcd and an API server that has never heard of Flux.
func (r *Run) NewBareCluster(ctx context.Context, name string) (*Cluster, error) {
	dir, err := r.Folder(name)
	if err != nil {
		return nil, err
	}
	c := &Cluster{run: r, name: name, Context: contextName}
	if c.access, err = newAccess(ctx, r, dir); err != nil {
		return nil, fmt.Errorf("cluster %q: %w", name, err)
	}
	etcd, err := c.startEtcd(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("cluster %q: %w", name, err)
	}
	if err := c.startAPIServer(ctx, dir, etcd); err != nil {
		return nil, fmt.Errorf("cluster %q: %w", name, err)
	}
	if err := c.connect(); err != nil {
		return nil, fmt.Errorf("cluster %q: %w", name, err)
	}
	return c, nil
}

// startEtcd returns the address that etcd serves.
func (c *Cluster) startEtcd(ctx context.Context, dir string) (string, error) {
	client, err := c.freeURL(ctx)
	if err != nil {
		return "", err
	}
	peer, err := c.freeURL(ctx)
	if err != nil {
		return "", err
	}
	process, err := c.run.Start(ctx, Command{Name: c.name + "-etcd", Program: "etcd", Args: []string{
		"--name=" + c.name, "--data-dir=" + filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=" + c.name + "=" + peer,
	}})
	if err != nil {
		return "", err
	}
	return client, process.Await(ctx, func(ctx context.Context) error { return healthy(ctx, http.DefaultClient, client+"/health") })
}

func (c *Cluster) freeURL(ctx context.Context) (string, error) {
	port, err := c.run.FreePort(ctx)
	return "http://" + loopback(port), err
}

func (c *Cluster) startAPIServer(ctx context.Context, dir, etcd string) error {
	process, err := c.run.Start(ctx, Command{Name: c.name + "-kube-apiserver", Program: "kube-apiserver", Args: []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.access.port),
		"--tls-cert-file=" + c.access.certificate, "--tls-private-key-file=" + c.access.key,
		"--token-auth-file=" + c.access.tokenFile, "--authorization-mode=RBAC",
		// Nothing here makes service accounts.
		"--disable-admission-plugins=ServiceAccount",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.access.key, "--service-account-signing-key-file=" + c.access.key,
		"--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
	}})
	if err != nil {
		return err
	}
	if c.config, err = c.access.config(admin); err != nil {
		return err
	}
	if c.Kubeconfig, err = c.access.kubeconfig(dir, admin); err != nil {
		return err
	}
	answers, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return err
	}
	return process.Await(ctx, func(ctx context.Context) error { return healthy(ctx, answers, c.config.Host+"/readyz") })
}

// healthy asks a health endpoint.
func healthy(ctx context.Context, via *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := via.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// prepareForFlux makes what `flux install` does, but for the controllers.
func (c *Cluster) prepareForFlux(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(c.run.Programs.Tools, "../../../pkg/internal/crds/schemas/*.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CustomResourceDefinitions of Flux (%w)", errors.Join(err, os.ErrNotExist))
	}
	objects := []string{namespaceOf(FluxNamespace), controllerRights}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		objects = append(objects, string(content))
	}
	if err := c.ApplyYAML(ctx, strings.Join(objects, "\n---\n")); err != nil {
		return err
	}
	return c.awaitKinds(ctx)
}

func namespaceOf(name string) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n"
}

// controllerRights are those that Flux gives its controllers: all to the two that apply what people wrote, and to
// source-controller what it needs for its own objects.
const controllerRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: cluster-reconciler-flux-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
  - {kind: ServiceAccount, name: kustomize-controller, namespace: flux-system}
  - {kind: ServiceAccount, name: helm-controller, namespace: flux-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: crd-controller-flux-system}
rules:
  - {apiGroups: [source.toolkit.fluxcd.io, kustomize.toolkit.fluxcd.io, helm.toolkit.fluxcd.io], resources: ["*"], verbs: ["*"]}
  - {apiGroups: [""], resources: [namespaces, secrets, configmaps, serviceaccounts], verbs: [get, list, watch]}
  - {apiGroups: [""], resources: [events], verbs: [create, patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: crd-controller-flux-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: crd-controller-flux-system}
subjects:
  - {kind: ServiceAccount, name: source-controller, namespace: flux-system}
`
