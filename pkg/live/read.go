package live

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Reader reads clusters.
type Reader struct {
	// Connect returns the way to the cluster of a kubeconfig context. Kubeconfig.Connect is one.
	Connect func(contextName string) (*Connection, error)
	// Timeout bounds the reading of one cluster; 0: 15 seconds.
	Timeout time.Duration
	// Parallel is how many clusters are read at once; 0: 32.
	Parallel int
	Now      func() time.Time
}

const (
	defaultTimeout  = 15 * time.Second
	defaultParallel = 32
)

// Snapshot reads the clusters, several at once. A cluster that cannot be read is in it with its error, and never one for
// the others. The error is the context's alone.
func (r Reader) Snapshot(ctx context.Context, clusters []*control.Cluster) (*Snapshot, error) {
	snapshot := &Snapshot{Version: SnapshotVersion, Time: r.Now().UTC(), Clusters: make(map[string]Cluster, len(clusters))}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(cmp.Or(r.Parallel, defaultParallel))
	for _, cluster := range clusters {
		group.Go(func() error {
			read := r.Cluster(ctx, cluster)
			mu.Lock()
			defer mu.Unlock()
			snapshot.Clusters[cluster.Name] = read
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails
	return snapshot, ctx.Err()
}

// Cluster reads one cluster.
func (r Reader) Cluster(ctx context.Context, cluster *control.Cluster) Cluster {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Timeout, defaultTimeout))
	defer cancel()
	var read Cluster
	connection, err := r.Connect(cluster.Context)
	if err == nil {
		reading := &reading{connection: connection, namespace: cluster.FluxNamespaceName(), pods: podImages{}, flux: map[string]bool{}}
		read, err = reading.cluster(ctx)
	}
	if err != nil {
		read = Cluster{Error: err.Error()}
	}
	read.Time = r.Now().UTC()
	return read
}

// reading is one cluster being read: each field is written by one goroutine, but incomplete, which mu guards.
type reading struct {
	connection *Connection
	namespace  string

	version        string
	flux           map[string]bool
	releases       []Release
	sources        [3][]Source
	kustomizations []Kustomization
	pods           podImages

	mu         sync.Mutex
	incomplete map[string]string
}

// sourceKinds are the kinds that charts come from. HelmCharts are made by Flux, for releases pinned by version.
var sourceKinds = [3]struct{ kind, resource string }{
	{"HelmRepository", "helmrepositories"}, {"HelmChart", "helmcharts"}, {"OCIRepository", "ocirepositories"},
}

const (
	helmAPI      = "apis/helm.toolkit.fluxcd.io/v2"
	sourceAPI    = "apis/source.toolkit.fluxcd.io/v1"
	kustomizeAPI = "apis/kustomize.toolkit.fluxcd.io/v1"
	appsAPI      = "apis/apps/v1"
)

// cluster sends one list a kind. The HelmReleases must be there, and are asked for first: a cluster that is away then costs
// one request, and the others go through the connection that is open. What cannot be read besides is said.
func (r *reading) cluster(ctx context.Context) (Cluster, error) {
	err := list(ctx, r.connection, r.inFlux(helmAPI, "helmreleases"), nil, func(h helmRelease) { r.releases = append(r.releases, h.release()) })
	if err != nil {
		return Cluster{}, err
	}
	var group sync.WaitGroup
	for kind, read := range r.lists() {
		group.Go(func() { r.note(kind, read(ctx)) })
	}
	group.Wait()
	return r.result(), nil
}

func (r *reading) inFlux(api, resource string) string {
	return api + "/namespaces/" + r.namespace + "/" + resource
}

func (r *reading) lists() map[string]func(context.Context) error {
	lists := map[string]func(context.Context) error{
		"version": func(ctx context.Context) error {
			var answer struct {
				GitVersion string `json:"gitVersion"`
			}
			err := r.connection.get(ctx, "version", nil, func(body *json.Decoder) error { return body.Decode(&answer) })
			r.version = clean(answer.GitVersion)
			return err
		},
		"Kustomization": func(ctx context.Context) error {
			return list(ctx, r.connection, r.inFlux(kustomizeAPI, "kustomizations"), nil, func(k kustomizationObject) {
				r.kustomizations = append(r.kustomizations, k.kustomization())
			})
		},
		"Deployment": func(ctx context.Context) error {
			ofFlux := url.Values{"labelSelector": {"app.kubernetes.io/part-of=flux"}}
			return list(ctx, r.connection, r.inFlux(appsAPI, "deployments"), ofFlux, func(d labelled) {
				if version := clean(d.Metadata.Labels.Version); version != "" {
					r.flux[version] = true
				}
			})
		},
		"Pod": func(ctx context.Context) error {
			unfinished := url.Values{"fieldSelector": {"status.phase!=Succeeded,status.phase!=Failed"}}
			return list(ctx, r.connection, "api/v1/pods", unfinished, r.pods.add)
		},
	}
	for i, source := range sourceKinds {
		lists[source.kind] = func(ctx context.Context) error {
			return list(ctx, r.connection, r.inFlux(sourceAPI, source.resource), nil, func(s sourceObject) {
				r.sources[i] = append(r.sources[i], s.source(source.kind))
			})
		}
	}
	return lists
}

func (r *reading) note(kind string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.incomplete == nil {
		r.incomplete = map[string]string{}
	}
	r.incomplete[kind] = err.Error()
}

// result sorts what was read, and drops the images of namespaces that hold no release.
func (r *reading) result() Cluster {
	namespaces := map[string]bool{}
	for _, release := range r.releases {
		namespaces[release.TargetNamespace] = true
	}
	sortReleases(r.releases)
	sources := slices.Concat(r.sources[:]...)
	slices.SortFunc(sources, func(a, b Source) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(r.kustomizations, func(a, b Kustomization) int { return strings.Compare(a.Name, b.Name) })
	return Cluster{
		Incomplete: r.incomplete, KubeVersion: r.version, FluxVersion: strings.Join(sortedKeys(r.flux), ", "), Releases: r.releases, Sources: sources,
		Kustomizations: r.kustomizations, Images: r.pods.in(namespaces),
	}
}

func sortReleases(releases []Release) {
	slices.SortFunc(releases, func(a, b Release) int { return strings.Compare(a.Name, b.Name) })
}
