package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// runPattern names the folders of runs in the temporary folder.
const runPattern = "tfgitops-e2e-"

// Run is one run of the tests: a temporary folder and the processes that were started in it. Close ends it; where nothing
// calls Close, because the test was killed, a process of its own does the same (see reap).
type Run struct {
	Programs Programs
	// Dir is the run's temporary folder. It is gone after Close.
	Dir string

	lock   *os.File
	reaper *reaper

	mu        sync.Mutex
	processes []*Process
	ports     map[int]bool
}

// NewRun starts a run, after ending those whose tests are dead.
func NewRun(ctx context.Context, programs Programs) (*Run, error) {
	if err := endStaleRuns(programs.Cache); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(programs.Cache, 0o750); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", runPattern)
	if err != nil {
		return nil, err
	}
	programs.run = dir
	r := &Run{Programs: programs, Dir: dir, ports: map[int]bool{}}
	if r.lock, err = tryLock(lockOf(dir)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for _, folder := range []string{logsOf(dir), r.Temporary()} {
		if err := os.Mkdir(folder, 0o750); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	if r.reaper, err = startReaper(ctx, dir, programs.Cache); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return r, nil
}

func lockOf(dir string) string { return filepath.Join(dir, "lock") }
func logsOf(dir string) string { return filepath.Join(dir, "logs") }

// Temporary is the folder for temporary files of the run and of its processes.
func (r *Run) Temporary() string { return filepath.Join(r.Dir, "tmp") }

// Folder makes a folder for the run's files.
func (r *Run) Folder(name string) (string, error) {
	dir := filepath.Join(r.Dir, name)
	return dir, os.MkdirAll(dir, 0o750)
}

// Close ends every process, newest first, and removes the folder. With keepLogs it first copies the logs to the cache, and
// returns where they are.
func (r *Run) Close(keepLogs bool) (logs string, err error) {
	r.mu.Lock()
	processes := slices.Clone(r.processes)
	r.mu.Unlock()
	for _, process := range slices.Backward(processes) {
		process.Kill()
	}
	r.reaper.dismiss()
	if keepLogs {
		logs, err = saveLogs(r.Dir, r.Programs.Cache)
	}
	return logs, errors.Join(err, os.RemoveAll(r.Dir), r.lock.Close())
}

// The ports that are handed out lie below those that Linux gives to outgoing connections, which could otherwise take one
// between FreePort and the listener that it is for.
const lowestPort, portCount = 20000, 12000

// FreePort returns a port of 127.0.0.1 that nobody listens on and that this run was not given before.
func (r *Run) FreePort(ctx context.Context) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var config net.ListenConfig
	for range 1000 {
		port := lowestPort + rand.IntN(portCount)
		if r.ports[port] {
			continue
		}
		listener, err := config.Listen(ctx, "tcp", loopback(port))
		if err != nil {
			continue
		}
		r.ports[port] = true
		return port, listener.Close()
	}
	return 0, fmt.Errorf("no free port between %d and %d", lowestPort, lowestPort+portCount)
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
