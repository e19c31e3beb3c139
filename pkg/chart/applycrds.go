package chart

import (
	"context"
	"errors"
	"fmt"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The time that a new CRD is given until it is served.
const (
	establishTimeout  = time.Minute
	establishInterval = 200 * time.Millisecond
)

// applyCRDs applies what is in crds/ as the policy says: Create leaves those
// alone that are there, CreateReplace makes each as in the chart. It returns
// when the cluster serves them.
func (p *Preparation) applyCRDs(ctx context.Context) error {
	for _, crd := range p.crds {
		object := &unstructured.Unstructured{Object: copyMap(crd.Object)}
		var err error
		if p.policy == helmv2.CreateReplace {
			err = p.target.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.ForceOwnership, client.FieldOwner("helm"))
		} else {
			err = p.target.client.Create(ctx, object, client.FieldOwner("helm"))
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("applying CustomResourceDefinition %q: %w", crd.Name, err)
		}
	}
	for _, crd := range p.crds {
		if err := p.awaitCRD(ctx, crd); err != nil {
			return err
		}
	}
	if len(p.crds) > 0 {
		p.target.forget()
	}
	return nil
}

func (p *Preparation) awaitCRD(ctx context.Context, crd Resource) error {
	err := wait.PollUntilContextTimeout(ctx, establishInterval, establishTimeout, true, func(ctx context.Context) (bool, error) {
		live := &unstructured.Unstructured{}
		live.SetAPIVersion(crd.APIVersion)
		live.SetKind(crd.Kind)
		err := p.target.client.Get(ctx, client.ObjectKey{Name: crd.Name}, live)
		return err == nil && established(live), client.IgnoreNotFound(err)
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("CustomResourceDefinition %q is not served after %s", crd.Name, establishTimeout.Round(time.Second))
	}
	if err != nil {
		return fmt.Errorf("waiting for CustomResourceDefinition %q: %w", crd.Name, err)
	}
	return nil
}

func established(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	for _, one := range conditions {
		condition, _ := one.(map[string]any)
		if condition["type"] == "Established" && condition["status"] == "True" {
			return true
		}
	}
	return false
}
