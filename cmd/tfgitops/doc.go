// Command tfgitops is the bridge between what a component's CI publishes and what Flux deploys.
//
// It owns the command line: one file a command, which parses, makes one call into a package of pkg/, and prints.
// exit.go holds all exit codes, repo.go opens the control repo that a command works on.
package main

//go:generate go test . -run ^TestReferencePages$ -update
