package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// marker is the environment variable by which the processes of a run are found after their test is dead.
const marker = "TFGITOPS_E2E_RUN"

// Process is a running program.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Command says what to start.
type Command struct {
	// Name is for its log and for errors; Program is what is run.
	Name, Program string
	Args, Env     []string
}

// Start starts a program that runs until the run is closed.
func (r *Run) Start(ctx context.Context, c Command) (*Process, error) {
	path, err := r.Programs.Path(ctx, c.Program)
	if err != nil {
		return nil, err
	}
	p := &Process{name: c.Name, log: filepath.Join(logsOf(r.Dir), c.Name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Not of the context: the run ends it.
	p.cmd = exec.Command(path, c.Args...) //nolint:noctx // see above
	p.cmd.Dir = r.Dir
	p.cmd.Env = append(r.environment(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// A group of its own, so that Ctrl-C reaches the test alone.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // that it ended is what counts: it was not to
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.processes = append(r.processes, p)
	return p, nil
}

// environment has nothing of the surroundings but the path: no proxies, no kubeconfig, no home.
func (r *Run) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.Dir, "TMPDIR=" + r.Temporary(), marker + "=" + r.Dir}
}

// Kill ends the process and those it started, at once: nothing that they hold is worth saving.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-p.done
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Await waits until ready returns no error, and fails with the end of the process's log as soon as that has ended, the
// context has, or it takes too long.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s\n%s", p.name, p.cmd.ProcessState, p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w; last: %w\n%s", p.name, ctx.Err(), err, p.logTail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// logTail is the last lines of the log.
func (p *Process) logTail() string {
	const lines = 15
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
