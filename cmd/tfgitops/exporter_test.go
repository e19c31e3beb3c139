package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// exporterProcess is an exporter of its own, which can be killed.
type exporterProcess struct {
	*exec.Cmd
	address string
	mu      sync.Mutex
	said    bytes.Buffer
	read    chan struct{}
}

func startExporter(t *testing.T, listen, dir, kubeconfig string) *exporterProcess {
	t.Helper()
	e := &exporterProcess{Cmd: exec.CommandContext(t.Context(), os.Args[0]), read: make(chan struct{})}
	e.Args = []string{"tfgitops", "-C", dir, "exporter", "--kubeconfig", kubeconfig, "--listen", listen, "--interval", "1s", "--cluster-timeout", "1s"}
	e.Env = append(os.Environ(), tokenVariable+"=planted-read-token", "XDG_CACHE_HOME="+t.TempDir(), "GIT_TERMINAL_PROMPT=0")
	stderr, err := e.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	messages := bufio.NewReader(stderr)
	line, err := messages.ReadString('\n')
	e.address = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	if err != nil || !strings.HasPrefix(e.address, "http://") {
		t.Fatalf("the exporter said %q, %v", line, err)
	}
	go func() {
		defer close(e.read)
		scanner := bufio.NewScanner(messages)
		for scanner.Scan() {
			e.mu.Lock()
			e.said.WriteString(scanner.Text() + "\n")
			e.mu.Unlock()
		}
	}()
	return e
}

// shows waits until a path shows a text, and returns all of it.
func (e *exporterProcess) shows(t *testing.T, path, text string) string {
	t.Helper()
	body := ""
	for range 600 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer planted-read-token")
		if response, err := http.DefaultClient.Do(request); err == nil {
			read, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if body = string(read); strings.Contains(body, text) {
				if strings.Contains(body, "planted") {
					t.Errorf("%s shows a secret:\n%s", path, body)
				}
				return body
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s does not show %q:\n%s", path, text, body)
	return ""
}

// end waits for the process and returns what it said.
func (e *exporterProcess) end() (string, error) {
	<-e.read
	err := e.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said.String(), err
}

// TestExporterKilledAndRestarted kills the exporter, and starts it again when its only cluster is away: it is there at once,
// tells what it still knows, and does not call the rest good. Told to stop, it stops.
func TestExporterKilledAndRestarted(t *testing.T) {
	t.Parallel()
	cluster := liveServer(t, "1.0.0", "True", "UpgradeSucceeded")
	dir, kubeconfig := liveRepo(t, "", cluster)
	charts := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(charts.Close)
	chartsFrom(t, dir, charts.URL)
	before := filesIn(t, dir)

	first := startExporter(t, "127.0.0.1:0", dir, kubeconfig)
	first.shows(t, "/metrics", `tfgitops_live_info{chart_version="1.0.0",cluster="prod",component="web",sha="1.0.0"} 1`)
	first.shows(t, "/snapshot", `"version": "1.0.0"`)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	said, _ := first.end()
	cluster.Close()

	second := startExporter(t, strings.TrimPrefix(first.address, "http://"), dir, kubeconfig)
	second.shows(t, "/readyz", "ready")
	metrics := second.shows(t, "/metrics", `tfgitops_pin_info{cluster="prod",component="web",sha="1.0.0"} 1`)
	if !strings.Contains(metrics, `tfgitops_probe_last_success_timestamp_seconds{target="cluster/prod"}`) || strings.Contains(metrics, "tfgitops_live_info{") {
		t.Errorf("a cluster that was never read:\n%s", metrics)
	}
	second.shows(t, "/", "unknown")
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	more, err := second.end()
	if err != nil {
		t.Errorf("told to stop: %v\n%s", err, more)
	}
	if strings.Contains(said+more, "planted") {
		t.Errorf("a secret is in the log:\n%s%s", said, more)
	}
	if after := filesIn(t, dir); after != before {
		t.Errorf("it left files behind:\n%s", after)
	}
}

// filesIn lists what is in a folder, with sizes.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintln(&list, name, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
