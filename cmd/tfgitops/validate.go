package main

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
)

func newValidateCmd(o *options) *cobra.Command {
	strict, output, upgrade := false, "table", upgradeFlags{}
	cmd := &cobra.Command{
		Use:     "validate",
		Short:   "Find everything that is wrong with the control repo",
		GroupID: groupRepo,
		Long: `Validate shows every finding at once: on the files of the control repo, on what each cluster's overlay builds, and on
each Flux object, which it checks as the API server would. It exits 1 if a finding is an error, or with --strict on
warnings too. docs/reference/rules.md lists the rules.

With --kube-version and --cluster it finds instead what stands in the way of upgrading Kubernetes on a cluster: it expands
every chart there, and shows those that do not support the version, and the objects of APIs that the version has no more.`,
		Example: `  tfgitops validate
  tfgitops validate --strict -o codequality > gl-code-quality-report.json
  tfgitops validate --kube-version 1.33.0 --cluster tools`,
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
			findings, err := o.findings(cmd.Context(), root.FS(), upgrade)
			if err != nil {
				return err
			}
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
	cmd.Flags().StringVar(&upgrade.kubeVersion, "kube-version", "", "find what stands in the way of Kubernetes `VERSION` (with --cluster)")
	cmd.Flags().StringVar(&upgrade.cluster, "cluster", "", "the `CLUSTER` to upgrade (with --kube-version)")
	cmd.Flags().BoolVar(&upgrade.offline, "offline", false, "with --kube-version: take charts from the cache only")
	cmd.MarkFlagsRequiredTogether("kube-version", "cluster")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "codequality"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// upgradeFlags ask about an upgrade of Kubernetes instead of the whole repo.
type upgradeFlags struct {
	kubeVersion, cluster string
	offline              bool
}

func (o *options) findings(ctx context.Context, fsys fs.FS, upgrade upgradeFlags) (control.Findings, error) {
	if upgrade.kubeVersion == "" {
		return validate.New().Run(ctx, fsys), nil
	}
	key, lasts, err := o.secretKey()
	if err != nil {
		return nil, err
	}
	renders, err := o.renders(key, lasts)
	if err != nil {
		return nil, err
	}
	return diff.CheckUpgrade(ctx, fsys, upgrade.cluster, diff.ExpandOptions{Charts: o.charts(upgrade.offline), Renders: renders, KubeVersion: upgrade.kubeVersion, Key: key})
}
