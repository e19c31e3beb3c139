package helmfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// ErrOutside says that a path leads out of the folder that is imported.
var ErrOutside = errors.New("this is outside of the imported folder")

const (
	// maxFile bounds each file that is read; the largest real one, of CRDs, has 0.7 MB.
	maxFile = 8 << 20
	// maxFiles bounds how many files are looked at.
	maxFiles = 50_000
)

// source is the folder that is imported. It remembers what was read, for the report of what nobody reads.
type source struct {
	fsys fs.FS // that of an os.Root: links do not lead out of it
	read map[string]bool
}

func newSource(fsys fs.FS) *source { return &source{fsys: fsys, read: map[string]bool{}} }

// file returns the content of a file, by its slash-separated path from the folder's root.
func (s *source) file(name string) ([]byte, error) {
	file, err := s.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%q has more than the %d bytes that a file may have here", name, maxFile)
	}
	s.read[name] = true
	return data, nil
}

// resolve returns the path of name as seen from dir.
func (s *source) resolve(dir, name string) (string, error) {
	if path.IsAbs(name) || strings.Contains(name, "\\") {
		return "", fmt.Errorf("%q: %w", name, ErrOutside)
	}
	resolved := path.Join(dir, name)
	if !fs.ValidPath(resolved) {
		return "", fmt.Errorf("%q, seen from %q: %w", name, dir, ErrOutside)
	}
	return resolved, nil
}

// glob returns the files that a pattern matches, seen from dir, sorted as helmfile sorts them.
func (s *source) glob(dir, pattern string) ([]string, error) {
	resolved, err := s.resolve(dir, pattern)
	if err != nil {
		return nil, err
	}
	matches, err := fs.Glob(s.fsys, resolved)
	if err != nil {
		return nil, fmt.Errorf("%q is no pattern of files: %w", pattern, err)
	}
	slices.Sort(matches)
	return matches, nil
}

func (s *source) isFile(name string) bool {
	info, err := fs.Stat(s.fsys, name)
	return err == nil && info.Mode().IsRegular()
}

func (s *source) isDir(name string) bool {
	info, err := fs.Stat(s.fsys, name)
	return err == nil && info.IsDir()
}

// files returns the paths of all regular files below dir, sorted, hidden folders left out.
func (s *source) files(dir string) ([]string, error) {
	var names []string
	err := fs.WalkDir(s.fsys, dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case len(names) >= maxFiles:
			return fmt.Errorf("more than %d files", maxFiles)
		case entry.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	return names, err
}
