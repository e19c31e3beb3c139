package diff

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// expandTimeout bounds one expansion: a chart's templates are programs, and may not end.
const expandTimeout = time.Minute

// releaseDiff is one HelmRelease whose expansion may differ.
type releaseDiff struct {
	cluster  *clusterDiff
	m        matched // the HelmRelease; nothing need differ in it itself
	old, new *expansion
	objects  []matched
	unknown  []string // values that the old chart had defaults for and the new one has not
	problems []Problem
	errors   []error // of the head
}

// expansion is what Helm applies for a release on one side.
type expansion struct {
	input  expandInput
	digest string // of the chart's archive
	items  []item
}

// expandInput is all that an expansion depends on.
type expandInput struct {
	release    *helmv2.HelmRelease
	chart      chartKey
	tag        string // of an OCIRepository
	references map[chart.Reference][]byte
	caps       chart.Capabilities
}

// expandReleases expands the HelmReleases whose input differs, both sides of each, and compares what Helm applies.
func (c *comparison) expandReleases(ctx context.Context) error {
	if c.options.Charts == nil {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.options.workers())
	for _, d := range c.clusters {
		if d.state == Same || d.state == Unknown {
			continue
		}
		d.releases = c.releasesOf(d)
		for _, r := range d.releases {
			group.Go(func() error { c.expandBoth(ctx, r); return ctx.Err() })
		}
	}
	return group.Wait()
}

// releasesOf lists the HelmReleases of a cluster whose expansion may differ, by name.
func (c *comparison) releasesOf(d *clusterDiff) []*releaseDiff {
	var found []*releaseDiff
	for _, m := range c.helmReleases(d) {
		if !c.wanted(m.any().component) {
			continue
		}
		r := &releaseDiff{cluster: d, m: m}
		if err := r.resolve(); err != nil || r.differs() {
			found = append(found, r)
		}
	}
	return found
}

// helmReleases are those that differ themselves, and those that are the same on both sides.
func (c *comparison) helmReleases(d *clusterDiff) []matched {
	var found []matched
	differing := map[*item]bool{}
	for _, m := range d.flux {
		if isHelmRelease(m.any()) {
			found = append(found, m)
		}
		if m.new != nil {
			differing[m.new] = true
		}
	}
	for i := range d.new.all() {
		it := &d.new.items[i]
		if old := d.old.find(it.ref); isHelmRelease(it) && !differing[it] && old != nil {
			found = append(found, matched{old: old, new: it})
		}
	}
	slices.SortFunc(found, func(a, b matched) int { return a.any().ref.compare(b.any().ref) })
	return found
}

func isHelmRelease(it *item) bool {
	return it.ref.kind == helmv2.HelmReleaseKind && it.ref.group == helmv2.GroupVersion.Group
}

// resolve finds out what the expansions depend on. What cannot be is a problem of this release.
func (r *releaseDiff) resolve() error {
	var oldErr, newErr error
	r.old, oldErr = resolveSide(r.cluster.old, r.m.old)
	r.new, newErr = resolveSide(r.cluster.new, r.m.new)
	r.fail("base", oldErr)
	r.fail("head", newErr)
	return errors.Join(oldErr, newErr)
}

func resolveSide(s *snapshot, it *item) (*expansion, error) {
	if it == nil {
		return nil, nil
	}
	in, err := s.expandInput(it)
	return &expansion{input: in}, err
}

func (r *releaseDiff) fail(side string, err error) {
	if err == nil {
		return
	}
	it := r.m.any()
	r.problems = append(r.problems, Problem{Clusters: []string{r.cluster.name}, Release: it.ref.name, Side: side, Message: err.Error(), File: it.file})
	if side == "head" {
		r.errors = append(r.errors, err)
	}
}

// differs reports whether the inputs of both sides may give different results. Annotations of the HelmRelease do not count.
func (r *releaseDiff) differs() bool {
	if r.old == nil || r.new == nil {
		return true
	}
	return !bytes.Equal(r.old.input.key(), r.new.input.key())
}

func (in expandInput) key() []byte {
	references := map[string]string{}
	for name, content := range in.references {
		references[name.Kind+"/"+name.Name+"/"+name.Key] = string(content)
	}
	key, err := json.Marshal([]any{
		in.release.Namespace, in.release.Name, in.release.Spec,
		in.chart.repo.URL, in.chart.ref, in.tag, references, in.caps.KubeVersion, in.caps.APIVersions,
	})
	if err != nil {
		panic("a decoded HelmRelease cannot be encoded: " + err.Error())
	}
	return key
}

