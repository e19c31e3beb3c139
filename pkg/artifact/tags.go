package artifact

import (
	"context"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	// pageSize is what ECR allows at most; other registries answer with fewer if they like.
	pageSize = 1000
	// maxTags and maxPages end a listing that a registry does not end.
	maxTags  = 200_000
	maxPages = 20_000
	// maxTag is the longest tag of the OCI distribution specification.
	maxTag = 128
)

// IsVersion tells whether text is a strict semantic version: three numbers, no leading "v".
func IsVersion(text string) bool {
	_, err := semver.StrictNewVersion(text)
	return err == nil
}

// TagVersion is the chart version that an OCI tag stands for. A tag cannot hold "+", so Helm writes "_" for it. A tag that
// is no strict version (image-0.0.213-…, v1.2.3, latest) belongs to something else.
func TagVersion(tag string) (version string, ok bool) {
	if len(tag) > maxTag || strings.Contains(tag, "+") {
		return "", false
	}
	version = strings.ReplaceAll(tag, "_", "+")
	return version, IsVersion(version)
}

// VersionTag is the OCI tag of a chart version, the reverse of TagVersion.
func VersionTag(version string) (string, error) {
	if !IsVersion(version) {
		return "", fmt.Errorf("%q %w: a chart version in an OCI registry is three numbers such as 1.2.3, without a leading \"v\"", version, ErrRevision)
	}
	tag := strings.ReplaceAll(version, "+", "_")
	if len(tag) > maxTag {
		return "", fmt.Errorf("%q %w: an OCI tag has at most %d characters, this one %d", version, ErrRevision, maxTag, len(tag))
	}
	return tag, nil
}

// tags lists a repository's tags, all pages of them, in the registry's order.
func (c *Client) tags(ctx context.Context, repo name.Repository, insecure bool) ([]string, error) {
	puller, err := c.puller(repo.Registry, insecure)
	if err != nil {
		return nil, err
	}
	lister, err := puller.Lister(ctx, repo)
	if err != nil {
		return nil, err
	}
	return pages(ctx, lister)
}

func pages(ctx context.Context, lister *remote.Lister) ([]string, error) {
	var all []string
	previous := ""
	for page := 1; lister.HasNext(); page++ {
		tags, err := lister.Next(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, tags.Tags...)
		if len(all) > maxTags || page > maxPages || tags.Next != "" && tags.Next == previous {
			return nil, fmt.Errorf("%w: the list of tags does not end (%d tags on %d pages)", errTooLarge, len(all), page)
		}
		previous = tags.Next
	}
	return all, nil
}
