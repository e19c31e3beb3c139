package chart

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrUnreachable says that the cluster did not answer, so nothing is known of it.
var ErrUnreachable = errors.New("cluster cannot be reached")

// Target is a cluster that releases are applied to without Flux. It is for one
// goroutine.
type Target struct {
	config *rest.Config
	client client.Client
	// capabilities asks what the cluster serves.
	capabilities func() (*common.Capabilities, error)
	// forget drops what is remembered of the kinds that the cluster serves.
	forget func()
	// helm makes Helm's configuration: where objects go, where the record is.
	helm func(namespace, storageNamespace string) (*action.Configuration, error)
}

// Connect returns the cluster of a context in a kubeconfig. An empty kubeconfig
// means kubectl's own; the context has to be named: a current context that was
// left over from other work would be the wrong cluster.
func Connect(kubeconfig, kubeContext string) (*Target, error) {
	if kubeContext == "" {
		return nil, errors.New("no kubeconfig context is named: the current one may be any cluster's")
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	all, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	if all.Contexts[kubeContext] == nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %s has no context %q: %s", strings.Join(rules.GetLoadingPrecedence(), ", "), kubeContext, contextsOf(all))
	}
	config, err := clientcmd.NewDefaultClientConfig(*all, &clientcmd.ConfigOverrides{CurrentContext: kubeContext}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot use the kubeconfig: %w", err)
	}
	return NewTarget(config)
}

func contextsOf(config *clientcmdapi.Config) string {
	if len(config.Contexts) == 0 {
		return "it has none"
	}
	return "it has " + strings.Join(slices.Sorted(maps.Keys(config.Contexts)), ", ")
}

// NewTarget returns the cluster that a configuration leads to. It asks nothing
// of it yet.
func NewTarget(config *rest.Config) (*Target, error) {
	asked, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("cannot use the cluster's configuration: %w", err)
	}
	discovered := memory.NewMemCacheClient(asked)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(discovered)
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, helmv2.AddToScheme} {
		if err := add(kinds); err != nil {
			return nil, err
		}
	}
	kube, err := client.New(config, client.Options{Scheme: kinds, Mapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("cannot use the cluster's configuration: %w", err)
	}
	return &Target{
		config: config, client: kube,
		capabilities: sync.OnceValues(func() (*common.Capabilities, error) { return discoverCapabilities(discovered) }),
		forget:       mapper.Reset, // which invalidates what was discovered, too
		helm: func(namespace, storageNamespace string) (*action.Configuration, error) {
			configuration := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
			return configuration, configuration.Init(getter{config, discovered, mapper, namespace}, storageNamespace, "secret")
		},
	}, nil
}

// discoverCapabilities asks as Helm does. An API whose server is down is left out.
func discoverCapabilities(from discovery.DiscoveryInterface) (*common.Capabilities, error) {
	version, err := from.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	served, err := action.GetVersionSet(from)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return &common.Capabilities{
		APIVersions: served,
		KubeVersion: common.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		HelmVersion: common.DefaultCapabilities.HelmVersion,
	}, nil
}

// getter gives Helm its clients for one namespace.
type getter struct {
	config     *rest.Config
	discovered discovery.CachedDiscoveryInterface
	mapper     meta.RESTMapper
	namespace  string
}

func (g getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.discovered, nil
}

func (g getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }

func (g getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.namespace}})
}

// references reads what spec.valuesFrom names. What is not there is left out:
// whether that matters, merging the values decides.
func (t *Target) references(ctx context.Context, hr *helmv2.HelmRelease) (map[Reference][]byte, error) {
	found := map[Reference][]byte{}
	for _, from := range hr.Spec.ValuesFrom {
		content, err := t.referenced(ctx, from.Kind, client.ObjectKey{Namespace: hr.Namespace, Name: from.Name})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s %q in %q, which values come from: %w", from.Kind, from.Name, hr.Namespace, err)
		}
		for key, value := range content {
			found[Reference{Kind: from.Kind, Name: from.Name, Key: key}] = value
		}
	}
	return found, nil
}

func (t *Target) referenced(ctx context.Context, kind string, key client.ObjectKey) (map[string][]byte, error) {
	if kind == "Secret" {
		var secret corev1.Secret
		err := t.client.Get(ctx, key, &secret)
		return secret.Data, err
	}
	var config corev1.ConfigMap
	if err := t.client.Get(ctx, key, &config); err != nil {
		return nil, err
	}
	content := map[string][]byte{}
	for name, text := range config.Data {
		content[name] = []byte(text)
	}
	return content, nil
}
