package main

import (
	"fmt"
	"os"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// openRoot opens the control repo's folder: -C exactly, or the nearest one at or above the current directory. Nothing is
// read or written outside of it.
func (o *options) openRoot() (*os.Root, error) {
	dir := o.dir
	if dir == "" {
		found, err := control.FindRoot(".")
		if err != nil {
			return nil, err
		}
		dir = found
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the control repo: %w", err)
	}
	if _, err := root.Stat(control.RootFile); err != nil {
		return nil, fmt.Errorf("%w in %s: name a control repo with -C DIR, or start one with `tfgitops -C %s init`", control.ErrNoControlRepo, dir, dir)
	}
	return root, nil
}
