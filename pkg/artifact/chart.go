package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

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

// Annotations of a chart's manifest that Helm and CI write.
const (
	// AnnotationRevision is the commit that the chart was built from.
	AnnotationRevision = "org.opencontainers.image.revision"
	// AnnotationCreated is when the chart was pushed: Helm stamps it, so two registries hold one chart under two digests.
	AnnotationCreated = "org.opencontainers.image.created"
)

// ChartRef names one version of a chart.
type ChartRef struct {
	Name    string
	Version string
	// Digest, if known, is what is read whatever the tag says by now: of the manifest in an OCI registry, of the archive in an
	// HTTP repository ("sha256:…"). A chart in the cache under its digest needs no request.
	Digest string
}

// Chart is one published chart.
type Chart struct {
	ChartYAML
	// Digest is the manifest's in an OCI registry, the archive's in an HTTP repository.
	Digest string
	// LayerDigest is the archive's own: it is the same in every registry the archive was pushed to.
	LayerDigest string
	// Annotations are the manifest's; empty in an HTTP repository.
	Annotations map[string]string
	// Archive is the chart as a gzipped tar, checked against LayerDigest.
	Archive []byte
}

// CheckCommit compares the commit that the chart says it was built from with the expected one, by prefix either way. A chart
// that says nothing passes, and stated is false.
func (c *Chart) CheckCommit(commit string) (stated bool, err error) {
	built := strings.ToLower(c.Annotations[AnnotationRevision])
	if !commitDigits.MatchString(built) {
		return false, nil
	}
	if commit == "" || !samePrefix(built, strings.ToLower(commit)) {
		return true, fmt.Errorf("chart %q version %q %w: its annotation %s says %q, not %q", c.Name, c.Version, ErrMismatch, AnnotationRevision, built, commit)
	}
	return true, nil
}

