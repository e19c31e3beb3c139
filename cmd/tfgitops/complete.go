package main

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// The functions below complete names from the control repo. They read folder names, and a component's file at most;
// where there is no control repo, or a file is broken, there is nothing to complete, and the command itself says why.

// completeClusters completes names of clusters that are not on the command line yet.
func (o *options) completeClusters(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	return o.completeNames(given, control.ClusterFolders)
}

// completeComponents completes names of components that are not on the command line yet.
func (o *options) completeComponents(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	return o.completeNames(given, control.ComponentFolders)
}

// completeReleases completes COMPONENT[/RELEASE], as the first argument: components, and behind the slash the releases of
// that component.
func (o *options) completeReleases(cmd *cobra.Command, given []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	component, _, behindSlash := strings.Cut(toComplete, "/")
	if !behindSlash {
		return o.completeNames(nil, control.ComponentFolders)
	}
	return o.completeNames(nil, func(fsys fs.FS) []string {
		repo, _ := control.Load(cmd.Context(), fsys, control.Only{Clusters: []string{}, Components: []string{component}})
		if repo.Components[component] == nil {
			return nil
		}
		names := repo.Components[component].ReleaseNames()
		for i := range names {
			names[i] = component + "/" + names[i]
		}
		return names
	})
}

func (o *options) completeNames(given []string, names func(fs.FS) []string) ([]string, cobra.ShellCompDirective) {
	root, err := o.openRoot()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer root.Close()
	left := slices.DeleteFunc(names(root.FS()), func(name string) bool { return slices.Contains(given, name) })
	return left, cobra.ShellCompDirectiveNoFileComp
}
