package artifact

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/filecache"
)

// Cache keeps chart archives and manifests by digest, and what tags were last seen to be. It is safe for several processes:
// files appear whole by renaming, and every read is checked against the digest, so a damaged file is a miss.
//
//	blobs/<hex>    content, named by its SHA-256
//	refs/<hex>     {"ref": …, "digest": …}, named by the SHA-256 of the reference
type Cache struct {
	blobs, refs *filecache.Cache
}

// DefaultCacheSize is room for some thousand charts.
const DefaultCacheSize = 512 * mib

// NewCache keeps at most max bytes of content under dir, which is created with the first write; the least recently used goes
// first. max 0 is DefaultCacheSize, clock nil the system's.
func NewCache(dir string, max int64, clock Clock) *Cache {
	if clock == nil {
		clock = SystemClock{}
	}
	return &Cache{
		blobs: filecache.New(filepath.Join(dir, "blobs"), cmp.Or(max, DefaultCacheSize), clock.Now),
		refs:  filecache.New(filepath.Join(dir, "refs"), filecache.Unbounded, clock.Now),
	}
}

// Get reads content by digest ("sha256:…") and notes its use. A file that is not what its name says is removed.
func (c *Cache) Get(digest string) ([]byte, bool) {
	file, ok := blobName(digest)
	if !ok {
		return nil, false
	}
	data, ok := c.blobs.Get(file, maxBody)
	if !ok {
		return nil, false
	}
	if sha256Digest(data) != digest {
		c.blobs.Remove(file)
		return nil, false
	}
	return data, true
}

// Put stores content under its digest and evicts what is over the limit.
func (c *Cache) Put(digest string, data []byte) error {
	file, ok := blobName(digest)
	if !ok || sha256Digest(data) != digest {
		return fmt.Errorf("cache: content is not %q", digest)
	}
	return c.blobs.Put(file, data)
}

type cachedRef struct {
	Ref    string `json:"ref"`
	Digest string `json:"digest"`
}

// Ref is the digest that a reference was last seen to have.
func (c *Cache) Ref(ref string) (digest string, ok bool) {
	data, ok := c.refs.Get(refName(ref), maxRef)
	if !ok {
		return "", false
	}
	var entry cachedRef
	if json.Unmarshal(data, &entry) != nil || entry.Ref != ref {
		return "", false
	}
	_, ok = blobName(entry.Digest)
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
	return c.refs.Put(refName(ref), data)
}

const maxRef = 64 << 10

// blobName is the file of a digest; false for what is none.
func blobName(digest string) (file string, ok bool) {
	hex, found := strings.CutPrefix(digest, "sha256:")
	if !found || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", false
	}
	return hex, true
}

func refName(ref string) string { return strings.TrimPrefix(sha256Digest([]byte(ref)), "sha256:") }
