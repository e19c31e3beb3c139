package main

import (
	"slices"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// completeClusters completes names of clusters that are not on the command line yet.
func (o *options) completeClusters(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	root, err := o.openRoot()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer root.Close()
	names := slices.DeleteFunc(control.ClusterFolders(root.FS()), func(name string) bool { return slices.Contains(given, name) })
	return names, cobra.ShellCompDirectiveNoFileComp
}
