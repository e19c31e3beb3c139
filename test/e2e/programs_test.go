package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
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

// TestUnusedBuildsAreForgotten holds that the cache does not grow with every version of every program, and that another
// checkout, which pins another version, keeps what it uses.
func TestUnusedBuildsAreForgotten(t *testing.T) {
	t.Setenv("PATH", fakeGo(t, `while [ $# -gt 0 ]; do [ "$1" = -o ] && echo built > "$2"; shift; done`+"\n"))
	programs := harness.Programs{Tools: env.run.Programs.Tools, Cache: t.TempDir(), Now: time.Now, Log: t.Output()}
	long := time.Now().Add(-40 * 24 * time.Hour)
	kept := map[string]bool{
		"age-keygen-0000000000000000":            false,
		"age-keygen-0000000000000001.unfinished": false,
		"age-keygen-0000000000000002":            true, // used by another checkout
		"sops-0000000000000000":                  true, // not what is built
	}
	for name := range kept {
		file := filepath.Join(programs.Cache, name)
		if err := os.WriteFile(file, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "age-keygen-0000000000000002" {
			continue
		}
		if err := os.Chtimes(file, long, long); err != nil {
			t.Fatal(err)
		}
	}
	built, err := programs.Path(t.Context(), "age-keygen")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range kept {
		if got := isThere(filepath.Join(programs.Cache, name)); got != want {
			t.Errorf("%s: kept %t, want %t", name, got, want)
		}
	}
	if err := os.Chtimes(built, long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := programs.Path(t.Context(), "age-keygen"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(built); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("the use of a build is not noted (%v)", err)
	}
}

// TestSkippedIsSaid holds that whoever runs the tests hears which were left out, and what runs them where they are.
func TestSkippedIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		skipped []string
		lent    bool
		want    []string
		not     string
	}{
		"nothing":               {},
		"neither":               {skipped: []string{"TestA", "TestB"}, want: []string{"2 tests:", "TestA, TestB", "FLUX_BIN=DIR", "E2E_KUBECONFIG=FILE", "docs/testing.md"}},
		"in a cluster of yours": {skipped: []string{"TestA"}, lent: true, want: []string{"1 test:", "TestA", "FLUX_BIN=DIR", "docs/testing.md"}, not: "E2E_KUBECONFIG=FILE"},
	} {
		got := skipNote(c.skipped, c.lent)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in:\n%s", name, want, got)
			}
		}
		if (got == "") != (c.skipped == nil) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
