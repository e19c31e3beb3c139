package chart

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// Chart is a parsed chart. What it is never changes, and it is safe for concurrent
// use.
type Chart struct {
	parsed  *helmchart.Chart
	schemas schemas
	read    documentsRead
}

// Name is the chart's name.
func (c *Chart) Name() string { return c.parsed.Metadata.Name }

// Version is the version in Chart.yaml.
func (c *Chart) Version() string { return c.parsed.Metadata.Version }

// AppVersion is the version of what the chart installs, "" when not said.
func (c *Chart) AppVersion() string { return c.parsed.Metadata.AppVersion }

// KubeVersion is the range of Kubernetes versions that the chart supports, ""
// for any.
func (c *Chart) KubeVersion() string { return c.parsed.Metadata.KubeVersion }

// Defaults returns a copy of the chart's values.yaml, without those of its
// subcharts.
func (c *Chart) Defaults() map[string]any { return copyMap(c.parsed.Values) }

// Schema returns a copy of values.schema.json, nil when there is none.
func (c *Chart) Schema() []byte { return slices.Clone(c.parsed.Schema) }

// newChart parses files that have been checked. The dependencies are sorted:
// Helm reads them in random order, which decides between equals.
func newChart(files []*archive.BufferedFile) (*Chart, error) {
	parsed, err := loader.LoadFiles(files)
	if err != nil {
		return nil, err
	}
	sortDependencies(parsed)
	return &Chart{parsed: parsed}, nil
}

func sortDependencies(c *helmchart.Chart) {
	deps := slices.Clone(c.Dependencies())
	slices.SortStableFunc(deps, func(a, b *helmchart.Chart) int {
		return cmp.Or(cmp.Compare(a.Name(), b.Name()), cmp.Compare(a.Metadata.Version, b.Metadata.Version))
	})
	c.SetDependencies(deps...)
	for _, d := range deps {
		sortDependencies(d)
	}
}

// clone copies what Helm changes while it renders: metadata, the tree of
// dependencies and the top of the values. Templates, files and the values
// below are shared, as Helm copies values before it merges them.
func clone(c *helmchart.Chart) *helmchart.Chart {
	out := *c
	out.Metadata = cloneMetadata(c.Metadata)
	out.Values = maps.Clone(c.Values)
	deps := make([]*helmchart.Chart, len(c.Dependencies()))
	for i, d := range c.Dependencies() {
		deps[i] = clone(d)
	}
	out.SetDependencies(deps...)
	return &out
}

// cloneMetadata copies the metadata with all that a template can reach and
// change: .Chart is built from it.
func cloneMetadata(m *helmchart.Metadata) *helmchart.Metadata {
	out := *m
	out.Annotations = maps.Clone(m.Annotations)
	out.Keywords = slices.Clone(m.Keywords)
	out.Sources = slices.Clone(m.Sources)
	out.Maintainers = cloneEach(m.Maintainers)
	out.Dependencies = cloneEach(m.Dependencies)
	return &out
}

func cloneEach[T any](in []*T) []*T {
	if in == nil {
		return nil
	}
	out := make([]*T, len(in))
	for i, p := range in {
		if p != nil {
			v := *p
			out[i] = &v
		}
	}
	return out
}

func copyMap(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		out[k] = copyValue(v)
	}
	return out
}

func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return copyMap(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = copyValue(v[i])
		}
		return out
	default:
		return v
	}
}

// Local returns the chart with "local" in its version's build metadata. What is
// installed from a person's folder then never passes for what is published
// under the same version: not in `helm list`, and not when it is compared with
// a pin.
func (c *Chart) Local() (*Chart, error) {
	version, err := semver.NewVersion(c.Version())
	if err != nil {
		return nil, fmt.Errorf("chart %q: version %q: %w", c.Name(), c.Version(), err)
	}
	mark := "local"
	if metadata := version.Metadata(); metadata != "" {
		mark = metadata + ".local"
	}
	marked, err := version.SetMetadata(mark)
	if err != nil {
		return nil, fmt.Errorf("chart %q: version %q: %w", c.Name(), c.Version(), err)
	}
	local := clone(c.parsed)
	local.Metadata.Version = marked.Original()
	return &Chart{parsed: local}, nil
}
