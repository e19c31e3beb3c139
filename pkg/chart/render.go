package chart

import (
	"context"
	"fmt"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// document is one YAML document that a template wrote.
type document struct {
	source string
	text   string
	hook   bool
	fields map[string]any // what it holds, where it is plain: see readPlain
}

// rendered is what the templates of a chart wrote, in Helm's order.
type rendered struct {
	documents []document // the release's own first, then hooks
	notes     string
}

// maxRendered bounds what the templates of a chart may write. Helm could not
// store a release of this size: its record has to fit a Secret of 1 MiB.
const maxRendered = 64 * mebibyte

// rendering is what one run of Helm's engine needs.
type rendering struct {
	chart    *helmchart.Chart // the engine's own: it is changed
	schemas  *schemas         // nil: do not check
	read     *documentsRead
	values   common.Values
	options  common.ReleaseOptions
	caps     *common.Capabilities
	engine   engine.Engine
	warnings []string
}

// run does what Helm's install and upgrade do before they talk to a cluster,
// post-rendering left out.
func (r *rendering) run(ctx context.Context) (*rendered, error) {
	if err := chartutil.ValidateReleaseName(r.options.Name); err != nil {
		return nil, fmt.Errorf("release name %q: %w", r.options.Name, err)
	}
	if err := chartutil.ProcessDependencies(r.chart, r.values); err != nil {
		return nil, fmt.Errorf("dependencies of the chart: %w", err)
	}
	values, err := util.ToRenderValuesWithSchemaValidation(r.chart, r.values, r.options, r.caps, true)
	if err != nil {
		return nil, err
	}
	if err := r.checkSchemas(values); err != nil {
		return nil, err
	}
	if want := r.chart.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, r.caps.KubeVersion.String()) {
		return nil, fmt.Errorf("%w: it wants %q, the cluster has %s", ErrKubeVersion, want, r.caps.KubeVersion.Version)
	}
	files, err := r.engine.RenderWithContext(ctx, r.chart, values)
	if err != nil {
		return nil, err
	}
	if err := checkSize(files); err != nil {
		return nil, err
	}
	notes := takeNotes(r.chart.Name(), files)
	documents, err := split(files, r.read)
	return &rendered{documents: documents, notes: notes}, err
}

func (r *rendering) checkSchemas(values common.Values) error {
	if r.schemas == nil {
		return nil
	}
	table, err := values.Table("Values")
	if err != nil {
		return err
	}
	warnings, err := r.schemas.check(r.chart, table)
	r.warnings = append(r.warnings, warnings...)
	return err
}

func checkSize(files map[string]string) error {
	size := 0
	for _, text := range files {
		size += len(text)
	}
	if size > maxRendered {
		return fmt.Errorf("%w: its templates write %d bytes, at most %d are accepted", ErrTooLarge, size, maxRendered)
	}
	return nil
}

// takeNotes removes every NOTES.txt from the files and returns the chart's own;
// those of subcharts are not shown, as in Helm.
func takeNotes(chart string, files map[string]string) string {
	const name = "NOTES.txt"
	notes := files[path.Join(chart, "templates", name)]
	for file := range files {
		if strings.HasSuffix(file, name) {
			delete(files, file)
		}
	}
	return notes
}

// manifest joins the documents that are no hooks as Helm stores them.
func (r *rendered) manifest() string {
	var b strings.Builder
	for _, d := range r.documents {
		if !d.hook {
			fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", d.source, d.text)
		}
	}
	return b.String()
}
