package helmfile

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/atomicfile"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// Write makes the changes of the result below root, each file whole. Files are not synced to the disk: after an
// interruption the same import writes what is missing.
func (result *Result) Write(ctx context.Context, root *os.Root) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, change := range result.Changes {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := write(root, change); err != nil {
				return fmt.Errorf("cannot write %s: %w", change.Path, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func write(root *os.Root, change render.Change) error {
	if change.New == nil {
		return root.Remove(change.Path)
	}
	return atomicfile.Write(root, change.Path, change.New, atomicfile.Unsynced)
}
