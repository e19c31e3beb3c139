package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
)

// nowFlags are the flags of rollback --now.
type nowFlags struct {
	now, wait, yes      bool
	kubeconfig, context string
}

func (n *nowFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&n.now, "now", false, "roll the cluster itself back first, from what Helm keeps there")
	flags.BoolVar(&n.wait, "wait", false, "with --now: wait until everything is ready")
	flags.BoolVar(&n.yes, "yes", false, "with --now: do not ask")
	flags.StringVar(&n.kubeconfig, "kubeconfig", "", "with --now: the kubeconfig `FILE` (default: kubectl's)")
	flags.StringVar(&n.context, "context", "", "with --now: the `CONTEXT` in the kubeconfig (default: that of cluster.yaml)")
	_ = cmd.MarkFlagFilename("kubeconfig")
}

// rollbackNow decides from the control repo's history which version to return to, has Helm return to it, and then writes
// the pin. All that can be refused is refused before the cluster is touched.
func (o *options) rollbackNow(cmd *cobra.Command, f *pinFlags, n *nowFlags, request bump.Request) error {
	apply, err := n.applyFlags(f)
	if err != nil {
		return err
	}
	request.Now = true
	delete(request.Overrides, ruleAllowApply) // it is none of the pins' rules
	ctx := cmd.Context()
	ws, done, err := o.openWorkspace(ctx, f)
	if err != nil {
		return err
	}
	defer done()
	found, err := findReleases(ctx, ws.Root.FS(), apply.cluster, []string{request.Component})
	if err != nil {
		return err
	}
	if err := apply.allowed(found.cluster); err != nil {
		return err
	}
	planned, err := ws.Do(ctx, request, bump.Delivery{DryRun: true})
	if planned != nil && planned.Plan != nil {
		showPlan(cmd.ErrOrStderr(), planned.Plan)
	}
	if err != nil {
		return usageOr(err)
	}
	changes := planned.Plan.Changed()
	if len(changes) == 0 {
		return nil // the plan said why
	}
	if err := o.rollbackCluster(cmd, apply, found, changes[0].New); err != nil || f.delivery.DryRun {
		return err
	}
	outcome, err := ws.Do(ctx, request, f.how())
	if err != nil {
		return fmt.Errorf("the cluster is rolled back and its HelmReleases are suspended, but the pin is not written: %w", err)
	}
	return o.showOutcome(cmd, f, outcome)
}

// applyFlags are these flags as apply has them.
func (n *nowFlags) applyFlags(f *pinFlags) (*applyFlags, error) {
	switch {
	case len(f.scope.Clusters) != 1:
		return nil, usageError{errors.New("--now is for one cluster: name it with --cluster")}
	case strings.TrimSpace(f.reason) == "":
		return nil, usageError{errors.New("--now: say why with --reason")}
	case f.how().Push || f.delivery.Direct:
		return nil, usageError{errors.New("--now does not push: leave the pin in the working tree, or --commit it, and push when the Git host answers")}
	}
	apply := &applyFlags{
		cluster: f.scope.Clusters[0], kubeconfig: n.kubeconfig, context: n.context, reason: f.reason, wait: n.wait, yes: n.yes || f.delivery.DryRun,
	}
	if slices.Contains(f.overrides, ruleAllowApply) {
		apply.overrides = []string{ruleAllowApply}
	}
	return apply, apply.check()
}

// step is one release and the revision that it returns to.
type step struct {
	deployed
	to chart.Record
}

// rollbackCluster returns the cluster's releases to the versions of a pin; with --dry-run it only says to which revisions.
func (o *options) rollbackCluster(cmd *cobra.Command, apply *applyFlags, found *releases, pin *v1alpha1.PinSpec) error {
	target, err := apply.connect(found.cluster)
	if err != nil {
		return err
	}
	var steps []step
	for _, one := range found.list {
		pinned := pin.Releases[one.Name]
		records, err := target.Records(chart.IdentityOf(one.object))
		if err != nil {
			return err
		}
		if records[0].Runs(one.object, one.Chart, pinned.Version, pinned.Digest) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: runs %s already\n", one.Name, pinned.Version)
			continue
		}
		to, err := chart.RollbackTarget(records, one.object, one.Chart, pinned.Version, pinned.Digest)
		if err != nil {
			return fmt.Errorf("release %q on %s: %w: name a version that it does with --to, or `tfgitops apply` the pinned one", one.Name, apply.cluster, err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: revision %d (%s, %s) → revision %d (%s)\n", one.Name, records[0].Revision, records[0].Version, records[0].Status, to.Revision, to.Version)
		steps = append(steps, step{one, to})
	}
	if dryRun, _ := cmd.Flags().GetBool("dry-run"); dryRun || len(steps) == 0 {
		return nil
	}
	if err := o.confirm(cmd, apply); err != nil {
		return err
	}
	return o.rollbackAll(cmd, apply, target, steps)
}

func (o *options) rollbackAll(cmd *cobra.Command, apply *applyFlags, target *chart.Target, steps []step) error {
	suspension, err := o.suspension(apply)
	if err != nil {
		return err
	}
	for _, s := range steps {
		suspended, err := target.Suspend(cmd.Context(), s.object, suspension)
		if err != nil {
			return err
		}
		if suspended {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: Flux is suspended\n", s.Name)
		}
		record, err := target.Rollback(cmd.Context(), s.object, s.to, apply.wait, fmt.Sprintf("rolled back by %s: %s", suspension.Who, suspension.Why))
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s is %s, revision %d\n", s.Name, record.Version, record.Status, record.Revision)
	}
	return nil
}
