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
	root, tfgitops, generator, out string
	runs                           int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bumpbench:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "tfgitops-bumpbench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	measured, err := measureAll(ctx, opts, scratch)
	if err != nil {
		return err
	}
	return os.WriteFile(opts.out, page(measured, opts.runs, time.Now()), 0o644)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bumpbench", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", ".", "the control repo of Toolforge, in Git")
	flags.StringVar(&o.tfgitops, "tfgitops", "bin/tfgitops", "the tfgitops program")
	flags.StringVar(&o.generator, "generator", "", "the program of test/bench/gen; empty: leave the generated repo out")
	flags.StringVar(&o.out, "out", "docs/benchmarks-bump.md", "the page to write")
	flags.IntVar(&o.runs, "runs", 9, "runs of each, after one to warm up; the median counts")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: at least one is needed", o.runs)
	}
	for _, name := range []*string{&o.root, &o.tfgitops, &o.generator} {
		if *name == "" {
			continue
		}
		absolute, err := filepath.Abs(*name)
		if err != nil {
			return o, err
		}
		*name = absolute
	}
	return o, nil
}
