package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// deps are what the commands have of the world, handed in so that tests hand in something else.
type deps struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      func() time.Time
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, d deps) int {
	d.err = hidingSecrets(d.err, d.getenv)
	root := newRootCmd(d)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(d.err, errorText(err))
	}
	return exitCode(err)
}

func newRootCmd(d deps) *cobra.Command {
	o := &options{deps: d}
	cmd := &cobra.Command{
		Use:   "tfgitops",
		Short: "Pin what each cluster runs, and let Flux deploy it",
		Long: `tfgitops is the bridge between what a component's CI publishes (container images and Helm charts tagged with the
commit they were built from) and what Flux deploys. A control repo says, in plain YAML under review, which commit of
which component runs on which cluster: bump changes a pin, render turns the pins into Flux objects, Flux deploys them.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		DisableAutoGenTag: true,
		Version:           version(),
	}
	cmd.SetIn(d.in)
	cmd.SetOut(d.out)
	cmd.SetErr(d.err)
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
	})
	cmd.PersistentFlags().StringVarP(&o.dir, "directory", "C", "", "the control repo's `DIR`, exactly (default: the nearest folder at or above this one with a tfgitops.yaml)")
	_ = cmd.MarkPersistentFlagDirname("directory")
	cmd.AddGroup(&cobra.Group{ID: groupPins, Title: "Pins:"}, &cobra.Group{ID: groupLive, Title: "Clusters:"}, &cobra.Group{ID: groupRepo, Title: "The control repo:"})
	cmd.AddCommand(newRenderCmd(o), newValidateCmd(o), newSchemaCmd(o), newVersionCmd(o))
	cmd.AddCommand(newBumpCmd(o), newPromoteCmd(o), newRollbackCmd(o), newHoldCmd(o), newUnholdCmd(o), newFoldCmd(o), newLogCmd(o))
	cmd.AddCommand(newInitCmd(o), newClusterCmd(o), newComponentCmd(o))
	cmd.AddCommand(newDiffCmd(o), newChartCmd(o), newApplyCmd(o), newPublishCmd(o))
	cmd.AddCommand(newImportCmd(o))
	cmd.AddCommand(newStatusCmd(o), newOutdatedCmd(o), newWaitCmd(o), newExporterCmd(o), newAlertsCmd(o))
	return cmd
}

// The groups of commands in the help.
const (
	groupPins = "pins"
	groupLive = "live"
	groupRepo = "repo"
)

// options are what all commands share.
type options struct {
	deps
	dir string
}
