package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// SourceRepo is the Git repository that a component is built from. gitrepo.Source is one.
type SourceRepo interface {
	Fetch(ctx context.Context) error
	Ensure(ctx context.Context, rev string) (string, error)
	Commits(ctx context.Context, old, new string, limit int) (gitrepo.Range, error)
	Close() error
}

// Registries is what is asked of chart registries. artifact.Client is one.
type Registries interface {
	Digest(ctx context.Context, repo artifact.Repository, chart, version string) (string, error)
	Versions(ctx context.Context, repo artifact.Repository, chart string) ([]artifact.Version, error)
	Image(ctx context.Context, q artifact.ImageQuery) (artifact.Image, error)
}

// UpstreamVersion counts the incompatible changes of an Upstream's JSON.
const UpstreamVersion = 1

// Upstream is what source repositories and registries have. The zero value knows nothing.
type Upstream struct {
	Version int `json:"version"`
	// Waiting are, by component and pinned commit, the commits of the source's branch that the pinned one lacks, newest
	// first: those of the branch itself, so that a merge counts once and as of when it was merged.
	Waiting map[string]map[string][]Commit `json:"waiting"`
	// Versions are the published versions of the charts that were asked for.
	Versions map[ChartKey][]PublishedVersion `json:"versions"`
	// Present says of a pinned chart whether its registry has it. What is not in it could not be asked.
	Present map[ChartVersion]bool `json:"present"`
	// Digests are those of the charts that are present.
	Digests map[ChartVersion]string `json:"digests,omitempty"`
	// Images say of a pinned image, as name@digest, whether its registry has it.
	Images map[string]bool `json:"images,omitempty"`
	// Errors say what could not be asked, by what: a component, or a chart's reference.
	Errors map[string]string `json:"errors"`
}

// PublishedVersion is one published version of a chart.
type PublishedVersion struct {
	Version string `json:"version"`
	// Created is when it was added, where the repository's index says that.
	Created time.Time `json:"created,omitzero"`
}

// ChartKey names a chart in a repository. As text it is both with a space between.
type ChartKey struct{ URL, Chart string }

// ChartVersion names one version of a chart in a repository.
type ChartVersion struct {
	ChartKey
	Version string
}

// MarshalText writes it as a key of JSON.
func (k ChartKey) MarshalText() ([]byte, error) { return []byte(k.URL + " " + k.Chart), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *ChartKey) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return fmt.Errorf("%q is not a repository and a chart", cut(string(text), maxNote))
	}
	k.URL, k.Chart = fields[0], fields[1]
	return nil
}

// MarshalText writes it as a key of JSON.
func (v ChartVersion) MarshalText() ([]byte, error) {
	return []byte(v.URL + " " + v.Chart + " " + v.Version), nil
}

// UnmarshalText reads what MarshalText wrote.
func (v *ChartVersion) UnmarshalText(text []byte) error {
	fields := strings.Fields(string(text))
	if len(fields) != 3 {
		return fmt.Errorf("%q is not a repository, a chart and a version", cut(string(text), maxNote))
	}
	v.URL, v.Chart, v.Version = fields[0], fields[1], fields[2]
	return nil
}

// waiting returns what waits behind a pinned commit, and whether that is known.
func (u *Upstream) waiting(component, commit string) ([]Commit, bool) {
	if u == nil || commit == "" {
		return nil, false
	}
	commits, known := u.Waiting[component][commit]
	return commits, known
}

// chart says whether it is known that a registry has a pinned chart, and what there is to say where it has not. Where a tag
// was moved the registry has something else: a chart that is pinned by digest is still there, one by version is not.
func (u *Upstream) chart(release control.Release) (known bool, missing string) {
	if u == nil {
		return false, ""
	}
	chart := chartOf(release)
	reference := artifact.Repository{URL: chart.URL}.Ref(chart.Chart, chart.Version)
	present, known := u.Present[chart]
	there := u.Digests[chart]
	switch {
	case known && !present:
		return true, "not in its registry: " + reference
	case release.Source.Pinning != v1alpha1.PinningDigest && release.Digest != "" && there != "" && there != release.Digest:
		return true, fmt.Sprintf("%s was overwritten in its registry: there it is %s, and %s is pinned", reference, shortDigest(there), shortDigest(release.Digest))
	}
	return known, ""
}

// image says the same of a pinned image.
func (u *Upstream) image(image v1alpha1.PinnedImage) (known bool, missing string) {
	if u == nil {
		return false, ""
	}
	present, known := u.Images[imageRef(image)]
	if known && !present {
		missing = "not in its registry: " + strings.TrimSuffix(image.Name+":"+image.Tag, ":") + " (" + shortDigest(image.Digest) + ")"
	}
	return known, missing
}

func imageRef(image v1alpha1.PinnedImage) string { return image.Name + "@" + image.Digest }

// shortDigest is as much of a digest as people compare.
func shortDigest(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }
