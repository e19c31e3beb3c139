package artifact

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Published is what was pushed, or would be.
type Published struct {
	// Repository is oci://HOST/PATH.
	Repository string
	// Digest is the manifest's.
	Digest string
	// Moved are the tags that did not name this digest before, in the order they were asked for.
	Moved []string
}

// Ref is the one address that never changes its meaning: oci://HOST/PATH@sha256:….
func (p Published) Ref() string { return p.Repository + "@" + p.Digest }

// ociTag is what the OCI specification allows as a tag.
var ociTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

// Publish pushes a bundle and then points each tag to it, in order: a tag never names what is not there yet. What the
// registry has already is not sent again, and a tag that names this digest is left alone, so that doing it twice
// changes nothing and works where tags are immutable. to is oci://HOST/PATH, without a tag. With dryRun nothing is sent
// but questions.
func (c *Client) Publish(ctx context.Context, to Repository, tags []string, b Bundle, dryRun bool) (Published, error) {
	const op = "publishing"
	repo, err := to.bundle(tags)
	if err != nil {
		return Published{}, err
	}
	if c.options.Offline {
		return Published{}, c.offline(op, to.URL)
	}
	image, err := b.image()
	if err != nil {
		return Published{}, fmt.Errorf("%s to %q: %w", op, to, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return Published{}, fmt.Errorf("%s to %q: %w", op, to, err)
	}
	published := Published{Repository: strings.TrimRight(to.String(), "/"), Digest: digest.String()}
	if published.Moved, err = c.tagsNotAt(ctx, repo, to, tags, digest); err != nil || dryRun {
		return published, err
	}
	return published, c.push(ctx, repo, to, published.Moved, image)
}

// tagsNotAt returns which tags do not name a digest, or nothing.
func (c *Client) tagsNotAt(ctx context.Context, repo name.Repository, to Repository, tags []string, digest v1.Hash) ([]string, error) {
	puller, err := c.puller(repo.Registry, to.Insecure)
	if err != nil {
		return nil, err
	}
	var others []string
	for _, tag := range tags {
		now, err := manifestDigest(ctx, puller, repo.Tag(tag))
		if err != nil && !errors.Is(outcome(err), ErrMissing) {
			return nil, failure(ctx, "looking up a tag", to.String()+":"+tag, err)
		}
		if err != nil || now != digest {
			others = append(others, tag)
		}
	}
	return others, nil
}

func (c *Client) push(ctx context.Context, repo name.Repository, to Repository, tags []string, image v1.Image) error {
	key := host{repo.RegistryStr(), to.Insecure}
	pusher, err := remote.NewPusher(
		remote.WithAuthFromKeychain(c.options.Keychain),
		remote.WithTransport(c.options.roundTripper(schemeGuard{key, c.options.Transport})),
		remote.WithUserAgent(c.options.UserAgent),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes(),
	)
	if err != nil {
		return fmt.Errorf("registry %q: %w", key.name, err)
	}
	for _, tag := range tags {
		if err := pusher.Push(ctx, repo.Tag(tag), image); err != nil {
			return failure(ctx, "publishing", to.String()+":"+tag, err)
		}
	}
	return nil
}

// bundle is the repository to publish to.
func (r Repository) bundle(tags []string) (name.Repository, error) {
	path := strings.TrimPrefix(r.URL, ociScheme)
	if !r.IsOCI() || strings.Contains(path, "@") {
		return name.Repository{}, fmt.Errorf("publishing to %q: %w: write oci://HOST/PATH without credentials, tag or digest", r, ErrInvalid)
	}
	repo, err := name.NewRepository(strings.TrimRight(path, "/"), nameOptions(r.Insecure)...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("publishing to %q: %w: write oci://HOST/PATH, without a tag: %s", r, ErrInvalid, redact(oneLine(err.Error())))
	}
	for _, tag := range tags {
		if !ociTag.MatchString(tag) {
			return name.Repository{}, fmt.Errorf("tag %q: %w: a tag is letters, digits, '.', '_' and '-', at most 128", tag, ErrInvalid)
		}
	}
	return repo, nil
}
