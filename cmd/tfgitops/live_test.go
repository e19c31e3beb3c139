package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// liveRepo writes a control repo with one component on one cluster, and a kubeconfig that reaches the server.
func liveRepo(t *testing.T, extra string, server *httptest.Server) (dir, kubeconfig string) {
	t.Helper()
	const api = "apiVersion: tfgitops.toolforge.org/v1alpha1\n"
	dir = t.TempDir()
	files := map[string]string{
		"tfgitops.yaml": api + "kind: ControlRepo\nmetadata: {name: example}\nspec:\n  repositories: {theirs: {url: \"https://charts.example.org\"}}\n" +
			"  stages: [{name: production, clusters: [prod]}]\n" + extra,
		"components/web/component.yaml": api + "kind: Component\nmetadata: {name: web}\nspec: {namespace: web, test: {tags: [web, slow]}, releases: [{name: web, repository: theirs}]}\n",
		"clusters/prod/cluster.yaml":    api + "kind: Cluster\nmetadata: {name: prod}\nspec: {kubeVersion: 1.32.4, fluxVersion: \"2.9\", context: prod}\n",
		"clusters/prod/pins/web.yaml":   api + "kind: Pin\nmetadata: {name: web}\nspec: {releases: {web: {version: \"1.0.0\"}}}\n",
	}
	if server != nil {
		files["kubeconfig"] = kubeconfigOf(server, "prod")
	} else {
		files["kubeconfig"] = "apiVersion: v1\nkind: Config\n"
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "kubeconfig")
}

// kubeconfigOf reaches a server under the name of a cluster.
func kubeconfigOf(server *httptest.Server, cluster string) string {
	authority := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	return fmt.Sprintf("apiVersion: v1\nkind: Config\nusers: [{name: me, user: {token: planted-token}}]\n"+
		"clusters: [{name: %[1]s, cluster: {server: %[2]q, certificate-authority-data: %[3]s}}]\ncontexts: [{name: %[1]s, context: {cluster: %[1]s, user: me}}]\n", cluster, server.URL, authority)
}

// liveServer is an API server whose only release, web, runs the version.
func liveServer(t *testing.T, version, ready, reason string) *httptest.Server {
	t.Helper()
	return releaseServer(t, "web", "1.0.0", version, ready, reason)
}

// releaseServer is an API server whose only release is to run one version, and runs another.
func releaseServer(t *testing.T, name, wanted, version, ready, reason string) *httptest.Server {
	t.Helper()
	leases := &oneLease{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/coordination.k8s.io/") {
			leases.ServeHTTP(w, r)
			return
		}
		items := []any{}
		if strings.HasSuffix(r.URL.Path, "/helmreleases") {
			items = append(items, map[string]any{
				"metadata": map[string]any{"name": name, "generation": 1},
				"spec":     map[string]any{"targetNamespace": name, "chart": map[string]any{"spec": map[string]any{"chart": name, "version": wanted}}},
				"status": map[string]any{
					"observedGeneration": 1, "lastAttemptedRevision": wanted,
					"conditions": []any{map[string]any{"type": "Ready", "status": ready, "reason": reason, "lastTransitionTime": "2026-08-01T00:00:00Z"}},
					"history":    []any{map[string]any{"chartVersion": version, "status": "deployed", "lastDeployed": "2026-08-01T00:00:00Z"}},
				},
			})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items, "gitVersion": "v1.32.4"})
	}))
	t.Cleanup(server.Close)
	return server
}

// oneLease keeps what was written last, in the form in which it came.
type oneLease struct {
	mu     sync.Mutex
	stored []byte
	form   string
}

func (l *oneLease) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Method != http.MethodGet {
		l.stored, _ = io.ReadAll(r.Body)
		l.form = r.Header.Get("Content-Type")
	}
	if l.stored == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":404,"reason":"NotFound"}`)
		return
	}
	w.Header().Set("Content-Type", l.form)
	_, _ = w.Write(l.stored)
}

