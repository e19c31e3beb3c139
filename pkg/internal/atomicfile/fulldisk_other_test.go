//go:build !linux

package atomicfile_test

import (
	"os"
	"testing"
)

func fullDisk(t *testing.T) (string, *os.Root) {
	t.Helper()
	t.Skip("a full disk is made with a small tmpfs, which is Linux'")
	return "", nil
}
