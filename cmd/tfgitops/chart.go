package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
)

func newChartCmd(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "chart",
		Short:   "Look into charts",
		GroupID: groupRepo,
		RunE:    runGroup,
	}
	cmd.AddCommand(newChartExpandCmd(o))
	return cmd
}

func newChartExpandCmd(o *options) *cobra.Command {
	cluster, offline, install := "", false, false
	cmd := &cobra.Command{
		Use:   "expand RELEASE",
		Short: "Print what Helm would apply for a release",
		Long: `Expand prints the resources that Helm would apply for a release on a cluster, as helm-controller expands it: with the
cluster's overlay, values and Kubernetes version, post-renderers, origin labels, CRDs and hooks. Placeholders stand for
values that come from Secrets. Without --install, the release is upgraded.`,
		Example: `  tfgitops chart expand jobs-api --cluster tools
  tfgitops chart expand kyverno --cluster tools --install --offline > kyverno.yaml`,
		Args:              usageArgs(cobra.ExactArgs(1)),
		ValidArgsFunction: o.completeReleaseNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			found, err := diff.Expand(cmd.Context(), root.FS(), cluster, args, diff.ExpandOptions{Charts: o.charts(offline), Install: install})
			if errors.Is(err, diff.ErrUnknownRelease) {
				return usageError{err}
			}
			if err != nil {
				return err
			}
			return writeExpanded(cmd.OutOrStdout(), cmd.ErrOrStderr(), found)
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "on this `CLUSTER` (required)")
	cmd.Flags().BoolVar(&offline, "offline", false, "take the chart from the cache only")
	cmd.Flags().BoolVar(&install, "install", false, "expand for the first installation instead of an upgrade")
	_ = cmd.MarkFlagRequired("cluster")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	return cmd
}

// completeReleaseNames completes the names of releases.
func (o *options) completeReleaseNames(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	root, err := o.openRoot()
	if err != nil || len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer root.Close()
	repo, _ := control.Load(cmd.Context(), root.FS(), control.Only{Clusters: []string{}})
	var names []string
	for _, component := range repo.ComponentNames() {
		names = append(names, repo.Components[component].ReleaseNames()...)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// writeExpanded prints resources as YAML documents, and what cannot be known here as messages.
func writeExpanded(out, messages io.Writer, found []diff.Expanded) error {
	for _, expanded := range found {
		if expanded.Err != nil {
			return expanded.Err
		}
		for _, warning := range expanded.Expansion.Warnings {
			fmt.Fprintln(messages, "warning:", warning)
		}
		for _, resource := range expanded.Expansion.Resources {
			if err := writeResource(out, resource); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeResource(out io.Writer, resource chart.Resource) error {
	document, err := yaml.Marshal(resource.Object)
	if err != nil {
		return fmt.Errorf("writing %s %q: %w", resource.Kind, resource.Name, err)
	}
	_, err = fmt.Fprintf(out, "---\n# Source: %s\n%s", resource.Source, document)
	return err
}
