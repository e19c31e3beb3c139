package overlay

import (
	"net/url"
	"regexp"
	"strings"
)

// remoteForms are the beginnings that make kustomize clone a repository: see its internal/git/repospec.go.
// Schemes that it does not clone today are included.
var remoteForms = regexp.MustCompile(`(?i)^(git::|gh:|[a-z][a-z0-9+.-]*://|github\.com[:/]|[a-z][a-z0-9-]*@[^/]*[:/])`)

// isRemote reports whether kustomize might fetch or clone what a reference says. It errs on the side of
// true: what it takes for remote is never needed as the name of a local file.
func isRemote(value string) bool {
	value = strings.TrimSpace(value)
	if remoteForms.MatchString(value) {
		return true
	}
	u, err := url.Parse(value) // how kustomize recognizes what it fetches over HTTP
	return err == nil && (u.Scheme == "http" || u.Scheme == "https")
}
