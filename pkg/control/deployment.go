package control

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
)

// The defaults where neither tfgitops.yaml nor a component says anything.
const (
	defaultInterval v1alpha1.Duration = "10m"
	defaultTimeout  v1alpha1.Duration = "5m"
)

// Deployment is one component on one cluster, with every default and override applied.
type Deployment struct {
	Component *Component
	Cluster   *Cluster
	Commit    string
	// Releases are sorted by name; none for a component of plain manifests.
	Releases []Release
	// ManifestsDir is the folder of a component of plain manifests, relative to the repo's root.
	ManifestsDir string
	// Shard is Flux's sharding key for the component's objects, if any.
	Shard string
}

// Release is one Helm release on one cluster, with every default and override applied.
type Release struct {
	v1alpha1.Release
	// Source is the chart repository as this cluster has it.
	Source  v1alpha1.Repository
	Version string
	Digest  string
	// Values are those of the component, the pin and the cluster, merged in that order.
	Values Values
	// Images are the pinned images that the release declares.
	Images []v1alpha1.PinnedImage
	// After are the releases on the same cluster that must be ready first, sorted.
	After []string
}

// Deployments returns what runs on a cluster, by component, and what prevents rendering it.
func (r *Repo) Deployments(cluster string) ([]Deployment, Findings) {
	var deployments []Deployment
	var findings Findings
	for _, component := range r.Clusters[cluster].PinnedComponents() {
		deployment, found := r.Deployment(cluster, component)
		findings = append(findings, found...)
		if deployment != nil {
			deployments = append(deployments, *deployment)
		}
	}
	return deployments, findings
}

// Deployment returns one pinned component on one cluster, and what prevents rendering it. It is nil where there is
// nothing to render.
func (r *Repo) Deployment(clusterName, componentName string) (*Deployment, Findings) {
	cluster, component := r.Clusters[clusterName], r.Components[componentName]
	b := &deploymentBuilder{repo: r, cluster: cluster, component: component, file: PinFile(clusterName, componentName)}
	if cluster == nil || cluster.broken || cluster.Pins[componentName] == nil || (component != nil && component.broken) {
		return nil, nil // the file's own findings say why
	}
	b.pin = cluster.Pins[componentName]
	if component == nil || component.External != "" {
		return nil, Findings{r.pinWithoutComponent(b.file, componentName, component)}
	}
	deployment := &Deployment{Component: component, Cluster: cluster, Commit: b.pin.Commit, Shard: component.Shard}
	if deployment.Shard == "" {
		deployment.Shard = cluster.Shard
	}
	b.matchPin()
	if b.pin.Manifests != nil && len(component.Releases) == 0 {
		deployment.ManifestsDir = ManifestsDir(componentName, b.pin.Manifests.Version)
	}
	for _, declared := range component.Releases {
		if pinned, ok := b.pin.Releases[declared.Name]; ok {
			deployment.Releases = append(deployment.Releases, b.release(declared, pinned))
		}
	}
	slices.SortFunc(deployment.Releases, func(a, b Release) int { return strings.Compare(a.Name, b.Name) })
	return deployment, b.findings
}

func (r *Repo) pinWithoutComponent(file, name string, external *Component) Finding {
	if external != nil {
		return at(r.fsys, RulePinWithoutComponent, file, nil, fmt.Sprintf("component %q is delivered outside Kubernetes (external) and cannot be pinned", name), "remove this file")
	}
	return at(r.fsys, RulePinWithoutComponent, file, nil,
		fmt.Sprintf("there is no component %q%s", name, strictyaml.Suggest(name, r.ComponentNames())),
		fmt.Sprintf("create %s, or remove the deployment with `tfgitops component remove %s`", ComponentFile(name), name))
}

// deploymentBuilder gathers what prevents rendering one component on one cluster.
type deploymentBuilder struct {
	repo      *Repo
	cluster   *Cluster
	component *Component
	pin       *Pin
	file      string // the pin's
	findings  Findings
}

