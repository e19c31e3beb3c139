package overlay

import (
	"errors"
	"fmt"
	"strings"
)

// Why a directory is not built. Each Problem wraps one of them.
var (
	// ErrRemote is a reference that kustomize would fetch from the network or clone.
	ErrRemote = errors.New("remote")
	// ErrPlugin is a generator or transformer that runs a program, or that cannot be checked.
	ErrPlugin = errors.New("plugin")
	// ErrOutside is a reference that Flux could not follow: absolute, out of the repository, a symbolic link.
	ErrOutside = errors.New("outside the repository")
	// ErrMissing is a reference to something that does not exist.
	ErrMissing = errors.New("missing")
	// ErrCycle is a kustomization that includes itself.
	ErrCycle = errors.New("cycle")
	// ErrTooLarge is input beyond what a cluster can need.
	ErrTooLarge = errors.New("too large")
	// ErrSyntax is a file that is no YAML, no kustomization or no Kubernetes object.
	ErrSyntax = errors.New("syntax")
	// ErrBuild is what kustomize itself refused.
	ErrBuild = errors.New("build")
)

// Problem is one reason why a directory is not built.
type Problem struct {
	File    string // from the root of the tree; empty where kustomize did not tell
	Line    int    // from 1; 0 where it is not known
	Message string // never holds the contents of a Secret
	Reason  error  // one of the sentinels above
}

// Error gives the place and the message in one line.
func (p *Problem) Error() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Unwrap gives the reason, for errors.Is.
func (p *Problem) Unwrap() error { return p.Reason }

// Problems are all the reasons found, in the order of reading. Build returns them as its error.
type Problems []*Problem

// Error gives one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As look at each problem.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}
