package v1alpha1

import "github.com/fluxcd/pkg/apis/meta"

// Component is components/<component>/component.yaml: what is deployed as one, whichever cluster it runs on.
type Component struct {
	TypeMeta `json:",inline"`
	Metadata Metadata      `json:"metadata" jsonschema:"required"`
	Spec     ComponentSpec `json:"spec" jsonschema:"required"`
}

// ComponentSpec says what a component is made of. It has releases, or a folder of plain manifests
// (components/<component>/manifests/<version>/), or it is external.
type ComponentSpec struct {
	// Source is the Git repository that the component is built from. Left out for what nobody here builds.
	Source *Source `json:"source,omitempty"`
	// Namespace is where the releases go that name none.
	Namespace string `json:"namespace,omitempty"`
	// Timeout is how long Helm waits for each operation on the releases that say nothing else.
	Timeout Duration `json:"timeout,omitempty"`
	// Interval is how often Flux reconciles the releases that say nothing else.
	Interval Duration `json:"interval,omitempty"`
	// DependsOn are the components that must be ready first: each release here depends on each release there.
	DependsOn []string `json:"dependsOn,omitempty"`
	// Protect says that Flux never prunes this component: it is removed by hand or not at all.
	Protect bool `json:"protect,omitempty"`
	// Shard is Flux's sharding key (sharding.fluxcd.io/key) for the component's objects.
	Shard string `json:"shard,omitempty"`
	// Test says which tests run after a deployment.
	Test *ComponentTest `json:"test,omitempty"`
	// Notes are shown to, or stop, whoever changes a pin across the version that they name.
	Notes []Note `json:"notes,omitempty"`
	// Silence are the risk rules of diff that do not count for this component.
	Silence []Silence `json:"silence,omitempty"`
	// External says how a component is delivered that does not run on Kubernetes, such as a Debian package. It is only
	// listed.
	External string `json:"external,omitempty"`
	// Releases are the component's Helm releases.
	Releases []Release `json:"releases,omitempty"`
}

// Source is the Git repository that a component is built from.
type Source struct {
	// URL is the repository's address, as for git clone.
	URL string `json:"url" jsonschema:"required,minLength=1"`
	// Branch is the branch that releases are cut from. main where nothing is said.
	Branch string `json:"branch,omitempty" jsonschema:"default=main"`
}

// ComponentTest says which tests belong to a component.
type ComponentTest struct {
	// Tags are given to the test command of the ControlRepo.
	Tags []string `json:"tags,omitempty"`
}

// Note is a step that people must take when a pin crosses a version.
type Note struct {
	// Crossing is the version: the note holds for a change from a version before it to it or one after, and back.
	Crossing string `json:"crossing" jsonschema:"required,minLength=1"`
	// Text says what to do.
	Text string `json:"text" jsonschema:"required,minLength=1"`
	// Block refuses the change until the step is said to be done (--override note).
	Block bool `json:"block,omitempty"`
}

// Silence takes a risk rule of diff out for a component.
type Silence struct {
	// Rule is the rule's name.
	Rule string `json:"rule" jsonschema:"required,minLength=1"`
	// Reason is shown where the rule would have been.
	Reason string `json:"reason" jsonschema:"required,minLength=1"`
}

// Release is one Helm release of a component.
type Release struct {
	// Name is the Helm release's name, and the HelmRelease's. Unique in the control repo.
	Name string `json:"name" jsonschema:"required,minLength=1,maxLength=53,pattern=^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"`
	// Chart is the chart's name in its repository. The release's name where nothing is said.
	Chart string `json:"chart,omitempty"`

	ReleaseSettings `json:",inline"`

	// DependsOn are releases of this component that must be ready first.
	DependsOn []string `json:"dependsOn,omitempty"`
	// VersionTemplate makes the chart's version from a commit, where CI always names charts so: {commit} is the whole hash,
	// {commit:8} its first eight digits. With it no registry is listed.
	VersionTemplate string `json:"versionTemplate,omitempty"`
	// Platforms are the platforms that every image of the chart must exist for, such as linux/amd64.
	Platforms []string `json:"platforms,omitempty"`
	// Images are pinned by digest, on top of what the chart says.
	Images []Image `json:"images,omitempty"`
}

// ReleaseSettings are what a cluster may override of a release.
type ReleaseSettings struct {
	// Repository is the name of the chart's repository in tfgitops.yaml.
	Repository string `json:"repository,omitempty"`
	// Namespace is where the release is installed, and where Helm keeps its record.
	Namespace string `json:"namespace,omitempty"`
	// Timeout is how long Helm waits for each operation.
	Timeout Duration `json:"timeout,omitempty"`
	// Interval is how often Flux reconciles the release.
	Interval Duration `json:"interval,omitempty"`
	// Suspend tells Flux to leave the release as it is.
	Suspend *bool `json:"suspend,omitempty"`
	// CRDs is Flux's policy for the CRDs in the chart's crds/ folder, for installs and upgrades. Create where nothing is said.
	CRDs CRDsPolicy `json:"crds,omitempty" jsonschema:"default=Create"`
	// Remediation is what Flux does after a failed upgrade: retry (the default) or rollback.
	Remediation Remediation `json:"remediation,omitempty" jsonschema:"default=retry"`
	// KubeVersion is the range of Kubernetes versions that the release may run on, as Helm writes it (">=1.29 <=1.32").
	KubeVersion string `json:"kubeVersion,omitempty"`
	// ValuesFrom are values from Secrets and ConfigMaps in the Flux namespace: Flux's own type.
	ValuesFrom []meta.ValuesReference `json:"valuesFrom,omitempty"`
}

// Image is a container image of a chart that is pinned by digest.
type Image struct {
	// Name is the image as the chart writes it, without tag. A name without a registry is looked up in the registry of the
	// release's chart repository, on each cluster its own.
	Name string `json:"name" jsonschema:"required,minLength=1"`
	// Tag is made from the chart's version: {version} is the version, {commit} and {commit:8} the commit. {version} where
	// nothing is said.
	Tag string `json:"tag,omitempty" jsonschema:"default={version}"`
}
