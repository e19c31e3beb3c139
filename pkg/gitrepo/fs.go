package gitrepo

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// TreeFS is one commit as a read-only file system, rooted at the directory that
// was opened. It implements fs.ReadDirFS, fs.ReadFileFS, fs.StatFS, fs.SubFS and
// fs.ReadLinkFS. Symbolic links are shown as such and never followed: Stat
// describes the link itself, opening one is ErrSymlink. A submodule is an
// irregular file. Every file is as old as the commit.
type TreeFS struct {
	trees *treeCache // shared with what Sub returns
	root  plumbing.Hash
}

// ObjectIDer is a file system that knows the Git object ids of its entries.
// Equal ids mean equal content, of a file or of a whole directory.
type ObjectIDer interface {
	// ObjectID returns the id of a file or directory, false when there is none.
	ObjectID(name string) (string, bool)
}

var (
	_ fs.ReadDirFS  = (*TreeFS)(nil)
	_ fs.ReadFileFS = (*TreeFS)(nil)
	_ fs.StatFS     = (*TreeFS)(nil)
	_ fs.SubFS      = (*TreeFS)(nil)
	_ fs.ReadLinkFS = (*TreeFS)(nil)
	_ ObjectIDer    = (*TreeFS)(nil)
)

// FS returns the commit that rev names as a file system, without a checkout.
// ctx bounds the fetches that reading from a partial clone may need. A commit
// that has no such directory as the opened one is fs.ErrNotExist.
func (r *Repo) FS(ctx context.Context, rev string) (*TreeFS, error) {
	id, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	reader := r.reader(ctx)
	commit, err := reader.commit(plumbing.NewHash(id))
	if err != nil {
		return nil, fmt.Errorf("reading commit %q: %w", rev, err)
	}
	trees := &treeCache{reader: reader, time: commit.Committer.When.UTC(), known: map[plumbing.Hash][]object.TreeEntry{}}
	top := &TreeFS{trees: trees, root: commit.TreeHash}
	if r.prefix == "" {
		return top, nil
	}
	sub, err := top.sub(strings.TrimSuffix(r.prefix, "/"))
	if err != nil {
		return nil, fmt.Errorf("commit %q: %w", rev, err)
	}
	return sub, nil
}

// treeCache holds the directories read so far.
type treeCache struct {
	reader objectReader
	time   time.Time

	mu    sync.Mutex
	known map[plumbing.Hash][]object.TreeEntry
}

// entries returns a directory's entries sorted by name.
func (c *treeCache) entries(id plumbing.Hash) ([]object.TreeEntry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.known[id]; ok {
		return known, nil
	}
	entries, err := c.reader.tree(id)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, byName)
	if err := checkNames(entries); err != nil {
		return nil, fmt.Errorf("tree %s: %w", id, err)
	}
	c.known[id] = entries
	return entries, nil
}

func byName(a, b object.TreeEntry) int { return strings.Compare(a.Name, b.Name) }

// checkNames refuses names that would lead out of the directory they are in.
func checkNames(entries []object.TreeEntry) error {
	for i, entry := range entries {
		if entry.Name == "" || entry.Name == "." || entry.Name == ".." || strings.ContainsAny(entry.Name, "/\x00") {
			return fmt.Errorf("%w: entry name %q", ErrMalformed, entry.Name)
		}
		if i > 0 && entries[i-1].Name == entry.Name {
			return fmt.Errorf("%w: two entries named %q", ErrMalformed, entry.Name)
		}
	}
	return nil
}

