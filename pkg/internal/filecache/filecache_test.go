package filecache_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/filecache"
)

// names are the files of a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestEviction(t *testing.T) {
	t.Parallel()
	dir, now := filepath.Join(t.TempDir(), "new"), time.Unix(1_800_000_000, 0)
	cache := filecache.New(dir, 100, func() time.Time { now = now.Add(time.Second); return now })
	for _, name := range []string{"a", "b", "c"} {
		if err := cache.Put(name, make([]byte, 30)); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := cache.Get("a", 30); !ok {
		t.Error("a file within the limit is gone")
	}
	for name, size := range map[string]int{"d": 30, "too large": 101} {
		if err := cache.Put(name, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := names(t, dir), []string{"a", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want the recently used %v", got, want)
	}
}

// TestLooksNowAndThen holds that many small files are not each a look at the folder, and that the limit is passed by an eighth
// at most.
func TestLooksNowAndThen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache := filecache.New(dir, 1000, time.Now)
	for i := range 300 {
		if err := cache.Put(fmt.Sprint(i), make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if n := len(names(t, dir)); n > 100+13 {
			t.Fatalf("%d files of 10 bytes after %d", n, i)
		}
	}
}

func TestWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache := filecache.New(dir, 0, time.Now)
	if err := cache.Put("file", []byte("content")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, limit := range map[string]int64{"link": 100, "folder": 100, "nothing": 100, "file": 6} {
		if _, ok := cache.Get(name, limit); ok {
			t.Errorf("%s was read with the limit %d", name, limit)
		}
	}
	if info, err := os.Stat(dir + "/file"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v, %v", info.Mode(), err)
	}
}

// TestConcurrently holds that what is read is whole, with several writers of one folder that evict all the time.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			cache := filecache.New(dir, 2000, time.Now)
			for i := range 100 {
				n := (worker + i) % 10
				if err := cache.Put(fmt.Sprint(n), bytes.Repeat([]byte{byte(n)}, 300)); err != nil {
					t.Error(err)
				}
				if got, ok := cache.Get(fmt.Sprint(n), 300); ok && !bytes.Equal(got, bytes.Repeat([]byte{byte(n)}, 300)) {
					t.Error("read something else")
				}
			}
		})
	}
	group.Wait()
}
