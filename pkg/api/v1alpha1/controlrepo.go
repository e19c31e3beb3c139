package v1alpha1

import (
	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

// ControlRepo is tfgitops.yaml: it marks the root of a control repo and holds what all clusters share.
type ControlRepo struct {
	TypeMeta `json:",inline"`
	Metadata Metadata        `json:"metadata" jsonschema:"required"`
	Spec     ControlRepoSpec `json:"spec" jsonschema:"required"`
}

// ControlRepoSpec is what all clusters share.
type ControlRepoSpec struct {
	// Repositories are the chart repositories, by the name that releases refer to them with.
	Repositories map[string]Repository `json:"repositories,omitempty"`
	// Stages are the steps that a version takes, in order: a bump starts with the first, promote goes to the next.
	Stages []Stage `json:"stages,omitempty"`
	// ReleaseDefaults hold for every release that does not say otherwise.
	ReleaseDefaults ReleaseDefaults `json:"releaseDefaults,omitempty"`
	// Freeze are the windows in which no cluster's pins may change.
	Freeze []Freeze `json:"freeze,omitempty"`
	// Test is the command that runs a component's tests on a cluster after a deployment.
	Test *Command `json:"test,omitempty"`
	// Announce is the command that tells people of a deployment.
	Announce *Command `json:"announce,omitempty"`
	// Alerts are the thresholds of the alert rules.
	Alerts *AlertThresholds `json:"alerts,omitempty"`
}

// Repository is a chart repository: an OCI registry (oci://) or a server with an index.yaml (https://).
type Repository struct {
	// URL is where the charts are: oci://host/path, https://host/path, or http://host/path. Required in tfgitops.yaml; in a
	// cluster it replaces the URL from there.
	URL string `json:"url,omitempty" jsonschema:"pattern=^(oci|https|http)://"`
	// VersionPattern is a regular expression (RE2) with a group named commit, which finds the Git commit in a chart version.
	// Only charts of repositories with a pattern follow their component's source.
	VersionPattern string `json:"versionPattern,omitempty"`
	// Insecure says that the registry is spoken to over plain HTTP. Only for oci:// repositories.
	Insecure *bool `json:"insecure,omitempty"`
	// SecretRef names the Secret in the Flux namespace that holds the credentials for the repository.
	SecretRef *meta.LocalObjectReference `json:"secretRef,omitempty"`
	// CertSecretRef names the Secret in the Flux namespace that holds the certificates for the repository.
	CertSecretRef *meta.LocalObjectReference `json:"certSecretRef,omitempty"`
	// Provider is where Flux gets credentials from: generic (the default), aws, azure or gcp. Only for oci:// repositories.
	Provider Provider `json:"provider,omitempty" jsonschema:"default=generic"`
	// Pinning says what Flux pins the charts by: version (the default) or digest. Digest needs an oci:// repository.
	Pinning Pinning `json:"pinning,omitempty" jsonschema:"default=version"`
	// Verify says how Flux checks the signature of each chart. Only for oci:// repositories.
	Verify *sourcev1.OCIRepositoryVerification `json:"verify,omitempty"`
}

// Stage is one step that a version takes on its way.
type Stage struct {
	// Name is the stage's name, such as test or production.
	Name string `json:"name" jsonschema:"required,minLength=1"`
	// Clusters are the clusters of the stage. The next stage is gated by them.
	Clusters []string `json:"clusters" jsonschema:"required,minItems=1"`
	// Followers are clusters that are bumped along with the stage and never gate the next.
	Followers []string `json:"followers,omitempty"`
	// Requires is what must hold on the stage before for a version to come here: ready, tests.
	Requires []Gate `json:"requires,omitempty"`
	// Soak is how long the stage before must have had a version, counted from its commit on the main branch.
	Soak Duration `json:"soak,omitempty"`
}

// ReleaseDefaults hold for every release that does not say otherwise.
type ReleaseDefaults struct {
	// Interval is how often Flux reconciles a release. 10m where nothing is said.
	Interval Duration `json:"interval,omitempty" jsonschema:"default=10m"`
	// Timeout is how long Helm waits for each operation. 5m where nothing is said.
	Timeout Duration `json:"timeout,omitempty" jsonschema:"default=5m"`
}

// Freeze is a window in which pins may not change.
type Freeze struct {
	// From is the window's first moment.
	From Timestamp `json:"from" jsonschema:"required"`
	// To is the first moment after the window.
	To Timestamp `json:"to" jsonschema:"required"`
	// Reason is shown to whoever is refused.
	Reason string `json:"reason" jsonschema:"required,minLength=1"`
}

// Command is a program to run, without a shell.
type Command struct {
	// Command is the program and its arguments.
	Command []string `json:"command" jsonschema:"required,minItems=1"`
}

// AlertThresholds say after how long each alert is raised. What is left out has the default of the rule.
type AlertThresholds struct {
	// PinNotDeployed is how long a cluster may run something other than its pin.
	PinNotDeployed Duration `json:"pinNotDeployed,omitempty"`
	// ResourceDrift is how long a cluster may differ from what Helm last applied.
	ResourceDrift Duration `json:"resourceDrift,omitempty"`
	// SuspendedTooLong is how long a release may be suspended.
	SuspendedTooLong Duration `json:"suspendedTooLong,omitempty"`
	// PinStale is how old the oldest merged commit may be that no cluster runs.
	PinStale Duration `json:"pinStale,omitempty"`
	// PromotionLag is how long stages may differ.
	PromotionLag Duration `json:"promotionLag,omitempty"`
}
