package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// fakeGo returns a PATH whose go command is this shell script.
func fakeGo(t *testing.T, script string) string {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return bin + ":" + os.Getenv("PATH")
}

// TestNoBuildIsLeft kills a test while it builds a program. A build that went on would, minutes later, write over the next one's.
func TestNoBuildIsLeft(t *testing.T) {
	temporary, started := t.TempDir(), filepath.Join(t.TempDir(), "started")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(within(t, time.Minute), self, "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childEnds+"=passes", "TMPDIR="+temporary, "XDG_CACHE_HOME="+t.TempDir(),
		"PATH="+fakeGo(t, "touch "+started+"\nexec sleep 60\n"))
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !isThere(started); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("the child builds nothing")
			break
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = child.Wait() // killed
	nothingIsLeft(t, temporary)
}

func isThere(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
