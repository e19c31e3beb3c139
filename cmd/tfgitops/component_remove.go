package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

func newComponentRemoveCmd(o *options) *cobra.Command {
	settings, dryRun := scaffold.RemovalOptions{}, false
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a component from clusters: Flux uninstalls it there",
		Long: `Remove deletes the component's pins on the clusters, with its values and overrides there, and renders them. With
--all-clusters the component itself goes too. It prints the change, what Flux will do once it is merged, and the command
that commits it: the trailers in its message say that the removal is intended.

A component with protect: true is refused (exit 3), unless --override protect says why.`,
		Example: `  tfgitops component remove jobs-emailer --cluster local --dry-run
  tfgitops component remove jobs-emailer --all-clusters`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, given []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(given) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return o.completeComponents(cmd, given, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			settings.Component = args[0]
			removal, err := scaffold.Remove(cmd.Context(), root.FS(), settings)
			if err != nil {
				return err
			}
			if err := printDiff(cmd.OutOrStdout(), removal.Plan); err != nil {
				return err
			}
			if dryRun {
				printNotes(cmd.ErrOrStderr(), removal.Plan)
				fmt.Fprintln(cmd.ErrOrStderr(), "nothing was written: this was a dry run")
				return nil
			}
			if err := scaffold.Write(cmd.Context(), root, removal.Plan); err != nil {
				return err
			}
			printPlan(cmd.ErrOrStderr(), removal.Plan)
			fmt.Fprintf(cmd.ErrOrStderr(), "next: %s\n", gitCommand(root, removal.Plan, removal.Message))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&settings.Clusters, "cluster", nil, "a `CLUSTER` to remove it from; may be repeated")
	flags.BoolVar(&settings.AllClusters, "all-clusters", false, "remove it everywhere, and the component itself")
	flags.StringSliceVar(&settings.Override, "override", nil, "a safety `RULE` that does not count this time: protect")
	flags.StringVar(&settings.Reason, "reason", "", "the reason for an override, as `TEXT` for the commit message")
	flags.BoolVar(&dryRun, "dry-run", false, "write nothing; print what would change")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("override", cobra.FixedCompletions([]string{scaffold.RuleProtect}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func printDiff(out io.Writer, plan scaffold.Plan) error {
	for _, change := range plan.Changes {
		if _, err := io.WriteString(out, change.Diff()); err != nil {
			return err
		}
	}
	return nil
}
