package helmfile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// differences changes what of the control repo comes to something else than what helmfile deploys.
func (m *merger) differences(ctx context.Context) error {
	for _, c := range m.design.components {
		if c.manifests != nil {
			if err := m.manifestsDiffer(c); err != nil {
				return err
			}
			continue
		}
		if err := m.dependenciesDiffer(c); err != nil {
			return err
		}
		for _, name := range c.order {
			if err := m.releaseDiffers(c, name); err != nil {
				return fmt.Errorf("release %q: %w", name, err)
			}
		}
	}
	return m.reload(ctx)
}

// deployed returns a release as the control repo has it on a cluster.
func (m *merger) deployed(cluster, component, release string) (control.Release, error) {
	deployment, findings := m.repo.Deployment(cluster, component)
	if deployment == nil {
		return control.Release{}, findings.Err()
	}
	i := slices.IndexFunc(deployment.Releases, func(r control.Release) bool { return r.Name == release })
	if i < 0 {
		return control.Release{}, fmt.Errorf("it is not pinned on %s", cluster)
	}
	return deployment.Releases[i], nil // findings on values and targets are what is corrected here
}

// field is a setting of a release that may differ.
type field struct {
	name         string
	have, wanted string
	value        *yaml.Node
}

func (m *merger) fields(c *component, cluster, name string) ([]field, error) {
	have, err := m.deployed(cluster, c.name, name)
	if err != nil {
		return nil, err
	}
	read := c.releases[cluster][name]
	wait, err := have.Timeout.Parse()
	if err != nil {
		return nil, err
	}
	wanted := read.timeout
	if wanted == 0 {
		wanted = helmTimeout
	}
	fields := []field{
		{"namespace", have.Namespace, read.namespace, safeyaml.Node(read.namespace)},
		{"timeout", wait.String(), wanted.String(), safeyaml.Node(string(durationText(wanted)))},
	}
	if repository := m.design.repositories.nameFor(cluster, read.repository); have.Source.URL != read.repository.url {
		fields = append(fields, field{"repository", have.Source.URL, read.repository.url, safeyaml.Node(repository)})
	}
	if read.rollback {
		fields = append(fields, field{"remediation", string(have.Remediation), string(v1alpha1.RemediationRollback), safeyaml.Node(string(v1alpha1.RemediationRollback))})
	}
	if read.skipCRDs {
		fields = append(fields, field{"crds", string(have.CRDs), string(v1alpha1.CRDsSkip), safeyaml.Node(string(v1alpha1.CRDsSkip))})
	}
	return slices.DeleteFunc(fields, func(f field) bool { return f.have == f.wanted }), nil
}

func durationText(d time.Duration) v1alpha1.Duration { return flux(d).Or("5m") }

func (m *merger) releaseDiffers(c *component, name string) error {
	differ := map[string][]field{}
	for _, cluster := range c.clusters() {
		fields, err := m.fields(c, cluster, name)
		if err != nil {
			return err
		}
		differ[cluster] = fields
	}
	if err := m.chartDiffers(c, name); err != nil {
		return err
	}
	for _, cluster := range c.clusters() {
		for _, f := range differ[cluster] {
			if f.name == "repository" {
				if err := m.repository(cluster, f.value.Value); err != nil {
					return err
				}
			}
			if err := m.set(control.ClusterFile(cluster), f.value, "spec", "releases", name, f.name); err != nil {
				return err
			}
		}
		if err := m.versionDiffers(c, cluster, name); err != nil {
			return err
		}
		if err := m.secretsDiffer(c, cluster, name); err != nil {
			return err
		}
	}
	return m.valuesDiffer(c, name)
}

// releaseIndex is the place of a release in its component's file.
func (m *merger) releaseIndex(c *component, name string) string {
	return strconv.Itoa(slices.Index(m.repo.Components[c.name].ReleaseNames(), name))
}

func (m *merger) chartDiffers(c *component, name string) error {
	for _, cluster := range c.clusters() {
		have, err := m.deployed(cluster, c.name, name)
		if err != nil {
			return err
		}
		if wanted := c.releases[cluster][name].chart; have.Chart != wanted {
			return m.set(control.ComponentFile(c.name), safeyaml.Node(wanted), "spec", "releases", m.releaseIndex(c, name), "chart")
		}
	}
	return nil
}

