package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/bench/synthetic"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	var size synthetic.Size
	flags.IntVar(&size.Clusters, "clusters", 200, "clusters in the repo")
	flags.IntVar(&size.Components, "components", 100, "components, each on every cluster")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: gen [-clusters N] [-components N] DIR")
	}
	return synthetic.Write(flags.Arg(0), size)
}
