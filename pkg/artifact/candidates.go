package artifact

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// NotFoundError says that no published version is what the revision means. It is ErrMissing.
type NotFoundError struct {
	Chart    string
	Revision Revision
	Listed   int       // how many versions there are
	Nearest  []Version // the most similar ones, best first; may be empty
	Newest   []Version // the newest ones, newest first
}

// Error names the nearest and the newest versions, and what to do.
func (e *NotFoundError) Error() string {
	text := fmt.Sprintf("%q %v as a version of chart %q (%d versions listed)", e.Revision.Text, ErrMissing, e.Chart, e.Listed)
	if len(e.Nearest) > 0 {
		text += "; nearest: " + strings.Join(names(e.Nearest), ", ")
	}
	if len(e.Newest) > 0 {
		text += "; newest: " + strings.Join(names(e.Newest), ", ")
	}
	return text + "; if CI is still building it, wait for it (--wait 10m)"
}

// Unwrap gives ErrMissing.
func (e *NotFoundError) Unwrap() error { return ErrMissing }

// AmbiguousError says that a revision means several versions. It is ErrAmbiguous.
type AmbiguousError struct {
	Chart      string
	Revision   Revision
	Reason     string
	Candidates []Version // newest first
}

// Error lists the candidates.
func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q %v for chart %q: %s; type more of the commit or one of these versions: %s",
		e.Revision.Text, ErrAmbiguous, e.Chart, e.Reason, list(e.Candidates))
}

// Unwrap gives ErrAmbiguous.
func (e *AmbiguousError) Unwrap() error { return ErrAmbiguous }

const (
	maxCandidates = 3
	maxListed     = 20
)

// list names versions, a screenful at most.
func list(versions []Version) string {
	shown := names(versions[:min(len(versions), maxListed)])
	if more := len(versions) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

func ambiguous(q Query, builds []published, reason string) error {
	sortNewest(builds)
	return &AmbiguousError{Chart: q.Chart, Revision: q.Revision, Reason: reason, Candidates: versionsOf(builds)}
}

func unmergedError(q Query, builds []published) error {
	return fmt.Errorf("%q of chart %q %w (%s): merge the change and bump to its build; unmerged builds run only where they are allowed",
		q.Revision.Text, q.Chart, ErrUnmerged, list(versionsOf(builds)))
}

func notFound(q Query, versions []Version) error {
	return &NotFoundError{
		Chart: q.Chart, Revision: q.Revision, Listed: len(versions),
		Nearest: nearest(q, versions), Newest: newestOf(q, versions),
	}
}

// newestOf leaves out builds of merge requests unless those count.
func newestOf(q Query, versions []Version) []Version {
	var dated []published
	for _, v := range versions {
		build, ok := q.build(v)
		if !ok {
			build.Time = cmp.Or(VersionTime(v.Version), v.Created)
		}
		if !build.Time.IsZero() && q.check(v.Version) == nil {
			dated = append(dated, published{Version: v, Build: build})
		}
	}
	sortNewest(dated)
	return versionsOf(dated[:min(len(dated), maxCandidates)])
}

// nearest are the versions that a slip of the finger would explain.
func nearest(q Query, versions []Version) []Version {
	type candidate struct {
		version  Version
		distance int
	}
	var found []candidate
	for _, v := range versions {
		if d, ok := q.distance(v); ok {
			found = append(found, candidate{v, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(a.distance-b.distance, VersionTime(b.version.Version).Compare(VersionTime(a.version.Version)))
	})
	var best []Version
	for _, c := range found[:min(len(found), maxCandidates)] {
		best = append(best, c.version)
	}
	return best
}

// distance compares like with like: commits over the digits that both have, otherwise whole versions.
func (q Query) distance(v Version) (int, bool) {
	if q.Revision.Kind == KindLatest {
		return 0, false
	}
	typed, other := q.Revision.Text, v.Version
	if q.Revision.Kind == KindCommit {
		build, ok := q.Pattern.Build(v.Version)
		if !ok {
			return 0, false
		}
		digits := min(len(typed), len(build.Commit))
		typed, other = typed[:digits], build.Commit[:digits]
	}
	allowed := max(1, len(typed)/4)
	d := editDistance(typed, other, allowed)
	return d, d <= allowed || core(typed) == core(other) && q.Revision.Kind == KindVersion
}

// core is a version's three numbers.
func core(version string) string {
	end := strings.IndexAny(version, "-+")
	if end < 0 {
		end = len(version)
	}
	return strings.TrimPrefix(version[:end], "v")
}

// editDistance is the Levenshtein distance of two texts, by bytes, or bound+1 as soon as it is sure to be more than bound.
func editDistance(a, b string, bound int) int {
	if max(len(a)-len(b), len(b)-len(a)) > bound {
		return bound + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		if nextRow(row, a[i], b, i+1) > bound {
			return bound + 1
		}
	}
	return row[len(b)]
}

// nextRow turns one row of the distance table into the next and gives its smallest entry.
func nextRow(row []int, c byte, b string, first int) int {
	diagonal := row[0]
	row[0] = first
	smallest := first
	for j := range len(b) {
		change := diagonal
		if c != b[j] {
			change++
		}
		diagonal = row[j+1]
		row[j+1] = min(change, row[j]+1, diagonal+1)
		smallest = min(smallest, row[j+1])
	}
	return smallest
}
