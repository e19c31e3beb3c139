package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/kube"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// Application is one release to apply without Flux.
type Application struct {
	// Release is the HelmRelease as Flux applies it. It is not changed.
	Release *helmv2.HelmRelease
	// Chart is the chart; SourceRevision is as in [Input].
	Chart          *Chart
	SourceRevision string
	// Namespaces are Namespace objects that Flux would have made: of these, the
	// release's are made where they are missing.
	Namespaces []map[string]any
}

// Preparation is what applying a release would do. It holds Secrets in what
// it does not export.
type Preparation struct {
	Identity
	// Installed is Helm's newest record; nil where there is none.
	Installed *Record
	// ChartVersion is the version to install.
	ChartVersion string
	// Differences are between what Helm last deployed and what it would, hooks
	// included. What templates make by chance differs each time, and again when
	// the release is applied.
	Differences []Difference
	// Warnings are sentences for people.
	Warnings []string

	target      *Target
	application Application
	references  map[Reference][]byte
	crds        []Resource
	policy      helmv2.CRDsPolicy
}

// Upgrade reports whether the release is there already.
func (p *Preparation) Upgrade() bool { return p.Installed != nil }

// Prepare renders a release for a cluster as helm-controller would there: with
// the values from the cluster's Secrets and ConfigMaps, what it serves, what
// `lookup` finds, and Helm's own random functions. It changes nothing.
func (t *Target) Prepare(ctx context.Context, a Application) (*Preparation, error) {
	id := IdentityOf(a.Release)
	configuration, err := t.helm(id.Namespace, id.StorageNamespace)
	if err != nil {
		return nil, err
	}
	releases, err := history(configuration, id)
	if err != nil && !errors.Is(err, ErrNotInstalled) {
		return nil, err
	}
	served, err := t.capabilities()
	if err != nil {
		return nil, err
	}
	references, err := t.references(ctx, a.Release)
	if err != nil {
		return nil, err
	}
	in := Input{
		Release: a.Release, Chart: a.Chart, SourceRevision: a.SourceRevision, References: references, Upgrade: len(releases) > 0,
		live: &liveCluster{config: t.config, served: served},
	}
	p := &Preparation{Identity: id, target: t, application: a, references: references}
	if len(releases) > 0 {
		newest := recordOf(id, releases[0])
		p.Installed, in.Revision = &newest, newest.Revision+1
	}
	expansion, err := Expand(ctx, in)
	if err != nil {
		return nil, err
	}
	p.ChartVersion, p.Warnings, p.policy = expansion.ChartVersion, expansion.Warnings, expansion.CRDs
	p.crds, expansion.Resources = splitCRDs(expansion.Resources)
	p.Differences, err = differences(ctx, lastDeployed(releases), expansion.Resources, a.Release, references)
	return p, err
}

func splitCRDs(resources []Resource) (crds, others []Resource) {
	for _, r := range resources {
		if r.CRD {
			crds = append(crds, r)
		} else {
			others = append(others, r)
		}
	}
	return crds, others
}

// lastDeployed is the newest release that was installed well, or the newest
// there is; nil where there is none.
func lastDeployed(releases []*helmrelease.Release) *helmrelease.Release {
	if len(releases) == 0 {
		return nil
	}
	good := slices.IndexFunc(releases, func(r *helmrelease.Release) bool { return r.Info != nil && r.Info.Status.String() == "deployed" })
	return releases[max(good, 0)]
}

// Nothing reports whether applying would change nothing that can be known
// here: Flux would not upgrade either.
func (p *Preparation) Nothing() bool {
	return p.Installed != nil && p.Installed.Status == "deployed" && sameSemver(p.Installed.Version, p.ChartVersion) && len(p.Differences) == 0
}

// Apply installs or upgrades the release with the options that helm-controller
// takes from the HelmRelease. With wait it returns when everything is ready.
// why becomes the description in Helm's history. Texts of Secrets are not in
// the error.
func (p *Preparation) Apply(ctx context.Context, wait bool, why string) (Record, error) {
	record, err := p.apply(ctx, wait, why)
	if err != nil {
		verb := "installing"
		if p.Upgrade() {
			verb = "upgrading"
		}
		return record, fmt.Errorf("%s release %q in %q: %w", verb, p.Name, p.Namespace, redact(err, secretTexts(p.references)))
	}
	return record, nil
}

func (p *Preparation) apply(ctx context.Context, wait bool, why string) (Record, error) {
	configuration, err := p.target.helm(p.Namespace, p.StorageNamespace)
	if err != nil {
		return Record{}, err
	}
	if err := p.makeNamespaces(ctx); err != nil {
		return Record{}, err
	}
	if err := p.applyCRDs(ctx); err != nil {
		return Record{}, err
	}
	in := Input{Release: p.application.Release, Chart: p.application.Chart, SourceRevision: p.application.SourceRevision, References: p.references}
	merged, err := in.values(ctx, &Expansion{})
	if err != nil {
		return Record{}, err
	}
	chart, err := in.prepare(&Expansion{})
	if err != nil {
		return Record{}, err
	}
	run := p.install
	if p.Upgrade() {
		run = p.upgrade
	}
	done, err := run(ctx, configuration, helmRun{chart: chart, values: merged, strategy: strategy(wait), why: why})
	if err != nil {
		return Record{}, err
	}
	typed, known := done.(*helmrelease.Release)
	if !known {
		return Record{}, fmt.Errorf("a release of type %T is not understood", done)
	}
	return recordOf(p.Identity, typed), nil
}

