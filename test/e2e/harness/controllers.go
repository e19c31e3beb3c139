package harness

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
)

// StartKustomizeController starts Flux's kustomize-controller. It takes a second.
func (c *Cluster) StartKustomizeController(ctx context.Context) error {
	return c.startController(ctx, "kustomize-controller", "--requeue-dependency=1s")
}

// StartFlux starts source-controller and helm-controller from FLUX_BIN beside kustomize-controller: the whole of Flux.
func (c *Cluster) StartFlux(ctx context.Context) error {
	if err := c.startSourceController(ctx); err != nil {
		return err
	}
	if err := c.StartKustomizeController(ctx); err != nil {
		return err
	}
	return c.startController(ctx, "helm-controller", "--requeue-dependency=1s")
}

func (c *Cluster) startSourceController(ctx context.Context) error {
	port, err := c.run.FreePort(ctx)
	if err != nil {
		return err
	}
	storage, err := c.run.Folder(filepath.Join(c.name, "artifacts"))
	if err != nil {
		return err
	}
	return c.startController(ctx, "source-controller",
		"--storage-path="+storage, "--storage-addr="+loopback(port), "--storage-adv-addr="+loopback(port))
}

// startController starts one of Flux's controllers as its own user.
func (c *Cluster) startController(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	dir, err := c.run.Folder(c.name)
	if err != nil {
		return err
	}
	kubeconfig, err := c.access.kubeconfig(dir, name)
	if err != nil {
		return err
	}
	metrics, err := c.run.FreePort(ctx)
	if err != nil {
		return err
	}
	health, err := c.run.FreePort(ctx)
	if err != nil {
		return err
	}
	process, err := c.run.Start(ctx, Command{
		Name: c.name + "-" + name, Program: name,
		Args: append([]string{
			"--watch-all-namespaces", "--enable-leader-election=false", "--log-encoding=json",
			"--metrics-addr=" + loopback(metrics), "--health-addr=" + loopback(health), "--events-addr=",
		}, args...),
		Env: []string{"KUBECONFIG=" + kubeconfig, "RUNTIME_NAMESPACE=" + FluxNamespace},
	})
	if err != nil {
		return err
	}
	ready := fmt.Sprintf("http://%s/readyz", loopback(health))
	return process.Await(ctx, func(ctx context.Context) error { return healthy(ctx, http.DefaultClient, ready) })
}
