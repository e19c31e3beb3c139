package artifact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// Query asks which published version of a chart a revision means.
type Query struct {
	Chart    string // the chart's name
	Revision Revision
	// Pattern finds the commit in a version; without one, only whole versions and the highest stable version can be asked for.
	Pattern *Pattern
	// AllowUnmerged lets builds of merge requests count.
	AllowUnmerged bool
}

// Resolution is the one version that a revision means.
type Resolution struct {
	Version Version
	// Commit is the longest form known: as typed or as in the version; empty where the version names none.
	Commit string
	// Time is when it was built; zero: unknown.
	Time time.Time
	// Rebuilds are the other, older builds of the same commit, newest first.
	Rebuilds []Version
	// Digest of what the registry has there, where the answer came from asking for that very version ("sha256:…": the
	// manifest in a registry, the archive in an HTTP repository); empty otherwise.
	Digest string
}

// Note says aloud that a commit was built more than once; it is empty otherwise.
func (r Resolution) Note() string {
	if len(r.Rebuilds) == 0 {
		return ""
	}
	return fmt.Sprintf("commit %s was built %d times: taking the newest, %s, not %s",
		r.Commit, len(r.Rebuilds)+1, r.Version.Version, strings.Join(names(r.Rebuilds), ", "))
}

// Resolve asks the repository which version a revision means. A whole version in an OCI registry costs one request and no
// listing. Errors: NotFoundError (is ErrMissing), AmbiguousError, ErrUnmerged, ErrRevision, and those of a request.
func (c *Client) Resolve(ctx context.Context, repo Repository, q Query) (Resolution, error) {
	if q.Revision.Kind == KindVersion && repo.IsOCI() {
		return c.resolveVersion(ctx, repo, q)
	}
	versions, err := c.Versions(ctx, repo, q.Chart)
	if err != nil {
		return Resolution{}, err
	}
	return Select(q, versions)
}

// resolveVersion asks for one version; only if it is missing is the rest listed, to name the nearest.
func (c *Client) resolveVersion(ctx context.Context, repo Repository, q Query) (Resolution, error) {
	if err := q.check(q.Revision.Text); err != nil {
		return Resolution{}, err
	}
	digest, err := c.Digest(ctx, repo, q.Chart, q.Revision.Text)
	if err == nil {
		resolution := q.resolution(Version{Version: q.Revision.Text})
		resolution.Digest = digest
		return resolution, nil
	}
	if !errors.Is(err, ErrMissing) {
		return Resolution{}, err
	}
	versions, listing := c.Versions(ctx, repo, q.Chart)
	if listing != nil {
		return Resolution{}, err
	}
	return Resolution{}, notFound(q, versions)
}

// Select finds the version that a revision means in a list of versions, in any order. It is pure.
func Select(q Query, versions []Version) (Resolution, error) {
	switch q.Revision.Kind {
	case KindLatest:
		return q.latest(versions)
	case KindCommit:
		return q.commit(q.Revision.Text, versions)
	case KindVersion:
		return q.version(q.Revision.Text, versions)
	case KindTag:
		return q.tag(versions)
	}
	return Resolution{}, badRevision(q.Revision.Text, "")
}

// version takes exactly what was typed: v1.2.3 and 1.2.3 are two versions, and so are 1.2.3+a and 1.2.3+b.
func (q Query) version(version string, versions []Version) (Resolution, error) {
	i := slices.IndexFunc(versions, func(v Version) bool { return v.Version == version })
	if i < 0 {
		return Resolution{}, notFound(q, versions)
	}
	if err := q.check(version); err != nil {
		return Resolution{}, err
	}
	resolution := q.resolution(versions[i])
	resolution.Digest = versions[i].Digest
	return resolution, nil
}

// tag is the chart version inside the image's tag or, failing that, the commit inside it.
func (q Query) tag(versions []Version) (Resolution, error) {
	if version, ok := embeddedVersion(q.Revision.Text); ok {
		found, err := q.version(version, versions)
		if !errors.Is(err, ErrMissing) {
			return found, err
		}
	}
	if build, ok := q.Pattern.Build(q.Revision.Text); ok {
		return q.commit(build.Commit, versions)
	}
	return Resolution{}, notFound(q, versions)
}

// commit matches by prefix either way: eight digits in the version and forty typed, or the reverse.
func (q Query) commit(typed string, versions []Version) (Resolution, error) {
	if q.Pattern == nil {
		return Resolution{}, fmt.Errorf("commit %q %w: the repository of chart %q has no versionPattern, so nothing says which version a commit is; type a whole version",
			typed, ErrRevision, q.Chart)
	}
	builds, refused := q.matching(versions, func(b Build) bool { return samePrefix(b.Commit, typed) })
	switch {
	case len(builds) == 0 && len(refused) > 0:
		return Resolution{}, unmergedError(q, refused)
	case len(builds) == 0:
		return Resolution{}, notFound(q, versions)
	case len(commits(builds)) > 1:
		return Resolution{}, ambiguous(q, builds, fmt.Sprintf("%d commits begin so", len(commits(builds))))
	}
	return q.newest(builds)
}

