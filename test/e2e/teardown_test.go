package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
)

// childEnds tells a test binary that it is the child of TestNothingIsLeft, and how it is to end.
const childEnds = "TFGITOPS_E2E_CHILD_ENDS"

// The ways in which a test can end.
var endings = map[string]struct {
	status string // of the child
	logs   bool   // whether they are kept
}{
	"passes": {status: "exit status 0"},
	"fails":  {status: "exit status 1", logs: true},
	"panics": {status: "exit status 2", logs: true},
	"killed": {status: "signal: killed", logs: true},
	// Not SIGINT, which whoever started the tests in the background has made them ignore.
	"terminated": {status: "signal: terminated", logs: true},
}

// TestNothingIsLeft runs a test that starts an API server and ends in every way there is. Afterwards no process of it runs
// and the temporary folder is empty.
func TestNothingIsLeft(t *testing.T) {
	if os.Getenv(childEnds) != "" {
		t.Skip("this is the child")
	}
	for ending, want := range endings {
		t.Run(ending, func(t *testing.T) {
			t.Parallel()
			temporary, cache := t.TempDir(), cacheWithPrograms(t)
			status := runChild(t, ending, temporary, cache)
			if status != want.status {
				t.Errorf("the child ended with %q, want %q", status, want.status)
			}
			nothingIsLeft(t, temporary)
			logs, err := filepath.Glob(filepath.Join(cache, "tfgitops-e2e/logs/*/*-kube-apiserver.log"))
			if err != nil || (len(logs) == 1) != want.logs {
				t.Errorf("kept logs: %v (%v)", logs, err)
			}
		})
	}
}

// cacheWithPrograms is a cache folder with the built programs of the real one, and no logs.
func cacheWithPrograms(t *testing.T) string {
	t.Helper()
	parent := t.TempDir()
	dir := filepath.Join(parent, "tfgitops-e2e")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		path, err := env.run.Programs.Path(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	return parent
}

// runChild runs TestChild in a process of its own and returns how that ended.
func runChild(t *testing.T, ending, temporary, cache string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, 5*time.Minute)
	child := exec.CommandContext(ctx, self, "-test.run=^TestChild$", "-test.v")
	child.Env = append(os.Environ(), childEnds+"="+ending, "TMPDIR="+temporary, "XDG_CACHE_HOME="+cache)
	out, err := child.CombinedOutput()
	if child.ProcessState == nil {
		t.Fatalf("the child did not start: %v", err)
	}
	if !strings.Contains(string(out), childIsUp) {
		t.Errorf("the child started nothing:\n%s", out)
	}
	return child.ProcessState.String()
}

const childIsUp = "the API server of the child is up"

// TestChild is what TestNothingIsLeft runs.
func TestChild(t *testing.T) {
	ending := os.Getenv(childEnds)
	if ending == "" {
		t.Skip("run by TestNothingIsLeft")
	}
	if _, err := env.run.NewCluster(t.Context(), "child"); err != nil {
		t.Fatal(err)
	}
	fmt.Println(childIsUp)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	switch ending {
	case "fails":
		t.Fail()
	case "panics":
		panic("as it is to")
	case "killed":
		err = self.Kill()
		time.Sleep(time.Minute)
	case "terminated":
		err = self.Signal(syscall.SIGTERM)
		time.Sleep(time.Minute)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// nothingIsLeft waits until the reaper is through: at once where the test ended the run itself.
func nothingIsLeft(t *testing.T, temporary string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := harness.Poll(ctx, "everything to be gone", func(context.Context) error {
		left, err := os.ReadDir(temporary)
		if err != nil {
			return err
		}
		running, err := mentioning(temporary)
		if err != nil {
			return err
		}
		if len(left)+len(running) > 0 {
			return fmt.Errorf("left in %s: %v; running: %v", temporary, left, running)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// mentioning are the processes in whose arguments or environment a folder stands, beside this one.
func mentioning(dir string) ([]string, error) {
	var found []string
	for _, file := range []string{"environ", "cmdline"} {
		paths, err := filepath.Glob("/proc/[0-9]*/" + file)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(content), dir) {
				found = append(found, path)
			}
		}
	}
	return found, nil
}

// TestStaleRunsAreEnded holds that a new run ends what a dead test and its dead reaper left.
func TestStaleRunsAreEnded(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	stale := filepath.Join(temporary, "tfgitops-e2e-1")
	if err := os.MkdirAll(filepath.Join(stale, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stale, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	left := exec.CommandContext(t.Context(), "sleep", "300")
	left.Env = []string{"TFGITOPS_E2E_RUN=" + stale}
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = left.Wait()
	}()

	p := env.run.Programs
	p.Cache = t.TempDir()
	run, err := harness.NewRun(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the process of the stale run still runs")
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the folder of the stale run: %v", err)
	}
	if _, err := run.Close(false); err != nil {
		t.Error(err)
	}
	nothingIsLeft(t, temporary)
}

// TestRunsLeaveEachOtherAlone holds that a run does not end another that is alive.
func TestRunsLeaveEachOtherAlone(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := env.run.Programs
	first, err := harness.NewRun(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	second, err := harness.NewRun(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.Dir); err != nil {
		t.Error(err)
	}
	for _, run := range []*harness.Run{first, second} {
		if _, err := run.Close(false); err != nil {
			t.Error(err)
		}
	}
}
