package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// gcPercent trades memory for speed: most runs end before a collection pays off. From gcBytes on, memory counts more: the
// largest runs (20,000 releases; every chart expanded) stay below half a gigabyte.
const (
	gcPercent = 400
	gcBytes   = 400 << 20
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
		debug.SetMemoryLimit(gcBytes)
	}
	logf.SetLogger(logr.Discard()) // errors are returned; left unset, it prints a stack after a while
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], deps{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		getenv: os.Getenv, now: time.Now,
	})
	stop()
	os.Exit(code)
}
