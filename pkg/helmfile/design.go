package helmfile

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// design is the control repo that an import comes to.
type design struct {
	clusters     map[string]string // the environment of each
	contexts     map[string]string // of kubeconfig, by cluster
	components   []*component
	repositories *repositoryDesign
	dependencies map[string][]string // components, by component
	options      Options
	notes        *notes
}

// newDesign decides what cannot be read off one component alone. Components that failed are not in it.
func newDesign(components []*component, environments map[string]string, options Options, notes *notes) *design {
	d := &design{clusters: environments, contexts: map[string]string{}, components: components, dependencies: map[string][]string{}, options: options, notes: notes}
	slices.SortFunc(d.components, func(a, b *component) int { return cmp.Compare(a.name, b.name) })
	for _, c := range d.components {
		for cluster, context := range c.context {
			d.contexts[cluster] = cmp.Or(d.contexts[cluster], context)
		}
	}
	d.repositories = designRepositories(d)
	d.needs()
	return d
}

// runsOn are the clusters of a component: one of plain manifests is on all.
func (d *design) runsOn(c *component) []string {
	if c.manifests != nil {
		return slices.Sorted(maps.Keys(d.clusters))
	}
	return c.clusters()
}

// needs turns the releases that a release needs into dependencies between releases of a component, and between components.
func (d *design) needs() {
	owner := map[string]*component{}
	for _, c := range d.components {
		for _, name := range c.order {
			owner[name] = c
		}
	}
	for _, c := range d.components {
		before := map[string]bool{}
		for _, cluster := range c.clusters() {
			for _, name := range c.order {
				for _, need := range c.releases[cluster][name].needs {
					switch {
					case owner[need] == nil:
						c.notes.add(Item{Position: c.releases[cluster][name].at, Construct: "releases[].needs", Status: Todo, Text: fmt.Sprintf("release %q needs %q, which is not imported", name, need), Help: "write dependsOn once it is there"})
					case owner[need] != c:
						before[owner[need].name] = true
						d.noteWidened(c, owner[need], c.releases[cluster][name].at)
					}
				}
			}
		}
		d.dependencies[c.name] = slices.Sorted(maps.Keys(before))
	}
}

// noteWidened says where a dependency between components means more than the one between two releases did.
func (d *design) noteWidened(c, on *component, at Position) {
	if len(c.order) > 1 || len(on.order) > 1 {
		c.notes.add(Item{Position: at, Construct: "releases[].needs", Status: Mapped, Text: fmt.Sprintf("component %s depends on component %s: each release here on each release there", c.name, on.name)})
	}
}

