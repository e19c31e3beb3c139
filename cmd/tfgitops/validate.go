package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
)

func newValidateCmd(o *options) *cobra.Command {
	strict, output := false, "table"
	cmd := &cobra.Command{
		Use:     "validate",
		Short:   "Find everything that is wrong with the control repo",
		GroupID: groupRepo,
		Long: `Validate shows every finding at once: on the files of the control repo, on what each cluster's overlay builds, and on
each Flux object, which it checks as the API server would. It exits 1 if a finding is an error, or with --strict on
warnings too. docs/reference/rules.md lists the rules.`,
		Example: `  tfgitops validate
  tfgitops validate --strict -o codequality > gl-code-quality-report.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, known := validate.Formats()[validate.Format(output)]; !known {
				return usageError{fmt.Errorf("there is no output format %q: write table, json or codequality", output)}
			}
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			findings := validate.New().Run(cmd.Context(), root.FS())
			if err := validate.Write(cmd.OutOrStdout(), validate.Format(output), findings); err != nil {
				return err
			}
			if findings.Count(control.Error) > 0 || strict && len(findings) > 0 {
				return errFound
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "exit 1 on warnings too")
	cmd.Flags().StringVarP(&output, "output", "o", output, "the output `FORMAT`: table, json or codequality")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "codequality"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
