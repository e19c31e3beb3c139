package atomicfile_test

import (
	"os"
	"syscall"
	"testing"
)

// fullDisk mounts a file system of 64 KiB, for which one must be root.
func fullDisk(t *testing.T) (string, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a full disk needs a small tmpfs, and mounting one needs root: %v", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = root.Close()
		_ = syscall.Unmount(dir, 0)
	})
	return dir, root
}
