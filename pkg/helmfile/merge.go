package helmfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/yamledit"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

// merger writes a design into a control repo: first what is missing (merge.go), then what differs (differ.go). What is
// there already and comes to the same stays, however people write it.
type merger struct {
	design *design
	target fs.FS
	files  files
	repo   *control.Repo // as it is with the files written so far
	fresh  map[string]bool
}

// staged is the target with what is written so far.
func (m *merger) staged() fs.FS { return stagedfs.New(m.target, m.files) }

// reload reads the control repo with what is written so far.
func (m *merger) reload(ctx context.Context) error {
	repo, findings := control.Load(ctx, m.staged(), control.Only{})
	m.repo = repo
	return findings.Err()
}

// merge returns the files that the target needs.
func (d *design) merge(ctx context.Context, target fs.FS, name string) (files, error) {
	m := &merger{design: d, target: target, files: files{}, fresh: map[string]bool{}}
	if err := m.root(ctx, name); err != nil {
		return nil, err
	}
	if err := m.reload(ctx); err != nil {
		return nil, fmt.Errorf("the control repo to import into has mistakes of its own: correct them first\n%w", err)
	}
	for _, step := range []func() error{m.clusters, m.components} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := m.reload(ctx); err != nil {
		return nil, err
	}
	return m.files, m.differences(ctx)
}

// root makes the control repo, where there is none.
func (m *merger) root(ctx context.Context, name string) error {
	if _, err := fs.Stat(m.target, control.RootFile); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read %s: %w", control.RootFile, bareError(err))
	}
	plan, err := scaffold.Init(ctx, m.target, scaffold.InitOptions{Name: name})
	if err != nil {
		return err
	}
	for _, change := range plan.Changes {
		m.files[change.Path] = change.New
	}
	spec, err := m.design.rootNode()
	if err != nil {
		return err
	}
	m.files[control.RootFile], err = ourFile(v1alpha1.KindControlRepo, control.RootFile, name, spec)
	return err
}

// read returns a file as it is by now.
func (m *merger) read(file string) ([]byte, error) { return fs.ReadFile(m.staged(), file) }

// set changes one value in a file.
func (m *merger) set(file string, value *yaml.Node, path ...string) error {
	content, err := m.read(file)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", file, bareError(err))
	}
	content, err = yamledit.Set(content, value, path...)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", file, err)
	}
	m.files[file] = content
	return nil
}

// add appends an item to a list in a file.
func (m *merger) add(file string, item *yaml.Node, path ...string) error {
	content, err := m.read(file)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", file, bareError(err))
	}
	content, err = yamledit.Append(content, item, path...)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", file, err)
	}
	m.files[file] = content
	return nil
}

// clusters makes those that are not there.
func (m *merger) clusters() error {
	for _, cluster := range slices.Sorted(maps.Keys(m.design.clusters)) {
		if m.repo.Clusters[cluster] != nil {
			continue
		}
		spec, err := m.design.clusterNode(cluster)
		if err != nil {
			return err
		}
		file := control.ClusterFile(cluster)
		if m.files[file], err = ourFile(v1alpha1.KindCluster, file, cluster, spec); err != nil {
			return err
		}
		if _, err := fs.Stat(m.target, control.OverlayFile(cluster)); err != nil {
			m.files[control.OverlayFile(cluster)] = []byte(overlayText)
		}
		m.fresh[cluster] = true
	}
	return nil
}

