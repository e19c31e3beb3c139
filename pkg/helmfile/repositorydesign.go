package helmfile

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// repositoryDesign gives chart repositories their names. Where releases take their charts from another of helmfile's
// repositories on each cluster, that is one repository here, whose URL clusters override: a release then names the same
// repository everywhere.
type repositoryDesign struct {
	// repositories are those of tfgitops.yaml.
	repositories map[string]v1alpha1.Repository
	// overrides are the URLs that differ on a cluster, by cluster and name.
	overrides map[string]map[string]string
	// names lead from what a helmfile calls a repository to its name here, by cluster.
	names map[string]map[repositoryKey]string
}

// repositoryKey is one of helmfile's repositories: the same name may have several URLs.
type repositoryKey struct{ alias, url string }

func keyOf(r chartRepository) repositoryKey { return repositoryKey{r.name, r.url} }

func (made *repositoryDesign) nameFor(cluster string, r chartRepository) string {
	return made.names[cluster][keyOf(r)]
}

func (made *repositoryDesign) pattern(name string) string {
	return made.repositories[name].VersionPattern
}

// use is a release that takes its chart from a repository on a cluster.
type use struct {
	cluster    string
	release    string
	repository chartRepository
	version    string
}

func designRepositories(d *design) *repositoryDesign {
	made := &repositoryDesign{repositories: map[string]v1alpha1.Repository{}, overrides: map[string]map[string]string{}, names: map[string]map[repositoryKey]string{}}
	for cluster := range d.clusters {
		made.overrides[cluster], made.names[cluster] = map[string]string{}, map[repositoryKey]string{}
	}
	uses := usesOf(d.components)
	groups := switching(uses)
	for _, group := range groups {
		made.addGroup(d, group, uses)
	}
	made.addOthers(uses)
	made.setPatterns(uses)
	return made
}

func usesOf(components []*component) []use {
	var uses []use
	for _, c := range components {
		for _, cluster := range c.clusters() {
			for _, name := range c.order {
				read := c.releases[cluster][name]
				uses = append(uses, use{cluster, name, read.repository, read.version})
			}
		}
	}
	return uses
}

// switching returns the groups of repositories that releases switch between from cluster to cluster.
func switching(uses []use) [][]repositoryKey {
	byRelease := map[string]map[repositoryKey]bool{}
	for _, u := range uses {
		if byRelease[u.release] == nil {
			byRelease[u.release] = map[repositoryKey]bool{}
		}
		byRelease[u.release][keyOf(u.repository)] = true
	}
	var groups []map[repositoryKey]bool
	for _, name := range slices.Sorted(maps.Keys(byRelease)) {
		group := maps.Clone(byRelease[name])
		if len(group) < 2 {
			continue
		}
		groups = slices.DeleteFunc(groups, func(other map[repositoryKey]bool) bool {
			for source := range other {
				if group[source] {
					maps.Copy(group, other)
					return true
				}
			}
			return false
		})
		groups = append(groups, group)
	}
	var sorted [][]repositoryKey
	for _, group := range groups {
		sources := slices.Collect(maps.Keys(group))
		slices.SortFunc(sources, func(a, b repositoryKey) int { return cmp.Or(cmp.Compare(a.alias, b.alias), cmp.Compare(a.url, b.url)) })
		sorted = append(sorted, sources)
	}
	return sorted
}

// addGroup makes a group one repository. On each cluster it has the URL that most releases use there; the other URLs that
// are used there have a repository each, named after the group and helmfile's name.
func (made *repositoryDesign) addGroup(d *design, group []repositoryKey, uses []use) {
	name := made.groupName(group, uses)
	counts := map[string]map[repositoryKey]int{}
	described := map[repositoryKey]chartRepository{}
	for _, u := range uses {
		if slices.Contains(group, keyOf(u.repository)) {
			if counts[u.cluster] == nil {
				counts[u.cluster] = map[repositoryKey]int{}
			}
			counts[u.cluster][keyOf(u.repository)]++
			described[keyOf(u.repository)] = described[keyOf(u.repository)].with(u.repository)
		}
	}
	main := map[string]repositoryKey{}
	for cluster, count := range counts {
		main[cluster] = slices.MaxFunc(group, func(a, b repositoryKey) int {
			return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(b.alias, a.alias))
		})
	}
	base := main[baseCluster(d, main)]
	made.repositories[name] = repositoryFrom(described[base], name)
	for cluster, count := range counts {
		if main[cluster].url != base.url {
			made.overrides[cluster][name] = main[cluster].url
		}
		for source := range count {
			made.names[cluster][source] = name
			if source.url != main[cluster].url {
				made.names[cluster][source] = name + "-" + dnsName(source.alias)
				made.repositories[name+"-"+dnsName(source.alias)] = repositoryFrom(described[source], name+"-"+dnsName(source.alias))
			}
		}
	}
}

