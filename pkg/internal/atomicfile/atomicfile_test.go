package atomicfile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/atomicfile"
)

func open(t *testing.T) (string, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return dir, root
}

// names returns every file below dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			found = append(found, path[len(dir)+1:])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWriteReplacesAndKeepsTheMode(t *testing.T) {
	dir, root := open(t)
	for _, durability := range []atomicfile.Durability{atomicfile.Synced, atomicfile.Unsynced} {
		if err := atomicfile.Write(root, "a/b/file", []byte("one"), durability); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "a/b/file")
		if err := os.Chmod(file, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := atomicfile.Write(root, "a/b/file", []byte("two"), durability); err != nil {
			t.Fatal(err)
		}
		content, _ := os.ReadFile(file)
		info, _ := os.Stat(file)
		if string(content) != "two" || info.Mode().Perm() != 0o640 {
			t.Errorf("file holds %q with mode %o", content, info.Mode().Perm())
		}
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestWriteRefusesWhatIsReadOnly(t *testing.T) {
	dir, root := open(t)
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("old"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(root, "file", []byte("new"), atomicfile.Unsynced); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v, want fs.ErrPermission", err)
	}
	if content, _ := os.ReadFile(filepath.Join(dir, "file")); string(content) != "old" {
		t.Errorf("file holds %q", content)
	}
}

func TestWriteStaysBelowItsRoot(t *testing.T) {
	dir, root := open(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link/file", "../file", "/etc/file"} {
		if err := atomicfile.Write(root, name, []byte("x"), atomicfile.Unsynced); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if got := names(t, outside); len(got) > 0 {
		t.Errorf("written outside: %v", got)
	}
}

func TestWriteOverAFolderLeavesIt(t *testing.T) {
	dir, root := open(t)
	if err := os.MkdirAll(filepath.Join(dir, "file", "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(root, "file", []byte("x"), atomicfile.Unsynced); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestWriteOnAFullDisk(t *testing.T) {
	dir, root := fullDisk(t)
	old := bytes.Repeat([]byte("o"), 30<<10)
	if err := atomicfile.Write(root, "file", old, atomicfile.Unsynced); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(root, "file", bytes.Repeat([]byte("n"), 60<<10), atomicfile.Unsynced); err == nil {
		t.Fatal("the disk should be full")
	}
	if content, _ := os.ReadFile(filepath.Join(dir, "file")); !bytes.Equal(content, old) {
		t.Errorf("the file is neither old nor new: %d bytes", len(content))
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestMakeFolderIsAllOrNothing(t *testing.T) {
	dir, root := open(t)
	if err := os.MkdirAll(filepath.Join(dir, "a", ".b.tmp"), 0o755); err != nil { // what a killed run left
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", ".b.tmp", "half"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.MakeFolder(root, "a/b", map[string][]byte{"one": []byte("1"), "two": []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 2 || got[0] != "a/b/one" || got[1] != "a/b/two" {
		t.Errorf("files %v", got)
	}
	if err := atomicfile.MakeFolder(root, "a/b", map[string][]byte{"three": nil}); err == nil {
		t.Error("a folder that is there was replaced")
	}
	if err := atomicfile.MakeFolder(root, "c", map[string][]byte{"good": nil, "bad/name": nil}); err == nil {
		t.Error("a file that cannot be written was passed over")
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("files after two failures: %v", got)
	}
}
