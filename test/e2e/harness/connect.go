package harness

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
)

// Connect returns a cluster that others run and that has Flux. Nothing is started in it, and Empty refuses to empty it.
func (r *Run) Connect(kubeconfig string) (*Cluster, error) {
	file, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %q: %w", kubeconfig, err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %q: %w", kubeconfig, err)
	}
	c := &Cluster{run: r, name: "lent", lent: true, Kubeconfig: kubeconfig, Context: file.CurrentContext, config: config}
	if err := c.connect(); err != nil {
		return nil, fmt.Errorf("the cluster of %q: %w", kubeconfig, err)
	}
	return c, nil
}
