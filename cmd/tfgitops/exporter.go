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
	// headerTimeout bounds a reader that sends nothing, writeTimeout one that takes nothing, and idleTimeout one that stays.
	headerTimeout, writeTimeout, idleTimeout = 10 * time.Second, time.Minute, 2 * time.Minute
	// upstreamPatience is how long a refresh waits for sources and registries. What takes longer is in a later one.
	upstreamPatience = 5 * time.Second
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

A source that cannot be read leaves the numbers of the others as they are, and one that hangs is in a later refresh. The page
says when it is old, and --from takes what is older than half an hour for unknown. The folder is read anew each time: what keeps
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
			defer source.end()
			return serve(cmd, listen, &live.Exporter{
				Refresh: source.view, Probes: source.probes.Last(), Interval: interval, Jitter: rand.Float64, Sleep: artifact.SystemClock{}.Sleep, Now: o.now,
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
	server := &http.Server{Handler: exporter.Handler(), ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout}
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

	probes   *live.Probes
	upstream *live.Upstream
	asked    time.Time
	// answer brings what is being asked; nil: nothing is.
	answer chan upstreamAnswer
}

// upstreamAnswer is what sources and registries said.
type upstreamAnswer struct {
	upstream *live.Upstream
	err      error
	took     time.Duration
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
	snapshot, err := s.flags.snapshot(ctx, s.o, repo.clusters(live.Filter{}))
	if err != nil {
		return live.View{}, err
	}
	took["clusters"] = s.o.now().Sub(reading)
	s.probes.Snapshot(snapshot)
	history, err := repo.history(ctx, snapshot)
	if err != nil {
		return live.View{}, err
	}
	if err := s.ask(ctx, repo, took); err != nil {
		return live.View{}, err
	}
	now := s.o.now()
	report := live.Status(repo.Repo, snapshot, history, s.upstream, now)
	took["all"] = now.Sub(began)
	return live.View{Report: report, Snapshot: snapshot, Upstream: s.upstream, Probes: s.probes.Last(), Took: took}, nil
}

// ask asks sources and registries when it is time to. A refresh waits for the answer only for a while: one that hangs must
// not keep what the clusters say from being shown.
func (s *viewSource) ask(ctx context.Context, repo *controlRepo, took map[string]time.Duration) error {
	patience := time.Duration(0)
	if began := s.o.now(); s.askUpstream && s.answer == nil && began.Sub(s.asked) >= s.upstreamInterval {
		answer := make(chan upstreamAnswer, 1)
		s.answer, s.asked, patience = answer, began, upstreamPatience
		go func() {
			upstream, err := s.o.asker().Ask(ctx, repo.Repo, live.Waiting, live.Present, live.Published)
			answer <- upstreamAnswer{upstream, err, s.o.now().Sub(began)}
		}()
	}
	select {
	case answer := <-s.answer:
		s.answer = nil
		if answer.err != nil {
			return answer.err
		}
		s.upstream, took["upstream"] = answer.upstream, answer.took
		s.probes.Upstream(s.o.now(), s.upstream, repo.ComponentNames())
	case <-time.After(patience):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// end waits for what is being asked, whose context has ended: it may have started other programs.
func (s *viewSource) end() {
	if s.answer != nil {
		<-s.answer
	}
}
