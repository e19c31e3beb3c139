package helmfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	udiff "github.com/aymanbagabas/go-udiff"
	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// proof compares every release on every cluster with its rendered HelmRelease: chart, version, repository, namespace,
// timeout, values, and which of them come from Secrets.
func (d *design) proof(repo *control.Repo) ([]Compared, error) {
	compared := []Compared{}
	for _, cluster := range repo.ClusterNames() {
		if _, imported := d.clusters[cluster]; !imported {
			continue
		}
		rendered, findings := render.Cluster(repo, cluster)
		if err := findings.Err(); err != nil {
			return nil, err
		}
		objects, err := readObjects(rendered)
		if err != nil {
			return nil, fmt.Errorf("what is rendered for %s: %w", cluster, err)
		}
		for _, c := range d.components {
			for _, name := range c.order {
				read, deployed := c.releases[cluster][name]
				if !deployed {
					continue
				}
				compared = append(compared, Compared{
					Cluster: cluster, Environment: d.clusters[cluster], Component: c.name, Release: name, Differences: objects.differences(read),
				})
			}
		}
	}
	return compared, nil
}

// fluxObjects are the rendered objects of a cluster that say what Helm is asked for.
type fluxObjects struct {
	releases     map[string]helmv2.HelmRelease
	values       map[string]control.Values // every digit kept
	repositories map[string]string
}

func readObjects(rendered render.Files) (fluxObjects, error) {
	objects := fluxObjects{map[string]helmv2.HelmRelease{}, map[string]control.Values{}, map[string]string{}}
	for name, content := range rendered {
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		for {
			var node yaml.Node
			if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return objects, fmt.Errorf("%s: %w", name, err)
			}
			if err := objects.add(&node); err != nil {
				return objects, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return objects, nil
}

func (o fluxObjects) add(document *yaml.Node) error {
	text, err := yaml.Marshal(document)
	if err != nil {
		return err
	}
	root := document.Content[0]
	name := textIn(root, "metadata", "name")
	switch textIn(root, "kind") {
	case helmv2.HelmReleaseKind:
		var release helmv2.HelmRelease
		if err := sigsyaml.Unmarshal(text, &release); err != nil {
			return err
		}
		o.releases[name], o.values[name] = release, control.Values{}
		if values := child(child(root, "spec"), "values"); values != nil {
			o.values[name], err = valuesOfNode(values)
		}
		return err
	case sourcev1.HelmRepositoryKind:
		o.repositories["HelmRepository/"+name] = textIn(root, "spec", "url")
	case sourcev1.OCIRepositoryKind:
		o.repositories["OCIRepository/"+name] = textIn(root, "spec", "url")
	}
	return nil
}

func textIn(n *yaml.Node, path ...string) string {
	for _, key := range path {
		n = child(n, key)
	}
	return text(n)
}

// differences says in what a rendered release differs from what helmfile deploys.
func (o fluxObjects) differences(read release) []string {
	release, rendered := o.releases[read.name]
	if !rendered {
		return []string{"it is not rendered"}
	}
	wait := helmTimeout
	if read.timeout > 0 {
		wait = read.timeout
	}
	chart, version, url := o.chartOf(release, read)
	differences := []string{}
	for _, f := range []struct{ name, want, got string }{
		{"release name", read.name, release.Spec.ReleaseName},
		{"namespace", read.namespace, release.Spec.TargetNamespace},
		{"storage namespace", read.namespace, release.Spec.StorageNamespace},
		{"chart", read.chart, chart},
		{"version", read.version, version},
		{"repository", read.repository.url, url},
		{"timeout", wait.String(), timeoutOf(release).String()},
		{"values from Secrets", strings.Join(targets(references(read)), ", "), strings.Join(targets(release.Spec.ValuesFrom), ", ")},
	} {
		if f.want != f.got {
			differences = append(differences, fmt.Sprintf("%s: helmfile has %q, and %q is rendered", f.name, f.want, f.got))
		}
	}
	if !sameValue(read.values, o.values[read.name]) {
		differences = append(differences, "values:\n"+valuesDiff(read.values, o.values[read.name]))
	}
	return differences
}

// chartOf returns the chart, version and repository of a rendered release, from wherever its source says.
func (o fluxObjects) chartOf(release helmv2.HelmRelease, read release) (chart, version, url string) {
	if release.Spec.Chart != nil {
		spec := release.Spec.Chart.Spec
		return spec.Chart, spec.Version, o.repositories[spec.SourceRef.Kind+"/"+spec.SourceRef.Name]
	}
	if reference := release.Spec.ChartRef; reference != nil {
		url, isChart := strings.CutSuffix(o.repositories[reference.Kind+"/"+reference.Name], "/"+read.chart)
		if isChart {
			return read.chart, read.version, url // by digest: whether it is of this version, the registry says
		}
	}
	return "", "", ""
}

func timeoutOf(release helmv2.HelmRelease) time.Duration {
	if release.Spec.Timeout == nil {
		return helmTimeout
	}
	return release.Spec.Timeout.Duration
}

// valuesDiff shows how values differ, without what looks like a password.
func valuesDiff(want, got control.Values) string {
	v := newVault()
	wanted, _ := toYAML(masked(v, want, ""))
	rendered, _ := toYAML(masked(v, got, ""))
	if wanted == rendered {
		return "a value that looks like a password differs"
	}
	return udiff.Unified("helmfile", "rendered", wanted, rendered)
}

// secretKeys lists the keys of Secrets that releases need.
func (d *design) secretKeys() []SecretKey {
	keys := []SecretKey{}
	for _, c := range d.components {
		for _, cluster := range c.clusters() {
			for _, name := range c.order {
				for _, s := range c.releases[cluster][name].secrets {
					keys = append(keys, secretKeyOf(cluster, name, s))
				}
			}
		}
	}
	slices.SortStableFunc(keys, func(a, b SecretKey) int { return strings.Compare(a.Cluster+"\x00"+a.Secret, b.Cluster+"\x00"+b.Secret) })
	return keys
}

func secretKeyOf(cluster, release string, s secretValue) SecretKey {
	key := SecretKey{Cluster: cluster, Release: release, Secret: secretOf(release), Key: s.key, Content: s.template, Sources: []string{}}
	if s.path != nil {
		key.TargetPath = target(s.path)
	}
	for _, source := range s.sources {
		key.Sources = append(key.Sources, source.Origin)
	}
	return key
}
