package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The media types of a Helm chart in an OCI registry. The last is what Helm wrote before 3.7.
const (
	chartConfigType      types.MediaType = "application/vnd.cncf.helm.config.v1+json"
	chartLayerType       types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	chartLayerTypeLegacy types.MediaType = "application/tar+gzip"
)

func (c *Client) ociDigest(ctx context.Context, repo Repository, chart ChartRef) (string, error) {
	ref, err := ociReference(repo, chart)
	if err != nil {
		return "", err
	}
	puller, err := c.puller(ref.Context().Registry, repo.Insecure)
	if err != nil {
		return "", err
	}
	digest, err := manifestDigest(ctx, puller, ref)
	if err != nil {
		return "", failure(ctx, "reading a digest", repo.Ref(chart.Name, chart.Version), err)
	}
	return digest.String(), nil
}

// manifestDigest asks with HEAD. A HEAD answer has no body to say what is missing, and some registries do not answer HEAD
// properly: then GET decides.
func manifestDigest(ctx context.Context, puller *remote.Puller, ref name.Reference) (v1.Hash, error) {
	head, err := puller.Head(ctx, ref)
	if err == nil {
		return head.Digest, nil
	}
	if !getDecides(err) {
		return v1.Hash{}, err
	}
	manifest, err := puller.Get(ctx, ref)
	if err != nil {
		return v1.Hash{}, err
	}
	return manifest.Digest, nil
}

func getDecides(err error) bool {
	var network *url.Error
	if errors.As(err, &network) {
		return false
	}
	var answer *transport.Error
	return !errors.As(err, &answer) || errors.Is(statusOutcome(answer.StatusCode), ErrUnreachable) && !retryStatus[answer.StatusCode]
}

// ociReference is the tag or, where it is known, the digest.
func ociReference(repo Repository, ref ChartRef) (name.Reference, error) {
	oci, err := repo.oci(ref.Name)
	if err != nil {
		return nil, err
	}
	if ref.Digest != "" {
		if _, err := v1.NewHash(ref.Digest); err != nil {
			return nil, invalid("reading a chart", repo.Ref(ref.Name, ref.Version), "%q is no digest (sha256:…)", ref.Digest)
		}
		return oci.Digest(ref.Digest), nil
	}
	tag, err := VersionTag(ref.Version)
	if err != nil {
		return nil, err
	}
	return oci.Tag(tag), nil
}

func (c *Client) ociChart(ctx context.Context, repo Repository, ref ChartRef) (*Chart, error) {
	const op = "reading a chart"
	oci, err := ociReference(repo, ref)
	if err != nil {
		return nil, err
	}
	puller, err := c.puller(oci.Context().Registry, repo.Insecure)
	if err != nil {
		return nil, err
	}
	at := repo.Ref(ref.Name, ref.Version)
	got, err := puller.Get(ctx, oci)
	if err != nil {
		return nil, failure(ctx, op, at, err)
	}
	layer, annotations, err := chartLayer(got.Manifest)
	if err != nil {
		return nil, invalid(op, at, "%v", err)
	}
	archive, err := c.layer(ctx, puller, oci.Context(), layer, at)
	if err != nil {
		return nil, err
	}
	c.cacheBlob(got.Digest.String(), got.Manifest)
	return newChart(op, at, got.Digest.String(), annotations, archive)
}

// chartLayer finds the archive in a chart's manifest.
func chartLayer(manifest []byte) (v1.Descriptor, map[string]string, error) {
	parsed, err := v1.ParseManifest(bytes.NewReader(manifest))
	if err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("its manifest cannot be read: %w", err)
	}
	if parsed.Config.MediaType != chartConfigType {
		return v1.Descriptor{}, nil, fmt.Errorf("it is no Helm chart: its config is %q, not %q", parsed.Config.MediaType, chartConfigType)
	}
	i := slices.IndexFunc(parsed.Layers, func(l v1.Descriptor) bool {
		return l.MediaType == chartLayerType || l.MediaType == chartLayerTypeLegacy
	})
	if i < 0 {
		return v1.Descriptor{}, nil, fmt.Errorf("it has no layer of type %q", chartLayerType)
	}
	if size := parsed.Layers[i].Size; size < 0 || size > maxBody {
		return v1.Descriptor{}, nil, fmt.Errorf("its archive has %d bytes, at most %d are read", size, maxBody)
	}
	return parsed.Layers[i], parsed.Annotations, nil
}

// layer reads an archive, from the cache where it is there: two registries share it.
func (c *Client) layer(ctx context.Context, puller *remote.Puller, repo name.Repository, layer v1.Descriptor, at string) ([]byte, error) {
	const op = "downloading a chart"
	digest := layer.Digest.String()
	if archive, ok := c.cachedBlob(digest); ok {
		return archive, nil
	}
	archive, err := readLayer(ctx, puller, repo.Digest(digest))
	if int64(len(archive)) >= layer.Size && sha256Digest(archive) != digest {
		return nil, invalid(op, at, "its archive is not what the manifest's digest %s says", digest)
	}
	if blobMissing(err) {
		return nil, invalid(op, at, "the registry has its manifest but not its archive: %s", cause(err))
	}
	if err != nil {
		return nil, failure(ctx, op, at, err)
	}
	c.cacheBlob(digest, archive)
	return archive, nil
}

func readLayer(ctx context.Context, puller *remote.Puller, ref name.Digest) ([]byte, error) {
	layer, err := puller.Layer(ctx, ref)
	if err != nil {
		return nil, err
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// blobMissing is a registry's own 404 for a blob, whatever its code.
func blobMissing(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound && len(answer.Errors) > 0
}
