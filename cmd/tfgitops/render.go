package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

func newRenderCmd(o *options) *cobra.Command {
	check := false
	cmd := &cobra.Command{
		Use:     "render [CLUSTER…]",
		Short:   "Write each cluster's Flux objects (clusters/*/manifests)",
		GroupID: groupRepo,
		Long: `Render writes the Flux objects of the named clusters, or of all. It writes only files whose content changes, deletes
those that it once wrote and no longer would, and never touches a file without its own first line.`,
		Example: `  tfgitops render
  tfgitops render tools --check`,
		ValidArgsFunction: o.completeClusters,
		RunE: func(cmd *cobra.Command, clusters []string) error {
			root, err := o.openRoot()
			if err != nil {
				return err
			}
			defer root.Close()
			only := control.Only{}
			if len(clusters) > 0 {
				only.Clusters = clusters
			}
			changes, err := render.Plan(cmd.Context(), root.FS(), only)
			if err != nil {
				return err
			}
			if check {
				return reportStale(cmd.OutOrStdout(), cmd.ErrOrStderr(), changes)
			}
			return writeRendered(cmd.Context(), root, cmd.ErrOrStderr(), changes)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; print what would change and exit 1 if something would")
	return cmd
}

// reportStale shows what render would change, as an error of the check if there is any.
func reportStale(out, messages io.Writer, changes []render.Change) error {
	for _, change := range changes {
		if _, err := io.WriteString(out, change.Diff()); err != nil {
			return err
		}
	}
	if len(changes) == 0 {
		return nil
	}
	fmt.Fprintf(messages, "%s not as rendered: run `tfgitops render` and commit the result\n", countFiles(len(changes), "is", "are"))
	return errFound
}

func writeRendered(ctx context.Context, root *os.Root, messages io.Writer, changes []render.Change) error {
	if err := render.Write(ctx, root, changes); err != nil {
		return err
	}
	reportWritten(messages, changes)
	if len(changes) == 0 {
		fmt.Fprintln(messages, "everything is as rendered already")
	}
	return nil
}

// maxListed is how many files are listed one by one; of more, people want the sum.
const maxListed = 100

func reportWritten(messages io.Writer, changes []render.Change) {
	if len(changes) <= maxListed {
		for _, change := range changes {
			fmt.Fprintf(messages, "%s %s\n", change.Verb(), change.Path)
		}
		return
	}
	counts := map[string]int{}
	for _, change := range changes {
		counts[change.Verb()+" in "+path.Dir(change.Path)]++
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(messages, "%d %s\n", counts[what], what)
	}
}

func countFiles(n int, one, many string) string {
	if n == 1 {
		return "1 file " + one
	}
	return fmt.Sprintf("%d files %s", n, many)
}
