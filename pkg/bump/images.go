package bump

import (
	"context"
	"fmt"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// imageName is what a declared image is called on a cluster.
func (w *planning) imageName(release v1alpha1.Release, declared, cluster string) string {
	_, source := w.chartSource(release, cluster)
	return control.ImageName(declared, source.URL)
}

// pinImage pins a declared image by the digest that the cluster's registry has under a tag. Where the registry could not be
// asked, a digest of the very same image and tag stays; any other would deploy the wrong one, so that the image is left to
// the chart.
func (w *planning) pinImage(ctx context.Context, pin *v1alpha1.PinSpec, release v1alpha1.Release, declared, tag, cluster string) error {
	_, source := w.chartSource(release, cluster)
	name := w.imageName(release, declared, cluster)
	found, err := w.Registries.Image(ctx, artifact.ImageQuery{Ref: name + ":" + tag, Platforms: release.Platforms, Insecure: insecure(source)})
	i := slices.IndexFunc(pin.Images, func(image v1alpha1.PinnedImage) bool { return image.Name == name })
	switch {
	case err == nil && i < 0:
		pin.Images = append(pin.Images, v1alpha1.PinnedImage{Name: name, Tag: tag, Digest: found.Digest})
	case err == nil:
		pin.Images[i] = v1alpha1.PinnedImage{Name: name, Tag: tag, Digest: found.Digest}
	case !couldNotAsk(err):
		return fmt.Errorf("cluster %q: image %s:%s is to be pinned by digest: %w", cluster, name, tag, err)
	case i >= 0 && pin.Images[i].Tag == tag:
		w.couldNotAsk(cluster, fmt.Sprintf("whether image %s:%s still has the pinned digest", name, tag), err)
	default:
		w.couldNotAsk(cluster, fmt.Sprintf("for the digest of image %s:%s (left to the chart)", name, tag), err)
		pin.Images = slices.DeleteFunc(pin.Images, func(image v1alpha1.PinnedImage) bool { return image.Name == name })
	}
	return nil
}

// declaredImages leaves out images that no release declares any more.
func (w *planning) declaredImages(images []v1alpha1.PinnedImage, cluster string) []v1alpha1.PinnedImage {
	return slices.DeleteFunc(slices.Clone(images), func(image v1alpha1.PinnedImage) bool {
		return !slices.ContainsFunc(w.component.Releases, func(release v1alpha1.Release) bool {
			return slices.ContainsFunc(release.Images, func(declared v1alpha1.Image) bool {
				return w.imageName(release, declared.Name, cluster) == image.Name
			})
		})
	})
}
