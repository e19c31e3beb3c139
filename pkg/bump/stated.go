package bump

import (
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// OpRemove is what `component remove` states. It is no operation on pins: it deletes them.
const OpRemove Op = "remove"

// Stated is an operation that a commit's trailers state.
type Stated struct {
	Op Op
	// Component is empty where a person wrote trailers without one: those then speak of all that the commit changes.
	Component string
	// To is the version that each cluster comes to, as Describe writes it.
	To map[string]string
	// Clusters are those that any trailer names.
	Clusters []string
	// Overrides are the rules that the commit goes on past, with the reason.
	Overrides map[string]string
}

// StatedOps returns what a commit's trailers state, in order. A squashed commit states several operations; each begins with
// its Tfgitops-Op. An override without a reason is none.
func StatedOps(commit *gitrepo.Commit) []Stated {
	var stated []Stated
	for _, trailer := range commit.Trailers {
		name, value := strings.ToLower(trailer.Key), trailer.Value
		if !strings.HasPrefix(name, "tfgitops-") {
			continue
		}
		if len(stated) == 0 || name == strings.ToLower(TrailerOp) && stated[len(stated)-1].Op != "" {
			stated = append(stated, Stated{To: map[string]string{}, Overrides: map[string]string{}})
		}
		stated[len(stated)-1].add(name, value)
	}
	return stated
}

func (s *Stated) add(name, value string) {
	first, rest, _ := strings.Cut(value, " ")
	switch name {
	case strings.ToLower(TrailerOp):
		s.Op = Op(value)
	case strings.ToLower(TrailerComponent):
		s.Component = value
	case strings.ToLower(TrailerTo):
		s.To[first] = rest
		s.addCluster(first)
	case strings.ToLower(TrailerFrom), strings.ToLower(TrailerCluster):
		s.addCluster(first)
	case strings.ToLower(TrailerOverride):
		if rest = strings.TrimSpace(rest); rest != "" {
			s.Overrides[first] = rest
		}
	}
}

func (s *Stated) addCluster(name string) {
	if !slices.Contains(s.Clusters, name) {
		s.Clusters = append(s.Clusters, name)
	}
}

// Covers reports whether the statement speaks of a component on a cluster.
func (s *Stated) Covers(component, cluster string) bool {
	return (s.Component == "" || s.Component == component) && (len(s.Clusters) == 0 || slices.Contains(s.Clusters, cluster))
}

// Reverts reports whether a commit says, in Git's or GitLab's own words, that it reverts another.
func Reverts(commit *gitrepo.Commit) bool {
	return strings.HasPrefix(commit.Subject, `Revert "`) || strings.Contains(commit.Body, "This reverts commit ")
}

// SameVersion reports whether two pins deploy the same; digests and holds aside, for registries differ in those.
func SameVersion(a, b *v1alpha1.PinSpec) bool { return sameVersion(a, b) }

// SameDeployment reports whether two pins of one cluster differ in their holds alone, or not at all.
func SameDeployment(a, b *v1alpha1.PinSpec) bool { return sameDeployment(a, b) }

// LeftVersions returns the versions of a pin that another no longer has: what a rollback leaves. They are sorted.
func LeftVersions(old, new *v1alpha1.PinSpec) []string { return leftVersions(old, new) }
