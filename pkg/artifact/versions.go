package artifact

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Version is one published version of a chart.
type Version struct {
	// Version is as in Chart.yaml: 0.0.213-20230705073411-09895639, v1.20.3, 1.2.3+meta.
	Version string
	// Created, Digest and URLs are what an HTTP repository's index says: when the archive was added, its SHA-256 as
	// "sha256:…" (empty: not said), and where it is. An OCI listing has none of them.
	Created time.Time
	Digest  string
	URLs    []string
}

// Versions lists every published version of a chart, by name. An empty list is a chart without a usable version; a chart
// that does not exist is ErrMissing.
func (c *Client) Versions(ctx context.Context, repo Repository, chart string) ([]Version, error) {
	if c.options.Offline {
		return nil, c.offline("listing versions", repo.Ref(chart, ""))
	}
	versions, err := c.versions(ctx, repo, chart)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(versions, func(a, b Version) int { return strings.Compare(a.Version, b.Version) })
	return versions, nil
}

func (c *Client) versions(ctx context.Context, repo Repository, chart string) ([]Version, error) {
	if repo.IsOCI() {
		return c.ociVersions(ctx, repo, chart)
	}
	return c.httpVersions(ctx, repo, chart)
}

// ociVersions lists the tags that are chart versions. One repository of Toolforge's also holds the images built with the chart.
func (c *Client) ociVersions(ctx context.Context, repo Repository, chart string) ([]Version, error) {
	oci, err := repo.oci(chart)
	if err != nil {
		return nil, err
	}
	tags, err := c.tags(ctx, oci, repo.Insecure)
	if err != nil {
		return nil, failure(ctx, "listing versions", repo.Ref(chart, ""), err)
	}
	var versions []Version
	for _, tag := range tags {
		if version, ok := TagVersion(tag); ok {
			versions = append(versions, Version{Version: version})
		}
	}
	return versions, nil
}
