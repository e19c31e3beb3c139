package helmfile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// files are the content of files by their path in the control repo; nil for one that is to go.
type files map[string][]byte

// head is how a file of ours begins.
func head(kind v1alpha1.Kind, file, name string) string {
	up := strings.Repeat("../", strings.Count(file, "/"))
	return fmt.Sprintf("# yaml-language-server: $schema=%s\napiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n",
		path.Join(up, "schemas", kind.SchemaFile()), v1alpha1.APIVersion, kind, name)
}

// ourFile is a file of one of our kinds.
func ourFile(kind v1alpha1.Kind, file, name string, spec *yaml.Node) ([]byte, error) {
	if len(spec.Content) == 0 {
		return []byte(head(kind, file, name) + "spec: {}\n"), nil
	}
	root := &yaml.Node{Kind: yaml.MappingNode}
	entry(root, "spec", spec)
	text, err := bytesOf(root)
	return append([]byte(head(kind, file, name)), text...), err
}

// references are the values of a release that come from its Secret, in Flux's form.
func references(read release) []meta.ValuesReference {
	var references []meta.ValuesReference
	for _, secret := range read.secrets {
		reference := meta.ValuesReference{Kind: "Secret", Name: secretOf(read.name), ValuesKey: secret.key}
		if secret.path != nil {
			reference.TargetPath = target(secret.path)
			reference.Literal = true // or commas and dots in the secret would be syntax
		}
		references = append(references, reference)
	}
	return references
}

// component returns the spec of a component, and what its clusters override.
func (d *design) component(c *component) (v1alpha1.ComponentSpec, map[string]map[string]override) {
	spec := v1alpha1.ComponentSpec{DependsOn: d.dependencies[c.name]}
	overrides := map[string]map[string]override{}
	for _, name := range c.order {
		declared, differ := d.release(c, name)
		spec.Releases = append(spec.Releases, declared)
		for cluster, o := range differ {
			if overrides[cluster] == nil {
				overrides[cluster] = map[string]override{}
			}
			overrides[cluster][name] = o
		}
	}
	spec.Namespace = raised(spec.Releases, func(r *v1alpha1.Release) *string { return &r.Namespace })
	spec.Timeout = raised(spec.Releases, func(r *v1alpha1.Release) *v1alpha1.Duration { return &r.Timeout })
	return spec, overrides
}

// raised takes out what all releases say alike, for the component to say once.
func raised[T ~string](releases []v1alpha1.Release, field func(*v1alpha1.Release) *T) T {
	var same T
	for i := range releases {
		value := *field(&releases[i])
		if i > 0 && value != same || value == "" {
			return ""
		}
		same = value
	}
	for i := range releases {
		*field(&releases[i]) = ""
	}
	return same
}

// override is what a cluster says of a release, beside the component.
type override struct {
	v1alpha1.ReleaseSettings
	// noValuesFrom says that the cluster takes no values from Secrets, unlike others.
	noValuesFrom bool
}

// release returns a release with the settings that most of its clusters have, and what the others have instead.
func (d *design) release(c *component, name string) (v1alpha1.Release, map[string]override) {
	settings := map[string]v1alpha1.ReleaseSettings{}
	chart := ""
	for _, cluster := range c.clusters() {
		settings[cluster] = d.settings(c, cluster, name)
		chart = c.releases[cluster][name].chart
	}
	declared := v1alpha1.Release{Name: name, DependsOn: c.releaseNeeds(name)}
	if chart != name {
		declared.Chart = chart
	}
	overrides := map[string]override{}
	at := func(cluster string) override { return overrides[cluster] }
	spread(settings, func(s v1alpha1.ReleaseSettings) string { return s.Repository }, &declared.Repository, func(cluster, v string) { o := at(cluster); o.Repository = v; overrides[cluster] = o })
	spread(settings, func(s v1alpha1.ReleaseSettings) string { return s.Namespace }, &declared.Namespace, func(cluster, v string) { o := at(cluster); o.Namespace = v; overrides[cluster] = o })
	spread(settings, func(s v1alpha1.ReleaseSettings) v1alpha1.Duration { return s.Timeout }, &declared.Timeout, func(cluster string, v v1alpha1.Duration) {
		o := at(cluster)
		o.Timeout = v.Or("5m")
		overrides[cluster] = o
	})
	spread(settings, func(s v1alpha1.ReleaseSettings) v1alpha1.CRDsPolicy { return s.CRDs }, &declared.CRDs, func(cluster string, v v1alpha1.CRDsPolicy) {
		o := at(cluster)
		if o.CRDs = v; v == "" {
			o.CRDs = v1alpha1.CRDsCreate
		}
		overrides[cluster] = o
	})
	spread(settings, func(s v1alpha1.ReleaseSettings) v1alpha1.Remediation { return s.Remediation }, &declared.Remediation, func(cluster string, v v1alpha1.Remediation) {
		o := at(cluster)
		if o.Remediation = v; v == "" {
			o.Remediation = v1alpha1.RemediationRetry
		}
		overrides[cluster] = o
	})
	spread(settings, func(s v1alpha1.ReleaseSettings) string { return s.KubeVersion }, &declared.KubeVersion, func(cluster, v string) { o := at(cluster); o.KubeVersion = v; overrides[cluster] = o })
	d.spreadSecrets(&declared, settings, overrides)
	return declared, overrides
}

