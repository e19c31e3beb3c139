package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	helmv2 "github.com/fluxcd/helm-controller/api/v2"
)

// Identity says which Helm release a HelmRelease stands for.
type Identity struct {
	// Name is the Helm release's name, shortened as helm-controller does.
	Name string
	// Namespace is where objects go that name no namespace themselves.
	Namespace string
	// StorageNamespace is where Helm keeps its record.
	StorageNamespace string
}

// IdentityOf returns the Helm release of a HelmRelease.
func IdentityOf(hr *helmv2.HelmRelease) Identity {
	return Identity{
		Name:             shortName(hr.GetReleaseName()),
		Namespace:        hr.GetReleaseNamespace(),
		StorageNamespace: hr.GetStorageNamespace(),
	}
}

// shortName keeps names within Helm's 53 characters as helm-controller does:
// the first 40, a hyphen and 12 digits of the SHA-256 of the whole name.
func shortName(name string) string {
	const longest, kept, digits = 53, 40, 12
	if len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:kept] + "-" + hex.EncodeToString(sum[:])[:digits]
}

// stampedVersion is the version that helm-controller gives a chart from an
// OCIRepository or ExternalArtifact: with the first 12 digits of the digest in
// the source's revision as build metadata. The revision is TAG@ALGORITHM:DIGEST
// or ALGORITHM:DIGEST. A tag that is a semantic version has to be the chart's.
func stampedVersion(version, revision string) (string, error) {
	refused := func(why string) error {
		return fmt.Errorf("%w: version %q, revision %q: %s", ErrRevision, version, revision, why)
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return "", refused("the version is not a semantic version")
	}
	tag, digest, tagged := strings.Cut(revision, "@")
	if !tagged {
		digest = revision
	} else if t, err := semver.NewVersion(strings.ReplaceAll(tag, "_", "+")); err == nil && !t.Equal(v) {
		return "", refused("the tag is another version")
	}
	_, sum, ok := strings.Cut(digest, ":")
	if !ok || len(sum) < 12 || strings.ContainsAny(sum, ":@") {
		return "", refused("want TAG@ALGORITHM:DIGEST or ALGORITHM:DIGEST")
	}
	stamped, err := v.SetMetadata(sum[:12])
	if err != nil {
		return "", refused(err.Error())
	}
	return stamped.String(), nil
}

// isStamped reports whether the chart comes from a source whose revision
// helm-controller puts into the chart version. An ExternalArtifact's revision
// may also be a plain version, which is left alone.
func isStamped(hr *helmv2.HelmRelease, revision string) bool {
	if hr.Spec.ChartRef == nil {
		return false
	}
	switch hr.Spec.ChartRef.Kind {
	case "OCIRepository":
		return true
	case "ExternalArtifact":
		return strings.Contains(revision, ":")
	}
	return false
}
