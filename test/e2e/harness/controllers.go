package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
)

// StartKustomizeController starts Flux's kustomize-controller. It takes a second.
func (c *Cluster) StartKustomizeController(ctx context.Context) error {
	return c.startController(ctx, "kustomize-controller", share{}, "--requeue-dependency=1s")
}

// StartFlux starts source-controller and helm-controller from FLUX_BIN beside kustomize-controller: the whole of Flux.
func (c *Cluster) StartFlux(ctx context.Context) error { return c.startFlux(ctx, share{}) }

// StartFluxWithoutShards starts the whole of Flux, but for objects with a sharding key: these are for StartShard.
func (c *Cluster) StartFluxWithoutShards(ctx context.Context) error {
	return c.startFlux(ctx, share{selector: "!" + shardingKey})
}

// StartShard starts source-controller and helm-controller for the objects with a sharding key.
func (c *Cluster) StartShard(ctx context.Context, key string) error {
	one := share{name: "-" + key, selector: shardingKey + "=" + key}
	return errors.Join(c.startSourceController(ctx, one), c.startHelmController(ctx, one))
}

const shardingKey = "sharding.fluxcd.io/key"

// share is the part of all objects that a controller takes, by their labels: with no selector all of them.
type share struct {
	name     string // for the controller's log
	selector string
}

func (c *Cluster) startFlux(ctx context.Context, taking share) error {
	if err := c.startSourceController(ctx, taking); err != nil {
		return err
	}
	if err := c.StartKustomizeController(ctx); err != nil {
		return err
	}
	return c.startHelmController(ctx, taking)
}

func (c *Cluster) startHelmController(ctx context.Context, taking share) error {
	return c.startController(ctx, "helm-controller", taking, "--requeue-dependency=1s")
}

func (c *Cluster) startSourceController(ctx context.Context, taking share) error {
	port, err := c.run.FreePort(ctx)
	if err != nil {
		return err
	}
	storage, err := c.run.Folder(filepath.Join(c.name, "artifacts"+taking.name))
	if err != nil {
		return err
	}
	return c.startController(ctx, "source-controller", taking,
		"--storage-path="+storage, "--storage-addr="+loopback(port), "--storage-adv-addr="+loopback(port))
}

// startController starts one of Flux's controllers as its own user.
func (c *Cluster) startController(ctx context.Context, name string, taking share, args ...string) error {
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
		Name: c.name + "-" + name + taking.name, Program: name,
		Args: append([]string{
			"--watch-all-namespaces", "--watch-label-selector=" + taking.selector, "--enable-leader-election=false", "--log-encoding=json",
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
