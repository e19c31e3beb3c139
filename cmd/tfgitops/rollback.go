package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// offered is how many earlier versions a person is offered to choose from.
const offered = 5

func newRollbackCmd(o *options) *cobra.Command {
	f, now := &pinFlags{}, &nowFlags{}
	to, task, until := "", "", ""
	cmd := &cobra.Command{
		Use:     "rollback COMPONENT",
		Short:   "Return a cluster to the last good version it ran, and hold the one it leaves",
		GroupID: groupPins,
		Long: `Rollback returns a cluster's pin to the last one that ran before the current one and was not itself rolled back from
or held, so that doing it twice goes further back. It touches the pin only: edits of values stay. It needs nothing but
the control repo's own history, and sets a hold on the version that it leaves.

With --now it first rolls the cluster itself back, without Flux: Helm returns each release to the revision of that version
that it keeps in the cluster. Registries and the Git host may be down. The HelmReleases are suspended, as by apply; push
the pin when you can, then "tfgitops apply COMPONENT --cluster CLUSTER --restore" hands them back. The cluster must allow
it ("allowApply: true"), or --override allow-apply goes on.`,
		Example: `  tfgitops rollback maintain-kubeusers --cluster tools --reason "breaks on NFS" --task T123456
  tfgitops rollback maintain-kubeusers --cluster tools --to 0.0.198-20260701101010-0a1b2c3d --commit
  tfgitops rollback maintain-kubeusers --cluster tools --now --override allow-apply --reason "all logins fail"`,
		Args:              exactlyOne("rollback COMPONENT"),
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := bump.Request{Op: bump.OpRollback, Component: args[0], Revision: to}
			request.Hold = v1alpha1.Hold{Reason: f.reason, Task: task, Until: v1alpha1.Timestamp(until)}
			f.fill(&request)
			if err := request.Hold.Until.Check(); err != nil {
				return usageError{fmt.Errorf("--until: %w", err)}
			}
			if to == "" && isTerminal(o.in) && len(f.scope.Clusters) == 1 {
				chosen, err := o.chooseRollback(cmd, f, args[0])
				if err != nil {
					return err
				}
				request.Target = chosen
			}
			if now.now {
				return o.rollbackNow(cmd, f, now, request)
			}
			return o.do(cmd, f, request)
		},
	}
	f.register(cmd, o)
	now.register(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the `REVISION` to return to: a version or commit that the cluster has run (default: the last good one)")
	cmd.Flags().StringVar(&task, "task", "", "the `TASK` that the hold waits for")
	cmd.Flags().StringVar(&until, "until", "", "the `DATE` at which the hold ends by itself")
	return cmd
}

// chooseRollback offers the last good versions to a person at a terminal; nil where there is none to offer.
func (o *options) chooseRollback(cmd *cobra.Command, f *pinFlags, component string) (*v1alpha1.PinSpec, error) {
	ws, done, err := o.openWorkspace(cmd.Context(), f)
	if err != nil {
		return nil, err
	}
	defer done()
	cluster := f.scope.Clusters[0]
	repo, findings := control.Load(cmd.Context(), ws.Root.FS(), control.Only{Clusters: []string{cluster}, Components: []string{component}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	pin := repo.Clusters[cluster].Pins[component]
	if pin == nil {
		return nil, nil // the plan says that it is not installed
	}
	targets, err := ws.Planner.RollbackTargets(cmd.Context(), component, cluster, &pin.PinSpec)
	if err != nil || len(targets) == 0 {
		return nil, err
	}
	targets = targets[:min(len(targets), offered)]
	fmt.Fprintf(cmd.ErrOrStderr(), "%s on %s runs %s. Return to:\n", component, cluster, bump.Describe(&pin.PinSpec))
	for i, target := range targets {
		fmt.Fprintf(cmd.ErrOrStderr(), "  %d) %s%s\n", i+1, bump.Describe(target.After), sinceText(target.Time))
	}
	fmt.Fprint(cmd.ErrOrStderr(), "number [1]: ")
	line, err := readAnswer(cmd.Context(), o.in)
	if err != nil {
		return nil, err
	}
	return chosenPin(strings.TrimSpace(line), targets)
}

func sinceText(at time.Time) string {
	if at.IsZero() {
		return "" // before what a shallow clone has
	}
	return "  since " + at.Format(time.DateTime)
}

func chosenPin(answer string, targets []bump.Deployed) (*v1alpha1.PinSpec, error) {
	n := 1
	if answer != "" {
		var err error
		if n, err = strconv.Atoi(answer); err != nil || n < 1 || n > len(targets) {
			return nil, usageError{fmt.Errorf("%q is none of the numbers 1 to %d", answer, len(targets))}
		}
	}
	return targets[n-1].After, nil
}
