package crds

//go:generate ../../../hack/crds.sh

import (
	"embed"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

//go:embed schemas/*.yaml
var schemas embed.FS

// definitionFiles lists the kinds that have a definition, so that none is parsed before an object of
// its kind is seen: parsing all of them takes longer than most commands.
var definitionFiles = map[schema.GroupKind]string{
	{Group: "helm.toolkit.fluxcd.io", Kind: "HelmRelease"}:        "helm.toolkit.fluxcd.io_helmreleases.yaml",
	{Group: "kustomize.toolkit.fluxcd.io", Kind: "Kustomization"}: "kustomize.toolkit.fluxcd.io_kustomizations.yaml",
	{Group: "source.toolkit.fluxcd.io", Kind: "Bucket"}:           "source.toolkit.fluxcd.io_buckets.yaml",
	{Group: "source.toolkit.fluxcd.io", Kind: "ExternalArtifact"}: "source.toolkit.fluxcd.io_externalartifacts.yaml",
	{Group: "source.toolkit.fluxcd.io", Kind: "GitRepository"}:    "source.toolkit.fluxcd.io_gitrepositories.yaml",
	{Group: "source.toolkit.fluxcd.io", Kind: "HelmChart"}:        "source.toolkit.fluxcd.io_helmcharts.yaml",
	{Group: "source.toolkit.fluxcd.io", Kind: "HelmRepository"}:   "source.toolkit.fluxcd.io_helmrepositories.yaml",
	{Group: "source.toolkit.fluxcd.io", Kind: "OCIRepository"}:    "source.toolkit.fluxcd.io_ocirepositories.yaml",
}

// loadDefinition parses the checked-in definition of a kind.
func loadDefinition(gk schema.GroupKind) (*apiextensions.CustomResourceDefinition, error) {
	name := definitionFiles[gk]
	data, err := schemas.ReadFile("schemas/" + name)
	if err != nil {
		return nil, fmt.Errorf("reading the definition of %q: %w", gk, err)
	}
	crd, err := parseDefinition(data)
	if err != nil {
		return nil, fmt.Errorf("definition %q: %w", name, err)
	}
	return crd, nil
}

func parseDefinition(data []byte) (*apiextensions.CustomResourceDefinition, error) {
	var versioned apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &versioned); err != nil {
		return nil, fmt.Errorf("parsing: %w", err)
	}
	var crd apiextensions.CustomResourceDefinition
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&versioned, &crd, nil); err != nil {
		return nil, fmt.Errorf("converting: %w", err)
	}
	return &crd, nil
}
