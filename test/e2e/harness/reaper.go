package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// The variables by which a test binary knows that it is to be the reaper of a run.
const (
	reapVariable  = "TFGITOPS_E2E_REAP"
	cacheVariable = "TFGITOPS_E2E_REAP_CACHE"
)

// Main is what TestMain of a package that makes runs returns the result of: the tests' exit status.
func Main(tests func() int) int {
	if dir := os.Getenv(reapVariable); dir != "" {
		return reap(dir, os.Getenv(cacheVariable), os.Stdin)
	}
	log.SetLogger(logr.Discard()) // or controller-runtime's client complains
	return tests()
}

// reaper is a process that ends a run whose test cannot do it any more.
type reaper struct {
	cmd   *exec.Cmd
	alive io.WriteCloser // the system closes it when the test dies
}

const dismissal = "done"

// startReaper starts this very program again, which must call Main.
func startReaper(ctx context.Context, dir, cache string) (*reaper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self)
	cmd.Dir = cache // not the run's folder, which it removes
	cmd.Env = append(os.Environ(), reapVariable+"="+dir, cacheVariable+"="+cache)
	// Out of reach of what ends the test's group or terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	return &reaper{cmd: cmd, alive: alive}, nil
}

// dismiss tells the reaper that there is nothing to do.
func (r *reaper) dismiss() {
	_, _ = io.WriteString(r.alive, dismissal) // where it is gone already, so be it
	r.alive.Close()
	_ = r.cmd.Wait()
}

// reap waits until the test is dead or says that it is done. If dead, it ends what the test started, keeps the logs and
// removes the folder.
func reap(dir, cache string, alive io.Reader) int {
	said, _ := io.ReadAll(alive)
	if string(said) == dismissal {
		return 0
	}
	if endRun(dir, cache) != nil {
		return 1
	}
	return 0
}

// endStaleRuns ends the runs whose tests are dead and whose reapers are, too.
func endStaleRuns(cache string) error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), runPattern+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if !isStale(dir) {
			continue
		}
		if err := endRun(dir, cache); err != nil {
			return fmt.Errorf("ending the stale run %q: %w", dir, err)
		}
	}
	return nil
}

// isStale reports whether nobody holds the lock of a run. One that has no lock yet is about to.
func isStale(dir string) bool {
	if _, err := os.Stat(lockOf(dir)); err != nil {
		return false
	}
	lock, err := tryLock(lockOf(dir))
	if err != nil {
		return false
	}
	lock.Close()
	return true
}

func endRun(dir, cache string) error {
	for range 100 {
		pids := processesOf(dir)
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone
		}
		time.Sleep(50 * time.Millisecond)
	}
	_, logErr := saveLogs(dir, cache)
	return errors.Join(logErr, os.RemoveAll(dir)) //nolint:gosec // the folder that NewRun made and named
}

// processesOf returns the processes that were started in a run, by the marker in their environment.
func processesOf(dir string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is right
	for _, file := range files {
		environment, err := os.ReadFile(file)
		if err != nil || !slices.Contains(strings.Split(string(environment), "\x00"), marker+"="+dir) {
			continue // another user's, or gone
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// logsKept is how many runs' logs the cache keeps.
const logsKept = 5

// saveLogs copies a run's logs into the cache and returns their folder.
func saveLogs(dir, cache string) (string, error) {
	if _, err := os.Stat(logsOf(dir)); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	all := filepath.Join(cache, "logs")
	saved := filepath.Join(all, filepath.Base(dir))
	// That some are there already means that another process is ending the same run.
	if err := os.CopyFS(saved, os.DirFS(logsOf(dir))); err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("keeping the logs of %q: %w", dir, err)
	}
	return saved, forgetLogs(all)
}

// forgetLogs removes all but the newest.
func forgetLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	newestFirst := func(a, b os.DirEntry) int { return modified(b).Compare(modified(a)) }
	slices.SortFunc(entries, newestFirst)
	for _, entry := range entries[min(logsKept, len(entries)):] {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil { //nolint:gosec // in the cache that the caller named
			return err
		}
	}
	return nil
}

func modified(entry os.DirEntry) time.Time {
	info, err := entry.Info()
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
