package main

import "github.com/spf13/cobra"

func newComponentCmd(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "component",
		Short:   "Add and remove components, and fetch their manifests",
		GroupID: groupRepo,
		RunE:    runGroup,
	}
	cmd.AddCommand(newComponentAddCmd(o), newComponentRemoveCmd(o), newComponentVendorCmd(o))
	return cmd
}
