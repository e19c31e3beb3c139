package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	return &Error{
		Op: "reading a chart", Ref: repo.Ref(ref.Name, ref.Version), Kind: ErrMismatch,
		Detail: fmt.Sprintf("its Chart.yaml names chart %q version %q", oneLine(chart.Name), oneLine(chart.Version)),
	}
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