// runLive runs one command line as a person in dir would, and returns what it wrote.
func runLive(t *testing.T, env map[string]string, args ...string) (code int, out, messages string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, deps{
		in: strings.NewReader(""), out: &stdout, err: &stderr,
		getenv: func(name string) string { return env[name] },
		now:    func() time.Time { return time.Date(2026, 8, 10, 12, 0, 0, 0, time.UTC) },
	})
	for _, text := range []string{stdout.String(), stderr.String()} {
		if strings.Contains(text, "planted") {
			t.Errorf("%v shows a secret:\n%s", args, text)
		}
	}
	return code, stdout.String(), stderr.String()
}

func TestStatusCommand(t *testing.T) {
	t.Parallel()
	good := liveServer(t, "1.0.0", "True", "UpgradeSucceeded")
	other := liveServer(t, "0.9.0", "True", "UpgradeSucceeded")
	failed := liveServer(t, "0.9.0", "False", "UpgradeFailed")
	tests := map[string]struct {
		server *httptest.Server
		args   []string
		code   int
		shows  string
	}{
		"ok":                   {good, []string{"--exit-code"}, exitDone, "verdict: ok"},
		"drifted":              {other, nil, exitDone, "verdict: drifted"},
		"drifted, exit code":   {other, []string{"--exit-code"}, exitFound, "verdict: drifted"},
		"drifted, not failed":  {other, []string{"--fail-on", "failed"}, exitDone, "verdict: drifted"},
		"failed, on failed":    {failed, []string{"--fail-on", "drifted,failed"}, exitFound, "UpgradeFailed"},
		"json":                 {good, []string{"-o", "json"}, exitDone, `"verdict": "ok"`},
		"yaml":                 {good, []string{"-o", "yaml"}, exitDone, "verdict: ok"},
		"html":                 {good, []string{"-o", "html"}, exitDone, "<!doctype html>"},
		"no cluster at hand":   {nil, nil, exitDone, "pins and history only"},
		"no cluster, exit":     {nil, []string{"--exit-code"}, exitFound, "verdict: unknown"},
		"no such format":       {good, []string{"-o", "xml"}, exitFailed, "write html, json, markdown, table, yaml"},
		"no such state":        {good, []string{"--fail-on", "bad"}, exitFailed, `there is no state "bad"`},
		"no such cluster":      {good, []string{"--cluster", "x"}, exitFailed, `there is no cluster "x"`},
		"no such component":    {good, []string{"--component", "x"}, exitFailed, `there is no component "x"`},
		"no such stage":        {good, []string{"--stage", "x"}, exitFailed, `there is no stage "x"`},
		"unsafe exporter":      {nil, []string{"--from", "http://192.0.2.1/"}, exitFailed, "https://"},
		"one cluster, by name": {good, []string{"--cluster", "prod", "--component", "web", "--stage", "production"}, exitDone, "verdict: ok"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, kubeconfig := liveRepo(t, "", test.server)
			args := append([]string{"-C", dir, "status", "--upstream=false"}, test.args...)
			if !strings.Contains(strings.Join(args, " "), "--from") {
				args = append(args, "--kubeconfig", kubeconfig)
			}
			code, out, messages := runLive(t, nil, args...)
			if code != test.code || !strings.Contains(out+messages, test.shows) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", code, test.code, test.shows, out, messages)
			}
		})
	}
}

