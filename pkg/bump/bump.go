package bump

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// bump pins the revision that was asked for, on the first stage unless the request says otherwise.
func (w *planning) bump(ctx context.Context) error {
	names, err := clustersOf(w.repo, w.plan.Request.Scope, firstStage(w.repo))
	if err != nil {
		return err
	}
	if names, err = w.plan.installed(w.repo, names); err != nil {
		return err
	}
	if len(w.component.Releases) == 0 {
		return w.bumpManifests(names)
	}
	release, err := w.chooseRelease(names)
	if err != nil {
		return err
	}
	return w.bumpRelease(ctx, release, names)
}

// chooseRelease returns the release that a revision is for: the one that was named, the only one, or the only one that
// follows the component's source.
func (w *planning) chooseRelease(clusters []string) (v1alpha1.Release, error) {
	names := w.component.ReleaseNames()
	if name := w.plan.Request.Release; name != "" {
		release, known := w.component.Release(name)
		if !known {
			return release, usagef("component %q has no release %q: it has %s", w.component.Name, name, strings.Join(names, ", "))
		}
		return release, nil
	}
	if len(names) == 1 {
		return w.component.Releases[0], nil
	}
	var following []v1alpha1.Release
	for _, release := range w.component.Releases {
		if w.followsSource(release, clusters[0]) {
			following = append(following, release)
		}
	}
	if len(following) == 1 {
		return following[0], nil
	}
	return v1alpha1.Release{}, usagef("component %q has several releases: write %s/RELEASE with one of %s", w.component.Name, w.component.Name, strings.Join(names, ", "))
}

// followsSource reports whether the release's versions are made from commits of the component's source.
func (w *planning) followsSource(release v1alpha1.Release, cluster string) bool {
	_, source := w.chartSource(release, cluster)
	return w.component.Source != nil && (source.VersionPattern != "" || release.VersionTemplate != "")
}

// chartSource returns the chart's name and its repository as a cluster has it.
func (w *planning) chartSource(release v1alpha1.Release, clusterName string) (string, v1alpha1.Repository) {
	cluster := w.repo.Clusters[clusterName]
	name := cmp.Or(cluster.Releases[release.Name].Repository, release.Repository)
	source, _ := w.repo.Repository(cluster, name)
	return cmp.Or(release.Chart, release.Name), source
}

func (w *planning) bumpRelease(ctx context.Context, release v1alpha1.Release, clusters []string) error {
	build, err := w.resolve(ctx, release, clusters)
	switch {
	case errors.Is(err, artifact.ErrMissing):
		return w.namingOthers(err, release)
	case couldNotAsk(err):
		return fmt.Errorf("%w; where it must be now, a whole version goes without: tfgitops bump %s VERSION --override %s --reason TEXT", err, w.component.Name, RuleUnverified)
	case err != nil:
		return err
	}
	for _, cluster := range clusters {
		change, err := w.bumpCluster(ctx, release, build, cluster)
		if err != nil {
			return err
		}
		w.change(change)
	}
	return w.verify(ctx)
}

// namingOthers adds to an error about a release that nobody named which others there are.
func (w *planning) namingOthers(err error, release v1alpha1.Release) error {
	if w.plan.Request.Release != "" || len(w.component.Releases) == 1 {
		return err
	}
	others := slices.DeleteFunc(w.component.ReleaseNames(), func(name string) bool { return name == release.Name })
	return fmt.Errorf("%w; release %q was asked for, which follows the component's source: for another write %s/RELEASE with one of %s", err, release.Name, w.component.Name, strings.Join(others, ", "))
}

// build is what a revision means: one version of a chart, and the commit that it was built from, as far as it is known.
type build struct {
	version string
	commit  string
}

