package control

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// deployments checks each component on each cluster that pins it.
func (c *checker) deployments() {
	for _, name := range c.repo.ClusterNames() {
		cluster := c.repo.Clusters[name]
		if cluster.broken {
			continue
		}
		c.kubeVersion(cluster)
		for _, component := range cluster.PinnedComponents() {
			deployment, findings := c.repo.Deployment(name, component)
			c.findings = append(c.findings, findings...)
			if deployment == nil {
				continue
			}
			c.dependenciesPresent(deployment)
			c.commit(deployment)
			c.manifests(deployment)
			for _, release := range deployment.Releases {
				c.version(deployment, release)
				c.runsOn(deployment, release)
			}
		}
	}
}

func (c *checker) kubeVersion(cluster *Cluster) {
	if _, err := semver.StrictNewVersion(cluster.KubeVersion); err != nil {
		c.find(RuleKubeVersion, ClusterFile(cluster.Name), []string{"spec", "kubeVersion"}, fmt.Sprintf("%q is no Kubernetes version", cluster.KubeVersion), `write all three numbers, such as "1.32.4"`)
	}
}

func (c *checker) kubeRange(file string, at []string, constraint string) {
	if constraint == "" {
		return
	}
	if _, err := semver.NewConstraint(constraint); err != nil {
		c.find(RuleKubeVersion, file, at, fmt.Sprintf("%q is no range of versions: %v", constraint, err), `write it as Helm does, such as ">=1.29 <=1.32"`)
	}
}

// runsOn compares the release's range with the cluster's version, as Helm compares them: an upper bound such as <=1.32
// includes 1.32.4, and a pre-release part of the cluster's version does not count.
func (c *checker) runsOn(d *Deployment, r Release) {
	version, err := semver.NewVersion(d.Cluster.KubeVersion)
	constraint, rangeErr := semver.NewConstraint(r.KubeVersion)
	if r.KubeVersion == "" || err != nil || rangeErr != nil || constraint.Check(version) {
		return
	}
	c.find(RuleKubeVersion, PinFile(d.Cluster.Name, d.Component.Name), []string{"spec", "releases", r.Name, "version"},
		fmt.Sprintf("release %q runs on Kubernetes %s, and cluster %q has %s", r.Name, r.KubeVersion, d.Cluster.Name, d.Cluster.KubeVersion),
		"pin a version that runs there, or correct kubeVersion in "+ComponentFile(d.Component.Name)+" or "+ClusterFile(d.Cluster.Name))
}

func (c *checker) dependenciesPresent(d *Deployment) {
	for i, name := range d.Component.DependsOn {
		if dependency := c.repo.Components[name]; dependency == nil || dependency.External != "" || d.Cluster.Pinned[name] {
			continue
		}
		c.find(RuleDependencyAbsent, ComponentFile(d.Component.Name), []string{"spec", "dependsOn", strconv.Itoa(i)},
			fmt.Sprintf("component %q depends on %q, which is not pinned on cluster %q", d.Component.Name, name, d.Cluster.Name),
			fmt.Sprintf("deploy it with `tfgitops bump %s REVISION --install --cluster %s`, or remove the dependency", name, d.Cluster.Name))
	}
}

var hexCommit = regexp.MustCompile(`^[0-9a-f]{4,40}$`)

// commit checks the pinned commit against the versions that are made from it.
func (c *checker) commit(d *Deployment) {
	file, at := PinFile(d.Cluster.Name, d.Component.Name), []string{"spec", "commit"}
	if d.Commit == "" {
		return
	}
	if !hexCommit.MatchString(d.Commit) {
		c.find(RuleInvalidCommit, file, at, fmt.Sprintf("%q is no commit", d.Commit), "write 4 to 40 lower-case hexadecimal digits, quoted")
		return
	}
	for _, release := range d.Releases {
		inVersion := CommitOf(release.Version, release.Source.VersionPattern)
		if inVersion != "" && !strings.HasPrefix(d.Commit, inVersion) && !strings.HasPrefix(inVersion, d.Commit) {
			c.find(RuleInvalidCommit, file, at, fmt.Sprintf("the commit %s contradicts the version of release %q, which was built from %s", d.Commit, release.Name, inVersion),
				fmt.Sprintf("pin it again with `tfgitops bump %s REVISION --cluster %s`", d.Component.Name, d.Cluster.Name))
		}
	}
}

