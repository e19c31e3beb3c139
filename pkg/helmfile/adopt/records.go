package adopt

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"helm.sh/helm/v4/pkg/release"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Record is Helm's newest record of a release.
type Record struct {
	// Namespace is where Helm keeps the record.
	Namespace string `json:"namespace"`
	Revision  int    `json:"revision"`
	// Status is Helm's: deployed, failed, pending-upgrade and so on.
	Status  string `json:"status"`
	Chart   string `json:"chart"`
	Version string `json:"version"`
}

// Records finds Helm's records.
type Records interface {
	// Find returns the newest record of a release in a namespace; if there is none, the newest of each other namespace
	// that has one.
	Find(ctx context.Context, namespace, name string) ([]Record, error)
}

// Cluster reads the records of a live cluster, from the Secrets that Helm keeps them in.
type Cluster struct{ config *rest.Config }

// Connect returns the cluster of a context in a kubeconfig; empty ones are kubectl's own defaults.
func Connect(kubeconfig, kubeContext string) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: kubeContext}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	return New(config), nil
}

// New returns the cluster that a configuration leads to.
func New(config *rest.Config) *Cluster { return &Cluster{config} }

// Find implements Records.
func (c *Cluster) Find(ctx context.Context, namespace, name string) ([]Record, error) {
	config := rest.CopyConfig(c.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return within{ctx, next} })
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	records, err := query(client, namespace, name)
	if err != nil || len(records) > 0 {
		return records, err
	}
	records, err = query(client, "", name)
	if apierrors.IsForbidden(err) {
		return nil, nil // whoever may not list all namespaces is told of the one only
	}
	return records, err
}

// within has requests end with a context: Helm's driver takes none.
type within struct {
	ctx  context.Context //nolint:containedctx // for one Find
	next http.RoundTripper
}

func (w within) RoundTrip(request *http.Request) (*http.Response, error) {
	return w.next.RoundTrip(request.WithContext(w.ctx))
}

// query returns the newest record of each namespace.
func query(client kubernetes.Interface, namespace, name string) ([]Record, error) {
	found, err := driver.NewSecrets(client.CoreV1().Secrets(namespace)).Query(map[string]string{"owner": "helm", "name": name})
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read Helm's records of %q: %w", name, err)
	}
	newest := map[string]Record{}
	var order []string
	for _, one := range found {
		record, err := recordOf(one)
		if err != nil {
			return nil, fmt.Errorf("the record of %q: %w", name, err)
		}
		if _, known := newest[record.Namespace]; !known {
			order = append(order, record.Namespace)
		}
		if record.Revision > newest[record.Namespace].Revision {
			newest[record.Namespace] = record
		}
	}
	var records []Record
	for _, in := range order {
		records = append(records, newest[in])
	}
	return records, nil
}

func recordOf(one release.Releaser) (Record, error) {
	r, isV1 := one.(*releasev1.Release)
	if !isV1 || r.Info == nil || r.Chart == nil || r.Chart.Metadata == nil {
		return Record{}, fmt.Errorf("%T is not understood", one)
	}
	return Record{Namespace: r.Namespace, Revision: r.Version, Status: r.Info.Status.String(), Chart: r.Chart.Metadata.Name, Version: r.Chart.Metadata.Version}, nil
}