func (b *deploymentBuilder) find(rule string, path []string, message, help string) {
	b.findings = append(b.findings, at(b.repo.fsys, rule, b.file, path, message, help))
}

// matchPin checks that the pin names exactly what the component has.
func (b *deploymentBuilder) matchPin() {
	names := b.component.ReleaseNames()
	for _, name := range slices.Sorted(maps.Keys(b.pin.Releases)) {
		if !slices.Contains(names, name) {
			b.find(RulePinRelease, []string{"spec", "releases", name},
				fmt.Sprintf("component %q has no release %q%s", b.component.Name, name, strictyaml.Suggest(name, names)),
				"name a release of "+ComponentFile(b.component.Name))
		}
	}
	for _, name := range names {
		if _, pinned := b.pin.Releases[name]; !pinned {
			b.find(RulePinRelease, []string{"spec", "releases"},
				fmt.Sprintf("the release %q of component %q is not pinned: Flux would uninstall it", name, b.component.Name),
				fmt.Sprintf("pin it with `tfgitops bump %s/%s REVISION --cluster %s --install`", b.component.Name, name, b.cluster.Name))
		}
	}
	b.matchManifests(len(names) == 0)
}

func (b *deploymentBuilder) matchManifests(wanted bool) {
	switch {
	case wanted && b.pin.Manifests == nil:
		b.find(RulePinManifests, []string{"spec"}, fmt.Sprintf("component %q is one of plain manifests, and the pin names no version of them", b.component.Name),
			"write manifests: {version, digest}, or add releases to "+ComponentFile(b.component.Name))
	case !wanted && b.pin.Manifests != nil:
		b.find(RulePinManifests, []string{"spec", "manifests"}, fmt.Sprintf("component %q has releases and no manifests", b.component.Name), "remove manifests from the pin")
	case wanted && !b.repo.hasDir(ManifestsDir(b.component.Name, b.pin.Manifests.Version)):
		b.find(RulePinManifests, []string{"spec", "manifests", "version"},
			fmt.Sprintf("there is no folder %s", ManifestsDir(b.component.Name, b.pin.Manifests.Version)),
			fmt.Sprintf("fetch that version with `tfgitops component vendor %s %s URL`, or pin one that is there", b.component.Name, b.pin.Manifests.Version))
	}
}

func (b *deploymentBuilder) release(declared v1alpha1.Release, pinned v1alpha1.PinnedRelease) Release {
	release := Release{Release: declared, Version: pinned.Version, Digest: pinned.Digest}
	if release.Chart == "" {
		release.Chart = declared.Name
	}
	release.ReleaseSettings = b.settings(declared)
	if release.Namespace == "" {
		b.findIn(ComponentFile(b.component.Name), RuleMissingNamespace, b.releasePath(declared.Name, "name"),
			fmt.Sprintf("the release %q has no namespace", declared.Name), "write namespace: for the release or for the component")
	}
	release.Source = b.source(release)
	release.Values = MergeValues(b.component.Values[declared.Name], b.pin.Values[declared.Name], b.cluster.Values[declared.Name])
	release.Images = b.images(declared, release.Source)
	release.After = b.repo.releasesBefore(b.component, declared)
	b.checkTargets(release)
	return release
}

func (b *deploymentBuilder) findIn(file, rule string, path []string, message, help string) {
	b.findings = append(b.findings, at(b.repo.fsys, rule, file, path, message, help))
}

// releasePath leads to a field of a release in the component's file.
func (b *deploymentBuilder) releasePath(release, field string) []string {
	return releasePath(b.component, release, field)
}

func releasePath(c *Component, release, field string) []string {
	index := slices.Index(c.ReleaseNames(), release)
	return []string{"spec", "releases", fmt.Sprint(index), field}
}

