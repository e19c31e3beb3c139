package v1alpha1

import apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// Pin is clusters/<cluster>/pins/<component>.yaml: which version of a component runs on a cluster. A component runs on a
// cluster exactly when it has a pin there. Pins are written by bump, promote, rollback and hold.
type Pin struct {
	TypeMeta `json:",inline"`
	Metadata Metadata `json:"metadata" jsonschema:"required"`
	Spec     PinSpec  `json:"spec" jsonschema:"required"`
}

// PinSpec is the version of a component on a cluster.
type PinSpec struct {
	// Commit is the commit of the component's source, all 40 digits where they are known. Left out for what nobody here
	// builds.
	Commit string `json:"commit,omitempty" jsonschema:"pattern=^[0-9a-f]{4\\,40}$"`
	// Releases pins each release of the component, by its name.
	Releases map[string]PinnedRelease `json:"releases,omitempty"`
	// Images pins images by digest.
	Images []PinnedImage `json:"images,omitempty"`
	// Manifests pins a component of plain manifests, instead of releases.
	Manifests *PinnedManifests `json:"manifests,omitempty"`
	// Hold stops the pin from being changed.
	Hold *Hold `json:"hold,omitempty"`
}

// PinnedRelease is the version of one release.
type PinnedRelease struct {
	// Version is the chart's exact version.
	Version string `json:"version" jsonschema:"required,minLength=1"`
	// Digest is the digest of the chart's manifest in this cluster's own registry.
	Digest string `json:"digest,omitempty" jsonschema:"pattern=^sha256:[0-9a-f]{64}$"`
	// Values belong to this version: they are promoted and rolled back with it.
	Values *apiextensionsv1.JSON `json:"values,omitempty"`
}

// PinnedImage is an image pinned by digest.
type PinnedImage struct {
	// Name is the image with its registry, without tag.
	Name string `json:"name" jsonschema:"required,minLength=1"`
	// Tag is the tag that the digest was found under.
	Tag string `json:"tag,omitempty"`
	// Digest is the digest of the image's manifest or index.
	Digest string `json:"digest" jsonschema:"required,pattern=^sha256:[0-9a-f]{64}$"`
}

// PinnedManifests is the version of a component of plain manifests.
type PinnedManifests struct {
	// Version is the folder in components/<component>/manifests/.
	Version string `json:"version" jsonschema:"required,minLength=1"`
	// Digest is the digest of the folder's content: it changes when a file there does.
	Digest string `json:"digest" jsonschema:"required,pattern=^sha256:[0-9a-f]{64}$"`
}

// Hold stops a pin from being changed.
type Hold struct {
	// Reason is shown to whoever is refused.
	Reason string `json:"reason" jsonschema:"required,minLength=1"`
	// Task is where the reason is worked on.
	Task string `json:"task,omitempty"`
	// Until is the first moment at which the hold no longer counts. Left out, it counts until it is lifted.
	Until Timestamp `json:"until,omitempty"`
	// Refuse are the versions that are refused. Left out, every change is.
	Refuse []string `json:"refuse,omitempty"`
}
