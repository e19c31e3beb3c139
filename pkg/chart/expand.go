package chart

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"runtime/debug"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/client-go/rest"
)

// Input is what an expansion needs to know.
type Input struct {
	// Release is the HelmRelease as Flux applies it. It is not changed.
	Release *helmv2.HelmRelease
	// Chart is the chart, from [Load], [LoadDir] or a [Cache].
	Chart *Chart
	// SourceRevision is the revision of the OCIRepository or ExternalArtifact
	// that spec.chartRef names: TAG@sha256:DIGEST, or sha256:DIGEST when the
	// source pins a digest. Not used for other sources.
	SourceRevision string
	// Capabilities is the cluster.
	Capabilities Capabilities
	// References is the content of the Secrets and ConfigMaps that
	// spec.valuesFrom names. A missing one that is not optional is an error,
	// unless Placeholders is set.
	References map[Reference][]byte
	// Placeholders stands in for missing references: with a targetPath,
	// [Reference.Placeholder] is the value; without, nothing is and a warning
	// says so.
	Placeholders bool
	// Upgrade expands for a release that is there already. Otherwise it is
	// installed.
	Upgrade bool
	// Revision is .Release.Revision: 0 stands for 1, or 2 with Upgrade.
	Revision int
	// Key keeps what random functions return from being guessed, which matters
	// for htpasswd and bcrypt: their result changes with the password. The same
	// key gives the same result.
	Key []byte

	// live is the cluster that the release is rendered for, with Helm's own
	// random functions; nil for none.
	live *liveCluster
}

// liveCluster is a cluster that can be asked.
type liveCluster struct {
	config *rest.Config
	served *common.Capabilities
}

// capabilities is what templates see of the cluster.
func (in Input) capabilities() (*common.Capabilities, error) {
	if in.live != nil {
		return in.live.served, nil
	}
	return in.Capabilities.helm()
}

// engine runs the templates.
func (in Input) engine() engine.Engine {
	switch {
	case in.live == nil:
		return engine.Engine{CustomTemplateFuncs: functions(in.seed())}
	case in.live.config == nil:
		return engine.Engine{}
	}
	return engine.New(in.live.config)
}

// Expansion is what helm-controller would apply.
type Expansion struct {
	Identity
	// ChartVersion is the version that the templates saw, with the digest that
	// helm-controller adds.
	ChartVersion string
	// CRDs is the policy for the resources that are CRDs: Create leaves those
	// alone that are in the cluster already. With Skip there are none.
	CRDs helmv2.CRDsPolicy
	// Resources in the order of Helm: CRDs, the release's own by kind, hooks by
	// weight.
	Resources []Resource
	// Manifest is what the templates wrote, hooks left out, before it was
	// post-rendered: the text of `helm template --no-hooks`.
	Manifest string
	// Notes is the chart's NOTES.txt.
	Notes string
	// Images are those of all pods, hooks included, sorted.
	Images []Image
	// Warnings are sentences about what cannot be known here or goes wrong
	// quietly in the cluster.
	Warnings []string
}