// lookup finds the entry of a path.
func (f *TreeFS) lookup(op, name string) (object.TreeEntry, error) {
	if !fs.ValidPath(name) {
		return object.TreeEntry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	entry := object.TreeEntry{Name: ".", Mode: filemode.Dir, Hash: f.root}
	if name == "." {
		return entry, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		next, err := f.child(entry, part)
		if err != nil {
			return object.TreeEntry{}, &fs.PathError{Op: op, Path: name, Err: err}
		}
		entry = next
	}
	return entry, nil
}

// child finds a name in a directory.
func (f *TreeFS) child(dir object.TreeEntry, name string) (object.TreeEntry, error) {
	switch dir.Mode {
	case filemode.Dir:
	case filemode.Symlink:
		return object.TreeEntry{}, fmt.Errorf("%q %w", dir.Name, ErrSymlink)
	default:
		return object.TreeEntry{}, fs.ErrNotExist
	}
	entries, err := f.trees.entries(dir.Hash)
	if err != nil {
		return object.TreeEntry{}, err
	}
	at, found := slices.BinarySearchFunc(entries, object.TreeEntry{Name: name}, byName)
	if !found {
		return object.TreeEntry{}, fs.ErrNotExist
	}
	return entries[at], nil
}

// ObjectID implements ObjectIDer.
func (f *TreeFS) ObjectID(name string) (string, bool) {
	entry, err := f.lookup("stat", name)
	if err != nil {
		return "", false
	}
	return entry.Hash.String(), true
}

// Open implements fs.FS.
func (f *TreeFS) Open(name string) (fs.File, error) {
	entry, err := f.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if entry.Mode == filemode.Dir {
		entries, err := f.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return &openDir{info: f.info(entry, 0), entries: entries}, nil
	}
	content, err := f.content("open", name, entry)
	if err != nil {
		return nil, err
	}
	return newOpenFile(f.info(entry, int64(len(content))), content), nil
}

// ReadFile implements fs.ReadFileFS.
func (f *TreeFS) ReadFile(name string) ([]byte, error) {
	entry, err := f.lookup("read", name)
	if err != nil {
		return nil, err
	}
	return f.content("read", name, entry)
}

// content reads a regular file.
func (f *TreeFS) content(op, name string, entry object.TreeEntry) ([]byte, error) {
	var err error
	switch fileMode(entry.Mode).Type() {
	case 0:
		var content []byte
		if content, err = f.trees.reader.blob(entry.Hash); err == nil {
			return content, nil
		}
	case fs.ModeSymlink:
		err = ErrSymlink
	case fs.ModeDir:
		err = fmt.Errorf("is a directory: %w", fs.ErrInvalid)
	default:
		err = fmt.Errorf("is a submodule: %w", fs.ErrInvalid)
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: err}
}

// ReadDir implements fs.ReadDirFS.
func (f *TreeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	dir, err := f.lookup("readdir", name)
	if err != nil {
		return nil, err
	}
	if dir.Mode != filemode.Dir {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fmt.Errorf("not a directory: %w", fs.ErrInvalid)}
	}
	entries, err := f.trees.entries(dir.Hash)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, len(entries))
	for i, entry := range entries {
		list[i] = dirEntry{fs: f, entry: entry}
	}
	return list, nil
}

// Stat implements fs.StatFS. It describes a symbolic link itself.
func (f *TreeFS) Stat(name string) (fs.FileInfo, error) {
	entry, err := f.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	info, err := f.sized(entry)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return info, nil
}

// Lstat implements fs.ReadLinkFS; it is Stat.
func (f *TreeFS) Lstat(name string) (fs.FileInfo, error) { return f.Stat(name) }

// ReadLink implements fs.ReadLinkFS.
func (f *TreeFS) ReadLink(name string) (string, error) {
	entry, err := f.lookup("readlink", name)
	if err == nil && entry.Mode != filemode.Symlink {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	target, err := f.trees.reader.blob(entry.Hash)
	return string(target), err
}

// Sub implements fs.SubFS; the result knows object ids too.
func (f *TreeFS) Sub(dir string) (fs.FS, error) { return f.sub(dir) }

func (f *TreeFS) sub(dir string) (*TreeFS, error) {
	entry, err := f.lookup("sub", path.Clean(dir))
	if err == nil && entry.Mode != filemode.Dir {
		err = &fs.PathError{Op: "sub", Path: dir, Err: fmt.Errorf("not a directory: %w", fs.ErrInvalid)}
	}
	if err != nil {
		return nil, err
	}
	return &TreeFS{trees: f.trees, root: entry.Hash}, nil
}
