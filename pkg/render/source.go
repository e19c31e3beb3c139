package render

import (
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// chartContentType is the media type of the layer of an OCI artifact that is a chart's archive.
const chartContentType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

// sourceInterval is how often Flux asks a repository for an exact version or digest: it never changes, so this only
// bounds how soon a lost artifact comes back.
const sourceInterval v1alpha1.Duration = "1h"

// helmRepository returns the HelmRepository that releases pinned by version refer to.
func helmRepository(cluster *control.Cluster, name string, source v1alpha1.Repository) *sourcev1.HelmRepository {
	repository := &sourcev1.HelmRepository{
		TypeMeta:   metav1.TypeMeta{APIVersion: sourcev1.GroupVersion.String(), Kind: sourcev1.HelmRepositoryKind},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: cluster.FluxNamespaceName(), Labels: shardLabels(cluster.Shard)},
		Spec: sourcev1.HelmRepositorySpec{
			URL:           source.URL,
			Interval:      *duration(sourceInterval),
			SecretRef:     source.SecretRef,
			CertSecretRef: source.CertSecretRef,
		},
	}
	if isOCI(source.URL) {
		repository.Spec.Type = sourcev1.HelmRepositoryTypeOCI
		repository.Spec.Provider = string(source.Provider)
		repository.Spec.Insecure = source.Insecure != nil && *source.Insecure
	}
	return repository
}

// ociRepository returns the OCIRepository of a release that is pinned by digest.
func ociRepository(d control.Deployment, r control.Release) *sourcev1.OCIRepository {
	set := annotations(d)
	set[AnnotationVersion] = r.Version
	return &sourcev1.OCIRepository{
		TypeMeta:   metav1.TypeMeta{APIVersion: sourcev1.GroupVersion.String(), Kind: sourcev1.OCIRepositoryKind},
		ObjectMeta: metav1.ObjectMeta{Name: r.Name, Namespace: d.Cluster.FluxNamespaceName(), Labels: shardLabels(d.Shard), Annotations: set},
		Spec: sourcev1.OCIRepositorySpec{
			URL:           r.Source.URL + "/" + r.Chart,
			Reference:     &sourcev1.OCIRepositoryRef{Digest: r.Digest},
			LayerSelector: &sourcev1.OCILayerSelector{MediaType: chartContentType, Operation: sourcev1.OCILayerCopy},
			Interval:      *duration(sourceInterval),
			Provider:      string(r.Source.Provider),
			SecretRef:     r.Source.SecretRef,
			CertSecretRef: r.Source.CertSecretRef,
			Insecure:      r.Source.Insecure != nil && *r.Source.Insecure,
			Verify:        r.Source.Verify,
		},
	}
}
