package bump

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// maxBranchPart keeps each part of a branch's name below what file systems take, with room for Git's ".lock".
const maxBranchPart = 200

// BranchName is the plan's own branch: from the component, the version and the clusters, so that another version or
// another cluster never lands in it.
func (p *Plan) BranchName() string {
	parts := []string{string(p.Request.Op), p.Component, p.target(), strings.Join(p.Clusters(), "+")}
	for i, part := range parts {
		parts[i] = branchPart(part)
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

// branchPart leaves of a text what a branch's name may hold. One that is too long ends in a digest of the whole.
func branchPart(text string) string {
	part := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_.+", r):
			return r
		}
		return '-'
	}, text)
	for strings.Contains(part, "..") {
		part = strings.ReplaceAll(part, "..", ".")
	}
	part = strings.Trim(part, ".-")
	if len(part) > maxBranchPart {
		sum := sha256.Sum256([]byte(text))
		part = part[:maxBranchPart-9] + "-" + hex.EncodeToString(sum[:4])
	}
	for strings.HasSuffix(part, ".lock") {
		part = strings.TrimRight(strings.TrimSuffix(part, ".lock"), ".-")
	}
	return part
}
