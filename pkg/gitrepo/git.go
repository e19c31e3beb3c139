package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// maxAnswer bounds what one git command may print into memory.
	maxAnswer = 256 << 20
	// maxComplaint bounds what is kept of its standard error.
	maxComplaint = 64 << 10
	// graceTime is how long git may take to remove its locks after it was told to stop.
	graceTime = 5 * time.Second
)

// git runs the git program in one directory. It has no terminal, unless
// attached, which commits need: their hooks and signing may talk to the person.
type git struct {
	dir      string
	env      []string
	attached bool
}

// with returns a copy that runs with additional variables.
func (g git) with(variables ...string) git {
	g.env = append(g.env[:len(g.env):len(g.env)], variables...)
	return g
}

// in returns a copy that runs in another directory.
func (g git) in(dir string) git {
	g.dir = dir
	return g
}

// run runs git and returns its standard output.
func (g git) run(ctx context.Context, args ...string) (string, error) {
	return g.feed(ctx, nil, args...)
}

// line runs git and returns its output without the final newline.
func (g git) line(ctx context.Context, args ...string) (string, error) {
	out, err := g.run(ctx, args...)
	return strings.TrimSuffix(out, "\n"), err
}

// feed is run with something on standard input.
func (g git) feed(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	stdout := &boundedBuffer{max: maxAnswer}
	stderr := &boundedBuffer{max: maxComplaint, drop: true}
	cmd := g.command(ctx, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	err := cmd.Run()
	g.sweep(ctx, cmd)
	if err == nil {
		return stdout.String(), nil
	}
	complaint := stderr.String()
	if strings.TrimSpace(complaint) == "" {
		complaint = stdout.tail(maxComplaint)
	}
	return stdout.String(), gitFailure(ctx, args, err, complaint)
}

// stream runs git and hands its output to read while it is being written. When
// read returns before the end, git is stopped.
func (g git) stream(ctx context.Context, read func(io.Reader) error, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stderr := &boundedBuffer{max: maxComplaint, drop: true}
	cmd := g.command(ctx, args)
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return gitFailure(ctx, args, err, "")
	}
	readErr := read(stdout)
	if readErr != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	g.sweep(ctx, cmd)
	if waitErr != nil && (readErr == nil || errors.Is(readErr, io.ErrUnexpectedEOF)) {
		return gitFailure(ctx, args, waitErr, stderr.String())
	}
	return readErr
}

// command prepares git so that a cancelled context asks it to stop, which lets
// it remove its lock files, and kills it only when it does not.
func (g git) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	cmd.WaitDelay = graceTime
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if !g.attached {
		detach(cmd)
		cmd.Cancel = func() error { return stopGroup(cmd) }
	}
	return cmd
}

// sweep ends what git started and left when it was told to stop.
func (g git) sweep(ctx context.Context, cmd *exec.Cmd) {
	if ctx.Err() != nil && !g.attached && cmd.Process != nil {
		killGroup(cmd)
	}
}

// gitFailure describes why git did not do what args asked for.
func gitFailure(ctx context.Context, args []string, err error, complaint string) error {
	failed := &GitError{Command: "git " + subcommand(args), Code: -1, Output: presentable(complaint)}
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return ErrNoGit
	case ctx.Err() != nil:
		failed.Err = context.Cause(ctx)
	case errors.As(err, &exit):
		failed.Code = exit.ExitCode()
		if failed.Code < 0 {
			failed.Err = err // killed by a signal
		}
	default:
		failed.Err = err
	}
	if failed.Code == 129 { // git's code for an option it does not know
		failed.Err = fmt.Errorf("%w: Git 2.30 or newer is needed", ErrUnsupported)
	}
	return failed
}

// subcommand is the first argument that is no option of git itself.
func subcommand(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" {
			i++
		} else if !strings.HasPrefix(args[i], "-") {
			return args[i]
		}
	}
	return ""
}

// boundedBuffer keeps at most max bytes; more is an error, or dropped.
type boundedBuffer struct {
	bytes.Buffer
	max  int
	drop bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	room := b.max - b.Len()
	if len(p) <= room {
		return b.Buffer.Write(p)
	}
	if !b.drop {
		return 0, fmt.Errorf("%w: git printed more than %d bytes", ErrTooLarge, b.max)
	}
	b.Buffer.Write(p[:room])
	return len(p), nil
}

func (b *boundedBuffer) tail(n int) string {
	return string(b.Bytes()[max(0, b.Len()-n):])
}