// TestStatusWatch watches a cluster whose upgrade ends well, and then goes away.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	server := liveServer(t, "0.9.0", "Unknown", "Progressing")
	upgraded := liveServer(t, "1.0.0", "True", "UpgradeSucceeded")
	var now atomic.Value
	now.Store(http.HandlerFunc(server.Config.Handler.ServeHTTP))
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now.Load().(http.HandlerFunc)(w, r)
	})
	dir, kubeconfig := liveRepo(t, "", server)
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	var messages bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-C", dir, "status", "--upstream=false", "--kubeconfig", kubeconfig, "--watch", "--interval", "1s"}, deps{
			in: strings.NewReader(""), out: writer, err: &messages, now: time.Now, getenv: func(string) string { return "" },
		})
		_ = writer.Close()
	}()
	var lines []string
	for scanner := bufio.NewScanner(reader); scanner.Scan(); {
		line := scanner.Text()
		lines = append(lines, line)
		switch {
		case strings.HasPrefix(line, "verdict: pending"):
			now.Store(http.HandlerFunc(upgraded.Config.Handler.ServeHTTP))
		case strings.HasSuffix(line, "web on prod: pending 0.9.0 → ok 1.0.0"):
			now.Store(http.HandlerFunc(http.NotFound))
		case strings.Contains(line, "web on prod: ok 1.0.0 → unknown"):
			cancel()
		}
	}
	if code := <-ended; code != exitDone {
		t.Errorf("exit code %d:\n%s\n%s", code, strings.Join(lines, "\n"), messages.String())
	}
	cancel()
	code, _, said := runLive(t, nil, "-C", dir, "status", "--watch", "-o", "json")
	if code != exitFailed || !strings.Contains(said, "--watch shows the table") {
		t.Errorf("with JSON: exit code %d: %s", code, said)
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text          string
		width, height int
		want          string
	}{
		"fits":          {"one\ntwo\n", 3, 3, "one\ntwo\n"},
		"too wide":      {"four\n", 3, 3, "fo…\n"},
		"too long":      {"1\n2\n3\n4\n", 20, 4, "1\n2\n… 2 more lines\n"},
		"no size known": {"1\n2\n", 0, 0, "1\n2\n"},
		"colours":       {"a \x1b[31mfailed\x1b[0m b\n", 6, 3, "a \x1b[31mfai…\x1b[0m\n"},
	}
	for name, test := range tests {
		if got := fit(test.text, test.width, test.height); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func forbidLeases(otherwise http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/leases") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":403,"reason":"Forbidden","message":"user planted-user"}`)
			return
		}
		otherwise.ServeHTTP(w, r)
	})
}

func TestWaitCommand(t *testing.T) {
	t.Parallel()
	good := liveServer(t, "1.0.0", "True", "UpgradeSucceeded")
	failed := liveServer(t, "0.9.0", "False", "UpgradeFailed")
	progressing := liveServer(t, "0.9.0", "Unknown", "Progressing")
	unlockable := liveServer(t, "1.0.0", "True", "UpgradeSucceeded")
	unlockable.Config.Handler = forbidLeases(unlockable.Config.Handler)
	const announce = "  announce: {command: [sh, -c, 'echo \"said: $0 ($TFGITOPS_RESULT)\"']}\n"
	const passing = "  test: {command: [sh, -c, 'echo \"tests: $0 $1 of $TFGITOPS_COMPONENT $TFGITOPS_VERSION on $TFGITOPS_CLUSTER\"']}\n"
	const failing = "  test: {command: [sh, -c, 'exit 3']}\n"
	tests := map[string]struct {
		server *httptest.Server
		extra  string
		args   []string
		code   int
		shows  []string
	}{
		"ready": {good, passing + announce, nil, exitDone, []string{
			"is ready: 1.0.0", "tests: web slow of web 1.0.0 on prod", "said: web on prod: 1.0.0 ready (ready)", "nothing else changed on prod since 12:00Z",
		}},
		"without the lock":   {unlockable, passing, []string{"--no-lock"}, exitDone, []string{"tests: web slow"}},
		"may not lock":       {unlockable, passing, nil, exitFailed, []string{"may not take the test lock", "deploy/tester", "--no-lock"}},
		"tests fail":         {good, failing + announce, nil, exitFound, []string{"the tests failed", "1.0.0 failed (failed)"}},
		"tests skipped":      {good, failing, []string{"--skip-tests"}, exitDone, []string{"is ready"}},
		"test not there":     {good, "  test: {command: [/nonexistent]}\n", nil, exitFailed, []string{"/nonexistent"}},
		"no tests":           {good, "", nil, exitDone, []string{"no tests"}},
		"failed":             {failed, passing + announce, nil, exitFound, []string{"UpgradeFailed", "1.0.0 failed (failed)"}},
		"timed out":          {progressing, announce, []string{"--timeout", "200ms"}, exitFailed, []string{"timed out", "(timed out)"}},
		"no cluster at hand": {nil, announce, nil, exitFailed, []string{`no context "prod"`}},
		"no such component":  {good, "", []string{"other"}, exitFailed, []string{"COMPONENT"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, kubeconfig := liveRepo(t, test.extra, test.server)
			args := append([]string{"-C", dir, "wait", "web", "--cluster", "prod", "--kubeconfig", kubeconfig}, test.args...)
			code, out, messages := runLive(t, nil, args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d:\n%s%s", code, test.code, out, messages)
			}
			for _, text := range test.shows {
				if !strings.Contains(out+messages, text) {
					t.Errorf("%q is not shown:\n%s%s", text, out, messages)
				}
			}
		})
	}
}

// TestExporterCommand starts the exporter, reads from it as the other commands do, and stops it.
func TestExporterCommand(t *testing.T) {
	t.Parallel()
	dir, kubeconfig := liveRepo(t, "", liveServer(t, "1.0.0", "True", "UpgradeSucceeded"))
	charts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "apiVersion: v1\nentries:\n  web: [{name: web, version: 1.0.0, urls: [a.tgz]}, {name: web, version: 1.1.0, urls: [b.tgz]}]\n")
	}))
	t.Cleanup(charts.Close)
	chartsFrom(t, dir, charts.URL)
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	token := map[string]string{tokenVariable: "read-me"}
	go func() {
		ended <- run(ctx, []string{"-C", dir, "exporter", "--listen", "127.0.0.1:0", "--kubeconfig", kubeconfig, "--upstream-interval", "87600h"}, deps{
			in: strings.NewReader(""), out: io.Discard, err: writer, now: time.Now, getenv: func(name string) string { return token[name] },
		})
		_ = writer.Close()
	}()
	messages := bufio.NewScanner(reader)
	messages.Scan()
	address := strings.TrimPrefix(messages.Text(), "listening on ")
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	code, out, said := exitFailed, "", ""
	for range 100 {
		if code, out, said = runLive(t, token, "-C", dir, "status", "--exit-code", "--from", address); code == exitDone {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if code != exitDone || !strings.Contains(out, "verdict: ok") {
		t.Errorf("status --from: exit code %d:\n%s%s", code, out, said)
	}
	if code, out, said := runLive(t, token, "-C", dir, "wait", "web", "--cluster", "prod", "--from", address); code != exitDone {
		t.Errorf("wait --from: exit code %d:\n%s%s", code, out, said)
	}
	if code, out, said := runLive(t, token, "-C", dir, "outdated", "--from", address); code != exitDone || !strings.Contains(out, "1.1.0") {
		t.Errorf("outdated --from: exit code %d:\n%s%s", code, out, said)
	}
	if code, _, said := runLive(t, nil, "-C", dir, "status", "--upstream=false", "--from", address); code != exitFailed || !strings.Contains(said, tokenVariable) {
		t.Errorf("without the token: exit code %d:\n%s", code, said)
	}
	cancel()
	select {
	case code := <-ended:
		if code != exitDone {
			t.Errorf("the exporter ended with %d", code)
		}
	case <-time.After(20 * time.Second):
		t.Error("the exporter did not stop")
	}
}

// TestExporterDoesNotWaitForSources has a component's source hang: what the clusters say is shown all the same, and the
// exporter stops when it is told to.
func TestExporterDoesNotWaitForSources(t *testing.T) {
	t.Parallel()
	dir, kubeconfig := liveRepo(t, "", liveServer(t, "1.0.0", "True", "UpgradeSucceeded"))
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	chartsFrom(t, dir, hanging.URL)
	exporter := startExporter(t, "127.0.0.1:0", dir, kubeconfig)
	exporter.shows(t, "/metrics", `tfgitops_live_info{chart_version="1.0.0"`) // a source may take a minute, this not half of one
	if err := exporter.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if said, err := exporter.end(); err != nil {
		t.Errorf("told to stop: %v\n%s", err, said)
	}
}

// TestStatusAsksOnlyTheClustersWanted filters before it asks: a cluster that hangs delays nobody who looks at another.
func TestStatusAsksOnlyTheClustersWanted(t *testing.T) {
	t.Parallel()
	dir, kubeconfig := liveRepo(t, "", liveServer(t, "1.0.0", "True", "UpgradeSucceeded"))
	var asked atomic.Int32
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(other.Close)
	if err := os.MkdirAll(filepath.Join(dir, "clusters/other"), 0o755); err != nil {
		t.Fatal(err)
	}
	cluster := "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Cluster\nmetadata: {name: other}\nspec: {kubeVersion: 1.32.4, fluxVersion: \"2.9\", context: other}\n"
	if err := os.WriteFile(filepath.Join(dir, "clusters/other/cluster.yaml"), []byte(cluster), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, filter := range [][]string{{"--cluster", "prod"}, {"--stage", "production"}} {
		code, out, messages := runLive(t, nil, append([]string{"-C", dir, "status", "--upstream=false", "--exit-code", "--kubeconfig", bothOf(t, kubeconfig, other)}, filter...)...)
		if code != exitDone || asked.Load() > 0 {
			t.Errorf("%v: exit code %d, and the other cluster was asked %d times:\n%s%s", filter, code, asked.Load(), out, messages)
		}
	}
	if code, out, _ := runLive(t, nil, "-C", dir, "status", "--upstream=false", "--kubeconfig", bothOf(t, kubeconfig, other)); code != exitDone || asked.Load() == 0 || !strings.Contains(out, "other: the cluster could not be read: the account may not list this (403)") {
		t.Errorf("without a filter the other cluster was asked %d times:\n%s", asked.Load(), out)
	}
}

// bothOf writes a kubeconfig with the contexts of a file and one more, for the cluster other.
func bothOf(t *testing.T, kubeconfig string, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	all, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	more, err := clientcmd.Load([]byte(kubeconfigOf(server, "other")))
	if err != nil {
		t.Fatal(err)
	}
	all.Contexts["other"], all.Clusters["other"] = more.Contexts["other"], more.Clusters["other"]
	if err := clientcmd.WriteToFile(*all, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// chartsFrom has the repo take its charts from another place.
func chartsFrom(t *testing.T, dir, url string) {
	t.Helper()
	file := filepath.Join(dir, "tfgitops.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "https://charts.example.org", url)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOutdatedWithoutAnAnswerFails(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	dir, _ := liveRepo(t, "", nil)
	chartsFrom(t, dir, server.URL)
	code, out, messages := runLive(t, nil, "-C", dir, "outdated")
	if code != exitFailed || !strings.Contains(messages, "unknown") {
		t.Errorf("exit code %d:\n%s%s", code, out, messages)
	}
}

func TestAlertsCommand(t *testing.T) {
	t.Parallel()
	dir, _ := liveRepo(t, "  alerts: {pinNotDeployed: 90m}\n", nil)
	tests := map[string]struct {
		args  []string
		code  int
		shows string
	}{
		"threshold":    {nil, exitDone, "for: 90m"},
		"first stage":  {nil, exitDone, `cluster=~"prod"`},
		"operator":     {[]string{"-o", "prometheusrule"}, exitDone, "kind: PrometheusRule"},
		"label":        {[]string{"--label", "team=wmcs"}, exitDone, "team: wmcs"},
		"runbooks":     {nil, exitDone, "/docs/runbooks/TfgitopsDown.md\n"},
		"name last":    {[]string{"--runbooks", "https://example.org/"}, exitDone, "runbook: https://example.org/TfgitopsDown\n"},
		"name within":  {[]string{"--runbooks", "https://example.org/{alert}.html"}, exitDone, "runbook: https://example.org/TfgitopsDown.html\n"},
		"dashboard":    {[]string{"--dashboard", "https://grafana.example.org/d/x"}, exitDone, "dashboard: https://grafana.example.org/d/x\n"},
		"no such form": {[]string{"-o", "table"}, exitFailed, "prometheusrule, rules"},
		"bad job":      {[]string{"--job", `a"b`}, exitFailed, "--job"},
	}
	for name, test := range tests {
		code, out, messages := runLive(t, nil, append([]string{"-C", dir, "alerts"}, test.args...)...)
		if code != test.code || !strings.Contains(out+messages, test.shows) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", name, code, test.code, test.shows, out, messages)
		}
	}
}
