package artifact

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const toolforgePattern = `-(?P<commit>[0-9a-f]{8})$`

func mustPattern(t testing.TB, expr string) *Pattern {
	t.Helper()
	p, err := CompilePattern(expr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func query(t testing.TB, pattern, revision string) Query {
	t.Helper()
	r, err := ParseRevision(revision)
	if err != nil {
		t.Fatal(err)
	}
	return Query{Chart: "jobs-api", Revision: r, Pattern: mustPattern(t, pattern)}
}

func versions(all ...string) []Version {
	var list []Version
	for _, v := range all {
		list = append(list, Version{Version: v})
	}
	return list
}

// The forms of version in the registry of Toolforge.
var toolforge = []string{
	"0.0.213-20230705073411-09895639", // all digits, leading zero
	"0.0.214-20230706144836-12e45671", // a float to YAML
	"0.0.215-20230707150008-214e5a03",
	"0.0.42-20230708150008-214e6b04", // the counter went backwards
	"0.0.216-20230709150008-1433b2d6",
	"0.0.217-20230710150008-1433b2d6", // a rebuild
	"0.0.82-dev-mr-34",
	"0.0.300-dev-mr-40-20990101000000-cafecafe",
	"1.2.3",
	"1.2.3+meta",
	"1.2.3+other",
}

func TestSelect(t *testing.T) {
	t.Parallel()
	long := func(short string) string { return short + strings.Repeat("a", 40-len(short)) }
	for _, c := range []struct{ name, revision, version, commit string }{
		{"all digits", "09895639", toolforge[0], "09895639"},
		{"a prefix of digits", "0989", toolforge[0], "09895639"},
		{"looks like a float", "12e4567", toolforge[1], "12e45671"},
		{"upper case", "12E4567", toolforge[1], "12e45671"},
		{"more typed than the version has", long("214e5a03"), toolforge[2], long("214e5a03")},
		{"a rebuild is the newest", "1433b2d6", toolforge[5], "1433b2d6"},
		{"a rebuild by its whole commit", long("1433b2d6"), toolforge[5], long("1433b2d6")},
		{"latest by time, merged builds only", "latest", toolforge[5], "1433b2d6"},
		{"a whole version", toolforge[3], toolforge[3], "214e6b04"},
		{"a version without commit", "1.2.3", "1.2.3", ""},
		{"metadata is part of it", "1.2.3+other", "1.2.3+other", ""},
		{"as an OCI tag", "1.2.3_meta", "1.2.3+meta", ""},
		{"an image's tag", "image-" + toolforge[0], toolforge[0], "09895639"},
		{"an image's reference", "h.org/toolforge/jobs-api:image-" + toolforge[0], toolforge[0], "09895639"},
		{"an image's tag with the commit alone", "build-214e5a03", toolforge[2], "214e5a03"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, list := range permutations(versions(toolforge...)) {
				got, err := Select(query(t, toolforgePattern, c.revision), list)
				if err != nil || got.Version.Version != c.version || got.Commit != c.commit {
					t.Fatalf("got %q of %q, %v; want %q of %q", got.Version.Version, got.Commit, err, c.version, c.commit)
				}
			}
		})
	}
}

// permutations are a few orders of a list: the outcome must not depend on it.
func permutations(list []Version) [][]Version {
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	rotated := append(slices.Clone(list[len(list)/2:]), list[:len(list)/2]...)
	return [][]Version{list, reversed, rotated}
}

func TestRebuildIsSaidAloud(t *testing.T) {
	t.Parallel()
	got, err := Select(query(t, toolforgePattern, "1433b2d6"), versions(toolforge...))
	if err != nil {
		t.Fatal(err)
	}
	want := "commit 1433b2d6 was built 2 times: taking the newest, 0.0.217-20230710150008-1433b2d6, not 0.0.216-20230709150008-1433b2d6"
	if got.Note() != want {
		t.Errorf("note %q", got.Note())
	}
	if !got.Time.Equal(time.Date(2023, 7, 10, 15, 0, 8, 0, time.UTC)) {
		t.Errorf("time %s", got.Time)
	}
	other, err := Select(query(t, toolforgePattern, "09895639"), versions(toolforge...))
	if err != nil || other.Note() != "" {
		t.Errorf("note %q, %v", other.Note(), err)
	}
}

func TestSelectFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, pattern, revision string
		kind                    error
		says                    []string
		not                     string
	}{
		{"no such commit", toolforgePattern, "ffffffff", ErrMissing, []string{`"ffffffff"`, "newest: " + toolforge[5], "--wait"}, "dev-mr"},
		{"a slip of the finger", toolforgePattern, "09895638", ErrMissing, []string{"nearest: " + toolforge[0]}, ""},
		{"a slip in forty digits", toolforgePattern, "214e5a13" + strings.Repeat("0", 32), ErrMissing, []string{"nearest: " + toolforge[2]}, ""},
		{"no such version, another build of it", toolforgePattern, "0.0.215-20230707150008-ffffffff", ErrMissing, []string{"nearest: " + toolforge[2]}, ""},
		{"metadata differs", toolforgePattern, "1.2.3+third", ErrMissing, []string{"1.2.3+meta"}, ""},
		{"a v too much", toolforgePattern, "v1.2.3", ErrMissing, []string{"1.2.3"}, ""},
		{"several commits", toolforgePattern, "214e", ErrAmbiguous, []string{"2 commits", toolforge[2], toolforge[3]}, ""},
		{"unmerged version", toolforgePattern, "0.0.82-dev-mr-34", ErrUnmerged, []string{"0.0.82-dev-mr-34"}, ""},
		{"unmerged commit", toolforgePattern, "cafecafe", ErrUnmerged, []string{"0.0.300-dev-mr-40"}, ""},
		{"commit without a pattern", "", "09895639", ErrRevision, []string{"versionPattern", "whole version"}, ""},
		{"metadata alone decides latest", "", "latest", ErrAmbiguous, []string{"1.2.3"}, ""},
		{"a tag that says nothing", toolforgePattern, "stable", ErrMissing, []string{`"stable"`}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Select(query(t, c.pattern, c.revision), versions(toolforge...))
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			if c.not != "" && strings.Contains(err.Error(), c.not) {
				t.Errorf("%q says %q", err, c.not)
			}
		})
	}
}

