package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The annotations on a HelmRelease that tell why Flux leaves it alone.
const (
	AnnotationSuspendedBy    = "tfgitops.toolforge.org/suspended-by"
	AnnotationSuspendedWhy   = "tfgitops.toolforge.org/suspended-because"
	AnnotationSuspendedUntil = "tfgitops.toolforge.org/suspended-until"

	// annotationRequested asks Flux to reconcile now.
	annotationRequested = "reconcile.fluxcd.io/requestedAt"
)

// fieldOwner is who changes objects here. kustomize-controller leaves fields
// alone that Git does not name, unless kubectl is who wrote them.
const fieldOwner = "tfgitops"

// Suspension says who keeps Flux from a release.
type Suspension struct {
	Who, Why string
	Until    time.Time
}

// Suspend tells Flux to leave a release alone, and says so on the HelmRelease.
// Where the cluster has no such HelmRelease, or no Flux, there is nothing to
// do, and found is false.
func (t *Target) Suspend(ctx context.Context, hr *helmv2.HelmRelease, s Suspension) (found bool, err error) {
	return t.patch(ctx, hr, true, map[string]any{
		AnnotationSuspendedBy: s.Who, AnnotationSuspendedWhy: s.Why, AnnotationSuspendedUntil: s.Until.UTC().Format(time.RFC3339),
	})
}

// Resume hands a release back to Flux, as Git has it, and asks it to look at
// once. now is what it is told as the time of the request.
func (t *Target) Resume(ctx context.Context, hr *helmv2.HelmRelease, now time.Time) (found bool, err error) {
	var suspend any // null: removes the field
	if hr.Spec.Suspend {
		suspend = true
	}
	return t.patch(ctx, hr, suspend, map[string]any{
		AnnotationSuspendedBy: nil, AnnotationSuspendedWhy: nil, AnnotationSuspendedUntil: nil,
		annotationRequested: now.UTC().Format(time.RFC3339Nano),
	})
}

func (t *Target) patch(ctx context.Context, hr *helmv2.HelmRelease, suspend any, annotations map[string]any) (bool, error) {
	change, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": annotations},
		"spec":     map[string]any{"suspend": suspend},
	})
	if err != nil {
		return false, err
	}
	live := &helmv2.HelmRelease{}
	live.Name, live.Namespace = hr.Name, hr.Namespace
	err = t.client.Patch(ctx, live, client.RawPatch(types.MergePatchType, change), client.FieldOwner(fieldOwner))
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return false, nil
	}
	return false, fmt.Errorf("changing HelmRelease %q in %q: %w", hr.Name, hr.Namespace, err)
}
