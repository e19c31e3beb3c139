package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

func newInitCmd(o *options) *cobra.Command {
	settings := scaffold.InitOptions{}
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Start a control repo",
		GroupID: groupRepo,
		Long: `Init starts a control repo in the current directory, or the one that -C names: tfgitops.yaml, the schemas for editors,
and the lines in .gitattributes that keep line ends as they are. What else is there stays as it is.`,
		Example: `  tfgitops init --chart-repository oci://registry.example.org/charts
  tfgitops -C ../control init --name toolforge`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(o.dir) // of "" it is the current directory
			if err != nil {
				return err
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				return fmt.Errorf("cannot start a control repo: %w", err)
			}
			defer root.Close()
			if settings.Name == "" {
				settings.Name = strings.ToLower(filepath.Base(dir))
			}
			plan, err := scaffold.Init(cmd.Context(), root.FS(), settings)
			if err != nil {
				return err
			}
			if err := scaffold.Write(cmd.Context(), root, plan); err != nil {
				return err
			}
			printPlan(cmd.ErrOrStderr(), plan)
			o.printNext(cmd.ErrOrStderr(), "cluster add NAME --kube-version VERSION --flux-version VERSION --stage STAGE")
			return nil
		},
	}
	cmd.Flags().StringVar(&settings.Name, "name", "", "the repo's `NAME` (default: the directory's)")
	cmd.Flags().StringVar(&settings.ChartRepository, "chart-repository", "", "the `URL` of the first chart repository: oci://… or https://…")
	return cmd
}
