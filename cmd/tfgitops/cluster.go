package main

import "github.com/spf13/cobra"

func newClusterCmd(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cluster",
		Short:   "Add clusters",
		GroupID: groupRepo,
		RunE:    runGroup,
	}
	cmd.AddCommand(newClusterAddCmd(o))
	return cmd
}