// Chart reads a chart with its archive. Name and version of its Chart.yaml are those asked for, or the error is ErrMismatch.
func (c *Client) Chart(ctx context.Context, repo Repository, ref ChartRef) (*Chart, error) {
	if chart := c.cachedChart(repo, ref); chart != nil {
		return chart, checkChart(repo, ref, chart)
	}
	if c.options.Offline {
		return nil, c.offline("reading a chart", repo.Ref(ref.Name, ref.Version))
	}
	chart, err := c.fetchChart(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	if err := checkChart(repo, ref, chart); err != nil {
		return nil, err
	}
	c.cacheRef(repo, ref, chart.Digest)
	return chart, nil
}

func (c *Client) fetchChart(ctx context.Context, repo Repository, ref ChartRef) (*Chart, error) {
	if repo.IsOCI() {
		return c.ociChart(ctx, repo, ref)
	}
	return c.httpChart(ctx, repo, ref)
}

// checkChart compares what a chart says it is with what it was asked for as.
func checkChart(repo Repository, ref ChartRef, chart *Chart) error {
	if chart.Name == ref.Name && chart.Version == ref.Version {
		return nil
	}
	return &Error{Op: "reading a chart", Ref: repo.Ref(ref.Name, ref.Version), Kind: ErrMismatch,
		Detail: fmt.Sprintf("its Chart.yaml names chart %q version %q", oneLine(chart.Name), oneLine(chart.Version))}
}

// Digest asks what a version's digest is: of the manifest in an OCI registry, of the archive in an HTTP repository (where an
// index that does not say it is ErrInvalid). Offline it is what the tag last was.
func (c *Client) Digest(ctx context.Context, repo Repository, chart, version string) (string, error) {
	ref := ChartRef{Name: chart, Version: version}
	if c.options.Offline {
		if digest, ok := c.cachedRef(repo, ref); ok {
			return digest, nil
		}
		return "", c.offline("reading a digest", repo.Ref(chart, version))
	}
	digest, err := c.currentDigest(ctx, repo, ref)
	if err != nil {
		return "", err
	}
	c.cacheRef(repo, ref, digest)
	return digest, nil
}

func (c *Client) currentDigest(ctx context.Context, repo Repository, ref ChartRef) (string, error) {
	if repo.IsOCI() {
		return c.ociDigest(ctx, repo, ref)
	}
	entry, err := c.indexVersion(ctx, repo, ref)
	if err != nil {
		return "", err
	}
	if _, err := v1.NewHash(entry.Digest); err != nil {
		return "", invalid("reading a digest", repo.Ref(ref.Name, ref.Version), "index.yaml gives no SHA-256 for it but %q", entry.Digest)
	}
	return entry.Digest, nil
}

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
	return !errors.As(err, &answer) || statusOutcome(answer.StatusCode) == ErrUnreachable && !retryStatus[answer.StatusCode]
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

// indexVersion finds one version in an HTTP repository's index.
func (c *Client) indexVersion(ctx context.Context, repo Repository, ref ChartRef) (Version, error) {
	versions, err := c.httpVersions(ctx, repo, ref.Name)
	if err != nil {
		return Version{}, err
	}
	i := slices.IndexFunc(versions, func(v Version) bool { return v.Version == ref.Version })
	if i < 0 {
		return Version{}, &Error{Op: "reading index.yaml", Ref: repo.Ref(ref.Name, ref.Version), Kind: ErrMissing,
			Detail: fmt.Sprintf("index.yaml names %d other versions of the chart", len(versions))}
	}
	return versions[i], nil
}

func (c *Client) httpChart(ctx context.Context, repo Repository, ref ChartRef) (*Chart, error) {
	const op = "downloading a chart"
	at := repo.Ref(ref.Name, ref.Version)
	entry, err := c.indexVersion(ctx, repo, ref)
	if err != nil {
		return nil, err
	}
	if ref.Digest != "" && entry.Digest != "" && entry.Digest != ref.Digest {
		return nil, &Error{Op: op, Ref: at, Kind: ErrMismatch, Detail: fmt.Sprintf("index.yaml says digest %q, expected is %q", oneLine(entry.Digest), ref.Digest)}
	}
	archive, err := c.archive(ctx, repo, entry, at)
	if err != nil {
		return nil, err
	}
	digest := sha256Digest(archive)
	for _, want := range []string{entry.Digest, ref.Digest} {
		if want != "" && want != digest {
			return nil, invalid(op, at, "the archive's digest is %s, expected is %q", digest, want)
		}
	}
	c.cacheBlob(digest, archive)
	return newChart(op, at, digest, nil, archive)
}

func (c *Client) archive(ctx context.Context, repo Repository, entry Version, at string) ([]byte, error) {
	const op = "downloading a chart"
	index, err := repo.index()
	if err != nil {
		return nil, err
	}
	location, err := archiveURL(index, entry.URLs)
	if err != nil {
		return nil, invalid(op, at, "%v", err)
	}
	if entry.Digest != "" {
		if archive, ok := c.cachedBlob(entry.Digest); ok {
			return archive, nil
		}
	}
	archive, err := c.get(ctx, location, index.Host)
	var status *statusError
	if errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusGone) {
		return nil, &Error{Op: op, Ref: redact(location.String()), Kind: ErrMissing, Detail: status.Error() + ", although index.yaml names it"}
	}
	if err != nil {
		return nil, failure(ctx, op, location.String(), err)
	}
	return archive, nil
}

// newChart reads the archive's Chart.yaml.
func newChart(op, at, digest string, annotations map[string]string, archive []byte) (*Chart, error) {
	meta, err := ReadChartYAML(archive)
	if err != nil {
		return nil, invalid(op, at, "%v", err)
	}
	return &Chart{ChartYAML: meta, Digest: digest, LayerDigest: sha256Digest(archive), Annotations: annotations, Archive: archive}, nil
}

func sha256Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