func TestTypedErrors(t *testing.T) {
	t.Parallel()
	_, err := Select(query(t, toolforgePattern, "214e"), versions(toolforge...))
	var ambiguous *AmbiguousError
	if !errors.As(err, &ambiguous) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{toolforge[3], toolforge[2]}, names(ambiguous.Candidates)); diff != "" {
		t.Error(diff)
	}
	_, err = Select(query(t, toolforgePattern, "09895638"), versions(toolforge...))
	var missing *NotFoundError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	if missing.Listed != len(toolforge) || len(missing.Newest) != maxCandidates || missing.Nearest[0].Version != toolforge[0] {
		t.Errorf("%+v", missing)
	}
}

func TestUnmergedWhereAllowed(t *testing.T) {
	t.Parallel()
	for revision, want := range map[string]string{
		"0.0.82-dev-mr-34": "0.0.82-dev-mr-34",
		"cafecafe":         toolforge[7],
		"latest":           toolforge[7],
	} {
		q := query(t, toolforgePattern, revision)
		q.AllowUnmerged = true
		if got, err := Select(q, versions(toolforge...)); err != nil || got.Version.Version != want {
			t.Errorf("%s: got %q, %v", revision, got.Version.Version, err)
		}
	}
	for version, want := range map[string]bool{
		"0.0.82-dev-mr-34": true, "0.0.82-dev.mr34": true, "0.0.82-dev.mr34-20230705073411-09895639": true, "0.0.82-dev-mr-34+x": true,
		"0.0.82": false, "0.0.82-dev": false, "0.0.82-dev-mr": false, "0.0.82-devmrx": false, "0.0.213-20230705073411-09895639": false,
	} {
		if got := IsUnmerged(version); got != want {
			t.Errorf("IsUnmerged(%q) = %v", version, got)
		}
	}
}

func TestNothingSaysWhichIsNewer(t *testing.T) {
	t.Parallel()
	undated := versions("0.0.9-abcdef01", "0.0.10-abcdef01", "0.0.11-abcdef02")
	for _, revision := range []string{"abcdef01", "latest"} {
		if got, err := Select(query(t, toolforgePattern, revision), undated); !errors.Is(err, ErrAmbiguous) {
			t.Errorf("%s: guessed %q, %v", revision, got.Version.Version, err)
		}
	}
	if got, err := Select(query(t, toolforgePattern, "abcdef02"), undated); err != nil || got.Version.Version != "0.0.11-abcdef02" {
		t.Errorf("got %q, %v", got.Version.Version, err)
	}
}

func TestCommitsOfDifferentLength(t *testing.T) {
	t.Parallel()
	pattern := `-g(?P<commit>[0-9a-f]+)$`
	list := versions("1.0.0-20240101000000-gabcd1234", "1.0.0-20240102000000-gabcd123456", "1.0.0-20240103000000-gabcd99999999")
	got, err := Select(query(t, pattern, "abcd12"), list)
	if err != nil || got.Version.Version != "1.0.0-20240102000000-gabcd123456" || got.Commit != "abcd123456" || len(got.Rebuilds) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := Select(query(t, pattern, "abcd"), list); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("got %v", err)
	}
}