// releaseNeeds are the releases of its own component that a release needs.
func (c *component) releaseNeeds(name string) []string {
	needs := map[string]bool{}
	for _, cluster := range c.clusters() {
		for _, need := range c.releases[cluster][name].needs {
			if slices.Contains(c.order, need) {
				needs[need] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(needs))
}

// settings are what a release has on a cluster, with what is the same everywhere left to the component.
func (d *design) settings(c *component, cluster, name string) v1alpha1.ReleaseSettings {
	read := c.releases[cluster][name]
	settings := v1alpha1.ReleaseSettings{
		Repository: d.repositories.nameFor(cluster, read.repository), Namespace: read.namespace, Timeout: flux(read.timeout), KubeVersion: read.kubeVersion,
	}
	if read.rollback {
		settings.Remediation = v1alpha1.RemediationRollback
	}
	if read.skipCRDs {
		settings.CRDs = v1alpha1.CRDsSkip
	}
	settings.ValuesFrom = references(read)
	return settings
}

// helmTimeout is how long Helm waits where nobody says anything.
const helmTimeout = 5 * time.Minute

// flux writes a duration as people do: 1h, 10m, 90s.
func flux(d time.Duration) v1alpha1.Duration {
	if d == 0 || d == helmTimeout {
		return ""
	}
	written := d.String()
	written = strings.TrimSuffix(written, "0s")
	if strings.HasSuffix(written, "h0m") {
		written = strings.TrimSuffix(written, "0m")
	}
	if written == "" || !strings.HasSuffix(written, "h") && !strings.HasSuffix(written, "m") && !strings.HasSuffix(written, "s") {
		written = d.String()
	}
	return v1alpha1.Duration(written)
}

// commit is the commit that a chart's version names, by the repository's pattern.
func (d *design) commit(c *component, cluster string) string {
	found := map[string]bool{}
	for _, name := range c.order {
		read := c.releases[cluster][name]
		pattern := d.repositories.pattern(d.repositories.nameFor(cluster, read.repository))
		if pattern == "" {
			continue
		}
		if match := regexp.MustCompile(pattern).FindStringSubmatch(read.version); match != nil {
			found[match[1]] = true
		}
	}
	if commits := slices.Sorted(maps.Keys(found)); len(commits) == 1 {
		return commits[0]
	}
	return ""
}

// noteUnknown says what a new component may need that no helmfile knows.
func (d *design) noteUnknown(c *component) {
	at := Position{File: control.ComponentFile(c.name)}
	if len(d.dependencies[c.name]) == 0 && c.manifests == nil {
		d.notes.add(Item{
			Position: at, Component: c.name, Construct: "dependsOn", Status: Todo, Text: "no needs: helmfile deployed it in any order",
			Help: "write dependsOn with the components whose CRDs, certificates or namespaces it uses",
		})
	}
	d.notes.add(Item{Position: at, Component: c.name, Construct: "protect", Status: Todo, Text: "a pin that is removed removes it", Help: "write protect: true if it must never be pruned: CRDs, networking, admission"})
	if slices.ContainsFunc(c.clusters(), func(cluster string) bool { return d.commit(c, cluster) != "" }) {
		d.notes.add(Item{Position: at, Component: c.name, Construct: "source", Status: Todo, Text: "its versions name a commit", Help: "write source: with the Git repository that it is built from, and bump finds its commits"})
	}
}

// oldestKube and newestKube are the minor versions of Kubernetes that are tried for a cluster whose version nobody gives.
const oldestKube, newestKube = 20, 45

// kubeVersion is the Kubernetes version of a new cluster: the one given, or one that every release may run on.
func (d *design) kubeVersion(cluster string) (version string, given bool) {
	for _, name := range []string{cluster, ""} {
		if version := d.options.KubeVersions[name]; version != "" {
			return version, true
		}
	}
	ranges := map[string]bool{}
	for _, c := range d.components {
		for _, read := range c.releases[cluster] {
			ranges[read.kubeVersion] = true
		}
	}
	delete(ranges, "")
	for _, candidate := range kubeCandidates() {
		if all(slices.Collect(maps.Keys(ranges)), func(r string) bool { return allows(r, candidate) }) {
			return candidate, false
		}
	}
	return defaultKube, false
}

// kubeCandidates are the versions that are tried: the default, then newer ones, then older ones.
func kubeCandidates() []string {
	candidates := []string{defaultKube}
	for minor := defaultKubeMinor + 1; minor <= newestKube; minor++ {
		candidates = append(candidates, fmt.Sprintf("1.%d.0", minor))
	}
	for minor := defaultKubeMinor - 1; minor >= oldestKube; minor-- {
		candidates = append(candidates, fmt.Sprintf("1.%d.0", minor))
	}
	return candidates
}

// defaultKube is the Kubernetes version of a new cluster where nothing says anything.
const (
	defaultKube      = "1.32.0"
	defaultKubeMinor = 32
)

// DefaultFlux is the Flux version of new clusters where none is given: the oldest with literal values from Secrets.
const DefaultFlux = "2.9"

func allows(kubeRange, version string) bool {
	constraint, err := semver.NewConstraint(kubeRange)
	if err != nil {
		return true // it is a finding of validate
	}
	parsed, err := semver.NewVersion(version)
	return err == nil && constraint.Check(parsed)
}

func all[T any](items []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(items, func(item T) bool { return !holds(item) })
}

// splitValues returns the values of a release that are the same on all of its clusters, and the rest of each.
func splitValues(values map[string]control.Values) (common control.Values, rest map[string]control.Values) {
	clusters := slices.Sorted(maps.Keys(values))
	rest = map[string]control.Values{}
	if len(clusters) == 0 {
		return nil, rest
	}
	common = values[clusters[0]]
	for _, cluster := range clusters[1:] {
		common = commonValues(common, values[cluster])
	}
	for _, cluster := range clusters {
		rest[cluster] = valuesWithout(values[cluster], common)
	}
	return common, rest
}

// commonValues are the entries that two mappings share.
func commonValues(a, b control.Values) control.Values {
	common := control.Values{}
	for key, value := range a {
		other, both := b[key]
		aMap, aIsMap := value.(map[string]any)
		bMap, bIsMap := other.(map[string]any)
		switch {
		case !both:
		case sameValue(value, other):
			common[key] = value
		case aIsMap && bIsMap:
			if below := commonValues(aMap, bMap); len(below) > 0 {
				common[key] = below
			}
		}
	}
	return common
}

// valuesWithout are the entries of a mapping that others do not have: merged over those they give the mapping again.
func valuesWithout(values, others control.Values) control.Values {
	rest := control.Values{}
	for key, value := range values {
		other, both := others[key]
		below, isMap := value.(map[string]any)
		otherBelow, otherIsMap := other.(map[string]any)
		switch {
		case !both:
			rest[key] = value
		case isMap && otherIsMap:
			if more := valuesWithout(below, otherBelow); len(more) > 0 {
				rest[key] = more
			}
		}
	}
	return rest
}
