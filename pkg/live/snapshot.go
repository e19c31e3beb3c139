package live

import "time"

// SnapshotVersion counts the incompatible changes of a Snapshot's JSON.
const SnapshotVersion = 1

// Snapshot is what clusters run, as they were read. It holds no secret: no values, no annotations but ours, and messages of
// Flux shortened and without what looks like credentials.
type Snapshot struct {
	Version int `json:"version"`
	// Time is when reading began.
	Time time.Time `json:"time"`
	// Clusters has every cluster that was asked, also those that did not answer.
	Clusters map[string]Cluster `json:"clusters"`
}

// Cluster is one cluster in a Snapshot.
type Cluster struct {
	// Time is when the answer was there.
	Time time.Time `json:"time"`
	// Error says why the cluster could not be read; nothing below is known then.
	Error string `json:"error,omitempty"`
	// Incomplete says, by kind, why something other than the HelmReleases could not be read.
	Incomplete map[string]string `json:"incomplete,omitempty"`
	// KubeVersion is the API server's version, such as v1.32.4.
	KubeVersion string `json:"kubeVersion,omitempty"`
	// FluxVersion is what Flux's own Deployments say, such as v2.9.1; several are joined.
	FluxVersion    string          `json:"fluxVersion,omitempty"`
	Releases       []Release       `json:"releases,omitempty"`
	Sources        []Source        `json:"sources,omitempty"`
	Kustomizations []Kustomization `json:"kustomizations,omitempty"`
	Images         []Image         `json:"images,omitempty"`
}

// Release is a HelmRelease in the cluster's Flux namespace.
type Release struct {
	Name string `json:"name"`
	// Component and Commit are what render wrote on it.
	Component string `json:"component,omitempty"`
	Commit    string `json:"commit,omitempty"`
	// Kustomization names the one that applied it, in the Flux namespace.
	Kustomization string `json:"kustomization,omitempty"`
	// TargetNamespace is where its objects are.
	TargetNamespace string `json:"targetNamespace,omitempty"`
	Chart           string `json:"chart,omitempty"`
	// Wanted is the chart version that the object asks for; empty where it asks for a digest.
	Wanted string `json:"wanted,omitempty"`
	// SourceKind and SourceName name the object that the chart comes from.
	SourceKind string `json:"sourceKind,omitempty"`
	SourceName string `json:"sourceName,omitempty"`
	// HelmChart is the object that Flux made of the two, where the release is pinned by version.
	HelmChart string `json:"helmChart,omitempty"`
	Suspended bool   `json:"suspended,omitempty"`
	// Observed says that Flux has seen the newest form of the object: otherwise its conditions are of an older one.
	Observed bool `json:"observed"`
	// Ready, Drifted and Stalled are Flux's conditions; nil where there is none.
	Ready   *Condition `json:"ready,omitempty"`
	Drifted *Condition `json:"drifted,omitempty"`
	Stalled *Condition `json:"stalled,omitempty"`
	// Attempted is the chart version that Flux tried last, which may have failed.
	Attempted string `json:"attempted,omitempty"`
	// AttemptedDigest is that chart's digest, where it comes from an OCIRepository.
	AttemptedDigest string `json:"attemptedDigest,omitempty"`
	// History is what Helm has done, newest first, as far as Flux keeps it.
	History []Deployed `json:"history,omitempty"`
}

// Deployed is one entry of a release's history.
type Deployed struct {
	Chart string `json:"chart,omitempty"`
	// Version is the chart's. Flux adds "+" and twelve digits of the digest where the chart comes from an OCIRepository.
	Version string    `json:"version"`
	Digest  string    `json:"digest,omitempty"`
	Status  string    `json:"status"`
	Time    time.Time `json:"time,omitzero"`
}

// Live returns what runs: the first entry of the history that Helm calls deployed. Neither the first entry of all nor the
// version that was attempted last tells: after a failed upgrade both name what does not run.
func (r Release) Live() (Deployed, bool) {
	for _, entry := range r.History {
		if entry.Status == "deployed" {
			return entry, true
		}
	}
	return Deployed{}, false
}

// Condition is one of Flux's conditions.
type Condition struct {
	// Status is True, False or Unknown.
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// is reports whether the condition is there and has the status.
func (c *Condition) is(status string) bool { return c != nil && c.Status == status }

// Source is an object of Flux's that charts come from.
type Source struct {
	Kind      string     `json:"kind"`
	Name      string     `json:"name"`
	Suspended bool       `json:"suspended,omitempty"`
	Ready     *Condition `json:"ready,omitempty"`
	// Wanted is the digest that an OCIRepository asks for, if it does.
	Wanted string `json:"wanted,omitempty"`
	// Revision is what Flux fetched last.
	Revision string `json:"revision,omitempty"`
}

// Kustomization is an object of Flux's that applies a folder of a control repo.
type Kustomization struct {
	Name      string     `json:"name"`
	Path      string     `json:"path,omitempty"`
	Suspended bool       `json:"suspended,omitempty"`
	Observed  bool       `json:"observed"`
	Ready     *Condition `json:"ready,omitempty"`
	// Applied is the revision that was applied last, as main@sha1:…; of an artifact that was made of the control repo, the
	// revision that it was made of.
	Applied string `json:"applied,omitempty"`
}

// Image is a container image that pods of a namespace run, or try to.
type Image struct {
	Namespace string `json:"namespace"`
	// Image is as in the pod; ID is what the node made of it.
	Image string `json:"image"`
	ID    string `json:"id,omitempty"`
	// Waiting is why a container does not run, such as ImagePullBackOff.
	Waiting string `json:"waiting,omitempty"`
	Count   int    `json:"count"`
}
