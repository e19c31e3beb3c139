package bump

import (
	"context"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// Order says whether a pin goes back.
type Order struct {
	// Older is Yes where something of the new pin is older than it was, and Unknown where that cannot be told.
	Older gitrepo.Relation
	// Before and After are the versions that tell, or that tell nothing.
	Before, After string
}

// Compare orders two pins of one component. backward says whether the new commit is a proper ancestor of the old one;
// followsSource, whether a release's versions are made from the component's commits. Ancestry decides where it is known,
// then the build times in the versions, and semantic versions where neither has one: the counter in a version has gone
// backwards before, and compares with nothing.
func Compare(old, new *v1alpha1.PinSpec, backward gitrepo.Relation, followsSource func(release string) bool) Order {
	if backward == gitrepo.Yes {
		return Order{gitrepo.Yes, Describe(old), Describe(new)}
	}
	order := Order{Older: gitrepo.No}
	before := versionsByRelease(old)
	for _, release := range append(releaseNames(new), "") {
		was, is := before[release], versionsByRelease(new)[release]
		if was == "" || is == "" || was == is || backward == gitrepo.No && followsSource(release) {
			continue // its commit has told
		}
		if older := isOlder(is, was); older == gitrepo.Yes || older == gitrepo.Unknown && order.Older == gitrepo.No {
			order = Order{older, was, is}
		}
		if order.Older == gitrepo.Yes {
			return order
		}
	}
	return order
}

// isOlder compares the build times of two versions; without any, the versions themselves.
func isOlder(a, b string) gitrepo.Relation {
	timeA, timeB := artifact.VersionTime(a), artifact.VersionTime(b)
	switch {
	case timeA.IsZero() != timeB.IsZero():
		return gitrepo.Unknown
	case timeA.Before(timeB), timeA.IsZero() && compareVersions(a, b) < 0:
		return gitrepo.Yes
	default:
		return gitrepo.No
	}
}

// Precedes reports whether a commit is a proper ancestor of another, as the source says. It is Unknown without a source,
// and for two forms of one commit.
func Precedes(ctx context.Context, source Source, ancestor, descendant string) (gitrepo.Relation, error) {
	if source == nil || sameCommit(ancestor, descendant) {
		return gitrepo.Unknown, nil
	}
	// The other way round is what most often holds.
	if reverse, err := descends(ctx, source, descendant, ancestor); err != nil || reverse == gitrepo.Yes {
		return gitrepo.No, err
	}
	return descends(ctx, source, ancestor, descendant)
}

func descends(ctx context.Context, source Source, ancestor, descendant string) (gitrepo.Relation, error) {
	if source == nil || ancestor == "" || descendant == "" { // checkAncestry asks without one, too
		return gitrepo.Unknown, nil
	}
	for _, commit := range []string{ancestor, descendant} {
		if _, err := source.Ensure(ctx, commit); err != nil {
			return gitrepo.Unknown, nil //nolint:nilerr // a force-pushed or unknown commit is unknown, not refused
		}
	}
	return source.IsAncestor(ctx, ancestor, descendant)
}

// Frozen says until when a cluster is frozen at a time, and why; empty where it is not.
func Frozen(repo *control.Repo, cluster string, at time.Time) string {
	windows := repo.Spec.Freeze
	if c := repo.Clusters[cluster]; c != nil {
		windows = append(windows[:len(windows):len(windows)], c.Freeze...)
	}
	for _, window := range windows {
		from, err := window.From.Parse()
		to, toErr := window.To.Parse()
		if err == nil && toErr == nil && !at.Before(from) && at.Before(to) {
			return "frozen until " + string(window.To) + ": " + window.Reason
		}
	}
	return ""
}
