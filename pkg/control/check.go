package control

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
)

// Check returns everything that is wrong with a repo that was loaded whole, as far as the repo alone can tell.
func Check(repo *Repo) Findings {
	c := &checker{repo: repo}
	for _, check := range []func(){
		c.repositories, c.stages, c.freezes, c.components, c.releaseNames, c.componentDependencies,
		c.clusterOverrides, c.deployments, c.strayFiles, c.values, c.links,
	} {
		check()
	}
	return c.findings.Sorted()
}

type checker struct {
	repo     *Repo
	findings Findings
}

func (c *checker) find(rule, file string, path []string, message, help string) {
	c.findings = append(c.findings, at(c.repo.fsys, rule, file, path, message, help))
}

func (c *checker) warn(rule, file string, path []string, message, help string) {
	finding := at(c.repo.fsys, rule, file, path, message, help)
	finding.Severity = Warning
	c.findings = append(c.findings, finding)
}

// repositories checks those of tfgitops.yaml, and each cluster's as the cluster has them.
func (c *checker) repositories() {
	for _, name := range slices.Sorted(maps.Keys(c.repo.Spec.Repositories)) {
		c.repository(RootFile, name, c.repo.Spec.Repositories[name])
	}
	for _, clusterName := range c.repo.ClusterNames() {
		cluster := c.repo.Clusters[clusterName]
		for _, name := range slices.Sorted(maps.Keys(cluster.Repositories)) {
			merged, _ := c.repo.Repository(cluster, name)
			c.repository(ClusterFile(clusterName), name, merged)
		}
	}
}

var repositoryURL = regexp.MustCompile(`^(oci|https|http)://[^/\s?#@]+(/[^\s?#]*)?$`)

func (c *checker) repository(file, name string, r v1alpha1.Repository) {
	at := []string{"spec", "repositories", name}
	report := func(field, message, help string) {
		c.find(RuleInvalidRepository, file, append(at, field), fmt.Sprintf("repository %q: %s", name, message), help)
	}
	if !repositoryURL.MatchString(r.URL) {
		report("url", describeURL(r.URL)+" is no chart repository's URL", "write oci://host/path, https://host/path or http://host/path, with no user, password or query in it")
		c.hideSource(strings.Contains(r.URL, "@"))
		return
	}
	c.dnsLabel(file, at, "repository", name)
	if err := checkVersionPattern(r.VersionPattern); err != nil {
		report("versionPattern", err.Error(), `write a regular expression with a group for the commit, such as "-(?P<commit>[0-9a-f]{8})$"`)
	}
	if isOCI(r.URL) {
		if r.Verify != nil && len(r.Verify.MatchOIDCIdentity) > 0 && r.Pinning != v1alpha1.PinningDigest {
			report("verify", "matchOIDCIdentity has an effect only on charts pinned by digest", "write pinning: digest, or remove it")
		}
		return
	}
	for _, setting := range []struct {
		field string
		set   bool
	}{
		{"insecure", r.Insecure != nil}, {"provider", r.Provider != ""}, {"verify", r.Verify != nil}, {"pinning", r.Pinning == v1alpha1.PinningDigest},
	} {
		if setting.set {
			report(setting.field, setting.field+" needs an oci:// repository", "remove it, or use the charts' OCI registry")
		}
	}
}

// describeURL quotes a URL, unless a password may be in it.
func describeURL(url string) string {
	if strings.Contains(url, "@") {
		return "a URL with a user in it"
	}
	return fmt.Sprintf("%q", url)
}

// hideSource takes the line out of the last finding, where a password may be in it.
func (c *checker) hideSource(hide bool) {
	if hide {
		c.findings[len(c.findings)-1].Source = ""
	}
}

func checkVersionPattern(pattern string) error {
	if pattern == "" {
		return nil
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return fmt.Errorf("%q is no regular expression: %w", pattern, err)
	}
	if compiled.SubexpIndex("commit") < 0 {
		return fmt.Errorf("%q has no group named commit", pattern)
	}
	return nil
}

func (c *checker) stages() {
	stageOf := map[string]string{}
	names := map[string]bool{}
	for i, stage := range c.repo.Spec.Stages {
		at := []string{"spec", "stages", strconv.Itoa(i)}
		if names[stage.Name] {
			c.find(RuleStages, RootFile, append(at, "name"), fmt.Sprintf("there are two stages named %q", stage.Name), "rename one of them")
		}
		names[stage.Name] = true
		c.stageClusters(append(at, "clusters"), stage.Name, stage.Clusters, stageOf)
		c.stageClusters(append(at, "followers"), stage.Name, stage.Followers, stageOf)
	}
	if len(c.repo.Spec.Stages) == 0 {
		return
	}
	for _, cluster := range c.repo.ClusterNames() {
		if stageOf[cluster] == "" {
			c.warn(RuleStages, ClusterFile(cluster), []string{"metadata", "name"}, fmt.Sprintf("cluster %q is in no stage", cluster), "add it to a stage in "+RootFile+", as one of its clusters or as a follower")
		}
	}
}

