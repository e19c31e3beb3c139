package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

func newStatusCmd(o *options) *cobra.Command {
	f, filter := &liveFlags{}, live.Filter{}
	var failOn []string
	output, exit, upstream := "", false, true
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show what each cluster runs, against what is pinned, worst first",
		GroupID: groupLive,
		Long: "Status compares the pins of the working tree with what the clusters run, and with what waits in the components' sources\n" +
			"and registries. A cluster is read through the kubeconfig context that its cluster.yaml names, or from an exporter\n" +
			"(--from). What cannot be read is unknown, never ok; with no cluster at hand, pins and history are shown alone.\n\nThe states, worst first:\n\n" + stateTable(),
		Example: `  tfgitops status
  tfgitops status --stage production --fail-on failed,drifted
  tfgitops status -o html > status.html
  TFGITOPS_TOKEN=… tfgitops status --from https://tfgitops.example.org`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := pickFormat(live.Formats(), output)
			if err != nil {
				return err
			}
			states, err := live.ParseStates(failOn)
			if err != nil {
				return usageError{err}
			}
			report, err := o.status(cmd, f, filter, upstream)
			if err != nil {
				return err
			}
			if err := write(cmd.OutOrStdout(), *report); err != nil {
				return err
			}
			if report.Any(states...) || exit && report.Verdict != live.OK {
				return errFound
			}
			return nil
		},
	}
	f.register(cmd)
	registerOutput(cmd, &output, live.Formats())
	cmd.Flags().StringSliceVar(&filter.Clusters, "cluster", nil, "on this `CLUSTER` only (repeatable)")
	cmd.Flags().StringSliceVar(&filter.Components, "component", nil, "this `COMPONENT` only (repeatable)")
	cmd.Flags().StringSliceVar(&filter.Stages, "stage", nil, "on the clusters of this `STAGE` only (repeatable)")
	cmd.Flags().StringSliceVar(&failOn, "fail-on", nil, "exit 1 if anything is in one of these `STATES`")
	cmd.Flags().BoolVar(&exit, "exit-code", false, "exit 1 unless everything is ok")
	cmd.Flags().BoolVar(&upstream, "upstream", upstream, "ask sources what waits, and registries for what is pinned")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("component", o.completeComponents)
	return cmd
}

// stateTable is the states for the help.
func stateTable() string {
	var out strings.Builder
	for _, info := range live.States() {
		fmt.Fprintf(&out, "  %-17s %s\n", info.State, info.Means)
	}
	return strings.TrimRight(out.String(), "\n")
}

// status gathers all that a report is made of, and makes it.
func (o *options) status(cmd *cobra.Command, f *liveFlags, filter live.Filter, askUpstream bool) (*live.Report, error) {
	ctx := cmd.Context()
	repo, err := o.openControlRepo(ctx)
	if err != nil {
		return nil, err
	}
	defer repo.close()
	if err := repo.knows(filter); err != nil {
		return nil, err
	}
	snapshot, err := f.snapshot(ctx, o, repo.clusters())
	if err != nil {
		return nil, err
	}
	if snapshot == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "no cluster at hand: the kubeconfig has none of the contexts that the cluster.yaml files name; pins and history only")
	}
	history, err := repo.history(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	var upstream *live.Upstream
	if askUpstream {
		if upstream, err = o.asker().Ask(ctx, repo.Repo, live.Waiting, live.Present); err != nil {
			return nil, err
		}
		warn(cmd.ErrOrStderr(), upstream)
	}
	report := live.Status(repo.Repo, snapshot, history, upstream, o.now()).Only(filter)
	return &report, nil
}

// knows refuses names that the control repo does not have: nothing found would read as nothing wrong.
func (r *controlRepo) knows(f live.Filter) error {
	var wrong []error
	for _, name := range f.Clusters {
		if r.Clusters[name] == nil {
			wrong = append(wrong, fmt.Errorf("there is no cluster %q: there are %v", name, r.ClusterNames()))
		}
	}
	for _, name := range f.Components {
		if r.Components[name] == nil {
			wrong = append(wrong, fmt.Errorf("there is no component %q: there are %v", name, r.ComponentNames()))
		}
	}
	for _, name := range f.Stages {
		if !r.hasStage(name) {
			wrong = append(wrong, fmt.Errorf("there is no stage %q in tfgitops.yaml", name))
		}
	}
	if len(wrong) > 0 {
		return usageError{errors.Join(wrong...)}
	}
	return nil
}

func (r *controlRepo) hasStage(name string) bool {
	for _, stage := range r.Spec.Stages {
		if stage.Name == name {
			return true
		}
	}
	return false
}
