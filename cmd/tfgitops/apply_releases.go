package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// releases are what apply works on.
type releases struct {
	cluster *control.Cluster
	// list is in the order of dependencies.
	list []deployed
	// namespaces are those that the overlay builds.
	namespaces []map[string]any
}

// deployed is one release as the control repo says it, and as the overlay builds it.
type deployed struct {
	control.Release
	component string
	object    *helmv2.HelmRelease
}

// findReleases finds the releases of COMPONENT[/RELEASE]… in what Flux applies to a cluster.
func findReleases(ctx context.Context, fsys fs.FS, clusterName string, args []string) (*releases, error) {
	repo, findings := control.Load(ctx, fsys, control.Only{Clusters: []string{clusterName}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	stale, err := render.PlanRepo(ctx, repo)
	if err != nil {
		return nil, err
	}
	if len(stale) > 0 {
		return nil, fmt.Errorf("%s is not as rendered: run `tfgitops render` first, so that what is applied is what Flux would apply", stale[0].Path)
	}
	built, err := overlay.Build(ctx, fsys, control.ClusterDir(clusterName))
	if err != nil {
		return nil, err
	}
	found := &releases{cluster: repo.Clusters[clusterName]}
	for _, object := range built.Objects {
		if object.Kind() == "Namespace" && object.APIVersion() == "v1" {
			found.namespaces = append(found.namespaces, object.Content)
		}
	}
	for _, arg := range args {
		if err := found.add(repo, built, arg); err != nil {
			return nil, err
		}
	}
	return found, found.sort()
}

// add adds the releases that one argument names.
func (f *releases) add(repo *control.Repo, built *overlay.Result, arg string) error {
	component, release, one := strings.Cut(arg, "/")
	if f.cluster.Pins[component] == nil {
		return usageError{fmt.Errorf("%q is not pinned on %s: it has %s; `tfgitops bump %s REVISION --cluster %s --install` pins it", component, f.cluster.Name, strings.Join(f.cluster.PinnedComponents(), ", "), component, f.cluster.Name)}
	}
	deployment, findings := repo.Deployment(f.cluster.Name, component)
	if err := findings.Err(); err != nil {
		return err
	}
	if deployment.ManifestsDir != "" {
		return usageError{fmt.Errorf("%q is of plain manifests, which Helm has no part in: `kubectl apply --server-side -k %s`", component, deployment.ManifestsDir)}
	}
	added := false
	for _, r := range deployment.Releases {
		if one && r.Name != release || slices.ContainsFunc(f.list, func(d deployed) bool { return d.Name == r.Name }) {
			continue
		}
		object, err := builtRelease(built, f.cluster, r.Name)
		if err != nil {
			return err
		}
		f.list = append(f.list, deployed{r, component, object})
		added = true
	}
	if one && !added && !slices.ContainsFunc(f.list, func(d deployed) bool { return d.Name == release }) {
		return usageError{fmt.Errorf("component %q has no release %q: it has %s", component, release, strings.Join(deployment.Component.ReleaseNames(), ", "))}
	}
	return nil
}

// builtRelease is a HelmRelease with all that the overlay's patches did to it.
func builtRelease(built *overlay.Result, cluster *control.Cluster, name string) (*helmv2.HelmRelease, error) {
	for _, object := range built.Objects {
		if object.Kind() != helmv2.HelmReleaseKind || object.Name() != name || object.Namespace() != cluster.FluxNamespaceName() {
			continue
		}
		release := &helmv2.HelmRelease{}
		if err := json.Unmarshal(object.JSON(), release); err != nil {
			return nil, fmt.Errorf("HelmRelease %q of %s cannot be read", name, control.OverlayFile(cluster.Name)) // the cause may quote values
		}
		return release, nil
	}
	return nil, fmt.Errorf("the overlay %s builds no HelmRelease %q in %s", control.OverlayFile(cluster.Name), name, cluster.FluxNamespaceName())
}

var errCycle = errors.New("the releases depend on each other in a circle")

// sort brings each release behind those that it depends on, and leaves the rest as it was asked for.
func (f *releases) sort() error {
	var sorted []deployed
	left := slices.Clone(f.list)
	for len(left) > 0 {
		ready := slices.IndexFunc(left, func(d deployed) bool {
			return !slices.ContainsFunc(left, func(other deployed) bool { return dependsOn(d.object, other.object) })
		})
		if ready < 0 {
			return errCycle
		}
		sorted = append(sorted, left[ready])
		left = slices.Delete(left, ready, ready+1)
	}
	f.list = sorted
	return nil
}

func dependsOn(a, b *helmv2.HelmRelease) bool {
	return slices.ContainsFunc(a.Spec.DependsOn, func(d helmv2.DependencyReference) bool {
		return d.Name == b.Name && (d.Namespace == "" || d.Namespace == b.Namespace)
	})
}

// application gets the chart of a release: the pinned one, another version, or that of a folder.
func (o *options) application(ctx context.Context, f *applyFlags, found *releases, one *deployed) (chart.Application, error) {
	application := chart.Application{Release: one.object, Namespaces: found.namespaces}
	if (f.version != "" || f.chartDir != "") && len(found.list) > 1 {
		return application, usageError{fmt.Errorf("--version and --chart are for one release: write one COMPONENT/RELEASE")}
	}
	if f.chartDir != "" {
		local, err := localChart(f.chartDir, one.Chart)
		application.Chart = local
		return application, err
	}
	ref := artifact.ChartRef{Name: one.Chart, Version: one.Version, Digest: one.Digest}
	if f.version != "" {
		ref.Version, ref.Digest = f.version, ""
	}
	repository := artifact.Repository{URL: one.Source.URL, Insecure: one.Source.Insecure != nil && *one.Source.Insecure}
	published, err := o.charts(f.offline).Chart(ctx, repository, ref)
	if err != nil {
		return application, err
	}
	application.SourceRevision = published.Digest
	application.Chart, err = chart.Load(published.Archive, chart.Limits{})
	return application, err
}

func localChart(dir, want string) (*chart.Chart, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the chart: %w", err)
	}
	defer root.Close()
	found, err := chart.LoadDir(root.FS(), chart.Limits{})
	if err != nil {
		return nil, fmt.Errorf("the chart in %s: %w", dir, err)
	}
	if found.Name() != want {
		return nil, usageError{fmt.Errorf("the chart in %s is %q, and the release's is %q", dir, found.Name(), want)}
	}
	return found.Local()
}

// mainBranch is the name of the main branch: the remote's, where it is known.
func mainBranch(ctx context.Context, repo *gitrepo.Repo) (string, error) {
	for _, branch := range mainBranches {
		_, err := repo.Resolve(ctx, branch)
		if err == nil {
			return branch, nil
		}
		if !errors.Is(err, gitrepo.ErrUnknownRevision) {
			return "", err
		}
	}
	return "", usageError{fmt.Errorf("there is no main branch (%s): fetch it first", strings.Join(mainBranches, ", "))}
}
