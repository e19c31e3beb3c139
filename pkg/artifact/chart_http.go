package artifact

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// indexVersion finds one version in an HTTP repository's index.
func (c *Client) indexVersion(ctx context.Context, repo Repository, ref ChartRef) (Version, error) {
	versions, err := c.httpVersions(ctx, repo, ref.Name)
	if err != nil {
		return Version{}, err
	}
	i := slices.IndexFunc(versions, func(v Version) bool { return v.Version == ref.Version })
	if i < 0 {
		return Version{}, &Error{
			Op: "reading index.yaml", Ref: repo.Ref(ref.Name, ref.Version), Kind: ErrMissing,
			Detail: fmt.Sprintf("index.yaml names %d other versions of the chart", len(versions)),
		}
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