// groupName is what the URLs of a group end in alike, or else helmfile's names in a row.
func (made *repositoryDesign) groupName(group []repositoryKey, uses []use) string {
	name := lastName(group[0].url)
	var aliases []string
	for _, source := range group {
		if lastName(source.url) != name {
			name = ""
		}
		aliases = append(aliases, dnsName(source.alias))
	}
	taken := made.repositories[name].URL != "" || slices.ContainsFunc(uses, func(u use) bool {
		return dnsName(u.repository.name) == name && !slices.Contains(group, keyOf(u.repository))
	})
	if name == "" || taken {
		return strings.Join(aliases, "-")
	}
	return name
}

// baseCluster is the cluster whose URL stands in tfgitops.yaml: one of the last stage, or one of those with the URL that
// most clusters have.
func baseCluster(d *design, main map[string]repositoryKey) string {
	for _, stage := range slices.Backward(d.options.Stages) {
		for _, cluster := range stage.Clusters {
			if main[cluster].url != "" {
				return cluster
			}
		}
	}
	count := map[string]int{}
	for _, source := range main {
		count[source.url]++
	}
	return slices.MaxFunc(slices.Sorted(maps.Keys(main)), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[main[a].url], count[main[b].url]), cmp.Compare(b, a))
	})
}

// addOthers adds the repositories that every release has everywhere, by helmfile's name for them.
func (made *repositoryDesign) addOthers(uses []use) {
	described := map[repositoryKey]chartRepository{}
	for _, u := range uses {
		described[keyOf(u.repository)] = described[keyOf(u.repository)].with(u.repository)
	}
	for _, u := range uses {
		source := keyOf(u.repository)
		if made.names[u.cluster][source] != "" {
			continue
		}
		name := dnsName(source.alias)
		for n := 2; made.repositories[name].URL != "" && made.repositories[name].URL != source.url; n++ {
			name = fmt.Sprintf("%s-%d", dnsName(source.alias), n)
		}
		made.repositories[name], made.names[u.cluster][source] = repositoryFrom(described[source], name), name
	}
}

// with returns a repository as two helmfiles declare it: with credentials if one of them says so.
func (r chartRepository) with(other chartRepository) chartRepository {
	other.insecure = other.insecure || r.insecure
	other.credentials = other.credentials || r.credentials
	other.certificate = other.certificate || r.certificate
	return other
}

func repositoryFrom(r chartRepository, name string) v1alpha1.Repository {
	made := v1alpha1.Repository{URL: r.url}
	if r.insecure && strings.HasPrefix(r.url, "oci://") {
		yes := true
		made.Insecure = &yes
	}
	if r.credentials {
		made.SecretRef = &meta.LocalObjectReference{Name: name + "-repository"}
	}
	if r.certificate {
		made.CertSecretRef = &meta.LocalObjectReference{Name: name + "-certificate"}
	}
	return made
}

// commitAtEnd matches a chart version that ends in a commit, as CI builds them.
var commitAtEnd = regexp.MustCompile(`-([0-9a-f]{7,40})$`)

// setPatterns gives the repositories most of whose versions end in a commit the pattern that finds it.
func (made *repositoryDesign) setPatterns(uses []use) {
	lengths := map[string]map[int]int{}
	total := map[string]int{}
	for _, u := range uses {
		name := made.nameFor(u.cluster, u.repository)
		total[name]++
		if match := commitAtEnd.FindStringSubmatch(u.version); match != nil && strings.HasPrefix(u.repository.url, "oci://") {
			if lengths[name] == nil {
				lengths[name] = map[int]int{}
			}
			lengths[name][len(match[1])]++
		}
	}
	for name, count := range lengths {
		repository := made.repositories[name]
		for length, n := range count {
			if 2*n > total[name] {
				repository.VersionPattern = fmt.Sprintf("-(?P<commit>[0-9a-f]{%d})$", length)
			}
		}
		made.repositories[name] = repository
	}
}
