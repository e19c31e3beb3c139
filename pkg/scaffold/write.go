package scaffold

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/atomicfile"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// Write makes all changes of a plan below root, or none: what was done before a failure is undone. Each file is whole at
// any moment, and a folder that loses its last file is removed.
func Write(ctx context.Context, root *os.Root, plan Plan) error {
	for i, change := range plan.Changes {
		err := ctx.Err()
		if err == nil {
			err = write(root, change)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("cannot write %s: %w", change.Path, err), undo(root, plan.Changes[:i]))
		}
	}
	for _, change := range plan.Changes {
		removeEmptyFolders(root, change)
	}
	return nil
}

func write(root *os.Root, change render.Change) error {
	if change.New == nil {
		return root.Remove(change.Path)
	}
	return atomicfile.Write(root, change.Path, change.New, atomicfile.Synced)
}

// undo takes back changes that were made, the last one first.
func undo(root *os.Root, changes []render.Change) error {
	var failed []error
	for _, change := range slices.Backward(changes) {
		back := render.Change{Path: change.Path, Old: change.New, New: change.Old}
		if err := write(root, back); err != nil {
			failed = append(failed, fmt.Errorf("cannot restore %s, either: %w", change.Path, err))
		}
		removeEmptyFolders(root, back)
	}
	return errors.Join(failed...)
}

// removeEmptyFolders removes the folders that a removed file leaves empty: Git would not keep them, and an empty folder
// of a component would be one without its file.
func removeEmptyFolders(root *os.Root, change render.Change) {
	if change.New != nil {
		return
	}
	for dir := path.Dir(change.Path); dir != "."; dir = path.Dir(dir) {
		if root.Remove(dir) != nil {
			return // it is not empty
		}
	}
}

// writeFolder makes all files of a new folder at once: under another name first, then by a rename.
func writeFolder(ctx context.Context, root *os.Root, dir string, plan Plan) (err error) {
	temporary := path.Join(path.Dir(dir), "."+path.Base(dir)+"."+rand.Text()[:8]+".tmp")
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cannot write %s: %w", dir, err), root.RemoveAll(temporary))
		}
	}()
	for _, change := range plan.Changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(temporary, strings.TrimPrefix(change.Path, dir+"/"))
		if err := atomicfile.Write(root, name, change.New, atomicfile.Synced); err != nil {
			return err
		}
	}
	return root.Rename(temporary, dir)
}
