package overlay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
)

// What one build may read. The largest real input is a bundle of CRDs (a few MiB); kustomize needs some
// fifty times the size of a file in memory.
const (
	maxFileSize  = 8 << 20
	maxTotalSize = 32 << 20
	maxFiles     = 10_000
)

// tree reads a hostile fs.FS for one build: no symbolic links, nothing over the limits, each file once,
// so that what was checked is what is built.
type tree struct {
	fsys      fs.FS
	cancelled func() error
	contents  map[string][]byte
	dirs      map[string]bool // known to be directories, not links
	total     int
}

func newTree(ctx context.Context, fsys fs.FS) *tree {
	return &tree{fsys: fsys, cancelled: ctx.Err, contents: map[string][]byte{}, dirs: map[string]bool{".": true}}
}

// kindOf tells whether name is a directory; fs.ErrNotExist where there is neither file nor directory.
func (t *tree) kindOf(name string) (dir bool, err error) {
	if t.dirs[name] {
		return true, nil
	}
	if _, read := t.contents[name]; read {
		return false, nil
	}
	if !fs.ValidPath(name) {
		return false, fmt.Errorf("%w: %q", ErrOutside, name)
	}
	parentIsDir, err := t.kindOf(path.Dir(name))
	if err != nil {
		return false, err
	}
	if !parentIsDir {
		return false, fs.ErrNotExist
	}
	info, err := t.lstat(name)
	if err != nil {
		return false, err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		t.dirs[name] = true
		return true, nil
	case mode.IsRegular():
		return false, nil
	case mode&fs.ModeSymlink != 0:
		return false, fmt.Errorf("%w: %q is a symbolic link, which Flux leaves out of what it downloads", ErrOutside, name)
	}
	return false, fmt.Errorf("%w: %q is neither a file nor a directory", ErrOutside, name)
}

// lstat does not follow a link where the file system can tell.
func (t *tree) lstat(name string) (fs.FileInfo, error) {
	if links, ok := t.fsys.(fs.ReadLinkFS); ok {
		return links.Lstat(name)
	}
	return fs.Stat(t.fsys, name)
}

// read gives the content of a regular file. The caller must not change it.
func (t *tree) read(name string) ([]byte, error) {
	if content, ok := t.contents[name]; ok {
		return content, nil
	}
	if err := t.cancelled(); err != nil {
		return nil, err
	}
	dir, err := t.kindOf(name)
	if err != nil {
		return nil, err
	}
	if dir {
		return nil, fmt.Errorf("%q is a directory", name)
	}
	content, err := t.readLimited(name)
	if err != nil {
		return nil, err
	}
	t.total += len(content)
	t.contents[name] = content
	if t.total > maxTotalSize || len(t.contents) > maxFiles {
		return nil, fmt.Errorf("%w: a build may read %d files and %d MiB", ErrTooLarge, maxFiles, maxTotalSize>>20)
	}
	return content, nil
}

func (t *tree) readLimited(name string) ([]byte, error) {
	file, err := t.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	if len(content) > maxFileSize {
		return nil, fmt.Errorf("%w: %q has more than %d MiB", ErrTooLarge, name, maxFileSize>>20)
	}
	return content, nil
}

// files lists what was read, sorted.
func (t *tree) files() []string {
	names := make([]string, 0, len(t.contents))
	for name := range t.contents {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// reasonOf finds the sentinel for an error of a tree.
func reasonOf(err error) error {
	for _, reason := range []error{ErrOutside, ErrTooLarge} {
		if errors.Is(err, reason) {
			return reason
		}
	}
	return ErrMissing
}