func (c *checker) stageClusters(at []string, stage string, clusters []string, stageOf map[string]string) {
	for i, cluster := range clusters {
		position := append(slices.Clone(at), strconv.Itoa(i))
		if c.repo.Clusters[cluster] == nil {
			c.find(RuleUnknownCluster, RootFile, position, fmt.Sprintf("there is no cluster %q%s", cluster, strictyaml.Suggest(cluster, c.repo.ClusterNames())),
				fmt.Sprintf("create it with `tfgitops cluster add %s`, or remove it from the stage", cluster))
			continue
		}
		if other := stageOf[cluster]; other != "" {
			c.find(RuleStages, RootFile, position, fmt.Sprintf("cluster %q is in stage %q already", cluster, other), "keep it in one of them")
		}
		stageOf[cluster] = stage
	}
}

func (c *checker) freezes() {
	c.freezeWindows(RootFile, c.repo.Spec.Freeze)
	for _, cluster := range c.repo.ClusterNames() {
		c.freezeWindows(ClusterFile(cluster), c.repo.Clusters[cluster].Freeze)
	}
}

func (c *checker) freezeWindows(file string, windows []v1alpha1.Freeze) {
	for i, window := range windows {
		from, fromErr := window.From.Parse()
		to, toErr := window.To.Parse()
		if fromErr == nil && toErr == nil && !to.After(from) {
			c.find(RuleFreezeWindow, file, []string{"spec", "freeze", strconv.Itoa(i), "to"}, fmt.Sprintf("the freeze ends (%s) before it starts (%s)", window.To, window.From), "write a later time in to:")
		}
	}
}

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (c *checker) dnsLabel(file string, at []string, what, name string) {
	if !dnsLabel.MatchString(name) {
		c.find(RuleInvalidName, file, at, fmt.Sprintf("%q is no name for a %s", name, what), "use lower-case letters, digits and - (a DNS label of at most 63 characters)")
	}
}

// maxReleaseName is Helm's own limit: it leaves room for what Kubernetes appends to names.
const maxReleaseName = 53

func (c *checker) components() {
	for _, name := range c.repo.ComponentNames() {
		component := c.repo.Components[name]
		if component.broken {
			continue
		}
		file := ComponentFile(name)
		c.dnsLabel(file, []string{"metadata", "name"}, "component", name)
		c.componentShape(component)
		for i, release := range component.Releases {
			at := []string{"spec", "releases", strconv.Itoa(i)}
			if !dnsLabel.MatchString(release.Name) || len(release.Name) > maxReleaseName {
				c.find(RuleInvalidName, file, append(at, "name"), fmt.Sprintf("%q is no name for a Helm release", release.Name), fmt.Sprintf("use lower-case letters, digits and -, at most %d characters", maxReleaseName))
			}
			for j, dependency := range release.DependsOn {
				if !slices.Contains(component.ReleaseNames(), dependency) {
					c.find(RuleUnknownRelease, file, append(at, "dependsOn", strconv.Itoa(j)), fmt.Sprintf("component %q has no release %q%s", name, dependency, strictyaml.Suggest(dependency, component.ReleaseNames())),
						"name a release of this component; for another component use the component's dependsOn")
				}
			}
			c.kubeRange(file, append(at, "kubeVersion"), release.KubeVersion)
		}
		c.releaseCycle(component)
	}
}

// componentShape checks that a component is exactly one of: Helm releases, plain manifests, external.
func (c *checker) componentShape(component *Component) {
	manifests := c.repo.hasDir(path.Dir(ManifestsDir(component.Name, "x")))
	shapes := 0
	for _, is := range []bool{len(component.Releases) > 0, manifests, component.External != ""} {
		if is {
			shapes++
		}
	}
	if shapes > 1 {
		c.find(RuleInvalidComponent, ComponentFile(component.Name), []string{"spec"}, fmt.Sprintf("component %q has more than one of releases, a manifests folder and external", component.Name), "split it into components that each have one")
	}
	if shapes == 0 {
		c.find(RuleInvalidComponent, ComponentFile(component.Name), []string{"spec"}, fmt.Sprintf("component %q has nothing to deploy", component.Name),
			fmt.Sprintf("add releases, fetch manifests with `tfgitops component vendor %s VERSION URL`, or write external: with how it is delivered", component.Name))
	}
}

func (c *checker) releaseNames() {
	owner := map[string]string{}
	for _, name := range c.repo.ComponentNames() {
		component := c.repo.Components[name]
		for _, release := range component.ReleaseNames() {
			if other, taken := owner[release]; taken {
				c.find(RuleDuplicateRelease, ComponentFile(name), releasePath(component, release, "name"), fmt.Sprintf("the release name %q is taken by component %q", release, other), "rename one of them: release names are unique in a control repo")
			}
			owner[release] = name
		}
	}
}

