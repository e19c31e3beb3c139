package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// workTree is the control repo's folder as it is, which also knows the Git object ids of what has no uncommitted changes.
type workTree struct {
	fs.FS
	head  *gitrepo.TreeFS
	dirty []gitrepo.DirtyPath
}

// ObjectID returns the id of a file or folder that is as in the checked out commit.
func (w workTree) ObjectID(name string) (string, bool) {
	for _, changed := range w.dirty {
		if name == "." || changed.Path == name || strings.HasPrefix(changed.Path, name+"/") || strings.HasPrefix(name, changed.Path+"/") {
			return "", false
		}
	}
	return w.head.ObjectID(name)
}

// Lstat and ReadLink keep what the folder tells of symbolic links.

func (w workTree) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(w.FS, name) }

func (w workTree) ReadLink(name string) (string, error) { return fs.ReadLink(w.FS, name) }

// workTreeSide is the working tree. Before the first commit it knows no ids.
func workTreeSide(ctx context.Context, root *os.Root, repo *gitrepo.Repo) (diff.Side, error) {
	const name = "the working tree"
	head, err := repo.FS(ctx, "HEAD")
	if errors.Is(err, gitrepo.ErrUnknownRevision) || errors.Is(err, fs.ErrNotExist) {
		return diff.Side{Name: name, FS: root.FS()}, nil
	}
	if err != nil {
		return diff.Side{}, err
	}
	dirty, err := repo.Dirty(ctx, nil)
	if err != nil {
		return diff.Side{}, err
	}
	return diff.Side{Name: name, FS: workTree{FS: root.FS(), head: head, dirty: dirty}}, nil
}
