package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// cost is what one run took.
type cost struct {
	wall time.Duration
	cpu  time.Duration // user and system, of all processes
	rss  int64         // bytes, of the largest process at its peak
}

// median takes the median of each part on its own.
func median(costs []cost) cost {
	return cost{
		wall: middle(costs, func(c cost) time.Duration { return c.wall }),
		cpu:  middle(costs, func(c cost) time.Duration { return c.cpu }),
		rss:  middle(costs, func(c cost) int64 { return c.rss }),
	}
}

func middle[T ~int64](costs []cost, part func(cost) T) T {
	parts := make([]T, len(costs))
	for i, c := range costs {
		parts[i] = part(c)
	}
	slices.Sort(parts)
	if half := len(parts) / 2; len(parts)%2 == 0 {
		return (parts[half-1] + parts[half]) / 2
	}
	return parts[len(parts)/2]
}

// repeat returns the median cost of the runs, after one that does not count. prepare comes before each and is not timed.
func repeat(runs int, prepare func() error, once func() (cost, error)) (cost, error) {
	var costs []cost
	for range runs + 1 {
		if err := prepare(); err != nil {
			return cost{}, err
		}
		c, err := once()
		if err != nil {
			return cost{}, err
		}
		costs = append(costs, c)
	}
	return median(costs[1:]), nil
}

// process runs a program in dir to its end, with some more environment. Its standard output is read and dropped; any exit code
// but 0 is an error.
func process(ctx context.Context, env []string, dir, program string, args ...string) (cost, error) {
	cmd := exec.CommandContext(ctx, program, args...) // The programs to measure are named on the command line.
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out drain
	var messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	started := time.Now()
	err := cmd.Run()
	wall := time.Since(started)
	if err != nil {
		return cost{}, fmt.Errorf("running %q in %q: %w\n%s%s", strings.Join(cmd.Args, " "), dir, err, out.start, messages.String())
	}
	state := cmd.ProcessState
	return cost{wall: wall, cpu: state.UserTime() + state.SystemTime(), rss: peak(state.SysUsage())}, nil
}

// peak is the largest resident set, which Linux counts in KiB. It is never below that of this program, which forked.
func peak(usage any) int64 {
	if usage, ok := usage.(*syscall.Rusage); ok {
		return usage.Maxrss * 1024
	}
	return 0
}

// drain reads everything and keeps the start, for an error.
type drain struct{ start []byte }

func (d *drain) Write(p []byte) (int, error) {
	if room := 2000 - len(d.start); room > 0 {
		d.start = append(d.start, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// together runs n processes, so many at a time, and adds up what they cost.
func together(n, atATime int, start func(number int) (cost, error)) (cost, error) {
	var (
		total cost
		first error
		lock  sync.Mutex
		group sync.WaitGroup
		slots = make(chan struct{}, atATime)
	)
	started := time.Now()
	for number := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			c, err := start(number)
			lock.Lock()
			defer lock.Unlock()
			total.cpu += c.cpu
			total.rss = max(total.rss, c.rss)
			if first == nil {
				first = err
			}
		})
	}
	group.Wait()
	total.wall = time.Since(started)
	return total, first
}