// latest is the newest build of the main branch or, in a repository without a pattern, the highest stable version.
func (q Query) latest(versions []Version) (Resolution, error) {
	if q.Pattern == nil {
		return q.highest(versions)
	}
	builds, refused := q.matching(versions, func(Build) bool { return true })
	switch {
	case len(builds) == 0 && len(refused) > 0:
		return Resolution{}, unmergedError(q, refused)
	case len(builds) == 0:
		return Resolution{}, notFound(q, versions)
	}
	return q.newest(builds)
}

// highest orders by semantic version; of versions that differ only in build metadata, the one added last.
func (q Query) highest(versions []Version) (Resolution, error) {
	var stable []published
	for _, v := range versions {
		if parsed, err := semver.NewVersion(v.Version); err == nil && parsed.Prerelease() == "" {
			stable = append(stable, published{Version: v, semver: parsed, Build: Build{Time: v.Created}})
		}
	}
	if len(stable) == 0 {
		return Resolution{}, notFound(q, versions)
	}
	slices.SortFunc(stable, func(a, b published) int {
		return cmp.Or(b.semver.Compare(a.semver), b.Time.Compare(a.Time), cmp.Compare(a.Version.Version, b.Version.Version))
	})
	if len(stable) > 1 && stable[0].semver.Equal(stable[1].semver) && stable[0].Time.Equal(stable[1].Time) {
		return Resolution{}, ambiguous(q, stable[:2], "they differ only in what semantic versions do not order")
	}
	return q.resolution(stable[0].Version), nil
}

// published is a version with what it says about itself.
type published struct {
	Version Version
	Build
	semver *semver.Version
}

// matching splits the versions that match into those that count and the builds of merge requests that do not.
func (q Query) matching(versions []Version, want func(Build) bool) (builds, refused []published) {
	for _, v := range versions {
		build, ok := q.build(v)
		switch {
		case !ok || !want(build):
		case q.check(v.Version) != nil:
			refused = append(refused, published{Version: v, Build: build})
		default:
			builds = append(builds, published{Version: v, Build: build})
		}
	}
	return builds, refused
}

// build reads a version; the index's time stands in for one that the version lacks.
func (q Query) build(v Version) (Build, bool) {
	build, ok := q.Pattern.Build(v.Version)
	if build.Time.IsZero() {
		build.Time = v.Created
	}
	return build, ok
}

// newest goes by time alone: Toolforge's counters repeat and have gone backwards, so neither they nor the order of semantic
// versions say which build is newer. Builds that cannot be told apart by time are an error rather than a guess.
func (q Query) newest(builds []published) (Resolution, error) {
	sortNewest(builds)
	if len(builds) > 1 && builds[0].Time.Equal(builds[1].Time) {
		return Resolution{}, ambiguous(q, builds, "nothing in them says which is newer")
	}
	resolution := q.resolution(builds[0].Version)
	resolution.Rebuilds = versionsOf(slices.DeleteFunc(builds[1:], func(b published) bool { return !samePrefix(b.Commit, builds[0].Commit) }))
	return resolution, nil
}

func sortNewest(builds []published) {
	slices.SortFunc(builds, func(a, b published) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Version.Version, b.Version.Version))
	})
}

// resolution fills in what the version and the person say.
func (q Query) resolution(v Version) Resolution {
	build, ok := q.build(v)
	if !ok {
		build.Time = cmp.Or(VersionTime(v.Version), v.Created)
	}
	if q.Revision.Kind == KindCommit && len(q.Revision.Text) > len(build.Commit) {
		build.Commit = q.Revision.Text
	}
	return Resolution{Version: v, Commit: build.Commit, Time: build.Time}
}

// check refuses a build of a merge request where those were not allowed.
func (q Query) check(version string) error {
	if IsUnmerged(version) && !q.AllowUnmerged {
		return unmergedError(q, []published{{Version: Version{Version: version}}})
	}
	return nil
}

func samePrefix(a, b string) bool {
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

// commits lists the different commits among builds. A short form and a longer one that begins with it are one commit.
func commits(builds []published) []string {
	var all []string
	for _, b := range builds {
		all = append(all, b.Commit)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	var distinct []string
	for _, commit := range all {
		if !slices.ContainsFunc(distinct, func(longer string) bool { return strings.HasPrefix(longer, commit) }) {
			distinct = append(distinct, commit)
		}
	}
	return distinct
}

func versionsOf(builds []published) []Version {
	var versions []Version
	for _, b := range builds {
		versions = append(versions, b.Version)
	}
	return versions
}

func names(versions []Version) []string {
	var all []string
	for _, v := range versions {
		all = append(all, v.Version)
	}
	return all
}
