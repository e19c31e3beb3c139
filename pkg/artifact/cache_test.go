package artifact_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// testClock passes time only by sleeping.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

func newClock() *testClock { return &testClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func blobs(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCacheVerifies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache := artifact.NewCache(dir, 0, nil)
	data := []byte("content")
	if _, ok := cache.Get(digest(data)); ok {
		t.Error("an empty cache has something")
	}
	if err := cache.Put(digest(data), []byte("other")); err == nil {
		t.Error("content under another's digest")
	}
	for _, bad := range []string{"", "sha256:", "sha256:../../etc/passwd", "md5:00", digest(data)[:70]} {
		if err := cache.Put(bad, data); err == nil {
			t.Errorf("digest %q was accepted", bad)
		}
		if _, ok := cache.Get(bad); ok {
			t.Errorf("digest %q was found", bad)
		}
	}
	if err := cache.Put(digest(data), data); err != nil {
		t.Fatal(err)
	}
	if got, ok := cache.Get(digest(data)); !ok || !bytes.Equal(got, data) {
		t.Errorf("got %q, %v", got, ok)
	}
	if err := os.WriteFile(blobs(t, dir)[0], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := cache.Get(digest(data)); ok {
		t.Error("damaged content was found")
	}
	if n := len(blobs(t, dir)); n != 0 {
		t.Errorf("%d damaged files stay", n)
	}
}

func TestCacheEvictsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), newClock()
	cache := artifact.NewCache(dir, 100, clock)
	var all [][]byte
	for i := range 4 {
		all = append(all, bytes.Repeat([]byte{byte('a' + i)}, 30))
	}
	use := func(i int) bool {
		clock.Sleep(t.Context(), time.Minute)
		_, ok := cache.Get(digest(all[i]))
		return ok
	}
	for i := range 3 {
		clock.Sleep(t.Context(), time.Minute)
		if err := cache.Put(digest(all[i]), all[i]); err != nil {
			t.Fatal(err)
		}
	}
	use(0)
	clock.Sleep(t.Context(), time.Minute)
	if err := cache.Put(digest(all[3]), all[3]); err != nil {
		t.Fatal(err)
	}
	if got := []bool{use(0), use(1), use(2), use(3)}; fmt.Sprint(got) != "[true false true true]" {
		t.Errorf("kept %v", got)
	}
	if err := cache.Put(digest(bytes.Repeat([]byte("x"), 101)), bytes.Repeat([]byte("x"), 101)); err != nil || len(blobs(t, dir)) != 3 {
		t.Errorf("content over the whole size: %v, %d files", err, len(blobs(t, dir)))
	}
}

