package main

import (
	"context"
	"io/fs"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

func newComponentAddCmd(o *options) *cobra.Command {
	settings := scaffold.ComponentOptions{}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a component, which is deployed nowhere until it is pinned",
		Long: `Add writes components/NAME/component.yaml: a component with one Helm release of its name, or with --manifests one of
plain manifests. A cluster runs it once it has a pin there: bump --install writes that.`,
		Example: `  tfgitops component add jobs-api --source https://gitlab.example.org/jobs-api
  tfgitops component add loki --repository grafana --namespace logging
  tfgitops component add gateway-api --manifests`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			settings.Name = args[0]
			plan, err := scaffold.AddComponent(cmd.Context(), root.FS(), settings)
			if err != nil {
				return err
			}
			if err := scaffold.Write(cmd.Context(), root, plan); err != nil {
				return err
			}
			printPlan(cmd.ErrOrStderr(), plan)
			if settings.Manifests {
				o.printNext(cmd.ErrOrStderr(), "component vendor %s VERSION URL", settings.Name)
				return nil
			}
			o.printNext(cmd.ErrOrStderr(), "bump %s latest --install --cluster %s", settings.Name, firstCluster(cmd.Context(), root.FS()))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&settings.Chart, "chart", "", "the `CHART` in its repository (default: the component's name)")
	flags.StringVar(&settings.Repository, "repository", "", "the chart repository's `NAME` in tfgitops.yaml (default: the only one)")
	flags.StringVar(&settings.Namespace, "namespace", "", "the `NAMESPACE` of the release (default: the component's name)")
	flags.StringVar(&settings.Source, "source", "", "the `URL` of the Git repository that the component is built from")
	flags.BoolVar(&settings.Manifests, "manifests", false, "it has plain manifests instead of a chart")
	return cmd
}

// firstCluster is a cluster to show in a command, where a new version goes first, or a word for one.
func firstCluster(ctx context.Context, fsys fs.FS) string {
	repo, _ := control.Load(ctx, fsys, control.Only{Clusters: []string{}, Components: []string{}})
	if stages := repo.Spec.Stages; len(stages) > 0 && len(stages[0].Clusters) > 0 {
		return stages[0].Clusters[0]
	}
	if names := control.ClusterFolders(fsys); len(names) > 0 {
		return names[0]
	}
	return "CLUSTER"
}
