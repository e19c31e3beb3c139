package artifact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Pattern reads the commit and the time of a build out of a chart version. Nil reads nothing.
type Pattern struct{ expr *regexp.Regexp }

// Build is what a version says about where it comes from.
type Build struct {
	Commit string    // lower-case hexadecimal digits, as many as the version has
	Time   time.Time // zero: the version does not say
}

const maxPattern = 1000

// patternGroups are the named groups a versionPattern may have; "commit" it must have.
var patternGroups = []string{"commit", "timestamp", "date"}

// CompilePattern reads a repository's versionPattern: a Go regular expression with a named group "commit", such as
// -(?P<commit>[0-9a-f]{8})$, and optionally "timestamp" or "date". Empty gives nil.
func CompilePattern(expr string) (*Pattern, error) {
	if expr == "" {
		return nil, nil
	}
	if len(expr) > maxPattern {
		return nil, fmt.Errorf("versionPattern: longer than %d characters", maxPattern)
	}
	compiled, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("versionPattern %q: %w", expr, err)
	}
	for _, group := range compiled.SubexpNames() {
		if group != "" && !slices.Contains(patternGroups, group) {
			return nil, fmt.Errorf("versionPattern %q: unknown group %q: known are %s", expr, group, strings.Join(patternGroups, ", "))
		}
	}
	if compiled.SubexpIndex("commit") < 0 {
		return nil, fmt.Errorf("versionPattern %q: has no group (?P<commit>…)", expr)
	}
	return &Pattern{compiled}, nil
}

// String is the expression.
func (p *Pattern) String() string {
	if p == nil {
		return ""
	}
	return p.expr.String()
}

// Build reads a version (or a tag). It says false for one that the pattern does not match, and for one where the group
// caught anything but 4 to 40 hexadecimal digits: an empty commit would match every commit.
func (p *Pattern) Build(version string) (Build, bool) {
	if p == nil {
		return Build{}, false
	}
	match := p.expr.FindStringSubmatch(version)
	if match == nil {
		return Build{}, false
	}
	commit := match[p.expr.SubexpIndex("commit")]
	if !commitDigits.MatchString(commit) {
		return Build{}, false
	}
	return Build{Commit: strings.ToLower(commit), Time: p.time(version, match)}, true
}

// time prefers the pattern's own groups to the field that a version usually has.
func (p *Pattern) time(version string, match []string) time.Time {
	for _, group := range []string{"timestamp", "date"} {
		if i := p.expr.SubexpIndex(group); i >= 0 {
			if t, ok := buildTime(match[i]); ok {
				return t
			}
		}
	}
	return VersionTime(version)
}

// timeLayouts are the forms of a build's time, all UTC.
var timeLayouts = []string{"20060102150405", "20060102T150405", "20060102T150405Z", "200601021504", "20060102"}

func buildTime(text string) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if len(text) != len(layout) {
			continue
		}
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// VersionTime is the time in a version: its first prerelease field of 14 digits that is one (0.0.213-20230705073411-…).
// It is zero for a version without.
func VersionTime(version string) time.Time {
	_, prerelease, _ := strings.Cut(version, "-")
	prerelease, _, _ = strings.Cut(prerelease, "+")
	for _, field := range strings.FieldsFunc(prerelease, fieldBreak) {
		if len(field) != len(timeLayouts[0]) {
			continue
		}
		if t, ok := buildTime(field); ok {
			return t
		}
	}
	return time.Time{}
}

func fieldBreak(r rune) bool { return r == '-' || r == '.' }

// unmerged is how Toolforge's CI marks the builds of a merge request: 0.0.82-dev-mr-34, 0.0.82-dev.mr34.
var unmerged = regexp.MustCompile(`[-.]dev[-.]?mr[-.]?[0-9]+([-.+]|$)`)

// IsUnmerged tells whether a version was built from a merge request rather than from the main branch.
func IsUnmerged(version string) bool { return unmerged.MatchString(version) }
