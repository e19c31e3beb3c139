package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

func newStatusCmd(o *options) *cobra.Command {
	q, post := &statusQuery{o: o, askUpstream: true}, &postFlags{}
	var failOn []string
	output, exit, watch, every := "", false, false, 10*time.Second
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show what each cluster runs, against what is pinned, worst first",
		GroupID: groupLive,
		Long: "Status compares the pins of the working tree with what the clusters run, and with what waits in the components' sources\n" +
			"and registries. A cluster is read through the kubeconfig context that its cluster.yaml names, or from an exporter\n" +
			"(--from). What cannot be read is unknown, never ok; with no cluster at hand, pins and history are shown alone.\n\n" +
			"With --watch it looks again and again, until it is interrupted: on a terminal it shows the table anew, elsewhere what has\n" +
			"changed since, a line each.\n\nThe states, worst first:\n\n" + stateTable(),
		Example: `  tfgitops status
  tfgitops status --stage production --fail-on failed,drifted
  tfgitops status -o html > status.html
  tfgitops status --watch --component jobs-api
  TFGITOPS_TOKEN=… tfgitops status --from https://tfgitops.example.org`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := pickFormat(live.Formats(), output)
			if err != nil {
				return err
			}
			if output == "table" && o.style().Colour {
				write = func(out io.Writer, report live.Report) error { return live.WriteTable(out, report, true) }
			}
			states, err := live.ParseStates(failOn)
			if err != nil {
				return usageError{err}
			}
			q.cmd = cmd
			if watch {
				if output != "table" || exit || len(states) > 0 || every < time.Second || post.to != "" {
					return usageError{errors.New("--watch shows the table, without -o, --post, --exit-code and --fail-on, and --interval takes a second or more")}
				}
				return q.watch(cmd.Context(), every, write)
			}
			poster, err := post.poster(cmd.Context(), o, checkedOut)
			if err != nil {
				return err
			}
			report, err := q.report(cmd.Context())
			if err != nil {
				return err
			}
			if err := write(cmd.OutOrStdout(), *report); err != nil {
				return err
			}
			posting := poster.post(cmd.Context(), cmd.ErrOrStderr(), "status", live.MarkdownParts(*report, statusNote)...)
			if report.Any(states...) || exit && report.Verdict != live.OK {
				return posted(cmd.ErrOrStderr(), errFound, posting)
			}
			return posting
		},
	}
	q.flags.register(cmd)
	post.register(cmd)
	registerOutput(cmd, &output, live.Formats())
	cmd.Flags().StringSliceVar(&q.filter.Clusters, "cluster", nil, "on this `CLUSTER` only (repeatable)")
	cmd.Flags().StringSliceVar(&q.filter.Components, "component", nil, "this `COMPONENT` only (repeatable)")
	cmd.Flags().StringSliceVar(&q.filter.Stages, "stage", nil, "on the clusters of this `STAGE` only (repeatable)")
	cmd.Flags().StringSliceVar(&failOn, "fail-on", nil, "exit 1 if anything is in one of these `STATES`")
	cmd.Flags().BoolVar(&exit, "exit-code", false, "exit 1 unless everything is ok")
	cmd.Flags().BoolVar(&watch, "watch", false, "look again and again")
	cmd.Flags().DurationVar(&every, "interval", every, "with --watch: how often")
	cmd.Flags().BoolVar(&q.askUpstream, "upstream", q.askUpstream, "ask sources what waits, and registries for what is pinned")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("component", o.completeComponents)
	return cmd
}

// statusNote is how many bytes of a report stand in one note: a quarter of what GitLab takes.
const statusNote = 250_000

// stateTable is the states for the help.
func stateTable() string {
	var out strings.Builder
	for _, info := range live.States() {
		fmt.Fprintf(&out, "  %-17s %s\n", info.State, info.Means)
	}
	return strings.TrimRight(out.String(), "\n")
}

// statusQuery gathers all that a report is made of. It may be asked again.
type statusQuery struct {
	o           *options
	cmd         *cobra.Command
	flags       liveFlags
	filter      live.Filter
	askUpstream bool

	upstream *live.Upstream
	asked    time.Time
	told     bool // that no cluster is at hand
}

// upstreamAge is how old what waits upstream may be when a report is made again.
const upstreamAge = 10 * time.Minute

func (q *statusQuery) report(ctx context.Context) (*live.Report, error) {
	repo, err := q.o.openControlRepo(ctx)
	if err != nil {
		return nil, err
	}
	defer repo.close()
	if err := repo.knows(q.filter); err != nil {
		return nil, err
	}
	snapshot, err := q.flags.snapshot(ctx, q.o, repo.clusters(q.filter))
	if err != nil {
		return nil, err
	}
	if snapshot == nil && !q.told {
		q.told = true
		fmt.Fprintln(q.cmd.ErrOrStderr(), "no cluster at hand: the kubeconfig has none of the contexts that cluster.yaml names; pins and history only (an exporter tells more: --from URL)")
	}
	history, err := repo.history(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	if q.askUpstream && q.o.now().Sub(q.asked) >= upstreamAge {
		if q.upstream, err = q.flags.upstream(ctx, q.o, repo.Repo, live.Waiting, live.Present); err != nil {
			return nil, err
		}
		q.asked = q.o.now()
		warn(q.cmd.ErrOrStderr(), q.upstream)
	}
	report := live.Status(repo.Repo, snapshot, history, q.upstream, q.o.now()).Only(q.filter)
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
		if !slices.Contains(r.stageNames(), name) {
			wrong = append(wrong, fmt.Errorf("there is no stage %q: there are %v", name, r.stageNames()))
		}
	}
	if len(wrong) > 0 {
		return usageError{errors.Join(wrong...)}
	}
	return nil
}

func (r *controlRepo) stageNames() []string {
	var names []string
	for _, stage := range r.Spec.Stages {
		names = append(names, stage.Name)
	}
	return names
}
