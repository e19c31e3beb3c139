package live

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The types below are the few fields that are read of each kind. What is not named here is never held in memory beyond one
// page, and never stored.

type meta struct {
	Name       string `json:"name"`
	Namespace  string `json:"namespace"`
	Generation int64  `json:"generation"`
	Labels     struct {
		Kustomization string `json:"kustomize.toolkit.fluxcd.io/name"`
	} `json:"labels"`
	Annotations struct {
		Component string `json:"tfgitops.toolforge.org/component"`
		Commit    string `json:"tfgitops.toolforge.org/commit"`
	} `json:"annotations"`
}

// labelled is an object of which only a label is read.
type labelled struct {
	Metadata struct {
		Labels struct {
			Version string `json:"app.kubernetes.io/version"`
		} `json:"labels"`
	} `json:"metadata"`
}

type condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Since   time.Time `json:"lastTransitionTime"`
}

// conditionOf returns the condition of that type, or nil.
func conditionOf(all []condition, kind string) *Condition {
	for _, c := range all {
		if c.Type == kind {
			return &Condition{Status: c.Status, Reason: clean(c.Reason), Message: clean(c.Message), Since: c.Since}
		}
	}
	return nil
}

type helmRelease struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Suspend         bool   `json:"suspend"`
		TargetNamespace string `json:"targetNamespace"`
		Chart           struct {
			Spec struct {
				Chart     string    `json:"chart"`
				Version   string    `json:"version"`
				SourceRef reference `json:"sourceRef"`
			} `json:"spec"`
		} `json:"chart"`
		ChartRef reference `json:"chartRef"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration    int64       `json:"observedGeneration"`
		Conditions            []condition `json:"conditions"`
		LastAttemptedRevision string      `json:"lastAttemptedRevision"`
		LastAttemptedDigest   string      `json:"lastAttemptedRevisionDigest"`
		HelmChart             string      `json:"helmChart"` // namespace/name
		History               []struct {
			ChartName    string    `json:"chartName"`
			ChartVersion string    `json:"chartVersion"`
			Status       string    `json:"status"`
			OCIDigest    string    `json:"ociDigest"`
			LastDeployed time.Time `json:"lastDeployed"`
		} `json:"history"`
	} `json:"status"`
}

type reference struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

func (h helmRelease) release() Release {
	chart := h.Spec.Chart.Spec
	source := chart.SourceRef
	if h.Spec.ChartRef.Name != "" {
		source = h.Spec.ChartRef
	}
	r := Release{
		Name: h.Metadata.Name, Component: h.Metadata.Annotations.Component, Commit: h.Metadata.Annotations.Commit,
		Kustomization: h.Metadata.Labels.Kustomization, TargetNamespace: h.Spec.TargetNamespace, Chart: chart.Chart, Wanted: chart.Version,
		SourceKind: source.Kind, SourceName: source.Name, HelmChart: lastPart(h.Status.HelmChart), Suspended: h.Spec.Suspend,
		Observed:  h.Status.ObservedGeneration >= h.Metadata.Generation,
		Ready:     conditionOf(h.Status.Conditions, "Ready"),
		Drifted:   conditionOf(h.Status.Conditions, "Drifted"),
		Stalled:   conditionOf(h.Status.Conditions, "Stalled"),
		Attempted: h.Status.LastAttemptedRevision, AttemptedDigest: h.Status.LastAttemptedDigest,
	}
	for _, entry := range h.Status.History {
		r.History = append(r.History, Deployed{
			Chart: entry.ChartName, Version: entry.ChartVersion, Digest: entry.OCIDigest, Status: entry.Status, Time: entry.LastDeployed,
		})
	}
	return r
}

// lastPart is the name in namespace/name.
func lastPart(name string) string { return name[strings.LastIndex(name, "/")+1:] }

type sourceObject struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Suspend bool `json:"suspend"`
		Ref     struct {
			Digest string `json:"digest"`
		} `json:"ref"`
	} `json:"spec"`
	Status struct {
		Conditions []condition `json:"conditions"`
		Artifact   struct {
			Revision string `json:"revision"`
		} `json:"artifact"`
	} `json:"status"`
}

func (s sourceObject) source(kind string) Source {
	return Source{
		Kind: kind, Name: s.Metadata.Name, Suspended: s.Spec.Suspend, Wanted: s.Spec.Ref.Digest,
		Ready: conditionOf(s.Status.Conditions, "Ready"), Revision: s.Status.Artifact.Revision,
	}
}

type kustomizationObject struct {
	Metadata meta `json:"metadata"`
	Spec     struct {
		Suspend bool   `json:"suspend"`
		Path    string `json:"path"`
	} `json:"spec"`
	Status struct {
		ObservedGeneration        int64       `json:"observedGeneration"`
		Conditions                []condition `json:"conditions"`
		LastAppliedRevision       string      `json:"lastAppliedRevision"`
		LastAppliedOriginRevision string      `json:"lastAppliedOriginRevision"`
	} `json:"status"`
}

func (k kustomizationObject) kustomization() Kustomization {
	return Kustomization{
		Name: k.Metadata.Name, Path: k.Spec.Path, Suspended: k.Spec.Suspend,
		Observed: k.Status.ObservedGeneration >= k.Metadata.Generation,
		Ready:    conditionOf(k.Status.Conditions, "Ready"), Applied: k.applied(),
	}
}

// applied is the revision of the control repo where Flux knows it: where it applies an artifact that was made of that, the
// revision is the artifact's, and the origin is what it was made of.
func (k kustomizationObject) applied() string {
	if appliedCommit(k.Status.LastAppliedOriginRevision) != "" {
		return k.Status.LastAppliedOriginRevision
	}
	return k.Status.LastAppliedRevision
}

type pod struct {
	Metadata meta `json:"metadata"`
	Status   struct {
		InitContainers []container `json:"initContainerStatuses"`
		Containers     []container `json:"containerStatuses"`
	} `json:"status"`
}

type container struct {
	Image   string `json:"image"`
	ImageID string `json:"imageID"`
	State   struct {
		Waiting struct {
			Reason string `json:"reason"`
		} `json:"waiting"`
	} `json:"state"`
}

// podImages counts the images of pods.
type podImages map[Image]int

func (p podImages) add(of pod) {
	for _, c := range slices.Concat(of.Status.InitContainers, of.Status.Containers) {
		p[Image{Namespace: of.Metadata.Namespace, Image: c.Image, ID: c.ImageID, Waiting: clean(c.State.Waiting.Reason)}]++
	}
}

// in returns the images of pods in the namespaces, sorted.
func (p podImages) in(namespaces map[string]bool) []Image {
	var images []Image
	for image, count := range p {
		if namespaces[image.Namespace] {
			image.Count = count
			images = append(images, image)
		}
	}
	slices.SortFunc(images, func(a, b Image) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Image, b.Image), strings.Compare(a.ID, b.ID), strings.Compare(a.Waiting, b.Waiting))
	})
	return images
}
