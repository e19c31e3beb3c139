package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
)

func newHoldCmd(o *options) *cobra.Command {
	f := &pinFlags{}
	task, until := "", ""
	var refuse []string
	cmd := &cobra.Command{
		Use:     "hold COMPONENT",
		Short:   "Refuse changes of a pin, or some versions, until it is lifted or a date",
		GroupID: groupPins,
		Long: `Hold refuses changes of a cluster's pin: every one, or with --refuse those to the named versions. The reason is shown
to whoever is refused; the hold ends when it is lifted, or at the date given with --until.`,
		Example: `  tfgitops hold maintain-kubeusers --cluster tools --reason "breaks on NFS" --task T123456 --until 2026-12-01
  tfgitops hold maintain-kubeusers --cluster tools --reason "breaks on NFS" --refuse 0.0.202-20260810101010-0a1b2c3d`,
		Args:              exactlyOne("hold COMPONENT"),
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := bump.Request{Op: bump.OpHold, Component: args[0]}
			request.Hold = v1alpha1.Hold{Reason: f.reason, Task: task, Until: v1alpha1.Timestamp(until), Refuse: refuse}
			f.fill(&request)
			return o.do(cmd, f, request)
		},
	}
	f.register(cmd, o)
	cmd.Flags().StringVar(&task, "task", "", "the `TASK` that the hold waits for")
	cmd.Flags().StringVar(&until, "until", "", "the `DATE` at which the hold ends by itself")
	cmd.Flags().StringSliceVar(&refuse, "refuse", nil, "refuse this `VERSION` alone (repeatable; default: every change)")
	return cmd
}

func newUnholdCmd(o *options) *cobra.Command {
	f := &pinFlags{}
	reapply := false
	cmd := &cobra.Command{
		Use:     "unhold COMPONENT",
		Short:   "Lift a hold, and with --reapply return to the version that was left",
		GroupID: groupPins,
		Long: `Unhold lifts the hold of a cluster's pin. With --reapply it also returns to the version that the rollback left, which
was tested on the stages before already.`,
		Example: `  tfgitops unhold maintain-kubeusers --cluster tools
  tfgitops unhold maintain-kubeusers --cluster tools --reapply --commit`,
		Args:              exactlyOne("unhold COMPONENT"),
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := bump.Request{Op: bump.OpUnhold, Component: args[0], Reapply: reapply}
			f.fill(&request)
			return o.do(cmd, f, request)
		},
	}
	f.register(cmd, o)
	cmd.Flags().BoolVar(&reapply, "reapply", false, "return to the version that the rollback left, without soak")
	return cmd
}

func newFoldCmd(o *options) *cobra.Command {
	f := &pinFlags{}
	cmd := &cobra.Command{
		Use:     "fold COMPONENT",
		Short:   "Move values from the pins into the component's file, once all clusters agree",
		GroupID: groupPins,
		Long: `Fold moves values that were given with a bump (--values) from the pins into the component's values file, once every
cluster that runs the component has the same. What is rendered does not change.`,
		Example:           "  tfgitops fold maintain-kubeusers --commit",
		Args:              exactlyOne("fold COMPONENT"),
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := bump.Request{Op: bump.OpFold, Component: args[0]}
			f.fill(&request)
			return o.do(cmd, f, request)
		},
	}
	f.registerDelivery(cmd)
	return cmd
}

// exactlyOne asks for one argument, and says how the command is written.
func exactlyOne(use string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("write `tfgitops %s`", use)}
		}
		return nil
	}
}