func (c *checker) componentDependencies() {
	graph := map[string][]string{}
	for _, name := range c.repo.ComponentNames() {
		component := c.repo.Components[name]
		for i, dependency := range component.DependsOn {
			if c.repo.Components[dependency] == nil {
				c.find(RuleUnknownComponent, ComponentFile(name), []string{"spec", "dependsOn", strconv.Itoa(i)}, fmt.Sprintf("there is no component %q%s", dependency, strictyaml.Suggest(dependency, c.repo.ComponentNames())), "name a folder of components/")
			}
		}
		graph[name] = component.DependsOn
	}
	for _, cycle := range cycles(graph) {
		c.find(RuleDependencyCycle, ComponentFile(cycle[0]), []string{"spec", "dependsOn"}, "components depend on each other: "+strings.Join(cycle, " → "), "remove one of these dependencies")
	}
}

func (c *checker) releaseCycle(component *Component) {
	graph := map[string][]string{}
	for _, release := range component.Releases {
		graph[release.Name] = release.DependsOn
	}
	for _, cycle := range cycles(graph) {
		c.find(RuleDependencyCycle, ComponentFile(component.Name), releasePath(component, cycle[0], "dependsOn"), "releases depend on each other: "+strings.Join(cycle, " → "), "remove one of these dependencies")
	}
}

// cycles returns each circle of a graph once, as the names along it with the first repeated at the end. The order is that
// of the names.
func cycles(graph map[string][]string) [][]string {
	const (
		unvisited = iota
		onPath
		done
	)
	state := map[string]int{}
	var found [][]string
	var stack []string
	var visit func(string)
	visit = func(name string) {
		state[name] = onPath
		stack = append(stack, name)
		for _, next := range slices.Sorted(slices.Values(graph[name])) {
			switch state[next] {
			case onPath:
				found = append(found, append(slices.Clone(stack[slices.Index(stack, next):]), next))
			case unvisited:
				visit(next)
			}
		}
		stack = stack[:len(stack)-1]
		state[name] = done
	}
	for _, name := range slices.Sorted(maps.Keys(graph)) {
		if state[name] == unvisited {
			visit(name)
		}
	}
	return found
}

// clusterOverrides checks what cluster.yaml says about releases.
func (c *checker) clusterOverrides() {
	var releases []string
	for _, component := range c.repo.Components {
		if component.broken {
			return // its releases are not known
		}
		releases = append(releases, component.ReleaseNames()...)
	}
	slices.Sort(releases)
	for _, name := range c.repo.ClusterNames() {
		cluster := c.repo.Clusters[name]
		c.dnsLabel(ClusterFile(name), []string{"metadata", "name"}, "cluster", name)
		for _, release := range slices.Sorted(maps.Keys(cluster.Releases)) {
			at := []string{"spec", "releases", release}
			if !slices.Contains(releases, release) {
				c.find(RuleUnknownRelease, ClusterFile(name), at, fmt.Sprintf("there is no release %q%s", release, strictyaml.Suggest(release, releases)), "name a release of a component")
			}
			c.kubeRange(ClusterFile(name), append(at, "kubeVersion"), cluster.Releases[release].KubeVersion)
		}
	}
}

// strayFiles finds files where only files with a certain name mean anything.
func (c *checker) strayFiles() {
	for _, name := range c.repo.ComponentNames() {
		if component := c.repo.Components[name]; !component.broken {
			c.stray(ComponentDir(name)+"/values", component.ReleaseNames(), "a release of this component")
		}
	}
	for _, name := range c.repo.ClusterNames() {
		cluster := c.repo.Clusters[name]
		var releases []string
		for component := range cluster.Pinned {
			if known := c.repo.Components[component]; known == nil || known.broken {
				releases = nil
				break
			}
			releases = append(releases, c.repo.Components[component].ReleaseNames()...)
		}
		if releases != nil {
			c.stray(ClusterDir(name)+"/values", releases, "a release that is pinned on this cluster")
		}
		c.stray(ClusterDir(name)+"/pins", slices.Collect(maps.Keys(cluster.Pinned)), "a component")
	}
}

func (c *checker) stray(dir string, names []string, what string) {
	entries, _ := fs.ReadDir(c.repo.fsys, dir) // Load has said what cannot be read
	for _, entry := range entries {
		base, isYAML := strings.CutSuffix(entry.Name(), ".yaml")
		if isYAML && slices.Contains(names, base) || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		c.find(RuleStrayFile, dir+"/"+entry.Name(), nil, "this file belongs to nothing", "name it NAME.yaml with the name of "+what+", or remove it")
	}
}

// links finds symbolic links: Flux's source-controller leaves them out of what it applies.
func (c *checker) links() {
	for _, dir := range []string{componentsDir, clustersDir} {
		_ = fs.WalkDir(c.repo.fsys, dir, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type()&fs.ModeSymlink != 0 {
				c.find(RuleOutsideRepo, name, nil, "this is a symbolic link", "replace it with a copy of the file: Flux does not follow links")
			}
			return nil
		})
	}
}
