package render

import (
	"fmt"
	"maps"
	"path"
	"slices"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	kustomize "sigs.k8s.io/kustomize/api/types"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// The files of a cluster that belong to no one component.
const (
	kustomizationFile = "kustomization.yaml"
	namespacesFile    = "_namespaces.yaml"
	repositoriesFile  = "_repositories.yaml"
)

// Files are the content of a cluster's manifests folder, by file name.
type Files map[string][]byte

// FileName is the file in a cluster's manifests folder that holds a component's objects.
func FileName(component string) string { return component + ".yaml" }

// Cluster renders everything that runs on a cluster, whose components must all be loaded. With findings among which is an
// error there are no files.
func Cluster(repo *control.Repo, name string) (Files, control.Findings) {
	cluster := repo.Clusters[name]
	flux, findings := checkFlux(cluster)
	deployments, found := repo.Deployments(name)
	findings = append(findings, found...)
	if flux == 0 {
		return nil, findings
	}
	for _, d := range deployments {
		findings = append(findings, checkFields(d, flux)...)
	}
	if findings.Err() != nil {
		return nil, findings
	}
	files, err := clusterFiles(cluster, deployments, flux)
	if err != nil {
		return nil, append(findings, internalFinding(name, err))
	}
	return files, findings
}

// Component renders the file of one component on a cluster, for changes that touch nothing else. The content is empty for
// a component of plain manifests, which has no file.
func Component(repo *control.Repo, clusterName, component string) ([]byte, control.Findings) {
	cluster := repo.Clusters[clusterName]
	flux, findings := checkFlux(cluster)
	deployment, found := repo.Deployment(clusterName, component)
	findings = append(findings, found...)
	if deployment == nil || findings.Err() != nil {
		return nil, findings
	}
	findings = append(findings, checkFields(*deployment, flux)...)
	if findings.Err() != nil || deployment.ManifestsDir != "" {
		return nil, findings
	}
	content, err := componentFile(safeyaml.NewEncoder(), *deployment, flux)
	if err != nil {
		return nil, append(findings, internalFinding(clusterName, err))
	}
	return content, findings
}

func internalFinding(cluster string, err error) control.Finding {
	return control.Finding{Rule: "render", Severity: control.Error, File: control.ClusterFile(cluster), Message: err.Error()}
}

func checkFlux(cluster *control.Cluster) (int, control.Findings) {
	minor, err := fluxMinor(cluster)
	if err != nil {
		return 0, control.Findings{{Rule: RuleFluxVersion, Severity: control.Error, File: control.ClusterFile(cluster.Name), Message: err.Error(), Help: "upgrade Flux on the cluster, then write its version here"}}
	}
	return minor, nil
}

// checkFields finds what a person set and the cluster's Flux does not know: it would be dropped in silence.
func checkFields(d control.Deployment, flux int) control.Findings {
	var findings control.Findings
	report := func(r control.Release, field string, since int) {
		findings = append(findings, control.Finding{
			Rule: RuleFluxField, Severity: control.Error, File: control.ComponentFile(d.Component.Name),
			Message: fmt.Sprintf("release %q sets %s, which Flux 2.%d on cluster %q does not know", r.Name, field, flux, d.Cluster.Name),
			Help:    fmt.Sprintf("it came with Flux 2.%d: upgrade Flux there, or override the release in %s", since, control.ClusterFile(d.Cluster.Name)),
		})
	}
	for _, r := range d.Releases {
		for _, from := range r.ValuesFrom {
			if from.Literal && flux < sinceValuesFromLiteral {
				report(r, "valuesFrom.literal", sinceValuesFromLiteral)
			}
		}
		if v := r.Source.Verify; v != nil && v.TrustedRootSecretRef != nil && flux < sinceTrustedRoot {
			report(r, "verify.trustedRootSecretRef", sinceTrustedRoot)
		}
	}
	return findings
}

func clusterFiles(cluster *control.Cluster, deployments []control.Deployment, flux int) (Files, error) {
	files := Files{}
	resources := []string{}
	encoder := safeyaml.NewEncoder()
	add := func(name string, content []byte, err error) error {
		files[name] = content
		resources = append(resources, name)
		return err
	}
	if objects := namespaces(cluster, deployments); len(objects) > 0 {
		content, err := document(encoder, plain(objects))
		if err := add(namespacesFile, content, err); err != nil {
			return nil, err
		}
	}
	if objects := helmRepositories(cluster, deployments); len(objects) > 0 {
		content, err := document(encoder, plain(objects))
		if err := add(repositoriesFile, content, err); err != nil {
			return nil, err
		}
	}
	hasCRDs := false
	for _, d := range deployments {
		if d.ManifestsDir != "" {
			hasCRDs = true
			resources = append(resources, fromRendered(cluster, d.ManifestsDir))
			continue
		}
		content, err := componentFile(encoder, d, flux)
		if err := add(FileName(d.Component.Name), content, err); err != nil {
			return nil, err
		}
	}
	content, err := document(encoder, []manifest{{object: kustomization(resources, hasCRDs)}})
	files[kustomizationFile] = content
	return files, err
}

// fromRendered is a path of the repo as the cluster's manifests folder refers to it.
func fromRendered(cluster *control.Cluster, repoPath string) string {
	up := ""
	for at := control.RenderedDir(cluster.Name); at != "."; at = path.Dir(at) {
		up = path.Join(up, "..")
	}
	return path.Join(up, repoPath)
}

// componentFile holds a component's OCIRepositories and HelmReleases, each source before the release that it is for.
func componentFile(encoder *safeyaml.Encoder, d control.Deployment, flux int) ([]byte, error) {
	var manifests []manifest
	for _, r := range d.Releases {
		if byDigest(r) {
			manifests = append(manifests, manifest{object: ociRepository(d, r)})
		}
		manifests = append(manifests, manifest{object: helmRelease(d, r, flux), values: r.Values})
	}
	return document(encoder, manifests)
}

// helmRepositories returns the HelmRepositories that the cluster's releases refer to, sorted by name.
func helmRepositories(cluster *control.Cluster, deployments []control.Deployment) []*sourcev1.HelmRepository {
	sources := map[string]v1alpha1.Repository{}
	for _, d := range deployments {
		for _, r := range d.Releases {
			if !byDigest(r) {
				sources[r.Repository] = r.Source
			}
		}
	}
	var objects []*sourcev1.HelmRepository
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		objects = append(objects, helmRepository(cluster, name, sources[name]))
	}
	return objects
}

// clusterKustomization always has its resources: kustomize refuses a kustomization without any field, which that of a
// cluster with nothing pinned would be.
type clusterKustomization struct {
	kustomize.Kustomization
	Resources []string `json:"resources"`
}

// kustomization lists the cluster's resources. CRDs among plain manifests are never pruned: with a CRD go all its objects.
func kustomization(resources []string, hasCRDs bool) clusterKustomization {
	k := clusterKustomization{Resources: resources}
	k.TypeMeta = kustomize.TypeMeta{APIVersion: kustomize.KustomizationVersion, Kind: kustomize.KustomizationKind}
	if hasCRDs {
		k.Patches = []kustomize.Patch{{
			Target: &kustomize.Selector{},
			Patch:  keepCRDs,
		}}
		k.Patches[0].Target.Kind = "CustomResourceDefinition"
	}
	return k
}

const keepCRDs = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: any
  annotations:
    kustomize.toolkit.fluxcd.io/prune: disabled
`
