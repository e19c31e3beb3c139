package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/atomicfile"
)

// Change is one file that differs between what is rendered and what is there.
type Change struct {
	// Path is slash-separated and relative to the repo's root.
	Path string
	// Old is nil for a file that is not there yet, New for one that is to go.
	Old, New []byte
}

// Diff shows the change as a unified diff.
func (c Change) Diff() string {
	from, to := "a/"+c.Path, "b/"+c.Path
	if c.Old == nil {
		from = "/dev/null"
	}
	if c.New == nil {
		to = "/dev/null"
	}
	return udiff.Unified(from, to, string(c.Old), string(c.New))
}

// ErrNotOurs says that a file in the way was not written by render.
var ErrNotOurs = errors.New("not written by tfgitops render")

// Compare returns what differs between a cluster's rendered files and those in fsys, sorted by path. Files there that
// render once wrote and no longer would are to go; files without its first line are left alone, and are an error where
// one is in the way.
func Compare(fsys fs.FS, cluster string, files Files) ([]Change, error) {
	dir := control.RenderedDir(cluster)
	present, err := presentFiles(fsys, dir)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(files)) {
		change, err := compareFile(fsys, dir+"/"+name, files[name], present[name])
		if err != nil {
			return nil, err
		}
		if change != nil {
			changes = append(changes, *change)
		}
		delete(present, name)
	}
	for _, name := range slices.Sorted(maps.Keys(present)) {
		old, err := fs.ReadFile(fsys, dir+"/"+name)
		if err == nil && isOurs(old) {
			changes = append(changes, Change{Path: dir + "/" + name, Old: old})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// CompareFile returns how one rendered file differs from the one in fsys, or nil.
func CompareFile(fsys fs.FS, cluster, component string, content []byte) (*Change, error) {
	file := control.RenderedDir(cluster) + "/" + FileName(component)
	_, err := fs.Stat(fsys, file)
	return compareFile(fsys, file, content, err == nil)
}

func compareFile(fsys fs.FS, file string, content []byte, present bool) (*Change, error) {
	if !present {
		return &Change{Path: file, New: content}, nil
	}
	old, err := fs.ReadFile(fsys, file)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	case bytes.Equal(old, content):
		return nil, nil
	case !isOurs(old):
		return nil, fmt.Errorf("%s: %w (its first line is another): move it elsewhere, then render again", file, ErrNotOurs)
	}
	return &Change{Path: file, Old: old, New: content}, nil
}

// isOurs reports whether render wrote the file, whatever line ends Git gave it.
func isOurs(content []byte) bool {
	first, _, _ := bytes.Cut(content, []byte("\n"))
	return string(bytes.TrimRight(first, "\r"))+"\n" == Header
}

func presentFiles(fsys fs.FS, dir string) (map[string]bool, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read %s: %w", dir, err)
	}
	names := map[string]bool{}
	for _, entry := range entries {
		if !entry.IsDir() {
			names[entry.Name()] = true
		}
	}
	return names, nil
}

// Verb says what writing the change does.
func (c Change) Verb() string {
	switch {
	case c.Old == nil:
		return "created"
	case c.New == nil:
		return "deleted"
	default:
		return "updated"
	}
}

// Write makes the changes below root, each file whole: an interruption leaves every file old or new. Files are not synced
// to the disk: they can be rendered again.
func Write(ctx context.Context, root *os.Root, changes []Change) error {
	byFolder := map[string][]Change{}
	for _, change := range changes {
		byFolder[path.Dir(change.Path)] = append(byFolder[path.Dir(change.Path)], change)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, folder := range slices.Sorted(maps.Keys(byFolder)) {
		group.Go(func() error { return writeFolder(ctx, root, folder, byFolder[folder]) })
	}
	return group.Wait()
}

// writeFolder makes the changes of one folder: a new one at once, and one that is there file by file.
func writeFolder(ctx context.Context, root *os.Root, folder string, changes []Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := root.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		files := map[string][]byte{}
		for _, change := range changes {
			files[path.Base(change.Path)] = change.New
		}
		if err := atomicfile.MakeFolder(root, folder, files); err != nil {
			return fmt.Errorf("cannot make the folder %s: %w", folder, err)
		}
		return nil
	}
	return writeFiles(ctx, root, folder, changes)
}

// writeFiles opens the folder once: below an os.Root every path is walked step by step.
func writeFiles(ctx context.Context, root *os.Root, folder string, changes []Change) error {
	inFolder, err := root.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("cannot open the folder %s: %w", folder, err)
	}
	defer inFolder.Close()
	for _, change := range changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := change.write(inFolder); err != nil {
			return fmt.Errorf("cannot write %s: %w", change.Path, err)
		}
	}
	return nil
}

func (c Change) write(folder *os.Root) error {
	name := path.Base(c.Path)
	if c.New == nil {
		return folder.Remove(name)
	}
	return atomicfile.Write(folder, name, c.New, atomicfile.Unsynced)
}
