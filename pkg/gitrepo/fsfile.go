package gitrepo

import (
	"bytes"
	"io"
	"io/fs"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// fileMode translates the modes that Git stores.
func fileMode(mode filemode.FileMode) fs.FileMode {
	switch mode {
	case filemode.Dir:
		return fs.ModeDir | 0o755
	case filemode.Executable:
		return 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Submodule:
		return fs.ModeIrregular
	}
	return 0o644
}

// fileInfo describes an entry of a commit.
type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
	time time.Time
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return i.time }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }

func (f *TreeFS) info(entry object.TreeEntry, size int64) fileInfo {
	return fileInfo{name: entry.Name, size: size, mode: fileMode(entry.Mode), time: f.trees.time}
}

// sized is info with the size, which Git stores with the object alone.
func (f *TreeFS) sized(entry object.TreeEntry) (fs.FileInfo, error) {
	if entry.Mode == filemode.Dir || entry.Mode == filemode.Submodule {
		return f.info(entry, 0), nil
	}
	blob, err := f.trees.reader.object(plumbing.BlobObject, entry.Hash)
	if err != nil {
		return nil, err
	}
	return f.info(entry, blob.Size()), nil
}

// dirEntry reads an entry's size only when it is asked for.
type dirEntry struct {
	fs    *TreeFS
	entry object.TreeEntry
}

func (d dirEntry) Name() string               { return d.entry.Name }
func (d dirEntry) IsDir() bool                { return d.entry.Mode == filemode.Dir }
func (d dirEntry) Type() fs.FileMode          { return fileMode(d.entry.Mode).Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return d.fs.sized(d.entry) }
func (d dirEntry) String() string             { return fs.FormatDirEntry(d) }

// openFile is an open regular file: bytes.Reader adds Seek and ReadAt.
type openFile struct {
	*bytes.Reader
	info fileInfo
}

func newOpenFile(info fileInfo, content []byte) *openFile {
	return &openFile{Reader: bytes.NewReader(content), info: info}
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

// openDir is an open directory.
type openDir struct {
	info    fileInfo
	entries []fs.DirEntry
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.entries) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.entries) {
		n = len(d.entries)
	}
	list := d.entries[:n]
	d.entries = d.entries[n:]
	return list, nil
}