// resolve finds the version in the registry of the first cluster; the others must have that very version.
func (w *planning) resolve(ctx context.Context, release v1alpha1.Release, clusters []string) (build, error) {
	revision, err := artifact.ParseRevision(w.plan.Request.Revision)
	if err != nil {
		return build{}, usage{err}
	}
	if revision.Kind == artifact.KindCommit && w.followsSource(release, clusters[0]) {
		w.fetchAhead(ctx, revision.Text)
	}
	if release.VersionTemplate != "" && revision.Kind == artifact.KindCommit {
		return w.fromTemplate(ctx, release, revision.Text)
	}
	chart, source := w.chartSource(release, clusters[0])
	pattern, err := artifact.CompilePattern(source.VersionPattern)
	if err != nil {
		return build{}, err
	}
	query := artifact.Query{Chart: chart, Revision: revision, Pattern: pattern, AllowUnmerged: w.allowUnmerged(clusters)}
	w.progress(fmt.Sprintf("looking for %s %s in %s", chart, w.plan.Request.Revision, registryOf(source)))
	wait := artifact.Wait{Timeout: w.plan.Request.Wait, Clock: w.Clock, Progress: func(why error, _ time.Duration) { w.progress("waiting: " + why.Error()) }}
	found, err := artifact.WaitFor(ctx, wait, func(ctx context.Context) (artifact.Resolution, error) {
		return w.Registries.Resolve(ctx, registryOf(source), query)
	})
	if couldNotAsk(err) && revision.Kind == artifact.KindVersion { // each cluster's own registry is asked for its digest
		return build{version: revision.Text, commit: control.CommitOf(revision.Text, source.VersionPattern)}, nil
	}
	if err != nil {
		return build{}, err
	}
	w.plan.say(found.Note())
	return build{version: found.Version.Version, commit: w.wholeCommit(ctx, found.Commit)}, nil
}

// fromTemplate makes the version from the commit, as the component's CI does.
func (w *planning) fromTemplate(ctx context.Context, release v1alpha1.Release, commit string) (build, error) {
	whole := w.wholeCommit(ctx, commit)
	version, err := expandTemplate(release.VersionTemplate, map[string]string{"commit": whole})
	if err != nil {
		return build{}, fmt.Errorf("release %q: versionTemplate: %w", release.Name, err)
	}
	return build{version: version, commit: whole}, nil
}

// wholeCommit returns all 40 digits of a commit where the component's source tells them, and what is known otherwise.
func (w *planning) wholeCommit(ctx context.Context, commit string) string {
	if commit == "" || len(commit) == 40 {
		return commit
	}
	source, _ := w.openSource() // checkAncestry says why it cannot be opened
	if source == nil {
		return commit
	}
	whole, err := source.Ensure(ctx, commit)
	if err != nil {
		return commit
	}
	return whole
}

// allowUnmerged reports whether builds of merge requests may go to all these clusters: those where people deploy by hand,
// and followers, which gate nothing.
func (w *planning) allowUnmerged(clusters []string) bool {
	return !slices.ContainsFunc(clusters, func(name string) bool {
		stage, gates := stagePosition(w.repo, name)
		return !w.repo.Clusters[name].AllowApply && (gates || stage < 0)
	})
}

// bumpCluster returns the change of one cluster's pin to a build of one release.
func (w *planning) bumpCluster(ctx context.Context, release v1alpha1.Release, b build, clusterName string) (Change, error) {
	if artifact.IsUnmerged(b.version) && !w.allowUnmerged([]string{clusterName}) {
		return Change{}, fmt.Errorf("%s %w: cluster %q takes only merged ones (allowApply: true in %s, or a follower in a stage, would allow it)", b.version, artifact.ErrUnmerged, clusterName, control.ClusterFile(clusterName))
	}
	old := w.oldPin(clusterName)
	next := clonePin(old)
	if next.Releases == nil {
		next.Releases = map[string]v1alpha1.PinnedRelease{}
	}
	if values := w.plan.Request.Values; values != nil {
		next.Releases[release.Name] = v1alpha1.PinnedRelease{Values: rawValues(values)}
	}
	if b.commit != "" {
		next.Commit = b.commit
	}
	if old != nil && strings.HasPrefix(old.Commit, next.Commit) {
		next.Commit = old.Commit // the pin knew more digits than can be asked for now
	}
	if err := w.pinRelease(ctx, next, release, b, clusterName); err != nil {
		return Change{}, err
	}
	if err := w.fillReleases(ctx, next, clusterName); err != nil {
		return Change{}, err
	}
	next.Images = w.declaredImages(next.Images, clusterName)
	return Change{Cluster: clusterName, Old: old, New: next}, nil
}

