//go:build !unix

package gitrepo

import "os/exec"

// Without sessions and process groups git alone is stopped.
func detach(*exec.Cmd) {}

func stopGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func killGroup(*exec.Cmd) {}
