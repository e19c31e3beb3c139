package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

func newAlertsCmd(o *options) *cobra.Command {
	output, alerts := "rules", live.AlertOptions{}
	cmd := &cobra.Command{
		Use:     "alerts",
		Short:   "Print alert rules for what the exporter measures",
		GroupID: groupLive,
		Long: `Alerts prints Prometheus alert rules, with the thresholds of tfgitops.yaml (spec.alerts) and the clusters of its first
stage. Each rule links to a runbook.`,
		Example: `  tfgitops alerts > tfgitops.rules.yaml
  tfgitops alerts -o prometheusrule --label team=wmcs | kubectl apply -f -
  tfgitops alerts --label team=wmcs --runbooks https://wikitech.wikimedia.org/wiki/Portal:Toolforge/Admin/Runbooks/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := pickFormat(live.AlertFormats(), output)
			if err != nil {
				return err
			}
			if strings.ContainsAny(alerts.Job, "\"\\\n") || alerts.Job == "" {
				return usageError{errors.New("--job takes the name of a scrape job, without quotes")}
			}
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			repo, findings := control.Load(cmd.Context(), root.FS(), control.Only{Clusters: []string{}, Components: []string{}})
			if err := findings.Err(); err != nil {
				return err
			}
			for i, stage := range repo.Spec.Stages {
				if i == 0 {
					alerts.FirstStage = stage.Clusters
				}
				alerts.Stages = append(alerts.Stages, stage.Clusters...)
			}
			alerts.Limits = live.LimitsOf(repo.Spec.Alerts)
			return write(cmd.OutOrStdout(), live.Alerts(alerts))
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "the output `FORMAT`: rules (a file for Prometheus) or prometheusrule (for its operator)")
	cmd.Flags().StringVar(&alerts.Job, "job", "tfgitops", "the `NAME` of the scrape job of the exporter")
	cmd.Flags().StringVar(&alerts.Runbooks, "runbooks", live.DefaultRunbooks, "the `URL` of a runbook: {alert} stands for the alert's name, which comes last otherwise")
	cmd.Flags().StringVar(&alerts.Dashboard, "dashboard", "", "the `URL` of a dashboard, for an annotation of each rule")
	cmd.Flags().StringToStringVar(&alerts.Labels, "label", nil, "a label for each rule, as `NAME=VALUE` (repeatable)")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"rules", "prometheusrule"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}