// pinRelease pins one release to a build, with what the cluster's own registry has for it.
func (w *planning) pinRelease(ctx context.Context, pin *v1alpha1.PinSpec, release v1alpha1.Release, b build, cluster string) error {
	digest, err := w.digest(ctx, release, b.version, cluster)
	if err != nil {
		return err
	}
	pinned := pin.Releases[release.Name]
	pinned.Version, pinned.Digest = b.version, digest
	pin.Releases[release.Name] = pinned
	for _, declared := range release.Images {
		tag, err := expandTemplate(cmp.Or(declared.Tag, "{version}"), map[string]string{"version": b.version, "commit": b.commit})
		if err != nil {
			return fmt.Errorf("image %q of release %q: tag: %w", declared.Name, release.Name, err)
		}
		if err := w.pinImage(ctx, pin, release, declared.Name, tag, cluster); err != nil {
			return err
		}
	}
	return nil
}

// fillReleases pins what the component has and the pin does not, for Flux would uninstall it: to the version that another
// cluster runs, the first in the order of the stages, or else to the latest.
func (w *planning) fillReleases(ctx context.Context, pin *v1alpha1.PinSpec, cluster string) error {
	for _, release := range w.component.Releases {
		if _, there := pin.Releases[release.Name]; there {
			continue
		}
		b, why, err := w.elsewhere(ctx, release.Name, cluster)
		if err != nil {
			return err
		}
		if b.version == "" {
			found, err := w.latest(ctx, release, cluster)
			if err != nil {
				return fmt.Errorf("release %q is not pinned on %q yet, and needs a version: %w", release.Name, cluster, err)
			}
			b, why = found, "the latest"
		}
		if pin.Commit == "" && w.followsSource(release, cluster) {
			pin.Commit = b.commit
		}
		w.plan.say(fmt.Sprintf("release %s was not pinned on %s: pinned to %s, %s", release.Name, cluster, b.version, why))
		if err := w.pinRelease(ctx, pin, release, b, cluster); err != nil {
			return err
		}
	}
	return nil
}

func (w *planning) elsewhere(ctx context.Context, release, cluster string) (found build, why string, err error) {
	repo, findings := control.Load(ctx, w.repo.FS(), control.Only{Components: []string{w.component.Name}})
	if err := findings.Err(); err != nil {
		return build{}, "", err
	}
	for _, other := range inOrder(repo, repo.ClusterNames()) {
		if pin := repo.Clusters[other].Pins[w.component.Name]; other != cluster && pin != nil && pin.Releases[release].Version != "" {
			return build{version: pin.Releases[release].Version, commit: pin.Commit}, "as on " + other, nil
		}
	}
	return build{}, "", nil
}

func (w *planning) latest(ctx context.Context, release v1alpha1.Release, cluster string) (build, error) {
	chart, source := w.chartSource(release, cluster)
	pattern, err := artifact.CompilePattern(source.VersionPattern)
	if err != nil {
		return build{}, err
	}
	found, err := w.Registries.Resolve(ctx, registryOf(source), artifact.Query{Chart: chart, Revision: artifact.Revision{Kind: artifact.KindLatest, Text: "latest"}, Pattern: pattern})
	return build{version: found.Version.Version, commit: found.Commit}, err
}

func (w *planning) oldPin(cluster string) *v1alpha1.PinSpec {
	if pin := w.pin(cluster); pin != nil {
		return &pin.PinSpec
	}
	return nil
}

// digest looks the version up in the cluster's own registry. One that could not be asked leaves the digest of the same
// version that the pin had, if any.
func (w *planning) digest(ctx context.Context, release v1alpha1.Release, version, cluster string) (string, error) {
	chart, source := w.chartSource(release, cluster)
	repository := registryOf(source)
	w.progress(fmt.Sprintf("looking up %s for %s", repository.Ref(chart, version), cluster))
	digest, err := w.Registries.Digest(ctx, repository, chart, version)
	switch {
	case err == nil:
		return digest, nil
	case !repository.IsOCI() && errors.Is(err, artifact.ErrInvalid):
		w.plan.say(fmt.Sprintf("%s does not say the digest of %s %s: none is recorded", repository, chart, version))
		return "", nil
	case !couldNotAsk(err):
		return "", fmt.Errorf("cluster %q: %w", cluster, err)
	}
	w.couldNotAsk(cluster, fmt.Sprintf("whether %s is published", repository.Ref(chart, version)), err)
	if old := w.oldPin(cluster); old != nil && old.Releases[release.Name].Version == version {
		return old.Releases[release.Name].Digest, nil
	}
	return "", nil
}

