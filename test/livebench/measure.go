package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// measured is what one size cost.
type measured struct {
	size
	// first is the first reading of all clusters, connections included; again, the median of the later ones.
	first, again time.Duration
	// whole is the median of a refresh: control repo, clusters, comparison and metrics.
	whole, scrape time.Duration
	scrapeBytes   int
	memory        int64 // bytes, of the exporter at its peak
	// exporter and servers are what a refresh costs a processor, on either side.
	exporter, servers time.Duration
}

// measure has an exporter read the clusters again and again.
func measure(ctx context.Context, o options, dir string, s size) (m measured, err error) {
	m.size = s
	if out, err := exec.CommandContext(ctx, o.generator, "-clusters", fmt.Sprint(s.clusters), "-components", fmt.Sprint(s.releases), dir).CombinedOutput(); err != nil {
		return m, fmt.Errorf("generating: %w\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	servers, _, err := start(ctx, nil, self, "-serve", dir)
	if err != nil {
		return m, err
	}
	defer stop(servers)
	exporter, said, err := start(ctx, []string{"TFGITOPS_TOKEN=none"}, o.tfgitops, "-C", dir, "exporter", "--listen", "127.0.0.1:0", "--kubeconfig", filepath.Join(dir, kubeconfigName), "--interval", "1s", "--upstream=false")
	if err != nil {
		return m, err
	}
	defer stop(exporter)
	refreshes, err := m.refreshes(ctx, strings.TrimPrefix(said, "listening on "), o.runs)
	if err != nil {
		return m, err
	}
	if m.memory, err = peakMemory(exporter.Process.Pid); err != nil {
		return m, err
	}
	stop(exporter)
	stop(servers)
	m.exporter, m.servers = processor(exporter)/time.Duration(refreshes), processor(servers)/time.Duration(refreshes)
	return m, nil
}

// processor is what a process that has ended used of processors.
func processor(ended *exec.Cmd) time.Duration {
	if ended.ProcessState == nil {
		return 0
	}
	return ended.ProcessState.UserTime() + ended.ProcessState.SystemTime()
}

// pollInterval is how long to wait between two scrapes: a refresh is a second apart from the next, and a reader that asks all
// the time takes a processor from what is measured.
const pollInterval = 300 * time.Millisecond

// refreshes waits for so many and the first, takes from each what the exporter says of itself, and returns how many there were.
func (m *measured) refreshes(ctx context.Context, address string, runs int) (int, error) {
	var again, whole, scrapes []time.Duration
	seen := ""
	for len(again) < runs {
		time.Sleep(pollInterval)
		began := time.Now()
		body, err := get(ctx, address+"/metrics")
		took := time.Since(began)
		if err != nil {
			return 0, err
		}
		clusters, all := number(body, `tfgitops_refresh_duration_seconds{part="clusters"}`), number(body, `tfgitops_refresh_duration_seconds{part="all"}`)
		if clusters == "" || clusters == seen {
			continue
		}
		if live := bytes.Count(body, []byte("\ntfgitops_live_info{")); live != m.clusters*m.releases {
			return 0, fmt.Errorf("the exporter knows %d releases, and there are %d", live, m.clusters*m.releases)
		}
		scrapes, m.scrapeBytes = append(scrapes, took), len(body)
		if seen == "" {
			m.first = seconds(clusters)
		} else {
			again, whole = append(again, seconds(clusters)), append(whole, seconds(all))
		}
		seen = clusters
	}
	m.again, m.whole, m.scrape = median(again), median(whole), median(scrapes)
	return len(again) + 1, nil
}

// number is the value of one series, as it is written.
func number(metrics []byte, series string) string {
	_, after, found := bytes.Cut(metrics, []byte("\n"+series+" "))
	if !found {
		return ""
	}
	value, _, _ := bytes.Cut(after, []byte("\n"))
	return string(value)
}

func seconds(text string) time.Duration {
	value, _ := strconv.ParseFloat(text, 64)
	return time.Duration(value * float64(time.Second))
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// start starts a program and returns it with the first line that it writes.
func start(ctx context.Context, environment []string, program string, args ...string) (*exec.Cmd, string, error) {
	cmd := exec.CommandContext(ctx, program, args...) // the programs to measure are named on the command line
	cmd.Env = append(os.Environ(), environment...)
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	_ = writer.Close()
	lines := bufio.NewReader(reader)
	line, err := lines.ReadString('\n')
	if err != nil {
		stop(cmd)
		return nil, "", fmt.Errorf("%s ended: %w", filepath.Base(program), err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return cmd, strings.TrimSpace(line), nil
}

// stop ends a process that may have ended.
func stop(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
	}
}

// peakMemory is what a process used at most.
func peakMemory(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, found := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(after)
	if !found || len(fields) == 0 {
		return 0, errors.New("/proc says nothing of the peak of its memory")
	}
	kibibytes, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kibibytes << 10, err
}