// settings applies, in this order: the cluster's override, the release, the component, tfgitops.yaml, our defaults.
func (b *deploymentBuilder) settings(declared v1alpha1.Release) v1alpha1.ReleaseSettings {
	settings := overlaySettings(declared.ReleaseSettings, b.cluster.Releases[declared.Name])
	defaults := b.repo.Spec.ReleaseDefaults
	settings.Interval = settings.Interval.Or(b.component.Interval).Or(defaults.Interval).Or(defaultInterval)
	settings.Timeout = settings.Timeout.Or(b.component.Timeout).Or(defaults.Timeout).Or(defaultTimeout)
	settings.Namespace = or(settings.Namespace, b.component.Namespace)
	settings.CRDs = or(settings.CRDs, v1alpha1.CRDsCreate)
	settings.Remediation = or(settings.Remediation, v1alpha1.RemediationRetry)
	return settings
}

// overlaySettings replaces each field of base that over sets; an empty list sets its field too.
func overlaySettings(base, over v1alpha1.ReleaseSettings) v1alpha1.ReleaseSettings {
	if over.Suspend == nil {
		over.Suspend = base.Suspend
	}
	if over.ValuesFrom == nil {
		over.ValuesFrom = base.ValuesFrom
	}
	return v1alpha1.ReleaseSettings{
		Repository:  or(over.Repository, base.Repository),
		Namespace:   or(over.Namespace, base.Namespace),
		Timeout:     or(over.Timeout, base.Timeout),
		Interval:    or(over.Interval, base.Interval),
		Suspend:     over.Suspend,
		CRDs:        or(over.CRDs, base.CRDs),
		Remediation: or(over.Remediation, base.Remediation),
		KubeVersion: or(over.KubeVersion, base.KubeVersion),
		ValuesFrom:  over.ValuesFrom,
	}
}

func isOCI(url string) bool { return strings.HasPrefix(url, "oci://") }

func or[T comparable](value, otherwise T) T {
	var none T
	if value != none {
		return value
	}
	return otherwise
}

// source returns the chart repository of a release as the cluster has it.
func (b *deploymentBuilder) source(release Release) v1alpha1.Repository {
	source, known := b.repo.Repository(b.cluster, release.Repository)
	if b.repo.broken {
		return source // tfgitops.yaml's own findings say why
	}
	if !known || source.URL == "" {
		file, path := b.whereRepositoryIsNamed(release.Name)
		b.findIn(file, RuleUnknownRepository, path,
			fmt.Sprintf("the release %q names the chart repository %q, which %s does not have%s", release.Name, release.Repository, RootFile,
				strictyaml.Suggest(release.Repository, slices.Sorted(maps.Keys(b.repo.Spec.Repositories)))),
			"write repository: with a name from "+RootFile+", or add it there")
		return source
	}
	if source.Pinning == v1alpha1.PinningDigest && isOCI(source.URL) && release.Digest == "" {
		b.find(RuleMissingDigest, []string{"spec", "releases", release.Name},
			fmt.Sprintf("the repository %q pins by digest, and the pin of release %q has none", release.Repository, release.Name),
			fmt.Sprintf("look it up with `tfgitops bump %s/%s %s --cluster %s`", b.component.Name, release.Name, release.Version, b.cluster.Name))
	}
	return source
}

func (b *deploymentBuilder) whereRepositoryIsNamed(release string) (file string, path []string) {
	if b.cluster.Releases[release].Repository != "" {
		return ClusterFile(b.cluster.Name), []string{"spec", "releases", release, "repository"}
	}
	return ComponentFile(b.component.Name), b.releasePath(release, "repository")
}

// Repository returns a chart repository as a cluster has it: that of tfgitops.yaml, overridden field by field.
func (r *Repo) Repository(cluster *Cluster, name string) (v1alpha1.Repository, bool) {
	base, known := r.Spec.Repositories[name]
	over, overridden := cluster.Repositories[name]
	return v1alpha1.Repository{
		URL:            strings.TrimSuffix(or(over.URL, base.URL), "/"),
		VersionPattern: or(over.VersionPattern, base.VersionPattern),
		Insecure:       or(over.Insecure, base.Insecure),
		SecretRef:      or(over.SecretRef, base.SecretRef),
		CertSecretRef:  or(over.CertSecretRef, base.CertSecretRef),
		Provider:       or(over.Provider, base.Provider),
		Pinning:        or(or(over.Pinning, base.Pinning), v1alpha1.PinningVersion),
		Verify:         or(over.Verify, base.Verify),
	}, known || overridden
}