func strategy(wait bool) kube.WaitStrategy {
	if wait {
		return kube.StatusWatcherStrategy
	}
	return kube.HookOnlyStrategy
}

// helmRun is what install and upgrade have in common.
type helmRun struct {
	chart    any
	values   common.Values
	strategy kube.WaitStrategy
	why      string
}

// install has the options that helm-controller gives it.
func (p *Preparation) install(ctx context.Context, configuration *action.Configuration, run helmRun) (any, error) {
	hr := p.application.Release
	spec := hr.GetInstall()
	install := action.NewInstall(configuration)
	install.ReleaseName, install.Namespace = p.Name, p.Namespace
	if spec.ServerSideApply != nil {
		install.ServerSideApply = *spec.ServerSideApply
	}
	install.ForceConflicts = install.ServerSideApply
	install.Timeout = spec.GetTimeout(hr.GetTimeout()).Duration
	install.TakeOwnership = !spec.DisableTakeOwnership
	install.WaitStrategy, install.WaitForJobs = run.strategy, !spec.DisableWaitForJobs
	install.DisableHooks = spec.DisableHooks
	install.DisableOpenAPIValidation, install.SkipSchemaValidation = spec.DisableOpenAPIValidation, spec.DisableSchemaValidation
	install.Replace = spec.Replace
	install.Devel, install.SkipCRDs = true, true
	install.CreateNamespace = hr.Spec.TargetNamespace != "" && spec.CreateNamespace
	install.PostRenderer, install.PostRenderStrategy = textRenderer{hr}, action.PostRenderStrategy(hr.GetPostRenderStrategy())
	install.Description = run.why
	return install.RunWithContext(ctx, run.chart, run.values.AsMap())
}

// upgrade has the options that helm-controller gives it.
func (p *Preparation) upgrade(ctx context.Context, configuration *action.Configuration, run helmRun) (any, error) {
	hr := p.application.Release
	spec := hr.GetUpgrade()
	upgrade := action.NewUpgrade(configuration)
	upgrade.Namespace = p.Namespace
	serverSide, err := p.serverSide(configuration, spec.ServerSideApply)
	if err != nil {
		return nil, err
	}
	upgrade.ServerSideApply = fmt.Sprint(serverSide)
	upgrade.ForceConflicts, upgrade.ForceReplace = serverSide, spec.Force && !serverSide
	upgrade.ResetValues, upgrade.ReuseValues = !spec.PreserveValues, spec.PreserveValues
	upgrade.MaxHistory = hr.GetMaxHistory()
	upgrade.Timeout = spec.GetTimeout(hr.GetTimeout()).Duration
	upgrade.TakeOwnership = !spec.DisableTakeOwnership
	upgrade.WaitStrategy, upgrade.WaitForJobs = run.strategy, !spec.DisableWaitForJobs
	upgrade.DisableHooks = spec.DisableHooks
	upgrade.DisableOpenAPIValidation, upgrade.SkipSchemaValidation = spec.DisableOpenAPIValidation, spec.DisableSchemaValidation
	upgrade.CleanupOnFail = spec.CleanupOnFail
	upgrade.Devel = true
	upgrade.PostRenderer, upgrade.PostRenderStrategy = textRenderer{hr}, action.PostRenderStrategy(hr.GetPostRenderStrategy())
	upgrade.Description = run.why
	return upgrade.RunWithContext(ctx, p.Name, run.chart, run.values.AsMap())
}

// serverSide decides how an upgrade is applied: as the HelmRelease says, or
// else as the release was before.
func (p *Preparation) serverSide(configuration *action.Configuration, mode helmv2.ServerSideApplyMode) (bool, error) {
	switch mode {
	case helmv2.ServerSideApplyEnabled:
		return true, nil
	case helmv2.ServerSideApplyDisabled:
		return false, nil
	}
	releases, err := history(configuration, p.Identity)
	return err == nil && releases[0].ApplyMethod == string(helmrelease.ApplyMethodServerSideApply), err
}

// textRenderer is spec.postRenderers, commonMetadata and the origin labels, for
// Helm, which hands over all documents as one text.
type textRenderer struct{ hr *helmv2.HelmRelease }

// Run reads text, once, as it comes from Helm, and writes text.
func (r textRenderer) Run(in *bytes.Buffer) (*bytes.Buffer, error) {
	objects, err := readAll([]document{{source: "the templates", text: in.String()}}, func(d document) ([]object, error) {
		all, err := readWritten(d.text)
		objects := make([]object, len(all))
		for i, fields := range all {
			objects[i] = object{d.source, fields}
		}
		return objects, err
	})
	if err == nil {
		objects, err = renderObjects(r.hr, objects)
	}
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, o := range objects {
		text, err := yaml.Marshal(o.fields)
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return &out, nil
}

// makeNamespaces makes the release's namespaces as Flux would have, where they
// are missing and Git has them.
func (p *Preparation) makeNamespaces(ctx context.Context) error {
	for _, fields := range p.application.Namespaces {
		namespace := &unstructured.Unstructured{Object: copyMap(fields)}
		if name := namespace.GetName(); name != p.Namespace && name != p.StorageNamespace {
			continue
		}
		err := p.target.client.Get(ctx, client.ObjectKeyFromObject(namespace), &corev1.Namespace{})
		if apierrors.IsNotFound(err) {
			err = p.target.client.Create(ctx, namespace, client.FieldOwner(fieldOwner))
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("making namespace %q: %w", namespace.GetName(), err)
		}
	}
	return nil
}
