package harness

import (
	"context"
	"fmt"
	"path/filepath"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/kube"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// Helm installs releases with the Helm SDK.
type Helm struct {
	kubeconfig string
	discovered string // the folder that keeps what was discovered of the API server
}

// NewHelm returns one for a cluster.
func (c *Cluster) NewHelm() (*Helm, error) {
	cache, err := c.run.Folder(filepath.Join(c.name, "discovery"))
	if err != nil {
		return nil, err
	}
	return &Helm{kubeconfig: c.Kubeconfig, discovered: cache}, nil
}

// Install says what to install, and where.
type Install struct {
	Release          string
	Namespace        string // of the objects that name none
	StorageNamespace string // of Helm's record
	TakeOwnership    bool
	Chart            chart.Charter
	Values           map[string]any
}

// Install installs a release without waiting until it is ready.
func (h *Helm) Install(ctx context.Context, i Install) (*releasev1.Release, error) {
	config, err := h.configuration(i.Namespace, i.StorageNamespace)
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(config)
	install.ReleaseName, install.Namespace, install.TakeOwnership = i.Release, i.Namespace, i.TakeOwnership
	install.WaitStrategy = kube.HookOnlyStrategy
	installed, err := install.RunWithContext(ctx, i.Chart, i.Values)
	if err != nil {
		return nil, fmt.Errorf("installing %q: %w", i.Release, err)
	}
	release, ok := installed.(*releasev1.Release)
	if !ok {
		return nil, fmt.Errorf("installing %q: a release of type %T", i.Release, installed)
	}
	return release, nil
}

// Uninstall removes a release.
func (h *Helm) Uninstall(release, namespace, storageNamespace string) error {
	config, err := h.configuration(namespace, storageNamespace)
	if err != nil {
		return err
	}
	uninstall := action.NewUninstall(config)
	uninstall.WaitStrategy = kube.HookOnlyStrategy
	if _, err = uninstall.Run(release); err != nil {
		return fmt.Errorf("uninstalling %q: %w", release, err)
	}
	return nil
}

func (h *Helm) configuration(namespace, storageNamespace string) (*action.Configuration, error) {
	flags := genericclioptions.NewConfigFlags(false).WithDiscoveryBurst(300).WithDiscoveryQPS(-1)
	flags.KubeConfig, flags.CacheDir, flags.Namespace = &h.kubeconfig, &h.discovered, &namespace
	config := action.NewConfiguration()
	return config, config.Init(flags, storageNamespace, "secrets")
}