func TestCacheClearsUnfinishedFiles(t *testing.T) {
	t.Parallel()
	dir, clock := t.TempDir(), newClock()
	cache := artifact.NewCache(dir, 0, clock)
	data := []byte("content")
	if err := os.MkdirAll(filepath.Join(dir, "blobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{".tmp-old": 2 * time.Hour, ".tmp-new": time.Minute} {
		file := filepath.Join(dir, "blobs", name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, clock.Now(), clock.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cache.Put(digest(data), data); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{".tmp-old": false, ".tmp-new": true} {
		if _, err := os.Stat(filepath.Join(dir, "blobs", name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Several writers and readers with a limit that evicts all the time: what is read is right or absent.
func TestCacheConcurrently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			cache := artifact.NewCache(dir, 2000, nil)
			for i := range 100 {
				data := bytes.Repeat([]byte{byte((worker + i) % 10)}, 300)
				if err := cache.Put(digest(data), data); err != nil {
					t.Error(err)
				}
				if got, ok := cache.Get(digest(data)); ok && !bytes.Equal(got, data) {
					t.Error("read something else")
				}
				if err := cache.PutRef("ref", digest(data)); err != nil {
					t.Error(err)
				}
				if _, ok := cache.Ref("ref"); !ok {
					t.Error("the reference is gone")
				}
			}
		})
	}
	wg.Wait()
}

func withCache(cache *artifact.Cache, offline bool) func(*artifact.Options) {
	return func(o *artifact.Options) { o.Cache, o.Offline = cache, offline }
}

func TestCachedCharts(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	pushed := push(t, s, chart(version))
	added, err := s.AddChart("stable", chart(version), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		repo   artifact.Repository
		digest string
	}{{oci(s), pushed.Digest}, {artifact.Repository{URL: s.HTTP("stable")}, added}} {
		cache := artifact.NewCache(t.TempDir(), 0, nil)
		ref := artifact.ChartRef{Name: "jobs-api", Version: version}
		if _, err := client(withCache(cache, true)).Chart(t.Context(), c.repo, ref); !errors.Is(err, artifact.ErrOffline) || !errors.Is(err, artifact.ErrUnreachable) || errors.Is(err, artifact.ErrMissing) {
			t.Errorf("%s: offline and empty: %v", c.repo, err)
		}
		online, err := client(withCache(cache, false)).Chart(t.Context(), c.repo, ref)
		if err != nil {
			t.Fatal(err)
		}
		s.Forget()
		byTag, err := client(withCache(cache, true)).Chart(t.Context(), c.repo, ref)
		if err != nil || byTag.Digest != c.digest || !bytes.Equal(byTag.Archive, online.Archive) {
			t.Errorf("%s: offline by tag: %v", c.repo, err)
		}
		if digest, err := client(withCache(cache, true)).Digest(t.Context(), c.repo, "jobs-api", version); err != nil || digest != c.digest {
			t.Errorf("%s: offline digest %s, %v", c.repo, digest, err)
		}
		ref.Digest = c.digest
		for _, offline := range []bool{true, false} {
			if _, err := client(withCache(cache, offline)).Chart(t.Context(), c.repo, ref); err != nil {
				t.Errorf("%s: by digest, offline %v: %v", c.repo, offline, err)
			}
		}
		if n := len(s.Requests()); n != 0 {
			t.Errorf("%s: %d requests", c.repo, n)
		}
		ref.Version = "9.9.9"
		if _, err := client(withCache(cache, true)).Chart(t.Context(), c.repo, ref); !errors.Is(err, artifact.ErrMismatch) {
			t.Errorf("%s: another version under a cached digest: %v", c.repo, err)
		}
	}
}

func TestOfflineSendsNothing(t *testing.T) {
	t.Parallel()
	s := fullRegistry(t, registrytest.Options{})
	for _, repo := range []artifact.Repository{oci(s), {URL: s.HTTP("stable")}} {
		c := client(withCache(artifact.NewCache(t.TempDir(), 0, nil), true))
		for name, ask := range operations(c, repo, s.Host()+"/toolforge/jobs-api:image-1") {
			if err := ask(t.Context()); !errors.Is(err, artifact.ErrOffline) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	}
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// The archive is one in both registries, so it is downloaded once.
func TestTwoRegistriesShareAnArchive(t *testing.T) {
	t.Parallel()
	cache := artifact.NewCache(t.TempDir(), 0, nil)
	downloads := 0
	for i := range 2 {
		s := registrytest.ForTest(t, registrytest.Options{})
		c := chart(version)
		c.Created = time.Unix(int64(i)+1, 0)
		push(t, s, c)
		if _, err := client(withCache(cache, false)).Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: version}); err != nil {
			t.Fatal(err)
		}
		downloads += requests(s, "GET", "/blobs/")
	}
	if downloads != 1 {
		t.Errorf("%d downloads", downloads)
	}
}

func TestUnwritableCacheIsAWarning(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	push(t, s, chart(version))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	warned := 0
	c := client(withCache(artifact.NewCache(file, 0, nil), false), func(o *artifact.Options) { o.Warn = func(error) { warned++ } })
	if _, err := c.Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: version}); err != nil || warned == 0 {
		t.Errorf("%d warnings, %v", warned, err)
	}
}
