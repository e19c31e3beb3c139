package bump

import (
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
)

// moving are the operations whose newer change takes the place of an older one. A rollback is none: it goes back on purpose.
var moving = []Op{OpBump, OpPromote}

// compareBranch orders the plan's branch and another one for the same component on the same clusters: positive where the plan has
// the newer version. ok is false where the other is for something else, or where nothing tells which is newer.
func (p *Plan) compareBranch(other string) (order int, ok bool) {
	own, theirs := strings.Split(p.BranchName(), "/"), strings.Split(other, "/")
	if len(own) != 4 || len(theirs) != 4 || !slices.Contains(moving, p.Request.Op) {
		return 0, false
	}
	if own[0] != theirs[0] || own[1] != theirs[1] || own[3] != theirs[3] || own[2] == theirs[2] {
		return 0, false
	}
	return p.compareParts(own[2], theirs[2])
}

// compareParts orders the versions in two branches' names, of the same release.
func (p *Plan) compareParts(a, b string) (order int, ok bool) {
	releaseA, versionA := p.versionIn(a)
	releaseB, versionB := p.versionIn(b)
	if releaseA != releaseB {
		return 0, false
	}
	return compareKnown(versionA, versionB)
}

// versionIn takes a branch's part apart: for one release of several, its name stands before the version.
func (p *Plan) versionIn(part string) (release, version string) {
	for _, change := range p.Changed() {
		for _, name := range releaseNames(change.New) {
			if version, named := strings.CutPrefix(part, name+"-"); named && len(change.New.Releases) > 1 {
				return name, version
			}
		}
	}
	return "", part
}

// compareKnown compares versions by the time that is in them, and as semantic versions where neither has one.
func compareKnown(a, b string) (order int, ok bool) {
	timeA, timeB := artifact.VersionTime(a), artifact.VersionTime(b)
	if !timeA.IsZero() && !timeB.IsZero() {
		return timeA.Compare(timeB), true
	}
	versionA, errA := semver.NewVersion(a)
	versionB, errB := semver.NewVersion(b)
	if errA != nil || errB != nil || timeA.IsZero() != timeB.IsZero() {
		return 0, false
	}
	return versionA.Compare(versionB), true
}

// versionPart is the part of a branch's name that has the version.
func versionPart(branch string) string {
	parts := strings.Split(branch, "/")
	return parts[min(2, len(parts)-1)]
}
