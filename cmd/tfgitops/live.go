package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

// tokenVariable holds the exporter's read token: on a command line everybody on the machine could read it.
const tokenVariable = "TFGITOPS_TOKEN"

// liveFlags are the flags of every command that looks at clusters.
type liveFlags struct {
	kubeconfig string
	from       string
	timeout    time.Duration
}

func (f *liveFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kubeconfig, "kubeconfig", "", "the kubeconfig `FILE` (default: as kubectl finds it)")
	_ = cmd.MarkFlagFilename("kubeconfig")
	cmd.Flags().StringVar(&f.from, "from", "", "read the clusters from the exporter at this `URL`; its read token is taken from "+tokenVariable)
	cmd.Flags().DurationVar(&f.timeout, "cluster-timeout", 15*time.Second, "how long to wait for each cluster")
	cmd.MarkFlagsMutuallyExclusive("kubeconfig", "from")
}

// reader returns what reads the clusters, or nil where the kubeconfig has a context for none of them.
func (f *liveFlags) reader(o *options, clusters []*control.Cluster) (*live.Reader, error) {
	kubeconfig, err := live.OpenKubeconfig(f.kubeconfig)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(clusters, func(c *control.Cluster) bool { return kubeconfig.Has(c.Context) }) {
		return nil, nil
	}
	return &live.Reader{Connect: kubeconfig.Connect, Timeout: f.timeout, Now: o.now}, nil
}

// snapshot reads the clusters, or what an exporter has read of them. It is nil where no cluster is at hand.
func (f *liveFlags) snapshot(ctx context.Context, o *options, clusters []*control.Cluster) (*live.Snapshot, error) {
	if f.from != "" {
		ctx, cancel := context.WithTimeout(ctx, f.timeout)
		defer cancel()
		return live.Fetch(ctx, &http.Client{}, f.from, o.getenv(tokenVariable), o.now())
	}
	reader, err := f.reader(o, clusters)
	if reader == nil || err != nil {
		return nil, err
	}
	return reader.Snapshot(ctx, clusters)
}

// upstream asks sources and registries, or what an exporter was told by them.
func (f *liveFlags) upstream(ctx context.Context, o *options, repo *control.Repo, questions ...live.Question) (*live.Upstream, error) {
	if f.from == "" {
		return o.asker().Ask(ctx, repo, questions...)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(f.timeout, fetchTimeout))
	defer cancel()
	return live.FetchUpstream(ctx, &http.Client{}, f.from, o.getenv(tokenVariable))
}

// fetchTimeout is how long an exporter may take where no flag says it.
const fetchTimeout = 15 * time.Second

// controlRepo is an open control repo with its history.
type controlRepo struct {
	*control.Repo
	workspace *bump.Workspace
	close     func()
}

// openControlRepo loads the whole control repo of the working tree.
func (o *options) openControlRepo(ctx context.Context) (*controlRepo, error) {
	ws, done, err := o.openWorkspace(ctx, &pinFlags{})
	if err != nil {
		return nil, err
	}
	repo, findings := control.Load(ctx, ws.Root.FS(), control.Only{})
	if err := findings.Err(); err != nil {
		done()
		return nil, err
	}
	return &controlRepo{Repo: repo, workspace: ws, close: done}, nil
}

// clusters are those that a filter lets through: the others need not be asked.
func (r *controlRepo) clusters(only live.Filter) []*control.Cluster {
	var clusters []*control.Cluster
	for name, cluster := range r.Clusters {
		stage, _ := r.StageOf(name)
		if only.HasCluster(name, stage.Name) {
			clusters = append(clusters, cluster)
		}
	}
	return clusters
}

// history returns what Git says of the pins, and of what the clusters have not applied yet.
func (r *controlRepo) history(ctx context.Context, snapshot *live.Snapshot) (live.History, error) {
	changes, err := r.workspace.Planner.Deployments(ctx, "", "")
	if errors.Is(err, bump.ErrNoHistory) || errors.Is(err, gitrepo.ErrUnknownRevision) {
		return live.History{}, nil
	}
	if err != nil {
		return live.History{}, err
	}
	history := live.History{Unapplied: map[string][]live.Commit{}}
	for _, entry := range logEntries(changes) {
		history.Changes = append(history.Changes, live.PinChange{
			Time: entry.Time, Cluster: entry.Cluster, Component: entry.Component, Op: string(entry.Op), From: entry.From, To: entry.To,
			By: entry.By, Commit: entry.Commit, Subject: entry.Subject,
		})
	}
	git := r.workspace.Git
	if history.Head, err = git.Resolve(ctx, "HEAD"); err != nil || snapshot == nil {
		return history, err
	}
	for cluster, applied := range snapshot.Applied() {
		span, err := git.Commits(ctx, applied, history.Head, 0)
		if errors.Is(err, gitrepo.ErrUnknownRevision) {
			continue
		}
		if err != nil {
			return history, err
		}
		history.Unapplied[cluster] = live.OnBranch(span.Commits)
	}
	return history, nil
}

// asker asks sources and registries.
func (o *options) asker() live.Asker {
	return live.Asker{
		Registries: artifact.New(artifact.Options{UserAgent: "tfgitops/" + version()}),
		OpenSource: func(ctx context.Context, url string) (live.SourceRepo, error) {
			return gitrepo.OpenSource(ctx, url, o.sourcesDir())
		},
	}
}

// warn tells what could not be asked.
func warn(out io.Writer, upstream *live.Upstream) {
	if upstream == nil {
		return
	}
	for _, problem := range upstream.Problems() {
		fmt.Fprintln(out, "not known:", problem)
	}
}

// pickFormat returns how to write, or which forms there are.
func pickFormat[T any](formats map[string]func(io.Writer, T) error, name string) (func(io.Writer, T) error, error) {
	write, known := formats[name]
	if !known {
		return nil, usageError{fmt.Errorf("there is no output format %q: write %s", name, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))}
	}
	return write, nil
}

// registerOutput adds -o with its completion.
func registerOutput[T any](cmd *cobra.Command, output *string, formats map[string]func(io.Writer, T) error) {
	names := slices.Sorted(maps.Keys(formats))
	*output = "table"
	cmd.Flags().StringVarP(output, "output", "o", "table", "the output `FORMAT`: "+strings.Join(names, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}
