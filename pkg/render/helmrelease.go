package render

import (
	"encoding/json"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/kustomize"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Annotations and labels that Flux and tfgitops read.
const (
	// AnnotationComponent and AnnotationCommit say where a HelmRelease comes from. They are on the HelmRelease alone: in
	// commonMetadata a change would upgrade the release.
	AnnotationComponent = "tfgitops.toolforge.org/component"
	AnnotationCommit    = "tfgitops.toolforge.org/commit"
	// AnnotationVersion says which version a digest stands for.
	AnnotationVersion = "tfgitops.toolforge.org/version"

	annotationPrune      = "kustomize.toolkit.fluxcd.io/prune"
	annotationSubstitute = "kustomize.toolkit.fluxcd.io/substitute"
	disabled             = "disabled"
	labelShard           = "sharding.fluxcd.io/key"
)

// retryInterval is how long Flux waits after a failed install or upgrade.
const retryInterval v1alpha1.Duration = "5m"

// rollbackRetries is how often Flux tries an upgrade again after each rollback, before it waits for a change.
const rollbackRetries = 3

// helmRelease returns the HelmRelease of one release, without its values.
func helmRelease(d control.Deployment, r control.Release, flux int) *helmv2.HelmRelease {
	namespace := d.Cluster.FluxNamespaceName()
	return &helmv2.HelmRelease{
		TypeMeta: metav1.TypeMeta{APIVersion: helmv2.GroupVersion.String(), Kind: helmv2.HelmReleaseKind},
		ObjectMeta: metav1.ObjectMeta{
			Name: r.Name, Namespace: namespace, Labels: shardLabels(d.Shard), Annotations: annotations(d),
		},
		Spec: helmv2.HelmReleaseSpec{
			Chart:    chartTemplate(d.Cluster, r),
			ChartRef: chartRef(r),
			Interval: *duration(r.Interval),
			Timeout:  duration(r.Timeout),
			Suspend:  r.Suspend != nil && *r.Suspend,
			// All three always: otherwise Flux would not find what helmfile installed, and would take over its objects.
			ReleaseName:      r.Name,
			TargetNamespace:  r.Namespace,
			StorageNamespace: r.Namespace,
			DependsOn:        dependsOn(r.After),
			DriftDetection:   &helmv2.DriftDetection{Mode: helmv2.DriftDetectionWarn},
			Install: &helmv2.Install{
				CRDs: helmv2.CRDsPolicy(r.CRDs),
				// A wrong name or namespace then fails instead of seizing the objects of another release.
				DisableTakeOwnership: true,
				Strategy:             &helmv2.InstallStrategy{Name: string(helmv2.ActionStrategyRetryOnFailure), RetryInterval: duration(retryInterval)},
			},
			Upgrade:       upgrade(r, flux),
			PostRenderers: postRenderers(r.Images),
			ValuesFrom:    r.ValuesFrom,
		},
	}
}

func annotations(d control.Deployment) map[string]string {
	set := map[string]string{
		AnnotationComponent: d.Component.Name,
		// Values may hold ${…}, which belongs to the chart.
		annotationSubstitute: disabled,
	}
	if d.Commit != "" {
		set[AnnotationCommit] = d.Commit
	}
	if d.Component.Protect {
		set[annotationPrune] = disabled
	}
	return set
}

func shardLabels(shard string) map[string]string {
	if shard == "" {
		return nil
	}
	return map[string]string{labelShard: shard}
}

// chartTemplate names the chart by its exact version; nil where the release is pinned by digest.
func chartTemplate(cluster *control.Cluster, r control.Release) *helmv2.HelmChartTemplate {
	if byDigest(r) {
		return nil
	}
	template := &helmv2.HelmChartTemplate{Spec: helmv2.HelmChartTemplateSpec{
		Chart:     r.Chart,
		Version:   r.Version,
		SourceRef: helmv2.CrossNamespaceObjectReference{Kind: sourcev1.HelmRepositoryKind, Name: r.Repository},
		Verify:    chartVerification(r.Source.Verify),
	}}
	// helm-controller makes a HelmChart of this, whose HelmRepository the source-controller of its shard must see, too.
	if labels := shardLabels(cluster.Shard); labels != nil {
		template.ObjectMeta = &helmv2.HelmChartTemplateObjectMeta{Labels: labels}
	}
	return template
}

func chartVerification(v *sourcev1.OCIRepositoryVerification) *helmv2.HelmChartTemplateVerification {
	if v == nil {
		return nil
	}
	return &helmv2.HelmChartTemplateVerification{Provider: v.Provider, SecretRef: v.SecretRef}
}

func chartRef(r control.Release) *helmv2.CrossNamespaceSourceReference {
	if !byDigest(r) {
		return nil
	}
	return &helmv2.CrossNamespaceSourceReference{Kind: sourcev1.OCIRepositoryKind, Name: r.Name}
}

func byDigest(r control.Release) bool { return r.Source.Pinning == v1alpha1.PinningDigest }

func dependsOn(names []string) []helmv2.DependencyReference {
	references := make([]helmv2.DependencyReference, len(names))
	for i, name := range names {
		references[i] = helmv2.DependencyReference{Name: name}
	}
	return references
}

func upgrade(r control.Release, flux int) *helmv2.Upgrade {
	u := &helmv2.Upgrade{
		CRDs:     helmv2.CRDsPolicy(r.CRDs),
		Strategy: &helmv2.UpgradeStrategy{Name: string(helmv2.ActionStrategyRetryOnFailure), RetryInterval: duration(retryInterval)},
	}
	if r.Remediation == v1alpha1.RemediationRollback {
		rollback := helmv2.RollbackRemediationStrategy
		last := true
		u.Strategy = &helmv2.UpgradeStrategy{Name: string(helmv2.ActionStrategyRemediateOnFailure)}
		u.Remediation = &helmv2.UpgradeRemediation{Retries: rollbackRetries, RemediateLastFailure: &last, Strategy: &rollback}
	}
	if flux >= sinceChartNameChangeStrategy {
		// Flux's own default uninstalls first.
		u.ChartNameChangeStrategy = helmv2.ChartNameChangeStrategyInPlaceUpdate
	}
	return u
}

// postRenderers replace image tags with digests.
func postRenderers(images []v1alpha1.PinnedImage) []helmv2.PostRenderer {
	if len(images) == 0 {
		return nil
	}
	pinned := make([]kustomize.Image, len(images))
	for i, image := range images {
		pinned[i] = kustomize.Image{Name: image.Name, Digest: image.Digest}
	}
	return []helmv2.PostRenderer{{Kustomize: &helmv2.Kustomize{Images: pinned}}}
}

func rawValues(values control.Values) *apiextensionsv1.JSON {
	if len(values) == 0 {
		return nil
	}
	raw, err := json.Marshal(values)
	if err != nil {
		panic("values decoded from JSON cannot be encoded: " + err.Error()) // they hold nothing but what JSON has
	}
	return &apiextensionsv1.JSON{Raw: raw}
}

// duration converts a duration that control has checked.
func duration(d v1alpha1.Duration) *metav1.Duration {
	parsed, _ := d.Parse()
	return &metav1.Duration{Duration: parsed}
}

func isOCI(url string) bool { return strings.HasPrefix(url, "oci://") }

// HelmRelease returns the HelmRelease of one release of a deployment, for those who expand or apply it.
func HelmRelease(d control.Deployment, r control.Release) (*helmv2.HelmRelease, error) {
	flux, err := fluxMinor(d.Cluster)
	if err != nil {
		return nil, err
	}
	object := helmRelease(d, r, flux)
	object.Spec.Values = rawValues(r.Values)
	return object, nil
}
