package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// ruleAllowApply refuses clusters that only Flux may deploy to.
const ruleAllowApply = "allow-apply"

// suspendedFor is how long Flux is expected to be kept away where nothing is said. Nothing ends by itself.
const suspendedFor = 24 * time.Hour

// maxReason keeps a reason short enough for Helm's history.
const maxReason = 150

// applyFlags are the flags of apply.
type applyFlags struct {
	cluster, version, chartDir  string
	kubeconfig, context         string
	reason, until               string
	overrides                   []string
	wait, restore, yes, offline bool
}

func newApplyCmd(o *options) *cobra.Command {
	f := &applyFlags{}
	cmd := &cobra.Command{
		Use:     "apply COMPONENT[/RELEASE]…",
		Short:   "Deploy to a cluster with Helm, without Flux",
		GroupID: groupRepo,
		Long: `Apply installs or upgrades the releases of components with the Helm SDK, in the order of their dependencies, as
helm-controller would: from what the cluster's overlay builds, with the same release name, namespaces, values, labels and
post-renderers, and with values from the cluster's own Secrets and ConfigMaps. It serves laptop clusters, the start of a
cluster (Flux's own pods need a network first), trying a build before it is merged, and the day that Flux cannot help.

It first shows the difference to what Helm last deployed, without secrets, and asks. Away from a terminal it goes on only
with --yes. A HelmRelease that is there is suspended, with who did it, why and until when in its annotations; nothing
lifts that by itself. --restore hands the releases back to Flux, once the main branch (as last fetched) pins what runs.

The cluster must have "allowApply: true" in its cluster.yaml; --override allow-apply --reason TEXT goes on without.
It is found through its "context" in the kubeconfig, or --context: the current context is never used.

With --chart, the chart of a folder is taken, its version marked with "+local"; with --version another one of the
registry than the pinned. What templates make by chance is made anew each time, also between showing and applying.`,
		Example: `  tfgitops apply jobs-api --cluster local --wait
  tfgitops apply jobs-api --cluster local --chart ../jobs-api/deployment/chart
  tfgitops apply calico cert-manager --cluster tools --override allow-apply --reason "Flux needs a network" --yes
  tfgitops apply jobs-api --cluster local --restore`,
		Args:              usageArgs(cobra.MinimumNArgs(1)),
		ValidArgsFunction: o.completeComponents,
		RunE:              func(cmd *cobra.Command, args []string) error { return o.apply(cmd, f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.cluster, "cluster", "", "on this `CLUSTER` (required)")
	flags.StringVar(&f.version, "version", "", "the chart `VERSION` (default: the pinned one)")
	flags.StringVar(&f.chartDir, "chart", "", "the chart in this `DIR` instead of a published one")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` (default: kubectl's)")
	flags.StringVar(&f.context, "context", "", "the `CONTEXT` in the kubeconfig (default: that of cluster.yaml)")
	flags.StringVar(&f.reason, "reason", "", "why, for the record: `TEXT`")
	flags.StringVar(&f.until, "until", "", "the `DATE` until which Flux is expected to be kept away (default: in a day)")
	flags.StringSliceVar(&f.overrides, "override", nil, "go on past this safety `RULE`: "+ruleAllowApply+" (with --reason)")
	flags.BoolVar(&f.wait, "wait", false, "wait until everything is ready, each release before the next")
	flags.BoolVar(&f.restore, "restore", false, "hand the releases back to Flux")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.BoolVar(&f.offline, "offline", false, "take charts from the cache only")
	_ = cmd.MarkFlagRequired("cluster")
	_ = cmd.MarkFlagFilename("kubeconfig")
	_ = cmd.MarkFlagDirname("chart")
	cmd.MarkFlagsMutuallyExclusive("version", "chart", "restore")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("override", cobra.FixedCompletions([]string{ruleAllowApply}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// check finds mistakes that need no look at anything.
func (f *applyFlags) check() error {
	for _, rule := range f.overrides {
		if rule != ruleAllowApply {
			return usageError{fmt.Errorf("--override %s: apply has no such rule: write %s", rule, ruleAllowApply)}
		}
	}
	if len(f.overrides) > 0 && strings.TrimSpace(f.reason) == "" {
		return usageError{fmt.Errorf("--override %s: say why with --reason", ruleAllowApply)}
	}
	if len(f.reason) > maxReason {
		return usageError{fmt.Errorf("--reason has %d bytes, at most %d are taken", len(f.reason), maxReason)}
	}
	if err := v1alpha1.Timestamp(f.until).Check(); err != nil {
		return usageError{fmt.Errorf("--until: %w", err)}
	}
	return nil
}

func (o *options) apply(cmd *cobra.Command, f *applyFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	root, err := o.openRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	if f.restore {
		return o.restore(cmd, f, root, args)
	}
	found, err := findReleases(cmd.Context(), root.FS(), f.cluster, args)
	if err != nil {
		return err
	}
	if err := f.allowed(found.cluster); err != nil {
		return err
	}
	target, err := f.connect(found.cluster)
	if err != nil {
		return err
	}
	prepared, err := o.prepare(cmd, f, target, found)
	if err != nil || len(prepared) == 0 {
		return err
	}
	if err := o.confirm(cmd, f); err != nil {
		return err
	}
	return o.applyAll(cmd, f, target, prepared)
}

// allowed is the rule allow-apply.
func (f *applyFlags) allowed(cluster *control.Cluster) error {
	if cluster.AllowApply || slices.Contains(f.overrides, ruleAllowApply) {
		return nil
	}
	return refusedError{fmt.Errorf("%s is deployed to by Flux alone (rule %s): bump the pin instead, set allowApply: true in %s, or go on with --override %s --reason TEXT",
		cluster.Name, ruleAllowApply, control.ClusterFile(cluster.Name), ruleAllowApply)}
}

func (f *applyFlags) connect(cluster *control.Cluster) (*chart.Target, error) {
	kubeContext := cmp.Or(f.context, cluster.Context)
	if kubeContext == "" {
		return nil, usageError{fmt.Errorf("%s has no context: name one with --context, or write it in %s", cluster.Name, control.ClusterFile(cluster.Name))}
	}
	return chart.Connect(f.kubeconfig, kubeContext)
}

// prepared is one release that is to be applied.
type prepared struct {
	deployed
	*chart.Preparation
}

// prepare renders every release for the cluster and shows what would change; what would not is left out.
func (o *options) prepare(cmd *cobra.Command, f *applyFlags, target *chart.Target, found *releases) ([]prepared, error) {
	var all []prepared
	messages := cmd.ErrOrStderr()
	for _, one := range found.list {
		application, err := o.application(cmd.Context(), f, found, &one)
		if err != nil {
			return nil, err
		}
		p, err := target.Prepare(cmd.Context(), application)
		if err != nil {
			return nil, err
		}
		for _, warning := range p.Warnings {
			fmt.Fprintf(messages, "warning: %s: %s\n", one.Name, warning)
		}
		if p.Nothing() {
			fmt.Fprintf(messages, "%s: runs %s already\n", one.Name, p.ChartVersion)
			continue
		}
		if err := showDifferences(cmd.OutOrStdout(), messages, one.Name, p); err != nil {
			return nil, err
		}
		all = append(all, prepared{one, p})
	}
	return all, nil
}

func showDifferences(out, messages io.Writer, release string, p *chart.Preparation) error {
	from := "not installed"
	if p.Installed != nil {
		from = fmt.Sprintf("%s, %s", p.Installed.Version, p.Installed.Status)
	}
	fmt.Fprintf(messages, "%s in %s: %s → %s\n", release, p.Namespace, from, p.ChartVersion)
	for _, d := range p.Differences {
		change := render.Change{Path: strings.TrimPrefix(d.Namespace+"/"+d.Kind+"/"+d.Name, "/"), Old: d.Old, New: d.New}
		if _, err := io.WriteString(out, change.Diff()); err != nil {
			return err
		}
	}
	return nil
}

// confirm asks a person; where there is none, only --yes goes on.
func (o *options) confirm(cmd *cobra.Command, f *applyFlags) error {
	if f.yes {
		return nil
	}
	if !isTerminal(o.in) {
		return usageError{fmt.Errorf("nothing was applied: there is nobody to ask here, so say --yes to go on")}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "apply this to %s? [y/N] ", f.cluster)
	answer, err := readAnswer(cmd.Context(), o.in)
	if err != nil {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return usageError{fmt.Errorf("nothing was applied")}
	}
	return nil
}

// applyAll keeps Flux away from each release and then applies it. The first failure ends it: what comes after may depend
// on what failed.
func (o *options) applyAll(cmd *cobra.Command, f *applyFlags, target *chart.Target, all []prepared) error {
	suspension, err := o.suspension(f)
	if err != nil {
		return err
	}
	messages := cmd.ErrOrStderr()
	for _, p := range all {
		suspended, err := target.Suspend(cmd.Context(), p.object, suspension)
		if err != nil {
			return err
		}
		if suspended {
			fmt.Fprintf(messages, "%s: Flux is suspended; `tfgitops apply %s --cluster %s --restore` hands it back\n", p.deployed.Name, p.component, f.cluster)
		}
		record, err := p.Apply(cmd.Context(), f.wait, fmt.Sprintf("applied by %s: %s", suspension.Who, suspension.Why))
		if err != nil {
			return err
		}
		fmt.Fprintf(messages, "%s: %s is %s, revision %d\n", p.deployed.Name, record.Version, record.Status, record.Revision)
	}
	return nil
}

func (o *options) suspension(f *applyFlags) (chart.Suspension, error) {
	until, err := v1alpha1.Timestamp(f.until).Parse()
	if err != nil {
		return chart.Suspension{}, usageError{fmt.Errorf("--until: %w", err)}
	}
	if until.IsZero() {
		until = o.now().Add(suspendedFor)
	}
	return chart.Suspension{Who: o.who(), Why: cmp.Or(strings.TrimSpace(f.reason), "tfgitops apply"), Until: until}, nil
}

// who runs this, for others to read in a cluster.
func (o *options) who() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return cmp.Or(o.getenv("USER"), "unknown") + "@" + host
}

// restore hands releases back to Flux, if what runs is what the main branch pins: otherwise Flux would change it at once.
func (o *options) restore(cmd *cobra.Command, f *applyFlags, root *os.Root, args []string) error {
	ctx := cmd.Context()
	found, branch, err := mainReleases(ctx, root, f.cluster, args)
	if err != nil {
		return err
	}
	target, err := f.connect(found.cluster)
	if err != nil {
		return err
	}
	for _, one := range found.list {
		records, err := target.Records(chart.IdentityOf(one.object))
		if err != nil {
			return err
		}
		if running := records[0]; !running.Runs(one.object, one.Chart, one.Version, one.Digest) {
			return refusedError{fmt.Errorf("%s runs %s %s (%s), and %s pins %s: Flux would change it at once; push the pin of what runs first, or bring the pinned version back with `tfgitops apply %s --cluster %s`",
				one.Name, running.Chart, running.Version, running.Status, branch, one.Version, one.component, f.cluster)}
		}
	}
	for _, one := range found.list {
		there, err := target.Resume(ctx, one.object, o.now())
		if err != nil {
			return err
		}
		text := "is Flux's again"
		if !there {
			text = "has no HelmRelease in the cluster: Flux makes it when it deploys " + control.ClusterDir(f.cluster)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s %s\n", one.Name, text)
	}
	return nil
}

// mainReleases finds the releases on the main branch, as this clone last fetched it.
func mainReleases(ctx context.Context, root *os.Root, cluster string, args []string) (*releases, string, error) {
	repo, err := gitrepo.Open(ctx, root.Name())
	if err != nil {
		return nil, "", err
	}
	defer repo.Close()
	branch, err := mainBranch(ctx, repo)
	if err != nil {
		return nil, "", err
	}
	tree, err := repo.FS(ctx, branch)
	if err != nil {
		return nil, "", err
	}
	found, err := findReleases(ctx, tree, cluster, args)
	return found, branch, err
}
