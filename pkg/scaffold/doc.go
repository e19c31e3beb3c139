// Package scaffold makes and removes the parts of a control repo that people would otherwise copy or delete by hand: the
// repo itself, clusters, components, their deployments, and vendored manifests.
//
// Each operation is a plan first: it works on a file system with the changes on top (pkg/internal/stagedfs), and is an
// error if they would bring a new error into the control repo. Write then makes all changes of a plan, or none. It depends
// on pkg/control and pkg/render for what a repo means, on pkg/overlay for building vendored manifests, and on
// pkg/internal/yamledit for changing people's files.
package scaffold
