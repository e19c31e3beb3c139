package live

import (
	"regexp"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// digestSuffix is what Flux puts in the place of a chart version's build metadata where the chart comes from an
// OCIRepository: the first twelve digits of its digest.
var digestSuffix = regexp.MustCompile(`\+[0-9a-f]{12}$`)

// runs reports whether a cluster's entry is of the pinned version. Where both name a digest, that decides: a tag can be
// overwritten.
func (d Deployed) runs(pinned v1alpha1.PinnedRelease) bool {
	if d.Digest != "" && pinned.Digest != "" {
		return d.Digest == pinned.Digest
	}
	return isVersion(d.Version, pinned.Version)
}

// isVersion compares a version as Flux writes it with a pinned one. Flux also drops a leading "v" where it adds the digest.
func isVersion(live, pinned string) bool {
	if live == pinned {
		return true
	}
	if !digestSuffix.MatchString(live) {
		return false
	}
	plain, _, _ := strings.Cut(strings.TrimPrefix(pinned, "v"), "+")
	return plainVersion(live) == plain
}

// plainVersion is a version without the digest that Flux adds.
func plainVersion(live string) string { return digestSuffix.ReplaceAllString(live, "") }
