package v1alpha1

// Cluster is clusters/<cluster>/cluster.yaml: a Kubernetes cluster that Flux deploys to.
type Cluster struct {
	TypeMeta `json:",inline"`
	Metadata Metadata    `json:"metadata" jsonschema:"required"`
	Spec     ClusterSpec `json:"spec" jsonschema:"required"`
}

// ClusterSpec says what a cluster is, and what is different there.
type ClusterSpec struct {
	// KubeVersion is the cluster's Kubernetes version, such as 1.32.4. Charts see it.
	KubeVersion string `json:"kubeVersion" jsonschema:"required,minLength=1"`
	// APIVersions are the API versions that the cluster has beyond Kubernetes' own, for charts that ask.
	APIVersions []string `json:"apiVersions,omitempty"`
	// FluxVersion is the Flux version on the cluster, major and minor, such as 2.9. It decides which fields are written.
	FluxVersion string `json:"fluxVersion" jsonschema:"required,pattern=^2\\.[0-9]+$"`
	// FluxNamespace is where Flux runs and where the HelmReleases go. flux-system where nothing is said.
	FluxNamespace string `json:"fluxNamespace,omitempty" jsonschema:"default=flux-system"`
	// Context is the context in people's kubeconfig that reaches the cluster.
	Context string `json:"context,omitempty"`
	// Repositories override chart repositories of tfgitops.yaml, field by field, or add some.
	Repositories map[string]Repository `json:"repositories,omitempty"`
	// ImageRegistries are the registries that images on this cluster may come from.
	ImageRegistries []string `json:"imageRegistries,omitempty"`
	// Releases override settings of releases, by the release's name. A list replaces the component's.
	Releases map[string]ReleaseSettings `json:"releases,omitempty"`
	// Freeze are the windows in which this cluster's pins may not change.
	Freeze []Freeze `json:"freeze,omitempty"`
	// AllowApply says that `tfgitops apply` may deploy here without Flux.
	AllowApply bool `json:"allowApply,omitempty"`
	// Shard is Flux's sharding key (sharding.fluxcd.io/key) for the cluster's objects.
	Shard string `json:"shard,omitempty"`
}
