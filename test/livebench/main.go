package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// options are the command line.
type options struct {
	tfgitops, generator, out string
	runs                     int
	// serve is the folder of the control repo whose clusters this process is to be; empty: it measures.
	serve string
}

// size is how many clusters there are, with how many releases on each.
type size struct{ clusters, releases int }

// sizes are measured one after the other; the last is what the targets are about.
var sizes = []size{{3, 30}, {20, 100}, {200, 100}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "livebench:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	if opts.serve != "" {
		return serve(ctx, opts.serve)
	}
	scratch, err := os.MkdirTemp("", "tfgitops-livebench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	var all []measured
	for _, s := range sizes {
		m, err := measure(ctx, opts, filepath.Join(scratch, fmt.Sprint(s.clusters)), s)
		if err != nil {
			return fmt.Errorf("%d clusters: %w", s.clusters, err)
		}
		all = append(all, m)
	}
	return os.WriteFile(opts.out, page(all, opts.runs, time.Now()), 0o644)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("livebench", flag.ContinueOnError)
	flags.StringVar(&o.tfgitops, "tfgitops", "bin/tfgitops", "the tfgitops program")
	flags.StringVar(&o.generator, "generator", "test/bench/results/gen", "the program of test/bench/gen")
	flags.StringVar(&o.out, "out", "docs/benchmarks-live.md", "the page to write")
	flags.IntVar(&o.runs, "runs", 5, "refreshes and scrapes of each size; the median counts")
	flags.StringVar(&o.serve, "serve", "", "be the clusters of the control repo in this `folder`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: at least one is needed", o.runs)
	}
	return o, nil
}