func TestLatestWithoutPattern(t *testing.T) {
	t.Parallel()
	list := versions("v1.9.0", "v1.20.3", "v1.20.3-beta.1", "v1.21.0-rc.0")
	if got, err := Select(query(t, "", "latest"), list); err != nil || got.Version.Version != "v1.20.3" {
		t.Errorf("got %q, %v", got.Version.Version, err)
	}
	if _, err := Select(query(t, "", "latest"), versions("1.0.0-rc.1")); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
	later := []Version{{Version: "1.2.3+up1", Created: time.Unix(100, 0)}, {Version: "1.2.3+up2", Created: time.Unix(200, 0)}}
	if got, err := Select(query(t, "", "latest"), later); err != nil || got.Version.Version != "1.2.3+up2" {
		t.Errorf("got %q, %v", got.Version.Version, err)
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for expr, says := range map[string]string{
		`-([0-9a-f]{8})$`:               "no group",
		`(?P<commit>`:                   "missing",
		`(?P<commit>x)(?P<Date>y)`:      `unknown group "Date"`,
		strings.Repeat("x", maxPattern): "no group",
		strings.Repeat("x", 2000):       "longer",
	} {
		if _, err := CompilePattern(expr); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.30q: %v", expr, err)
		}
	}
	for _, c := range []struct {
		pattern, version string
		want             Build
		ok               bool
	}{
		{toolforgePattern, "0.0.1-20240102030405-ABCDEF01", Build{}, false},
		{`(?i)-(?P<commit>[0-9a-f]{8})$`, "0.0.1-20240102030405-ABCDEF01", Build{"abcdef01", date(2024, 1, 2, 3, 4, 5)}, true},
		{`-(?P<commit>[0-9a-f]*)$`, "0.0.1-", Build{}, false}, // an empty commit is everybody's prefix
		{`(?P<date>[0-9]{8})\.(?P<commit>[0-9a-f]+)`, "1.0.0-20240102.abcdef0", Build{"abcdef0", date(2024, 1, 2, 0, 0, 0)}, true},
		{`-(?P<timestamp>[0-9TZ]{15,16})-(?P<commit>[0-9a-f]{7})`, "1.0.0-20240102T030405Z-abcdef0", Build{"abcdef0", date(2024, 1, 2, 3, 4, 5)}, true},
		{`-(?P<commit>[0-9a-f]{8})$`, "1.0.0-99999999999999-abcdef01", Build{Commit: "abcdef01"}, true}, // 14 digits that are no time
	} {
		got, ok := mustPattern(t, c.pattern).Build(c.version)
		if ok != c.ok || !cmp.Equal(got, c.want) {
			t.Errorf("%s on %s: %+v, %v", c.pattern, c.version, got, ok)
		}
	}
}

func date(year, month, day, hour, minute, second int) time.Time {
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b        string
		bound, want int
	}{
		{"", "", 3, 0}, {"abc", "abc", 0, 0}, {"abc", "abd", 3, 1}, {"abc", "ab", 3, 1}, {"kitten", "sitting", 9, 3}, {"abcd", "wxyz", 2, 3}, {"a", "abcdef", 2, 3},
	} {
		if got := editDistance(c.a, c.b, c.bound); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Every version that ran on Toolforge must be found by its commit, and by as few digits as are unique.
func TestRealHistory(t *testing.T) {
	t.Parallel()
	path := os.Getenv("TFGITOPS_PIN_HISTORY")
	if path == "" {
		path = "../../../shared/toolforge-pin-history.tsv"
	}
	byChart := readHistory(t, path)
	for chart, list := range byChart {
		newest := ""
		for _, v := range list {
			if IsUnmerged(v.Version) {
				continue
			}
			commit := v.Version[strings.LastIndex(v.Version, "-")+1:]
			for _, typed := range []string{commit, strings.ToUpper(commit), commit + strings.Repeat("f", 32), "image-" + v.Version, v.Version} {
				got, err := Select(query(t, toolforgePattern, typed), list)
				if err != nil || !strings.HasSuffix(got.Version.Version, commit) {
					t.Errorf("%s %s: got %q, %v", chart, typed, got.Version.Version, err)
				}
			}
			newest = max(newest, v.Version[strings.Index(v.Version, "-"):])
		}
		got, err := Select(query(t, toolforgePattern, "latest"), list)
		if err != nil || !strings.HasSuffix(got.Version.Version, newest) {
			t.Errorf("%s latest: got %q, %v, want …%s", chart, got.Version.Version, err, newest)
		}
	}
}

func readHistory(t *testing.T, path string) map[string][]Version {
	t.Helper()
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no record of real pins at %s (set TFGITOPS_PIN_HISTORY)", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	byChart := map[string][]Version{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 4 {
			continue
		}
		for _, version := range fields[1:4] {
			known := slices.ContainsFunc(byChart[fields[0]], func(v Version) bool { return v.Version == version })
			if IsVersion(version) && !known {
				byChart[fields[0]] = append(byChart[fields[0]], Version{Version: version})
			}
		}
	}
	if len(byChart) != 4 {
		t.Fatalf("%d charts in %s", len(byChart), path)
	}
	return byChart
}
