package main

import (
	"errors"
	"strings"
)

// The exit codes of every command.
const (
	exitDone    = 0 // done, or nothing differs
	exitFound   = 1 // a check found something
	exitFailed  = 2 // could not do it: usage, I/O, network
	exitRefused = 3 // refused by a safety rule
)

// errFound ends a check that found something, which it has already shown.
var errFound = errors.New("")

// refusal is an error of a safety rule.
type refusal interface{ Refused() bool }

// usageError is a mistake in the command line.
type usageError struct{ error }

// exitCode is the only place where an outcome becomes a number.
func exitCode(err error) int {
	var refused refusal
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFound):
		return exitFound
	case errors.As(err, &refused) && refused.Refused():
		return exitRefused
	default:
		return exitFailed
	}
}

// errorText is how an error is shown: one that carries its own "file: error:" lines as it is, any other behind the
// program's name.
func errorText(err error) string {
	text := err.Error()
	if strings.Contains(text, ": error: ") {
		return text
	}
	return "tfgitops: " + text
}
