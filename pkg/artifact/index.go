package artifact

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"go.yaml.in/yaml/v3"
)

// indexFile is the part of an HTTP chart repository's index.yaml that matters here.
type indexFile struct {
	Entries map[string][]indexEntry `yaml:"entries"`
}

type indexEntry struct {
	Version string   `yaml:"version"`
	Created string   `yaml:"created"`
	Digest  string   `yaml:"digest"`
	URLs    []string `yaml:"urls"`
}

// parseIndex reads the versions of one chart from an index.yaml. Entries that are no semantic version (with or without
// a leading "v") are left out; of a version listed twice the first counts, as in Helm. known is false when the index has no such chart.
func parseIndex(data []byte, chart string) (versions []Version, known bool, err error) {
	var index indexFile
	if err := yaml.Unmarshal(data, &index); err != nil {
		return nil, false, fmt.Errorf("reading index.yaml: %w", err)
	}
	entries, known := index.Entries[chart]
	seen := map[string]bool{}
	for _, e := range entries {
		if !IsVersion(strings.TrimPrefix(e.Version, "v")) || seen[e.Version] {
			continue
		}
		seen[e.Version] = true
		versions = append(versions, Version{Version: e.Version, Created: indexTime(e.Created), Digest: indexDigest(e.Digest), URLs: e.URLs})
	}
	return versions, known, nil
}

// indexTime is zero for a time that cannot be read: it only ever orders.
func indexTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// indexDigest gives Helm's bare SHA-256 the usual form. Anything else stays as it is, for the check at download to name.
func indexDigest(text string) string {
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == 32 {
		return "sha256:" + strings.ToLower(text)
	}
	return text
}

// httpVersions lists a chart's versions in an HTTP repository.
func (c *Client) httpVersions(ctx context.Context, repo Repository, chart string) ([]Version, error) {
	const op = "listing versions"
	index, err := repo.index()
	if err != nil {
		return nil, err
	}
	data, err := c.get(ctx, index, index.Host)
	if err != nil {
		return nil, failure(ctx, op, index.String(), err)
	}
	versions, known, err := parseIndex(data, chart)
	if err != nil {
		return nil, invalid(op, index.String(), "%v", oneLine(err.Error()))
	}
	if !known {
		return nil, &Error{Op: op, Ref: repo.Ref(chart, ""), Kind: ErrMissing, Detail: "index.yaml names no such chart"}
	}
	return versions, nil
}

// archiveURL resolves what an index says about where an archive is.
func archiveURL(index *url.URL, urls []string) (*url.URL, error) {
	if len(urls) == 0 {
		return nil, errors.New("index.yaml gives no URL for it")
	}
	u, err := index.Parse(urls[0])
	if err != nil {
		return nil, fmt.Errorf("index.yaml gives an unreadable URL for it: %q", urls[0])
	}
	if u.Scheme != "https" && u.Scheme != index.Scheme {
		return nil, fmt.Errorf("index.yaml leads to %q, which is not https", u.String())
	}
	if u.User == nil && u.Host == index.Host {
		u.User = index.User
	}
	return u, nil
}

// get reads a URL. Credentials from the keychain go to the repository's own host only.
func (c *Client) get(ctx context.Context, u *url.URL, credentialsFor string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if c.options.UserAgent != "" {
		req.Header.Set("User-Agent", c.options.UserAgent)
	}
	if err := c.authorize(ctx, req, credentialsFor); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &statusError{resp.StatusCode}
	}
	return io.ReadAll(resp.Body)
}

func (c *Client) authorize(ctx context.Context, req *http.Request, host string) error {
	if req.URL.User != nil || req.URL.Host != host {
		return nil
	}
	auth, err := authn.Resolve(ctx, c.options.Keychain, hostResource(host))
	if err != nil {
		return fmt.Errorf("looking up credentials: %w", err)
	}
	config, err := authn.Authorization(ctx, auth)
	if err != nil {
		return fmt.Errorf("looking up credentials: %w", err)
	}
	switch {
	case config.RegistryToken != "":
		req.Header.Set("Authorization", "Bearer "+config.RegistryToken)
	case config.Username != "":
		req.SetBasicAuth(config.Username, config.Password)
	}
	return nil
}

// hostResource asks a keychain about a host.
type hostResource string

func (h hostResource) String() string      { return string(h) }
func (h hostResource) RegistryStr() string { return string(h) }
