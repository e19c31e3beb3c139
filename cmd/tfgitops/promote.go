package main

import (
	"errors"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
)

func newPromoteCmd(o *options) *cobra.Command {
	f := &pinFlags{}
	to, all := "", false
	cmd := &cobra.Command{
		Use:     "promote COMPONENT",
		Short:   "Pin a stage to what the stage before it runs",
		GroupID: groupPins,
		Long: `Promote copies commit, versions, image tags and the values that belong to them from the stage before, never the latest.
Digests are those of each cluster's own registry.

With --merge-request --ready it marks the draft ready that "tfgitops bump --through" opened, if every gate and the soak
time of the stage allow the promotion now, and opens a merge request where there is none.`,
		Example: `  tfgitops promote maintain-kubeusers
  tfgitops promote maintain-kubeusers --to production --commit
  tfgitops promote --all --merge-request --ready --live`,
		Args: func(_ *cobra.Command, args []string) error {
			if want := 1 - boolInt(all); len(args) != want {
				return usageError{errors.New("write `tfgitops promote COMPONENT`, or `tfgitops promote --all`")}
			}
			return nil
		},
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := bump.Request{Op: bump.OpPromote, Stage: to}
			f.fill(&request)
			if all {
				return o.doAll(cmd, f, request)
			}
			request.Component = args[0]
			return o.do(cmd, f, request)
		},
	}
	f.register(cmd, o)
	f.live.register(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the `STAGE` to promote to (default: the first that does not run what the one before it does)")
	cmd.Flags().BoolVar(&all, "all", false, "every component; each is a change of its own")
	return cmd
}