// images returns the pinned images that the release declares, as they are named on this cluster.
func (b *deploymentBuilder) images(declared v1alpha1.Release, source v1alpha1.Repository) []v1alpha1.PinnedImage {
	var images []v1alpha1.PinnedImage
	for _, image := range declared.Images {
		name := ImageName(image.Name, source.URL)
		i := slices.IndexFunc(b.pin.Images, func(p v1alpha1.PinnedImage) bool { return p.Name == name })
		if i >= 0 {
			images = append(images, b.pin.Images[i])
		}
	}
	return images
}

// ImageName returns an image's name with its registry. A name whose first part is no host (it has no dot or colon) is in
// the registry of the chart repository, as in Docker's reference grammar.
func ImageName(name, repositoryURL string) string {
	first, _, nested := strings.Cut(name, "/")
	if nested && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return name
	}
	_, registry, _ := strings.Cut(repositoryURL, "://")
	host, _, _ := strings.Cut(registry, "/")
	return path.Join(host, name)
}

// releasesBefore returns the releases that must be ready before this one: those that it names in its own component, and
// every release of the components that the component depends on.
func (r *Repo) releasesBefore(component *Component, release v1alpha1.Release) []string {
	before := slices.Clone(release.DependsOn)
	for _, name := range component.DependsOn {
		if dependency := r.Components[name]; dependency != nil {
			before = append(before, dependency.ReleaseNames()...)
		}
	}
	slices.Sort(before)
	return slices.Compact(before)
}

// checkTargets finds values that are written inline where a value from a Secret or ConfigMap is to go: Helm takes the
// inline one, in silence.
func (b *deploymentBuilder) checkTargets(release Release) {
	for _, from := range release.ValuesFrom {
		if from.TargetPath == "" || !hasValue(release.Values, targetKeys(from)) {
			continue
		}
		file, path := b.whereValueIs(release.Name, targetKeys(from))
		finding := at(b.repo.fsys, RuleInlineTarget, file, path,
			fmt.Sprintf("the value %s of release %q stands here and also comes from %s %s: the one written here would win", from.TargetPath, release.Name, from.Kind, from.Name),
			"remove it here, or remove the targetPath from valuesFrom (per cluster: releases in cluster.yaml)")
		finding.Source = "" // it may be a password
		b.findings = append(b.findings, finding)
	}
}

func (b *deploymentBuilder) whereValueIs(release string, keys []string) (file string, path []string) {
	switch {
	case hasValue(b.cluster.Values[release], keys):
		return ClusterValuesFile(b.cluster.Name, release), keys
	case hasValue(b.pin.Values[release], keys):
		return b.file, append([]string{"spec", "releases", release, "values"}, keys...)
	default:
		return ComponentValuesFile(b.component.Name, release), keys
	}
}

// targetKeys splits a target path as Helm's --set parser does, as far as mappings go: a dot separates, unless a
// backslash escapes it; what follows a list index is not looked at.
func targetKeys(from meta.ValuesReference) []string {
	var keys []string
	var key strings.Builder
	escaped := false
	for _, r := range from.TargetPath {
		switch {
		case escaped:
			key.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '[':
			return append(keys, key.String())
		case r == '.':
			keys = append(keys, key.String())
			key.Reset()
		default:
			key.WriteRune(r)
		}
	}
	return append(keys, key.String())
}

// hasValue reports whether something other than a mapping on the way stands at keys: a value set there, or one above it
// that is no mapping.
func hasValue(values Values, keys []string) bool {
	var at any = values
	for _, key := range keys {
		mapping, isMap := at.(map[string]any)
		if !isMap {
			return at != nil
		}
		next, set := mapping[key]
		if !set {
			return false
		}
		at = next
	}
	return true
}
