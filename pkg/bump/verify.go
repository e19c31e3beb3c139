package bump

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// verify checks each changed pin in its cluster's own registry: the chart is there and is what it is published as, it
// renders with that cluster's values, and every image that it then names is there for the declared platforms.
func (w *planning) verify(ctx context.Context) error {
	for _, change := range w.plan.Changed() {
		for _, name := range releaseNames(change.New) {
			if change.Old != nil && sameRelease(change.Old.Releases[name], change.New.Releases[name]) {
				continue
			}
			if err := w.verifyRelease(ctx, change, name); err != nil {
				return fmt.Errorf("cluster %q: release %q: %w", change.Cluster, name, err)
			}
		}
	}
	return nil
}

func sameRelease(a, b v1alpha1.PinnedRelease) bool {
	of := func(r v1alpha1.PinnedRelease) *v1alpha1.PinSpec {
		return &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"": r}}
	}
	return samePin(of(a), of(b))
}

func (w *planning) verifyRelease(ctx context.Context, change Change, name string) error {
	release, _ := w.component.Release(name)
	chartName, source := w.chartSource(release, change.Cluster)
	pinned := change.New.Releases[name]
	w.progress(fmt.Sprintf("reading %s for %s", registryOf(source).Ref(chartName, pinned.Version), change.Cluster))
	published, err := w.Registries.Chart(ctx, registryOf(source), artifact.ChartRef{Name: chartName, Version: pinned.Version, Digest: pinned.Digest})
	if couldNotAsk(err) {
		w.couldNotAsk(change.Cluster, "what is in chart "+chartName+" and which images it needs", err)
		return nil
	}
	if err != nil {
		return err
	}
	if w.followsSource(release, change.Cluster) {
		if err := verifyCommit(change, published); err != nil {
			return err
		}
	}
	images, err := w.expandImages(ctx, change, name, published)
	if err != nil {
		return err
	}
	return w.verifyImages(ctx, change.Cluster, release, source, images)
}

// verifyCommit holds the commit that the chart says it was built from against the pin's, which may thereby get all its
// digits.
func verifyCommit(change Change, published *artifact.Chart) error {
	if change.New.Commit == "" {
		return nil
	}
	if _, err := published.CheckCommit(change.New.Commit); err != nil {
		return err
	}
	if stated := published.Annotations[artifact.AnnotationRevision]; len(stated) == 40 && strings.HasPrefix(stated, change.New.Commit) {
		change.New.Commit = stated
	}
	return nil
}

// expandImages renders the chart as the cluster's Flux would, and returns the images that it names.
func (w *planning) expandImages(ctx context.Context, change Change, name string, published *artifact.Chart) ([]string, error) {
	archive, err := chart.Load(published.Archive, chart.Limits{})
	if err != nil {
		return nil, err
	}
	repo, err := w.staged(ctx)
	if err != nil {
		return nil, err
	}
	deployment, findings := repo.Deployment(change.Cluster, w.component.Name)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(deployment.Releases, func(r control.Release) bool { return r.Name == name })
	object, err := render.HelmRelease(*deployment, deployment.Releases[i])
	if err != nil {
		return nil, err
	}
	expansion, err := chart.Expand(ctx, chart.Input{
		Release: object, Chart: archive, SourceRevision: published.Digest, Placeholders: true, Upgrade: change.Old != nil,
		Capabilities: chart.Capabilities{KubeVersion: deployment.Cluster.KubeVersion, APIVersions: deployment.Cluster.APIVersions},
	})
	if err != nil {
		return nil, fmt.Errorf("the chart does not render with this cluster's values: %w (give values that belong to the new version with --values FILE)", err)
	}
	for _, warning := range expansion.Warnings {
		w.plan.say(fmt.Sprintf("%s on %s: %s", name, change.Cluster, warning))
	}
	var images []string
	for _, image := range expansion.Images {
		images = append(images, image.Image)
	}
	slices.Sort(images)
	return slices.Compact(images), nil
}

// staged loads the component with every changed pin, once.
func (w *planning) staged(ctx context.Context) (*control.Repo, error) {
	if w.stagedRepo != nil {
		return w.stagedRepo, nil
	}
	pins, only := map[string][]byte{}, control.Only{Components: []string{w.component.Name}}
	for _, change := range w.plan.Changed() {
		file := control.PinFile(change.Cluster, w.component.Name)
		content, err := EncodePin(file, w.component.Name, change.New, nil)
		if err != nil {
			return nil, err
		}
		pins[file] = content
		only.Clusters = append(only.Clusters, change.Cluster)
	}
	repo, findings := control.Load(ctx, stagedfs.New(w.repo.FS(), pins), only)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	w.stagedRepo = repo
	return repo, nil
}

// maxLookups is how many images are asked for at a time.
const maxLookups = 8

func (w *planning) verifyImages(ctx context.Context, cluster string, release v1alpha1.Release, source v1alpha1.Repository, images []string) error {
	errs := make([]error, len(images))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxLookups)
	for i, image := range images {
		group.Go(func() error {
			query := artifact.ImageQuery{Ref: image, Platforms: release.Platforms, Insecure: insecure(source) && strings.HasPrefix(image, control.ImageName("", source.URL)+"/")}
			_, errs[i] = w.Registries.Image(ctx, query)
			return nil
		})
	}
	_ = group.Wait() // the functions return nothing: each image has its own error
	var wrong []error
	for i, err := range errs {
		switch {
		case err == nil:
		case couldNotAsk(err):
			w.couldNotAsk(cluster, "for the image "+images[i], err)
		default:
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}