// CommitOf returns the commit in a chart version, as the pattern finds it, or nothing.
func CommitOf(version, pattern string) string {
	if pattern == "" {
		return ""
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return ""
	}
	match := compiled.FindStringSubmatch(version)
	if index := compiled.SubexpIndex("commit"); match != nil && index >= 0 {
		return match[index]
	}
	return ""
}

func (c *checker) manifests(d *Deployment) {
	if d.ManifestsDir == "" || !c.repo.hasDir(d.ManifestsDir) {
		return
	}
	pinned := d.Cluster.Pins[d.Component.Name].Manifests
	digest, err := ManifestsDigest(c.repo.fsys, d.ManifestsDir)
	file, at := PinFile(d.Cluster.Name, d.Component.Name), []string{"spec", "manifests", "digest"}
	switch {
	case err != nil:
		c.find(RuleUnreadable, d.ManifestsDir, nil, err.Error(), "")
	case digest != pinned.Digest:
		c.find(RuleManifestsChanged, file, at, fmt.Sprintf("the content of %s is not what was pinned: its digest is %s", d.ManifestsDir, digest),
			fmt.Sprintf("restore the folder from Git, or vendor the new content as a version of its own and bump to it: `tfgitops component vendor %s VERSION URL`", d.Component.Name))
	}
}

const (
	// maxChartLabel is Kubernetes' limit for a label's value; charts label what they make <chart>-<version>.
	maxChartLabel = 63
	// digestSuffix is what Flux appends to the version of a chart that is pinned by digest: + and twelve digits.
	digestSuffix = 13
)

func (c *checker) version(d *Deployment, r Release) {
	file, at := PinFile(d.Cluster.Name, d.Component.Name), []string{"spec", "releases", r.Name, "version"}
	if problem, help := versionProblem(r.Version, isOCI(r.Source.URL)); problem != "" {
		c.find(RuleInvalidVersion, file, at, fmt.Sprintf("release %q: %s", r.Name, problem), help)
		return
	}
	length := len(r.Chart) + 1 + len(r.Version)
	if r.Source.Pinning == v1alpha1.PinningDigest {
		length += digestSuffix
	}
	if length > maxChartLabel {
		c.find(RuleChartLabel, file, at, fmt.Sprintf("the label %s-%s of release %q would have %d characters, and Kubernetes takes %d", r.Chart, r.Version, r.Name, length, maxChartLabel), "shorten the chart's name or version in the component's CI, or use pinning: version")
	}
}

// versionProblem says what is wrong with an exact version, and what to do.
func versionProblem(version string, oci bool) (problem, help string) {
	bare := strings.TrimPrefix(version, "v")
	_, err := semver.StrictNewVersion(bare)
	switch {
	case err == nil && oci && bare != version:
		return fmt.Sprintf("the version %q has a v, which no chart in an OCI registry has", version), fmt.Sprintf("write %q", bare)
	case err == nil:
		return "", ""
	case isRange(version):
		return fmt.Sprintf("%q is a range of versions, not one: what runs would change by surprise", version), "write one exact version"
	default:
		return fmt.Sprintf("%q is no semantic version: %v", version, err), "write one as MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD]"
	}
}

func isRange(version string) bool {
	_, err := semver.NewConstraint(version)
	return err == nil && (strings.ContainsAny(version, "<>=~^*|, ") || slices.ContainsFunc(strings.Split(version, "."), func(part string) bool { return strings.EqualFold(part, "x") })) ||
		version == "latest"
}
