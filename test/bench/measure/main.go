package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

// options are the command line.
type options struct {
	root, tfgitops, kustomize, helm, goBenchmarks, out string
	what                                               string
	runs                                               int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "tfgitops-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	content, err := pages[opts.what](ctx, opts, scratch)
	if err != nil {
		return err
	}
	return os.WriteFile(opts.out, content, 0o644) //nolint:gosec // A page that everyone may read.
}

// pages are what can be measured, each a page.
var pages = map[string]func(ctx context.Context, opts options, scratch string) ([]byte, error){
	"render": func(ctx context.Context, opts options, scratch string) ([]byte, error) {
		results, err := measureAll(ctx, opts, scratch)
		if err != nil {
			return nil, err
		}
		return renderPage(opts, results)
	},
	"diff": func(ctx context.Context, opts options, scratch string) ([]byte, error) {
		results, err := measureDiff(ctx, opts, scratch)
		if err != nil {
			return nil, err
		}
		return fill(diffPage, newDiffReport(opts, results))
	},
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.StringVar(&o.what, "what", "render", "what to measure: render or diff")
	flags.StringVar(&o.root, "root", ".", "the control repo of Toolforge")
	flags.StringVar(&o.tfgitops, "tfgitops", "bin/tfgitops", "the tfgitops program")
	flags.StringVar(&o.kustomize, "kustomize", "kustomize", "the kustomize program, for render")
	flags.StringVar(&o.helm, "helm", "helm", "the helm program, for diff")
	flags.StringVar(&o.goBenchmarks, "go-benchmarks", "", "output of go test -bench to add to the page")
	flags.StringVar(&o.out, "out", "docs/benchmarks.md", "the page to write")
	flags.IntVar(&o.runs, "runs", 5, "runs of each, after one to warm up; the median counts")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: at least one is needed", o.runs)
	}
	if pages[o.what] == nil {
		return o, fmt.Errorf("-what %s: write render or diff", o.what)
	}
	for _, program := range []*string{&o.root, &o.tfgitops, &o.kustomize, &o.helm} {
		absolute, err := filepath.Abs(*program)
		if err != nil {
			return o, err
		}
		*program = absolute
	}
	return o, nil
}
