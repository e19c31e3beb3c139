package filecache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Cache is one folder of files. It is safe for concurrent use, by several processes too: files appear whole, by renaming.
type Cache struct {
	dir string
	max int64
	now func() time.Time

	mu      sync.Mutex
	written int64 // since the last look at the folder; negative: none yet
}

// Unbounded is a limit for files that are few and small.
const Unbounded = int64(0)

const (
	tmpMark = ".tmp-"
	// staleAfter is when an unfinished file was left by a process that died.
	staleAfter = time.Hour
	// share of the limit that is written before the folder is looked at again: a look costs as much as a hundred files.
	share = 8
)

// New keeps at most max bytes in dir, which is created with the first write; the least recently used files go first. While
// processes write, each may pass the limit by an eighth.
func New(dir string, max int64, now func() time.Time) *Cache {
	return &Cache{dir: dir, max: max, now: now, written: -1}
}

// Get reads a file of at most limit bytes and notes its use. Anything but a regular file of that size is not there.
func (c *Cache) Get(name string, limit int64) ([]byte, bool) {
	path := filepath.Join(c.dir, name)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > limit {
		return nil, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	now := c.now()
	_ = os.Chtimes(path, now, now) // only decides what is evicted first
	return data, true
}

// Remove takes a file away that is no longer wanted.
func (c *Cache) Remove(name string) { _ = os.Remove(filepath.Join(c.dir, name)) }

// Put makes a file appear, whatever else happens at the time, and evicts what is over the limit. A file that alone is over it
// is left out.
func (c *Cache) Put(name string, data []byte) error {
	if c.max != Unbounded && int64(len(data)) > c.max {
		return nil
	}
	if err := c.write(filepath.Join(c.dir, name), data); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if c.max == Unbounded || !c.due(int64(len(data))) {
		return nil
	}
	if err := c.evict(name); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}

// due reports whether it is time to look at the folder: after the first file, and after each share of the limit.
func (c *Cache) due(size int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.written < 0
	c.written = max(c.written, 0) + size
	if !first && c.written <= c.max/share {
		return false
	}
	c.written = 0
	return true
}

func (c *Cache) write(file string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), tmpMark)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	now := c.now()
	if err := os.Chtimes(tmp.Name(), now, now); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// evict removes the least recently used files until what stays fits, never the one just written. A file that another process
// removes meanwhile, or reads, is no problem: that process has it open, or makes it again.
func (c *Cache) evict(justWritten string) error {
	files, err := c.files()
	if err != nil {
		return err
	}
	var total int64
	for _, f := range files {
		total += f.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		unfinished := strings.HasPrefix(f.Name(), tmpMark)
		stale := unfinished && c.now().Sub(f.ModTime()) > staleAfter
		full := !unfinished && total > c.max && f.Name() != justWritten
		if !stale && !full {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= f.Size()
	}
	return nil
}

func (c *Cache) files() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
		}
	}
	return files, nil
}
