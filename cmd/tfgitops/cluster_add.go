package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

func newClusterAddCmd(o *options) *cobra.Command {
	settings := scaffold.ClusterOptions{}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a cluster, with nothing deployed on it yet",
		Long: `Add writes the cluster's files, its overlay among them, and renders it. With --stage the cluster joins that stage in
tfgitops.yaml, whose other lines stay as they are; a stage that is not there becomes the last.`,
		Example: `  tfgitops cluster add tools --kube-version 1.32.4 --flux-version 2.9 --context tools --stage production`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			settings.Name = args[0]
			plan, err := scaffold.AddCluster(cmd.Context(), root.FS(), settings)
			if err != nil {
				return err
			}
			if err := scaffold.Write(cmd.Context(), root, plan); err != nil {
				return err
			}
			printPlan(cmd.ErrOrStderr(), plan)
			fmt.Fprintf(cmd.ErrOrStderr(), "Flux deploys it once this is merged and it is pointed there: flux bootstrap git --path=%s …\n", control.ClusterDir(settings.Name))
			o.printNext(cmd.ErrOrStderr(), "bump COMPONENT latest --install --cluster %s", settings.Name)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&settings.KubeVersion, "kube-version", "", "the Kubernetes `VERSION`, such as 1.32.4; charts see it")
	flags.StringVar(&settings.FluxVersion, "flux-version", "", "the Flux `VERSION`, such as 2.9; it decides which fields are written")
	flags.StringVar(&settings.Context, "context", "", "the `CONTEXT` in people's kubeconfig")
	flags.StringVar(&settings.Stage, "stage", "", "the `STAGE` that the cluster joins")
	_ = cmd.MarkFlagRequired("kube-version")
	_ = cmd.MarkFlagRequired("flux-version")
	_ = cmd.RegisterFlagCompletionFunc("stage", o.completeStages)
	return cmd
}

// completeStages completes names of stages.
func (o *options) completeStages(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	root, err := o.openRoot()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer root.Close()
	repo, _ := control.Load(cmd.Context(), root.FS(), control.Only{Clusters: []string{}, Components: []string{}})
	var names []string
	for _, stage := range repo.Spec.Stages {
		names = append(names, stage.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