// expandInput reads a HelmRelease and what it refers to.
func (s *snapshot) expandInput(it *item) (expandInput, error) {
	in := expandInput{caps: chart.Capabilities{KubeVersion: s.cluster.KubeVersion, APIVersions: s.cluster.APIVersions}}
	data, err := json.Marshal(it.content)
	if err != nil {
		return in, fmt.Errorf("reading HelmRelease %q: %w", it.ref.name, err)
	}
	in.release = &helmv2.HelmRelease{}
	if err := json.Unmarshal(data, in.release); err != nil {
		return in, fmt.Errorf("reading HelmRelease %q: %w", it.ref.name, err)
	}
	in.references = s.configMaps(in.release)
	if in.release.Spec.ChartRef != nil {
		in.chart, in.tag, err = s.ociChart(in.release)
	} else {
		in.chart, err = s.repositoryChart(it, in.release)
	}
	return in, err
}

// repositoryChart is the chart of a HelmRelease that names it in a HelmRepository.
func (s *snapshot) repositoryChart(it *item, hr *helmv2.HelmRelease) (chartKey, error) {
	if hr.Spec.Chart == nil {
		return chartKey{}, fmt.Errorf("HelmRelease %q names no chart", hr.Name)
	}
	spec := hr.Spec.Chart.Spec
	source := ref{sourcev1.GroupVersion.Group, spec.SourceRef.Kind, cmp.Or(spec.SourceRef.Namespace, hr.Namespace), spec.SourceRef.Name}
	if source.kind != sourcev1.HelmRepositoryKind {
		return chartKey{}, fmt.Errorf("the chart %q comes from a %s: only charts of repositories can be expanded", spec.Chart, source.kind)
	}
	repository := s.find(source)
	if repository == nil {
		return chartKey{}, fmt.Errorf("the chart %q comes from %s, which is not in the cluster's build", spec.Chart, source)
	}
	insecure, _ := at(repository.content, "spec", "insecure").(bool)
	key := chartKey{
		repo: artifact.Repository{URL: textAt(repository.content, "spec", "url"), Insecure: insecure},
		ref:  artifact.ChartRef{Name: spec.Chart, Version: spec.Version},
	}
	if pin := s.cluster.Pins[it.component]; pin != nil && pin.Releases[hr.Name].Version == spec.Version {
		key.ref.Digest = pin.Releases[hr.Name].Digest
	}
	return key, nil
}

// ociChart is the chart of a HelmRelease that names an OCIRepository, and the tag there.
func (s *snapshot) ociChart(hr *helmv2.HelmRelease) (chartKey, string, error) {
	named := hr.Spec.ChartRef
	source := ref{sourcev1.GroupVersion.Group, named.Kind, cmp.Or(named.Namespace, hr.Namespace), named.Name}
	if source.kind != sourcev1.OCIRepositoryKind {
		return chartKey{}, "", fmt.Errorf("HelmRelease %q takes its chart from a %s, whose content is not in the repo", hr.Name, source.kind)
	}
	repository := s.find(source)
	if repository == nil {
		return chartKey{}, "", fmt.Errorf("HelmRelease %q takes its chart from %s, which is not in the cluster's build", hr.Name, source)
	}
	url := textAt(repository.content, "spec", "url")
	tag := textAt(repository.content, "spec", "ref", "tag")
	version := cmp.Or(annotation(repository.content, render.AnnotationVersion), strings.ReplaceAll(tag, "_", "+"))
	if version == "" {
		return chartKey{}, "", fmt.Errorf("%s names no tag, and its annotation %s no version", source, render.AnnotationVersion)
	}
	insecure, _ := at(repository.content, "spec", "insecure").(bool)
	parent, name := path.Split(strings.TrimPrefix(url, "oci://"))
	return chartKey{
		repo: artifact.Repository{URL: "oci://" + strings.TrimSuffix(parent, "/"), Insecure: insecure},
		ref:  artifact.ChartRef{Name: name, Version: version, Digest: textAt(repository.content, "spec", "ref", "digest")},
	}, tag, nil
}