// spread gives the value that most clusters have to the release, and the others' to them. Of values as frequent as each
// other the one that is not empty counts more, and then the first.
func spread[T ~string](settings map[string]v1alpha1.ReleaseSettings, field func(v1alpha1.ReleaseSettings) T, into *T, override func(cluster string, value T)) {
	count := map[T]int{}
	for _, s := range settings {
		count[field(s)] += 2
		if field(s) != "" {
			count[field(s)]++
		}
	}
	values := slices.Sorted(maps.Keys(count))
	if len(values) == 0 {
		return
	}
	*into = slices.MaxFunc(values, func(a, b T) int { return count[a] - count[b] })
	for cluster, s := range settings {
		if field(s) != *into {
			override(cluster, field(s))
		}
	}
}

// spreadSecrets gives the values from Secrets that most clusters have, of those with some, to the release.
func (d *design) spreadSecrets(declared *v1alpha1.Release, settings map[string]v1alpha1.ReleaseSettings, overrides map[string]override) {
	count := map[string]int{}
	shown := func(s v1alpha1.ReleaseSettings) string { return fmt.Sprint(s.ValuesFrom) }
	byText := map[string][]meta.ValuesReference{}
	for _, s := range settings {
		if len(s.ValuesFrom) > 0 {
			count[shown(s)]++
			byText[shown(s)] = s.ValuesFrom
		}
	}
	if len(count) == 0 {
		return
	}
	most := slices.MaxFunc(slices.Sorted(maps.Keys(count)), func(a, b string) int { return count[a] - count[b] })
	declared.ValuesFrom = byText[most]
	for cluster, s := range settings {
		if shown(s) == most {
			continue
		}
		o := overrides[cluster]
		o.ValuesFrom, o.noValuesFrom = s.ValuesFrom, len(s.ValuesFrom) == 0
		overrides[cluster] = o
	}
}

// overrideNode writes what a cluster says of a release.
func overrideNode(o override) (*yaml.Node, error) {
	node, err := mappingNode(o.ReleaseSettings)
	if err == nil && o.noValuesFrom {
		entry(node, "valuesFrom", &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle})
	}
	return node, err
}

// pinNode is the pin of a component on a cluster; digest is that of plain manifests.
func (d *design) pinNode(c *component, cluster, digest string) *yaml.Node {
	spec := &yaml.Node{Kind: yaml.MappingNode}
	if c.manifests != nil {
		pinned := &yaml.Node{Kind: yaml.MappingNode}
		entry(pinned, "version", quoted(c.manifests.version))
		entry(pinned, "digest", quoted(digest))
		entry(spec, "manifests", pinned)
		return spec
	}
	if commit := d.commit(c, cluster); commit != "" {
		entry(spec, "commit", quoted(commit))
	}
	releases := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range slices.Sorted(maps.Keys(c.releases[cluster])) {
		pinned := &yaml.Node{Kind: yaml.MappingNode}
		entry(pinned, "version", quoted(c.releases[cluster][name].version))
		entry(releases, name, pinned)
	}
	entry(spec, "releases", releases)
	return spec
}

// quoted is a text in quotes: a version or commit must never be read as a number.
func quoted(s string) *yaml.Node {
	node := safeyaml.Node(s)
	node.Style = yaml.DoubleQuotedStyle
	return node
}

// overlayText is a new cluster's kustomization.
const overlayText = `# What Flux applies. Patches, SOPS secrets and flux-system are added here, by hand.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - manifests
`

// clusterNode is the spec of a new cluster.
func (d *design) clusterNode(cluster string) (*yaml.Node, error) {
	spec := v1alpha1.ClusterSpec{FluxVersion: d.options.FluxVersion, Context: d.contexts[cluster]}
	if spec.FluxVersion == "" {
		spec.FluxVersion = DefaultFlux
	}
	kube, given := d.kubeVersion(cluster)
	spec.KubeVersion = kube
	if !given {
		d.notes.add(Item{
			Position: Position{File: control.ClusterFile(cluster)}, Construct: "cluster", Status: Todo, Text: fmt.Sprintf("no helmfile says which Kubernetes version %s has: %s is written, from the ranges in kubeVersion values", cluster, kube),
			Help: "write the real one (kubectl version), and Flux's (flux version)",
		})
	}
	if urls := d.repositories.overrides[cluster]; len(urls) > 0 {
		spec.Repositories = map[string]v1alpha1.Repository{}
		for name, url := range urls {
			spec.Repositories[name] = v1alpha1.Repository{URL: url}
		}
	}
	return mappingNode(spec)
}

// rootNode is the spec of a new control repo.
func (d *design) rootNode() (*yaml.Node, error) {
	spec := v1alpha1.ControlRepoSpec{Repositories: d.repositories.repositories, ReleaseDefaults: v1alpha1.ReleaseDefaults{Interval: "10m", Timeout: "5m"}}
	for i, stage := range d.options.Stages {
		made := v1alpha1.Stage{Name: stage.Name, Clusters: stage.Clusters, Followers: stage.Followers}
		if i > 0 {
			made.Requires = []v1alpha1.Gate{v1alpha1.GateReady}
		}
		spec.Stages = append(spec.Stages, made)
	}
	if len(spec.Stages) == 0 {
		d.notes.add(Item{
			Position: Position{File: control.RootFile}, Construct: "stages", Status: Todo, Text: "no helmfile says in which order clusters get new versions",
			Help: "write stages, or import with --stage test=CLUSTER --stage production=CLUSTER",
		})
	}
	return mappingNode(spec)
}
