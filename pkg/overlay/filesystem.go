package overlay

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// mount is where kustomize, which knows only absolute paths, sees the root of the tree. It is not "/":
// from there "..", however often, would lead back into the tree.
const mount = "/.tree"

// kustomizeFS shows a tree to kustomize. It cannot be written to.
type kustomizeFS struct{ tree *tree }

var _ filesys.FileSystem = kustomizeFS{}

// mounted gives the path under which kustomize knows a name in the tree.
func mounted(name string) string { return path.Join(mount, name) }

// nameOf is the reverse of mounted.
func nameOf(mountedPath string) (string, error) {
	clean := path.Clean(mountedPath)
	if clean == mount {
		return ".", nil
	}
	name, inside := strings.CutPrefix(clean, mount+"/")
	if !inside {
		return "", fmt.Errorf("%w: %q", ErrOutside, mountedPath)
	}
	return name, nil
}

// ReadFile gives a copy, because kustomize works on what it reads in place.
func (k kustomizeFS) ReadFile(p string) ([]byte, error) {
	name, err := nameOf(p)
	if err != nil {
		return nil, err
	}
	content, err := k.tree.read(name)
	return bytes.Clone(content), err
}

// CleanedAbs splits a path into its directory and, where it is a file, its name.
func (k kustomizeFS) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	name, err := nameOf(p)
	if err != nil {
		return "", "", err
	}
	dir, err := k.tree.kindOf(name)
	if err != nil {
		return "", "", fmt.Errorf("%q: %w", name, err)
	}
	if dir {
		return filesys.ConfirmedDir(mounted(name)), "", nil
	}
	return filesys.ConfirmedDir(mounted(path.Dir(name))), path.Base(name), nil
}

// IsDir reports whether the path is a directory of the tree.
func (k kustomizeFS) IsDir(p string) bool {
	name, err := nameOf(p)
	if err != nil {
		return false
	}
	dir, err := k.tree.kindOf(name)
	return err == nil && dir
}

// Exists reports whether the path is a file or a directory of the tree.
func (k kustomizeFS) Exists(p string) bool {
	name, err := nameOf(p)
	if err != nil {
		return false
	}
	_, err = k.tree.kindOf(name)
	return err == nil
}

// What a build has no use for.

func (k kustomizeFS) Open(string) (filesys.File, error)     { return nil, errors.ErrUnsupported }
func (k kustomizeFS) ReadDir(string) ([]string, error)      { return nil, errors.ErrUnsupported }
func (k kustomizeFS) Glob(string) ([]string, error)         { return nil, errors.ErrUnsupported }
func (k kustomizeFS) Walk(string, filepath.WalkFunc) error  { return errors.ErrUnsupported }
func (k kustomizeFS) Create(p string) (filesys.File, error) { return nil, readOnly(p) }
func (k kustomizeFS) Mkdir(p string) error                  { return readOnly(p) }
func (k kustomizeFS) MkdirAll(p string) error               { return readOnly(p) }
func (k kustomizeFS) RemoveAll(p string) error              { return readOnly(p) }
func (k kustomizeFS) WriteFile(p string, _ []byte) error    { return readOnly(p) }

func readOnly(p string) error { return fmt.Errorf("writing %q: %w", p, fs.ErrPermission) }