// versionDiffers pins the version that helmfile deploys. The commit goes with it, and a digest does not.
func (m *merger) versionDiffers(c *component, cluster, name string) error {
	have, err := m.deployed(cluster, c.name, name)
	if err != nil || have.Version == c.releases[cluster][name].version {
		return err
	}
	file := control.PinFile(cluster, c.name)
	if err := m.set(file, child(child(m.design.pinNode(c, cluster, ""), "releases"), name), "spec", "releases", name); err != nil {
		return err
	}
	if commit := m.design.commit(c, cluster); commit != "" {
		return m.set(file, quoted(commit), "spec", "commit")
	}
	return nil
}

// secretsDiffer compares where values from Secrets go: what the Secrets and keys are called is people's business.
func (m *merger) secretsDiffer(c *component, cluster, name string) error {
	have, err := m.deployed(cluster, c.name, name)
	if err != nil {
		return err
	}
	wanted := references(c.releases[cluster][name])
	if slices.Equal(targets(have.ValuesFrom), targets(wanted)) {
		return nil
	}
	node := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	if len(wanted) > 0 {
		if node, err = objectNode(wanted); err != nil {
			return err
		}
	}
	return m.set(control.ClusterFile(cluster), node, "spec", "releases", name, "valuesFrom")
}

// targets are the places that values from Secrets go to, sorted; "" is all of a release's values.
func targets(references []meta.ValuesReference) []string {
	var targets []string
	for _, r := range references {
		targets = append(targets, r.TargetPath)
	}
	slices.Sort(targets)
	return targets
}

// valuesDiffer corrects a release's values files where the clusters come to something else.
func (m *merger) valuesDiffer(c *component, name string) error {
	var own, wanted []control.Values
	component := m.repo.Components[c.name]
	same := true
	for _, cluster := range c.clusters() {
		have, err := m.deployed(cluster, c.name, name)
		if err != nil {
			return err
		}
		read := c.releases[cluster][name]
		same = same && sameValue(have.Values, read.values)
		own, wanted = append(own, m.repo.Clusters[cluster].Values[name]), append(wanted, read.values)
	}
	if same {
		return nil
	}
	for _, cluster := range c.clusters() {
		if len(m.repo.Clusters[cluster].Pins[c.name].Values[name]) > 0 {
			return fmt.Errorf("its pin on %s has values of its own, and what they come to is not what helmfile deploys: fold them first (`tfgitops fold %s`)", cluster, c.name)
		}
	}
	shared := refitted(component.Values[name], own, wanted)
	if err := m.writeValues(control.ComponentValuesFile(c.name, name), component.Values[name], shared, nil); err != nil {
		return err
	}
	for i, cluster := range c.clusters() {
		over := valuesOver(shared, wanted[i])
		if err := m.writeValues(control.ClusterValuesFile(cluster, name), own[i], over, c.releases[cluster][name].hint); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) writeValues(file string, from, to control.Values, hint *yaml.Node) error {
	if sameValue(from, to) || len(from) == 0 && len(to) == 0 {
		return nil
	}
	text, err := editValues(m.staged(), file, from, to, hint)
	m.files[file] = text
	return err
}

// dependenciesDiffer adds the dependencies that a component lacks. What people added stays.
func (m *merger) dependenciesDiffer(c *component) error {
	have := m.repo.Components[c.name]
	for _, name := range m.design.dependencies[c.name] {
		if !slices.Contains(have.DependsOn, name) {
			if err := m.add(control.ComponentFile(c.name), safeyaml.Node(name), "spec", "dependsOn"); err != nil {
				return err
			}
		}
	}
	for _, release := range c.order {
		declared, _ := have.Release(release)
		for _, need := range c.releaseNeeds(release) {
			if slices.Contains(declared.DependsOn, need) {
				continue
			}
			if err := m.add(control.ComponentFile(c.name), safeyaml.Node(need), "spec", "releases", m.releaseIndex(c, release), "dependsOn"); err != nil {
				return err
			}
		}
	}
	return nil
}

// manifestsDiffer pins another version of plain manifests where it is another.
func (m *merger) manifestsDiffer(c *component) error {
	digest, err := control.ManifestsDigest(m.staged(), control.ManifestsDir(c.name, c.manifests.version))
	if err != nil {
		return err
	}
	for _, cluster := range slices.Sorted(maps.Keys(m.design.clusters)) {
		pin := m.repo.Clusters[cluster].Pins[c.name]
		if pin == nil || pin.Manifests != nil && pin.Manifests.Version == c.manifests.version {
			continue
		}
		if err := m.set(control.PinFile(cluster, c.name), child(m.design.pinNode(c, cluster, digest), "manifests"), "spec", "manifests"); err != nil {
			return err
		}
	}
	return nil
}
