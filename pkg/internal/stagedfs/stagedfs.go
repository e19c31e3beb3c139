package stagedfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// FS is a file system with changes on top. It may be used concurrently if the one below may.
type FS struct {
	base fs.FS
	// files is the content of each changed file; nil for one that is gone.
	files map[string][]byte
	// folders holds the names of the changed files in each folder, and of its folders with changed files below.
	folders map[string]map[string]bool
}

// New returns base with the files replaced, added, or, where the content is nil, removed. A folder that loses its last
// file is gone too. The names are slash-separated; the map must not change any more.
func New(base fs.FS, files map[string][]byte) *FS {
	folders := map[string]map[string]bool{}
	for name := range files {
		for at := name; at != "."; at = path.Dir(at) {
			dir := path.Dir(at)
			if folders[dir] == nil {
				folders[dir] = map[string]bool{}
			}
			folders[dir][path.Base(at)] = true
		}
	}
	return &FS{base: base, files: files, folders: folders}
}

// Open opens a file or folder.
func (f *FS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	content, changed := f.files[name]
	switch {
	case changed && content == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case changed:
		return &file{info: info{path.Base(name), int64(len(content)), 0o644}, Reader: bytes.NewReader(content)}, nil
	case f.folders[name] == nil:
		return f.base.Open(name)
	}
	entries, err := f.ReadDir(name)
	if err != nil {
		return nil, err
	}
	return &folder{info: info{path.Base(name), 0, fs.ModeDir | 0o755}, entries: entries}, nil
}

// ReadDir lists a folder, sorted by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	changed := f.folders[name]
	entries, err := fs.ReadDir(f.base, name)
	if changed == nil || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return entries, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return changed[e.Name()] })
	for _, child := range slices.Sorted(maps.Keys(changed)) {
		if entry, present := f.entry(path.Join(name, child)); present {
			entries = append(entries, entry)
		}
	}
	if len(entries) == 0 && name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// entry describes a changed file, or a folder with changed files below, unless it is gone.
func (f *FS) entry(name string) (fs.DirEntry, bool) {
	if content, isFile := f.files[name]; isFile {
		return fs.FileInfoToDirEntry(info{path.Base(name), int64(len(content)), 0o644}), content != nil
	}
	_, err := f.ReadDir(name)
	return fs.FileInfoToDirEntry(info{path.Base(name), 0, fs.ModeDir | 0o755}), err == nil
}

// Lstat describes a file or folder without following a link.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	if _, changed := f.files[name]; changed || f.folders[name] != nil {
		return f.Stat(name)
	}
	return fs.Lstat(f.base, name)
}

// Stat describes a file or folder.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	opened, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return opened.Stat()
}

// ReadLink returns where a link leads to.
func (f *FS) ReadLink(name string) (string, error) { return fs.ReadLink(f.base, name) }

// info describes a changed file or folder.
type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// file is an open changed file.
type file struct {
	info
	*bytes.Reader
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Size() int64                { return f.size }
func (*file) Close() error                 { return nil }

// folder is an open folder with changes.
type folder struct {
	info
	entries []fs.DirEntry
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*folder) Close() error                 { return nil }

func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("is a directory")}
}

// ReadDir returns the next n entries, or all that are left where n is not positive.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(f.entries) {
		if n > 0 && len(f.entries) == 0 {
			return nil, io.EOF
		}
		n = len(f.entries)
	}
	next := f.entries[:n]
	f.entries = f.entries[n:]
	return next, nil
}
