package artifact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Cache keeps chart archives and manifests by digest, and what tags were last seen to be. It is safe for several processes:
// files appear whole by renaming, and every read is checked against the digest, so a damaged file is a miss.
//
//	blobs/<hex>    content, named by its SHA-256
//	refs/<hex>     {"ref": …, "digest": …}, named by the SHA-256 of the reference
type Cache struct {
	dir   string
	max   int64
	clock Clock
}

// DefaultCacheSize is room for some thousand charts.
const DefaultCacheSize = 512 * mib

// NewCache keeps at most max bytes of content under dir, which is created with the first write; the least recently used goes
// first. max 0 is DefaultCacheSize, clock nil the system's.
func NewCache(dir string, max int64, clock Clock) *Cache {
	if max == 0 {
		max = DefaultCacheSize
	}
	if clock == nil {
		clock = SystemClock{}
	}
	return &Cache{dir: dir, max: max, clock: clock}
}

// Get reads content by digest ("sha256:…") and notes its use. A file that is not what its name says is removed.
func (c *Cache) Get(digest string) ([]byte, bool) {
	file, ok := c.blob(digest)
	if !ok {
		return nil, false
	}
	data, err := readFile(file, maxBody)
	if err != nil {
		return nil, false
	}
	if sha256Digest(data) != digest {
		os.Remove(file)
		return nil, false
	}
	now := c.clock.Now()
	_ = os.Chtimes(file, now, now) // only decides what is evicted first
	return data, true
}

// Put stores content under its digest and evicts what is over the limit.
func (c *Cache) Put(digest string, data []byte) error {
	file, ok := c.blob(digest)
	if !ok || sha256Digest(data) != digest {
		return fmt.Errorf("cache: content is not %q", digest)
	}
	if int64(len(data)) > c.max {
		return nil
	}
	if err := c.write(file, data); err != nil {
		return err
	}
	return c.evict(filepath.Base(file))
}

type cachedRef struct {
	Ref    string `json:"ref"`
	Digest string `json:"digest"`
}

// Ref is the digest that a reference was last seen to have.
func (c *Cache) Ref(ref string) (digest string, ok bool) {
	data, err := readFile(c.ref(ref), maxRef)
	if err != nil {
		return "", false
	}
	var entry cachedRef
	if json.Unmarshal(data, &entry) != nil || entry.Ref != ref {
		return "", false
	}
	_, ok = c.blob(entry.Digest)
	return entry.Digest, ok
}

// PutRef notes the digest of a reference.
func (c *Cache) PutRef(ref, digest string) error {
	if known, ok := c.Ref(ref); ok && known == digest {
		return nil
	}
	data, err := json.Marshal(cachedRef{ref, digest})
	if err != nil {
		return err
	}
	return c.write(c.ref(ref), data)
}

const (
	blobDir = "blobs"
	refDir  = "refs"
	tmpMark = ".tmp-"
	maxRef  = 64 << 10
	// staleAfter is when an unfinished file was left by a process that died.
	staleAfter = time.Hour
)

func (c *Cache) blob(digest string) (file string, ok bool) {
	hex, found := strings.CutPrefix(digest, "sha256:")
	if !found || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", false
	}
	return filepath.Join(c.dir, blobDir, hex), true
}

func (c *Cache) ref(ref string) string {
	return filepath.Join(c.dir, refDir, strings.TrimPrefix(sha256Digest([]byte(ref)), "sha256:"))
}

func readFile(path string, max int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > max {
		return nil, fmt.Errorf("cache: %q is no regular file of at most %d bytes", path, max)
	}
	return os.ReadFile(path)
}

// write makes a file appear whole, under whatever else happens at the time.
func (c *Cache) write(file string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), tmpMark)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return fmt.Errorf("cache: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	now := c.clock.Now()
	if err := os.Chtimes(tmp.Name(), now, now); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return os.Rename(tmp.Name(), file)
}

// evict removes the least recently used content until what stays fits, never what was just written. A file that another
// process removes meanwhile, or reads, is no problem: that process has it open, or downloads it again.
func (c *Cache) evict(justWritten string) error {
	files, err := c.contents()
	if err != nil {
		return err
	}
	var total int64
	for _, f := range files {
		total += f.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		stale := strings.HasPrefix(f.Name(), tmpMark) && c.clock.Now().Sub(f.ModTime()) > staleAfter
		full := total > c.max && f.Name() != justWritten && !strings.HasPrefix(f.Name(), tmpMark)
		if !stale && !full {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, blobDir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cache: %w", err)
		}
		total -= f.Size()
	}
	return nil
}

func (c *Cache) contents() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(filepath.Join(c.dir, blobDir))
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
		}
	}
	return files, nil
}
