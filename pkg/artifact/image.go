package artifact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// ImageQuery asks about one container image.
type ImageQuery struct {
	// Ref is as in a pod: host/path/image:tag or …@sha256:….
	Ref string
	// Platforms that it must have: linux/amd64, linux/arm64/v8.
	Platforms []string
	// Insecure asks in plain HTTP.
	Insecure bool
}

// Image is a container image in a registry.
type Image struct {
	Ref string
	// Digest is of what Ref names: the index of a multi-platform image, else the manifest.
	Digest string
	// Platforms are those it has, sorted.
	Platforms []string
}

// PlatformError says which platforms an image lacks. It is ErrPlatform.
type PlatformError struct {
	Ref     string
	Missing []string
	Present []string
}

// Error names both lists.
func (e *PlatformError) Error() string {
	present := "none"
	if len(e.Present) > 0 {
		present = strings.Join(e.Present, ", ")
	}
	return fmt.Sprintf("image %q %v: %s; it has %s", e.Ref, ErrPlatform, strings.Join(e.Missing, ", "), present)
}

// Unwrap gives ErrPlatform.
func (e *PlatformError) Unwrap() error { return ErrPlatform }

// Image looks an image up and checks that it can run on every platform asked for: an index must list the platform and its
// registry must have what the index points to (garbage collectors have removed that), a single image's config must name it.
func (c *Client) Image(ctx context.Context, q ImageQuery) (Image, error) {
	ref, err := imageReference(q)
	if err != nil {
		return Image{}, err
	}
	if c.options.Offline {
		return Image{}, c.offline("looking up an image", q.Ref)
	}
	puller, err := c.puller(ref.Context().Registry, q.Insecure)
	if err != nil {
		return Image{}, err
	}
	return lookUp(ctx, puller, ref, q)
}

// imageReference reads what a pod may say, with the same defaults (docker.io, latest) as a container runtime.
func imageReference(q ImageQuery) (name.Reference, error) {
	var options []name.Option
	if q.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(q.Ref, options...)
	if err != nil {
		return nil, invalid("looking up an image", q.Ref, "%s; write host/path/image:tag", oneLine(err.Error()))
	}
	return ref, nil
}

func lookUp(ctx context.Context, puller *remote.Puller, ref name.Reference, q ImageQuery) (Image, error) {
	const op = "looking up an image"
	got, err := puller.Get(ctx, ref)
	if err != nil {
		return Image{}, failure(ctx, op, q.Ref, err)
	}
	found, err := platforms(got)
	if err != nil {
		return Image{}, platformFailure(ctx, op, q.Ref, err)
	}
	image := Image{Ref: q.Ref, Digest: got.Digest.String()}
	for _, p := range found {
		image.Platforms = append(image.Platforms, p.String())
	}
	slices.Sort(image.Platforms)
	image.Platforms = slices.Compact(image.Platforms)
	if missing := lacking(found, q.Platforms); len(missing) > 0 {
		return image, &PlatformError{Ref: q.Ref, Missing: missing, Present: image.Platforms}
	}
	return image, checkChildren(ctx, puller, ref, q, found)
}

// platformFailure keeps "the image is not what it has to be" apart from "could not ask".
func platformFailure(ctx context.Context, op, ref string, err error) error {
	if errors.Is(err, errNoImage) {
		return invalid(op, ref, "%v", err)
	}
	return failure(ctx, op, ref, err)
}

var errNoImage = errors.New("it is no container image")

// platform is one platform an image has, and where an index points for it.
type platform struct {
	os, architecture, variant string
	child                     *v1.Hash
}

func (p platform) String() string {
	text := p.os + "/" + p.architecture
	if p.variant != "" {
		text += "/" + p.variant
	}
	return text
}

// serves tells whether the platform is the wanted one; a wanted platform without a variant accepts each.
func (p platform) serves(want string) bool {
	return want == p.os+"/"+p.architecture || want == p.String()
}

func platforms(got *remote.Descriptor) ([]platform, error) {
	if got.MediaType.IsIndex() {
		return indexPlatforms(got)
	}
	if got.MediaType.IsImage() {
		return configPlatform(got)
	}
	return nil, fmt.Errorf("%w: media type %q", errNoImage, got.MediaType)
}

// maxChildren bounds an index; each declared platform costs a request.
const maxChildren = 500

// indexPlatforms leaves out attestations, which build tools list as unknown/unknown.
func indexPlatforms(got *remote.Descriptor) ([]platform, error) {
	index, err := got.ImageIndex()
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) > maxChildren {
		return nil, fmt.Errorf("%w: its index cannot be read or has more than %d entries", errNoImage, maxChildren)
	}
	var found []platform
	for _, child := range manifest.Manifests {
		if p := child.Platform; p != nil && p.OS != "" && p.OS != "unknown" {
			found = append(found, platform{os: p.OS, architecture: p.Architecture, variant: p.Variant, child: &child.Digest})
		}
	}
	return found, nil
}

// maxConfig bounds an image's config, which is read whole.
const maxConfig = 8 * mib

func configPlatform(got *remote.Descriptor) ([]platform, error) {
	image, err := got.Image()
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil || !manifest.Config.MediaType.IsConfig() || manifest.Config.Size > maxConfig {
		return nil, fmt.Errorf("%w: it has no readable image config", errNoImage)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	if config.OS == "" || config.Architecture == "" {
		return nil, fmt.Errorf("%w: its config names no platform", errNoImage)
	}
	return []platform{{os: config.OS, architecture: config.Architecture, variant: config.Variant}}, nil
}

func lacking(found []platform, wanted []string) []string {
	var missing []string
	for _, want := range wanted {
		if !slices.ContainsFunc(found, func(p platform) bool { return p.serves(want) }) {
			missing = append(missing, want)
		}
	}
	return missing
}

// checkChildren asks for what the index points to on each wanted platform.
func checkChildren(ctx context.Context, puller *remote.Puller, ref name.Reference, q ImageQuery, found []platform) error {
	for _, p := range found {
		wanted := slices.ContainsFunc(q.Platforms, p.serves)
		if p.child == nil || !wanted {
			continue
		}
		if _, err := manifestDigest(ctx, puller, ref.Context().Digest(p.child.String())); err != nil {
			return failure(ctx, "looking up the "+p.String()+" part of an image", q.Ref, err)
		}
	}
	return nil
}
