package helmfile

import (
	"cmp"
	"fmt"
)

// Position is a place in the imported folder. Line is 0 for a file as a whole.
type Position struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func comparePositions(a, b Position) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

// positionError is an error with its place in the imported folder.
type positionError struct {
	at  Position
	err error
}

func (e *positionError) Error() string { return e.err.Error() }
func (e *positionError) Unwrap() error { return e.err }

// wrongAt gives an error its place, unless it has one.
func wrongAt(at Position, format string, args ...any) error {
	return &positionError{at, fmt.Errorf(format, args...)}
}
