package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile/adopt"
)

// adoption is what `import --plan` is told.
type adoption struct {
	plan                bool
	cluster             string
	kubeconfig, context string
	output              string
}

func newImportCmd(o *options) *cobra.Command {
	a := adoption{}
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Take over from helmfile",
		GroupID: groupRepo,
		Long: `Import takes a control repo over from helmfile: import helmfile writes it, import secrets supplies what must not be in Git,
and import --plan says how Flux then adopts what helmfile installed on a cluster. With a kubeconfig the plan looks at each
live release first (name, namespace, status, chart, version), and exits 1 if something must be put right.
docs/migrating.md has the whole way.`,
		Example: `  tfgitops import --plan --cluster toolsbeta --context toolsbeta`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !a.plan || len(args) > 0 {
				return runGroup(cmd, args)
			}
			return o.planAdoption(cmd, a)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&a.plan, "plan", false, "print how Flux adopts the releases on a cluster")
	flags.StringVar(&a.cluster, "cluster", "", "the `CLUSTER` to plan for")
	flags.StringVar(&a.kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` to look at live releases with")
	flags.StringVar(&a.context, "context", "", "the `CONTEXT` in the kubeconfig")
	flags.StringVarP(&a.output, "output", "o", "markdown", "the output `FORMAT`: markdown or json")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"markdown", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.AddCommand(newImportHelmfileCmd(o), newImportSecretsCmd(o))
	return cmd
}

func (o *options) planAdoption(cmd *cobra.Command, a adoption) error {
	if a.output != "markdown" && a.output != "json" {
		return usageError{fmt.Errorf("there is no output format %q: write markdown or json", a.output)}
	}
	repo, root, err := o.loadCluster(cmd, a.cluster)
	if err != nil {
		return err
	}
	defer root.Close()
	var records adopt.Records
	if a.kubeconfig != "" || a.context != "" {
		live, err := adopt.Connect(a.kubeconfig, a.context)
		if err != nil {
			return err
		}
		records = live
	}
	plan, err := adopt.NewPlan(cmd.Context(), repo, a.cluster, records)
	if err != nil {
		return err
	}
	write := plan.WriteMarkdown
	if a.output == "json" {
		write = plan.WriteJSON
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if !plan.Ready() {
		return errFound
	}
	return nil
}

// loadCluster loads one cluster of the control repo. The root is to be closed by whoever calls.
func (o *options) loadCluster(cmd *cobra.Command, cluster string) (*control.Repo, *os.Root, error) {
	if cluster == "" {
		return nil, nil, usageError{errors.New("no cluster is named: write --cluster CLUSTER")}
	}
	root, err := o.openRoot()
	if err != nil {
		return nil, nil, err
	}
	repo, findings := control.Load(cmd.Context(), root.FS(), control.Only{Clusters: []string{cluster}})
	if err := findings.Err(); err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	return repo, root, nil
}
