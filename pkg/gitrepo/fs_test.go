package gitrepo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/google/go-cmp/cmp"
)

func TestFSIsAFileSystem(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1", "d/b": "22", "d.x": "3", "d/e/c": "", "ünicode name": "4", "sp ace/\ttab\n": "5"})
	runGit(t, dir, "gc", "-q")
	fsys, err := openRepo(t, dir).FS(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, "a", "d/b", "d.x", "d/e/c", "ünicode name", "sp ace/\ttab\n"); err != nil {
		t.Error(err)
	}
	sub, err := fs.Sub(fsys, "d")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(sub, "b", "e/c"); err != nil {
		t.Error(err)
	}
}

func TestFSReadsTheCommitNotTheWorkTree(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "old"})
	commitFiles(t, dir, "two", map[string]string{"a": "new"})
	write(t, dir, map[string]string{"a": "dirty"})
	repo := openRepo(t, dir)
	for rev, want := range map[string]string{"HEAD": "new", "HEAD~1": "old"} {
		fsys, err := repo.FS(t.Context(), rev)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := fs.ReadFile(fsys, "a"); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", rev, got, err, want)
		}
	}
	if _, err := repo.FS(t.Context(), "nope"); !errors.Is(err, ErrUnknownRevision) {
		t.Errorf("unknown revision: %v", err)
	}
}

func TestFSModes(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"file": "1", "run": "2", "dir/x": "3"})
	for link, target := range map[string]string{"link": "file", "dirlink": "dir", "out": "/etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	runGit(t, dir, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module")
	runGit(t, dir, "add", "link", "dirlink", "out", "run")
	runGit(t, dir, "commit", "-q", "-m", "modes")
	fsys, err := openRepo(t, dir).FS(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{
		"file": 0o644, "run": 0o755, "dir": fs.ModeDir | 0o755, "link": fs.ModeSymlink | 0o777,
		"dirlink": fs.ModeSymlink | 0o777, "out": fs.ModeSymlink | 0o777, "module": fs.ModeIrregular,
	}
	got := map[string]fs.FileMode{}
	entries, err := fsys.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := fsys.Stat(entry.Name())
		if err != nil || info.Mode().Type() != entry.Type() {
			t.Errorf("%s: %v, %v", entry.Name(), info, err)
			continue
		}
		got[entry.Name()] = info.Mode()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"link", "out", "dirlink", "dirlink/x"} {
		if content, err := fsys.ReadFile(name); !errors.Is(err, ErrSymlink) {
			t.Errorf("ReadFile(%q) = %q, %v, want ErrSymlink", name, content, err)
		}
		if _, err := fsys.Open(name); !errors.Is(err, ErrSymlink) {
			t.Errorf("Open(%q): %v, want ErrSymlink", name, err)
		}
	}
	if target, err := fsys.ReadLink("out"); err != nil || target != "/etc/passwd" {
		t.Errorf("ReadLink: %q, %v", target, err)
	}
	for _, name := range []string{"file/x", "none", "dir/none"} {
		if _, err := fsys.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat(%q): %v", name, err)
		}
	}
	for _, name := range []string{"../x", "/file", "dir/", ""} {
		if _, err := fsys.Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Open(%q): %v", name, err)
		}
	}
}

func TestFSObjectIDs(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"c/a/x": "1", "c/b/x": "1", "c/b/y": "2"})
	repo := openRepo(t, filepath.Join(dir, "c"))
	fsys, err := repo.FS(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	for name, rev := range map[string]string{".": "HEAD:c", "a": "HEAD:c/a", "b/y": "HEAD:c/b/y"} {
		if id, ok := fsys.ObjectID(name); !ok || id != runGit(t, dir, "rev-parse", rev) {
			t.Errorf("ObjectID(%q) = %q, %v", name, id, ok)
		}
	}
	if _, ok := fsys.ObjectID("none"); ok {
		t.Error("a missing file has an id")
	}
	sub, err := fs.Sub(fsys, "b")
	if err != nil {
		t.Fatal(err)
	}
	x, _ := fsys.ObjectID("a/x")
	if id, ok := sub.(ObjectIDer).ObjectID("x"); !ok || id != x {
		t.Errorf("equal files have ids %q and %q", x, id)
	}
}

func TestFSWithoutThePrefix(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1"})
	commitFiles(t, dir, "later", map[string]string{"control/x": "1"})
	if _, err := openRepo(t, filepath.Join(dir, "control")).FS(t.Context(), "HEAD~1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the directory existed: %v", err)
	}
}

// A fetch or a gc by another process makes packs that go-git has not seen.
func TestFSSeesNewPacks(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"a": "1"})
	runGit(t, dir, "gc", "-q")
	repo := openRepo(t, dir)
	if _, err := repo.FS(t.Context(), "HEAD"); err != nil {
		t.Fatal(err)
	}
	commitFiles(t, dir, "two", map[string]string{"b": "2"})
	runGit(t, dir, "gc", "-q", "--prune=now")
	fsys, err := repo.FS(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if content, err := fsys.ReadFile("b"); err != nil || string(content) != "2" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestFSOfAPartialClone(t *testing.T) {
	t.Parallel()
	origin := newRepo(t, map[string]string{"a": "first"})
	commitFiles(t, origin, "two", map[string]string{"a": "second"})
	runGit(t, origin, "config", "uploadpack.allowFilter", "true")
	partial := filepath.Join(t.TempDir(), "partial")
	runGit(t, t.TempDir(), "clone", "-q", "--filter=tree:0", "file://"+origin, partial)
	fsys, err := openRepo(t, partial).FS(t.Context(), "HEAD~1")
	if err != nil {
		t.Fatal(err)
	}
	if content, err := fsys.ReadFile("a"); err != nil || string(content) != "first" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestHostileTreeNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "a/b", "/etc"} {
		entries := []object.TreeEntry{{Name: name, Mode: filemode.Regular}}
		if err := checkNames(entries); !errors.Is(err, ErrMalformed) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	twice := []object.TreeEntry{{Name: "a"}, {Name: "a"}}
	if err := checkNames(twice); !errors.Is(err, ErrMalformed) {
		t.Errorf("a name twice: %v", err)
	}
}
