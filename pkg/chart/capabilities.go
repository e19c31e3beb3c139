package chart

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Capabilities says what the cluster is.
type Capabilities struct {
	// KubeVersion is the cluster's Kubernetes version, such as "1.32.4".
	KubeVersion string
	// APIVersions are those served beyond Kubernetes' own: GROUP/VERSION, and
	// GROUP/VERSION/KIND where charts ask for it.
	APIVersions []string
	// ClusterScoped are kinds of custom resources that have no namespace.
	// Kubernetes' own and those whose CRD is in the same chart are known.
	ClusterScoped []schema.GroupKind
}

// helm returns what charts see as .Capabilities. Helm's own list of built-in
// APIs has every API that ever was and no kinds; a real cluster lists what its
// version serves, by kind too.
func (c Capabilities) helm() (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(c.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("reading the Kubernetes version %q: %w: want MAJOR.MINOR.PATCH", c.KubeVersion, err)
	}
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = *version
	var major, minor int
	if _, err := fmt.Sscanf(version.Major+" "+version.Minor, "%d %d", &major, &minor); err != nil {
		return nil, fmt.Errorf("reading the Kubernetes version %q: %w", c.KubeVersion, err)
	}
	served := builtinAPIs(kubeRelease{major, minor})
	caps.APIVersions = slices.Compact(slices.Sorted(slices.Values(append(served, c.APIVersions...))))
	return caps, nil
}

// kubeRelease is a minor release of Kubernetes.
type kubeRelease struct{ major, minor int }

func (r kubeRelease) before(o kubeRelease) bool {
	return r.major < o.major || r.major == o.major && r.minor < o.minor
}

// Since this release, new beta APIs are off unless an administrator turns them
// on (KEP-3136). Alpha APIs always were.
var betaOffSince = kubeRelease{1, 24}

// apisOutsideScheme are served by every cluster and not in client-go.
var apisOutsideScheme = []string{"apiregistration.k8s.io/v1", "apiregistration.k8s.io/v1/APIService"}

// builtinAPIs lists Kubernetes' own APIs of a release, as GROUP/VERSION and
// GROUP/VERSION/KIND.
func builtinAPIs(of kubeRelease) []string {
	apis := slices.Clone(apisOutsideScheme)
	for _, api := range knownAPIs() {
		if api.servedBy(of) {
			apis = append(apis, api.version, api.version+"/"+api.kind)
		}
	}
	return apis
}

// builtinAPI is one of Kubernetes' own APIs with its life cycle, as Kubernetes
// generates it into its types.
type builtinAPI struct {
	version, kind string
	since, gone   kubeRelease // zero: always, never
}

type (
	introduced interface{ APILifecycleIntroduced() (major, minor int) }
	removed    interface{ APILifecycleRemoved() (major, minor int) }
)

// knownAPIs are those that are served or were once.
var knownAPIs = sync.OnceValue(func() []builtinAPI {
	var apis []builtinAPI
	for gvk, typ := range scheme.Scheme.AllKnownTypes() {
		value := reflect.New(typ).Interface()
		if _, isObject := value.(metav1.Object); !isObject || gvk.Version == runtime.APIVersionInternal {
			continue // lists, options and the like
		}
		api := builtinAPI{version: gvk.GroupVersion().String(), kind: gvk.Kind}
		if v, ok := value.(introduced); ok {
			api.since.major, api.since.minor = v.APILifecycleIntroduced()
		}
		if v, ok := value.(removed); ok {
			api.gone.major, api.gone.minor = v.APILifecycleRemoved()
		}
		apis = append(apis, api)
	}
	return apis
})

func (a builtinAPI) servedBy(of kubeRelease) bool {
	switch {
	case of.before(a.since), a.gone != kubeRelease{} && !of.before(a.gone), strings.Contains(a.version, "alpha"):
		return false
	case strings.Contains(a.version, "beta"):
		return a.since.before(betaOffSince)
	}
	return true
}
