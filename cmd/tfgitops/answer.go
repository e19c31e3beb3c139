package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// readAnswer reads the line that a person types. Ctrl-C ends it with the context's error: the read itself would go on
// waiting, and is left behind for the process to end with.
func readAnswer(ctx context.Context, in io.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	typed := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		typed <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("reading the answer: %w", ctx.Err())
	case a := <-typed:
		if a.err != nil {
			return "", fmt.Errorf("reading the answer: %w", a.err)
		}
		return a.line, nil
	}
}