// configMaps are the contents of the ConfigMaps that valuesFrom names. Those of Secrets are not read: placeholders stand for
// them.
func (s *snapshot) configMaps(hr *helmv2.HelmRelease) map[chart.Reference][]byte {
	found := map[chart.Reference][]byte{}
	for _, from := range hr.Spec.ValuesFrom {
		if from.Kind != "ConfigMap" {
			continue
		}
		configMap := s.find(ref{"", "ConfigMap", hr.Namespace, from.Name})
		if configMap == nil {
			continue
		}
		if content, ok := mapAt(configMap.content, "data")[from.GetValuesKey()].(string); ok {
			found[chart.Reference{Kind: from.Kind, Name: from.Name, Key: from.GetValuesKey()}] = []byte(content)
		}
	}
	return found
}

// expandBoth expands both sides of a release. If either fails, nothing is said of the release's resources: half a comparison
// would look like a mass deletion. The head is first: rules look at why it fails, and then the base need not be had.
func (c *comparison) expandBoth(ctx context.Context, r *releaseDiff) {
	if len(r.problems) > 0 {
		return
	}
	installed := r.old != nil
	r.fail("head", c.expand(ctx, r.new, installed))
	if len(r.problems) == 0 {
		r.fail("base", c.expand(ctx, r.old, true))
	}
	c.findUnknownValues(ctx, r)
	if len(r.problems) > 0 {
		return
	}
	r.objects = match(r.old.all(), r.new.all(), sameContent)
	for i := range r.objects {
		for _, it := range []*item{r.objects[i].old, r.objects[i].new} {
			if it != nil {
				it.component, it.file = r.m.any().component, r.m.any().file
			}
		}
	}
}

// findUnknownValues looks for values that the chart on the head knows no more. One chart knows the same on both sides. A chart
// that cannot be read is a problem of its expansion already.
func (c *comparison) findUnknownValues(ctx context.Context, r *releaseDiff) {
	if r.old == nil || r.new == nil || r.new.digest == "" || r.old.digest == r.new.digest {
		return
	}
	before, err := c.charts.defaults(ctx, r.old)
	if err != nil {
		return
	}
	now, err := c.charts.defaults(ctx, r.new)
	if err != nil {
		return
	}
	r.unknown = unknownValues(r.new.input.release.GetValues(), before, now, "")
	slices.Sort(r.unknown)
}

func (e *expansion) all() []item {
	if e == nil {
		return nil
	}
	return e.items
}

// expand fills in what Helm applies. A release that is there on both sides is upgraded on both: the base is not what was
// installed once, but what an upgrade would write today.
func (c *comparison) expand(ctx context.Context, e *expansion, upgrade bool) error {
	if e == nil {
		return nil
	}
	expanded, err := c.charts.expand(ctx, e, upgrade, c.options.Key)
	if err != nil {
		return err
	}
	for _, resource := range expanded.Resources {
		group := refOf(resource.Object).group
		e.items = append(e.items, item{
			ref:     ref{group, resource.Kind, resource.Namespace, resource.Name},
			content: resource.Object, release: e.input.release.Name, hook: resource.Hook != nil, crd: resource.CRD,
		})
	}
	return nil
}

// expand gets the chart of an expansion and expands it.
func (l *loader) expand(ctx context.Context, e *expansion, upgrade bool, key []byte) (*chart.Expansion, error) {
	published, err := l.load(ctx, e.input.chart)
	if err != nil {
		return nil, err
	}
	e.digest = published.LayerDigest
	limited, cancel := context.WithTimeout(ctx, expandTimeout)
	defer cancel()
	expanded, err := l.renders.Expand(limited, chart.Input{
		Release: e.input.release, SourceRevision: revision(e.input, published.Digest), Capabilities: e.input.caps,
		References: e.input.references, Placeholders: true, Upgrade: upgrade, Key: key,
	}, published.LayerDigest, l.parse(published))
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("expanding release %q took more than %v", e.input.release.Name, expandTimeout)
	}
	return expanded, err
}

// revision is that of the OCIRepository that a HelmRelease names.
func revision(in expandInput, digest string) string {
	if in.release.Spec.ChartRef == nil || digest == "" {
		return ""
	}
	if in.tag != "" {
		return in.tag + "@" + digest
	}
	return digest
}

// sourceOf returns a component's source repository, as the side has it.
func sourceOf(repo *control.Repo, component string) string {
	if c := repo.Components[component]; c != nil && c.Source != nil {
		return c.Source.URL
	}
	return ""
}