// components makes those that are not there, releases that one that is there lacks, and pins.
func (m *merger) components() error {
	for _, c := range m.design.components {
		have := m.repo.Components[c.name]
		var err error
		if have == nil {
			err = m.newComponent(c)
		} else {
			err = m.moreReleases(c, have)
		}
		if err != nil {
			return err
		}
		if err := m.pins(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) newComponent(c *component) error {
	m.design.noteUnknown(c)
	spec, overrides := m.design.component(c)
	node, err := mappingNode(spec)
	if err != nil {
		return err
	}
	file := control.ComponentFile(c.name)
	if m.files[file], err = ourFile(v1alpha1.KindComponent, file, c.name, node); err != nil {
		return err
	}
	for _, cluster := range slices.Sorted(maps.Keys(overrides)) {
		for _, release := range slices.Sorted(maps.Keys(overrides[cluster])) {
			if err := m.override(cluster, release, overrides[cluster][release]); err != nil {
				return err
			}
		}
	}
	if c.manifests != nil {
		for name, content := range c.manifests.kustomized() {
			m.files[control.ManifestsDir(c.name, c.manifests.version)+"/"+name] = content
		}
	}
	for _, release := range c.order {
		if err := m.newRelease(c, release); err != nil {
			return err
		}
	}
	return nil
}

// override writes what a cluster says of a release that was not there.
func (m *merger) override(cluster, release string, o override) error {
	node, err := overrideNode(o)
	if err != nil {
		return err
	}
	return m.set(control.ClusterFile(cluster), node, "spec", "releases", release)
}

// newRelease writes the values of a release that was not there, and the repositories that it takes its chart from.
func (m *merger) newRelease(c *component, release string) error {
	for _, cluster := range c.clusters() {
		if err := m.repository(cluster, m.design.repositories.nameFor(cluster, c.releases[cluster][release].repository)); err != nil {
			return err
		}
		if m.design.options.Suspend {
			if err := m.set(control.ClusterFile(cluster), safeyaml.Node(true), "spec", "releases", release, "suspend"); err != nil {
				return err
			}
		}
	}
	return m.newValues(c, release)
}

func (m *merger) newValues(c *component, release string) error {
	values, hints := map[string]control.Values{}, []*yaml.Node{}
	for _, cluster := range c.clusters() {
		read := c.releases[cluster][release]
		values[cluster] = read.values
		if read.hint != nil {
			hints = append(hints, read.hint)
		}
	}
	common, rest := splitValues(values)
	shared := sharedHint(hints, common)
	if len(common) > 0 {
		text, err := valuesText(common, shared, nil)
		if err != nil {
			return err
		}
		m.files[control.ComponentValuesFile(c.name, release)] = text
	} else {
		shared = nil
	}
	for _, cluster := range c.clusters() {
		if len(rest[cluster]) == 0 {
			continue
		}
		text, err := valuesText(rest[cluster], c.releases[cluster][release].hint, shared)
		if err != nil {
			return err
		}
		m.files[control.ClusterValuesFile(cluster, release)] = text
	}
	return nil
}

// sharedHint has the comments that the values of all clusters have, where the clusters share a value.
func sharedHint(hints []*yaml.Node, common any) *yaml.Node {
	if len(hints) == 0 {
		return nil
	}
	shared := *hints[0]
	shared.HeadComment = sharedComment(hints, func(n *yaml.Node) string { return n.HeadComment })
	shared.LineComment = sharedComment(hints, func(n *yaml.Node) string { return n.LineComment })
	shared.FootComment = sharedComment(hints, func(n *yaml.Node) string { return n.FootComment })
	values, isMap := common.(map[string]any)
	if shared.Kind != yaml.MappingNode || !isMap {
		return &shared
	}
	shared.Content = nil
	for i := 0; i+1 < len(hints[0].Content); i += 2 {
		name := hints[0].Content[i].Value
		below, both := values[name]
		if !both {
			continue
		}
		var keys, found []*yaml.Node
		for _, hint := range hints {
			if key := keyNode(hint, name); key != nil {
				keys, found = append(keys, key), append(found, child(hint, name))
			}
		}
		shared.Content = append(shared.Content, sharedHint(keys, nil), sharedHint(found, below))
	}
	return &shared
}

// sharedComment is the comment that all have, or that all others contain.
func sharedComment(hints []*yaml.Node, of func(*yaml.Node) string) string {
	shared := of(hints[0])
	for _, hint := range hints[1:] {
		switch comment := of(hint); {
		case strings.Contains(shared, comment):
			shared = comment
		case !strings.Contains(comment, shared):
			return ""
		}
	}
	return shared
}

// moreReleases adds to a component that is there the releases that it lacks.
func (m *merger) moreReleases(c *component, have *control.Component) error {
	if c.manifests != nil {
		return m.moreManifests(c)
	}
	for _, name := range c.order {
		if _, known := have.Release(name); known {
			continue
		}
		declared, overrides := m.design.release(c, name)
		node, err := mappingNode(declared)
		if err != nil {
			return err
		}
		if err := m.add(control.ComponentFile(c.name), node, "spec", "releases"); err != nil {
			return err
		}
		for _, cluster := range slices.Sorted(maps.Keys(overrides)) {
			if err := m.override(cluster, name, overrides[cluster]); err != nil {
				return err
			}
		}
		if err := m.newRelease(c, name); err != nil {
			return err
		}
	}
	return nil
}

// moreManifests adds a version of plain manifests that is not there. One that is there stays: pins name its content.
func (m *merger) moreManifests(c *component) error {
	dir := control.ManifestsDir(c.name, c.manifests.version)
	if _, err := fs.Stat(m.target, dir); err == nil {
		return nil
	}
	for name, content := range c.manifests.kustomized() {
		m.files[dir+"/"+name] = content
	}
	return nil
}

// pins makes the pins that are not there, and pins releases that a pin lacks.
func (m *merger) pins(c *component) error {
	digest := ""
	if c.manifests != nil {
		var err error
		if digest, err = control.ManifestsDigest(m.staged(), control.ManifestsDir(c.name, c.manifests.version)); err != nil {
			return err
		}
	}
	for _, cluster := range m.design.runsOn(c) {
		file := control.PinFile(cluster, c.name)
		spec := m.design.pinNode(c, cluster, digest)
		have := m.repo.Clusters[cluster]
		if have == nil || have.Pins[c.name] == nil {
			var err error
			if m.files[file], err = ourFile(v1alpha1.KindPin, file, c.name, spec); err != nil {
				return err
			}
			continue
		}
		for _, name := range c.order {
			if _, pinned := have.Pins[c.name].Releases[name]; pinned {
				continue
			}
			if err := m.set(file, child(child(spec, "releases"), name), "spec", "releases", name); err != nil {
				return err
			}
		}
	}
	return nil
}

// repository sees to it that a cluster has a chart repository of that name, with the URL that the design wants.
func (m *merger) repository(cluster, name string) error {
	wanted := m.design.repositories.repositories[name]
	url := wanted.URL
	if over := m.design.repositories.overrides[cluster][name]; over != "" {
		url = over
	}
	base, known := m.repo.Spec.Repositories[name]
	if !known {
		node, err := mappingNode(wanted)
		if err != nil {
			return err
		}
		base = wanted
		if err := m.set(control.RootFile, node, "spec", "repositories", name); err != nil {
			return err
		}
	}
	have := m.repo.Clusters[cluster]
	if m.fresh[cluster] || have == nil {
		if base.URL != url && m.design.repositories.overrides[cluster][name] == "" {
			return m.set(control.ClusterFile(cluster), safeyaml.Node(url), "spec", "repositories", name, "url")
		}
		return nil // its file has the override
	}
	if effective, _ := m.repo.Repository(have, name); effective.URL == "" && base.URL == url || effective.URL == url {
		return nil
	} else if effective.URL != "" && known {
		return fmt.Errorf("the chart repository %q is %s on cluster %s, and the helmfiles say %s: rename it in %s, or correct it there", name, effective.URL, cluster, url, control.RootFile)
	}
	return m.set(control.ClusterFile(cluster), safeyaml.Node(url), "spec", "repositories", name, "url")
}