// Expand returns what helm-controller would apply for a HelmRelease. Errors are
// of type *[Error], or the context's. One input gives one output: there is no
// network, clock or environment in it.
func Expand(ctx context.Context, in Input) (*Expansion, error) {
	type outcome struct {
		expansion *Expansion
		err       error
	}
	// Templates cannot be interrupted, so waiting for them can.
	done := make(chan outcome, 1)
	go func() {
		e, err := in.guarded(ctx)
		done <- outcome{e, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case out := <-done:
		if out.err != nil {
			return nil, in.failure(out.err)
		}
		return out.expansion, nil
	}
}

// guarded turns a panic in a library into an error of this release.
func (in Input) guarded(ctx context.Context) (e *Expansion, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, err = nil, fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return in.expand(ctx)
}

func (in Input) failure(err error) error {
	err = redact(err, secretTexts(in.References))
	template, line := place(err.Error())
	return &Error{
		Release:  in.Release.Namespace + "/" + in.Release.Name,
		Chart:    in.Chart.Name() + "-" + in.Chart.Version(),
		Template: template,
		Line:     line,
		Err:      err,
	}
}

func (in Input) expand(ctx context.Context) (*Expansion, error) {
	caps, err := in.capabilities()
	if err != nil {
		return nil, err
	}
	out := &Expansion{Identity: IdentityOf(in.Release), Warnings: in.doubts()}
	values, err := in.values(ctx, out)
	if err != nil {
		return nil, err
	}
	chart, err := in.prepare(out)
	if err != nil {
		return nil, err
	}
	if err := in.addCRDs(chart, values, out); err != nil {
		return nil, err
	}
	run := rendering{chart: chart, schemas: in.schemas(), read: &in.Chart.read, values: values, options: in.options(), caps: caps, engine: in.engine()}
	written, err := run.run(ctx)
	if err != nil {
		return nil, err
	}
	out.Warnings = append(out.Warnings, run.warnings...)
	out.Manifest, out.Notes = written.manifest(), written.notes
	return out, in.finish(written, out)
}

// finish post-renders and reads off what the caller wants to know.
func (in Input) finish(written *rendered, out *Expansion) error {
	objects, err := postRender(in.Release, written.documents)
	if err != nil {
		return fmt.Errorf("post-rendering: %w", err)
	}
	out.Resources = append(out.Resources, resourcesOf(objects)...)
	placeIn(out.Namespace, out.Resources, in.Capabilities.ClusterScoped)
	for _, r := range out.Resources {
		if r.Hook != nil {
			r.Hook.Runs = r.Hook.runs(in.Release, in.Upgrade)
		}
	}
	out.Images = imagesOf(out.Resources)
	return nil
}

// doubts lists what the HelmRelease asks for that cannot be followed or does
// not do what it says.
func (in Input) doubts() []string {
	warnings := inexactIntegers(in.Release)
	if in.Upgrade && in.Release.GetUpgrade().PreserveValues {
		warnings = append(warnings, "upgrade.preserveValues: the values of the running release are not known and left out")
	}
	if in.SourceRevision == "" && isStamped(in.Release, "") {
		warnings = append(warnings, "the revision of the chart's source is not known: the chart version lacks its digest")
	}
	return warnings
}

func (in Input) values(ctx context.Context, out *Expansion) (common.Values, error) {
	data := in.References
	if in.Placeholders {
		var warnings []string
		data, warnings = withPlaceholders(in.Release, data)
		out.Warnings = append(out.Warnings, warnings...)
	}
	return values(ctx, in.Release, data)
}

// prepare returns a copy of the chart as source-controller and helm-controller
// change it before Helm sees it.
func (in Input) prepare(out *Expansion) (*helmchart.Chart, error) {
	chart := clone(in.Chart.parsed)
	if err := applyValuesFiles(chart, in.Release); err != nil {
		return nil, err
	}
	if in.SourceRevision != "" && isStamped(in.Release, in.SourceRevision) {
		version, err := stampedVersion(chart.Metadata.Version, in.SourceRevision)
		if err != nil {
			return nil, err
		}
		chart.Metadata.Version = version
	}
	out.ChartVersion = chart.Metadata.Version
	return chart, nil
}

// addCRDs adds the CRDs that the action's policy lets through. Dependencies
// are processed before, and once more by Helm, as in helm-controller: CRDs of
// subcharts that are off do not count.
func (in Input) addCRDs(chart *helmchart.Chart, values common.Values, out *Expansion) error {
	policy := in.Release.GetInstall().CRDs
	if in.Upgrade {
		policy = in.Release.GetUpgrade().CRDs
	}
	switch out.CRDs = cmp.Or(policy, helmv2.Create); out.CRDs {
	case helmv2.Skip:
		return nil
	case helmv2.Create, helmv2.CreateReplace:
	default:
		return fmt.Errorf("CRD policy %q: want %s, %s or %s", policy, helmv2.Skip, helmv2.Create, helmv2.CreateReplace)
	}
	if len(chart.CRDObjects()) == 0 {
		return nil
	}
	if err := chartutil.ProcessDependencies(chart, values); err != nil {
		return fmt.Errorf("dependencies of the chart: %w", err)
	}
	found, warnings, err := crds(chart, in.Release)
	out.Resources = append(out.Resources, found...)
	out.Warnings = append(out.Warnings, warnings...)
	return err
}

func (in Input) schemas() *schemas {
	disabled := in.Release.GetInstall().DisableSchemaValidation
	if in.Upgrade {
		disabled = in.Release.GetUpgrade().DisableSchemaValidation
	}
	if disabled {
		return nil
	}
	return &in.Chart.schemas
}

func (in Input) options() common.ReleaseOptions {
	id := IdentityOf(in.Release)
	revision := 1
	if in.Upgrade {
		revision = 2
	}
	return common.ReleaseOptions{
		Name:      id.Name,
		Namespace: id.Namespace,
		Revision:  cmp.Or(in.Revision, revision),
		IsUpgrade: in.Upgrade,
		IsInstall: !in.Upgrade,
	}
}

// seed makes the random functions of each release its own.
func (in Input) seed() []byte {
	id := IdentityOf(in.Release)
	mac := hmac.New(sha256.New, in.Key)
	fmt.Fprintf(mac, "%s/%s", id.Namespace, id.Name)
	return mac.Sum(nil)
}
