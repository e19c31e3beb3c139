package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

const (
	// stopTimeout is how long requests may take to end when the exporter is told to stop.
	stopTimeout = 10 * time.Second
	// exporterGCPercent trades speed for memory: it runs for ever, and nobody waits for it.
	exporterGCPercent = 50
	// headerTimeout bounds a reader that sends nothing.
	headerTimeout = 10 * time.Second
)

func newExporterCmd(o *options) *cobra.Command {
	f := &liveFlags{}
	listen, interval, upstreamInterval, upstream := "", time.Minute, 10*time.Minute, true
	cmd := &cobra.Command{
		Use:     "exporter",
		Short:   "Serve what status says as metrics, JSON and a page",
		GroupID: groupLive,
		Long: `Exporter reads the control repo of its folder, the clusters, and what waits upstream, again and again, and serves

  /metrics    for Prometheus
  /           the page of "status -o html"
  /snapshot   what the clusters run, as JSON, to who sends the token of ` + tokenVariable + ` as a bearer token: for --from
  /upstream   what sources and registries have, in the same way
  /healthz    whether the process is there
  /readyz     whether there is something to show

A source that cannot be read leaves the numbers of the others as they are. The folder is read anew each time: what keeps
it at the newest commit is another program's work, such as git-sync.`,
		Example: `  tfgitops exporter
  TFGITOPS_TOKEN=… tfgitops -C /repo exporter --listen :8080 --kubeconfig /etc/tfgitops/kubeconfig`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < time.Second || upstreamInterval < time.Second {
				return usageError{errors.New("--interval and --upstream-interval take a second or more")}
			}
			if o.getenv("GOGC") == "" {
				debug.SetGCPercent(exporterGCPercent)
			}
			source := &viewSource{o: o, flags: f, askUpstream: upstream, upstreamInterval: upstreamInterval, probes: live.NewProbes(o.now(), upstream)}
			return serve(cmd, listen, &live.Exporter{
				Refresh: source.view, Probes: source.probes.Last(), Interval: interval, Jitter: rand.Float64, Sleep: artifact.SystemClock{}.Sleep,
				Token: o.getenv(tokenVariable), Say: func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) },
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "the `ADDRESS` to listen on")
	cmd.Flags().DurationVar(&interval, "interval", interval, "how often clusters and pins are read")
	cmd.Flags().BoolVar(&upstream, "upstream", upstream, "ask sources what waits, and registries for what is pinned and published")
	cmd.Flags().DurationVar(&upstreamInterval, "upstream-interval", upstreamInterval, "how often sources and registries are asked")
	return cmd
}

// serve runs the exporter and its server until the context ends.
func serve(cmd *cobra.Command, address string, exporter *live.Exporter) error {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %q: %w", address, err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: exporter.Handler(), ReadHeaderTimeout: headerTimeout}
	refreshing := make(chan struct{})
	go func() {
		defer close(refreshing)
		exporter.Run(ctx)
	}()
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(ending)
	}()
	err = server.Serve(listener)
	stop()
	<-refreshing
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// viewSource makes the views of an exporter. It is used by one goroutine.
type viewSource struct {
	o                *options
	flags            *liveFlags
	askUpstream      bool
	upstreamInterval time.Duration

	upstream *live.Upstream
	asked    time.Time
	probes   *live.Probes
}

// view reads all that a report is made of. Only a control repo that cannot be read ends it: everything else is unknown.
func (s *viewSource) view(ctx context.Context) (live.View, error) {
	began, took := s.o.now(), map[string]time.Duration{}
	repo, err := s.o.openControlRepo(ctx)
	if err != nil {
		return live.View{}, err
	}
	defer repo.close()
	s.probes.Repo(began, repo.ClusterNames())
	reading := s.o.now()
	snapshot, err := s.flags.snapshot(ctx, s.o, repo.clusters())
	if err != nil {
		return live.View{}, err
	}
	took["clusters"] = s.o.now().Sub(reading)
	s.probes.Snapshot(snapshot)
	history, err := repo.history(ctx, snapshot)
	if err != nil {
		return live.View{}, err
	}
	if asking := s.o.now(); s.askUpstream && asking.Sub(s.asked) >= s.upstreamInterval {
		if s.upstream, err = s.o.asker().Ask(ctx, repo.Repo, live.Waiting, live.Present, live.Published); err != nil {
			return live.View{}, err
		}
		s.asked = asking
		s.probes.Upstream(asking, s.upstream, repo.ComponentNames())
		took["upstream"] = s.o.now().Sub(asking)
	}
	now := s.o.now()
	report := live.Status(repo.Repo, snapshot, history, s.upstream, now)
	took["all"] = now.Sub(began)
	return live.View{Report: report, Snapshot: snapshot, Upstream: s.upstream, Probes: s.probes.Last(), Took: took}, nil
}
