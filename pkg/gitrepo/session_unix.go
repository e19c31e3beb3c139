//go:build unix

package gitrepo

import (
	"os/exec"
	"syscall"
)

// detach gives git a session of its own: it has no terminal to prompt on, and
// its transport programs (git-remote-https, ssh) can be stopped with it. Left
// alone they live on, and may finish a push that was reported as timed out.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

// stopGroup asks a detached git and everything it started to stop.
func stopGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// killGroup ends what is left of them.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