// bumpManifests pins a version of plain manifests that is in the repo.
func (w *planning) bumpManifests(clusters []string) error {
	if w.plan.Request.Release != "" || w.plan.Request.Values != nil {
		return usagef("component %q is of plain manifests: it has no releases and takes no values", w.component.Name)
	}
	version, err := w.manifestsVersion(w.plan.Request.Revision)
	if err != nil {
		return err
	}
	digest, err := control.ManifestsDigest(w.repo.FS(), control.ManifestsDir(w.component.Name, version))
	if err != nil {
		return err
	}
	for _, cluster := range clusters {
		old := w.oldPin(cluster)
		next := clonePin(old)
		next.Manifests = &v1alpha1.PinnedManifests{Version: version, Digest: digest}
		w.change(Change{Cluster: cluster, Old: old, New: next})
	}
	return nil
}

func (w *planning) manifestsVersion(revision string) (string, error) {
	available := w.repo.ManifestVersions(w.component.Name)
	if slices.Contains(available, revision) {
		return revision, nil
	}
	if revision != "latest" || len(available) == 0 {
		return "", inapplicablef("component %q has no manifests of version %q: it has %v; `tfgitops component vendor %s VERSION URL` fetches one", w.component.Name, revision, available, w.component.Name)
	}
	return slices.MaxFunc(available, compareVersions), nil
}

// compareVersions orders semantic versions, with what is none before all that are.
func compareVersions(a, b string) int {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	switch {
	case errA == nil && errB == nil:
		return va.Compare(vb)
	case errA == nil:
		return 1
	case errB == nil:
		return -1
	default:
		return strings.Compare(a, b)
	}
}

// registryOf is a chart repository as pkg/artifact knows it.
func registryOf(source v1alpha1.Repository) artifact.Repository {
	return artifact.Repository{URL: source.URL, Insecure: insecure(source)}
}

func insecure(source v1alpha1.Repository) bool { return source.Insecure != nil && *source.Insecure }

// couldNotAsk reports whether an error leaves open if the thing exists.
func couldNotAsk(err error) bool {
	return errors.Is(err, artifact.ErrUnreachable) || errors.Is(err, artifact.ErrUnauthorized)
}

func rawValues(values control.Values) *apiextensionsv1.JSON {
	if len(values) == 0 {
		return nil
	}
	raw, err := json.Marshal(values)
	if err != nil {
		panic("values cannot be encoded: " + err.Error()) // they were decoded from JSON
	}
	return &apiextensionsv1.JSON{Raw: raw}
}

// expandTemplate fills {name} and {name:N}, the first N characters, in a version or tag template.
func expandTemplate(template string, values map[string]string) (string, error) {
	var out strings.Builder
	for rest := template; ; {
		before, after, open := strings.Cut(rest, "{")
		out.WriteString(before)
		if !open {
			return out.String(), nil
		}
		placeholder, next, closed := strings.Cut(after, "}")
		value, err := expandPlaceholder(placeholder, values)
		if !closed || err != nil {
			return "", fmt.Errorf("%q: %w", template, cmp.Or(err, errors.New("a { has no }")))
		}
		out.WriteString(value)
		rest = next
	}
}

func expandPlaceholder(placeholder string, values map[string]string) (string, error) {
	name, digits, shortened := strings.Cut(placeholder, ":")
	value, known := values[name]
	if !known {
		return "", fmt.Errorf("{%s} is not known: there are %v", placeholder, slices.Sorted(maps.Keys(values)))
	}
	if !shortened {
		return value, nil
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > len(value) {
		return "", fmt.Errorf("{%s}: %q has %d characters", placeholder, value, len(value))
	}
	return value[:n], nil
}
