package live

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func testView(t testing.TB) View {
	t.Helper()
	repo, snapshot, history, upstream := world(t)
	return View{Report: Status(repo, snapshot, history, upstream, testNow()), Snapshot: snapshot, Upstream: upstream, Probes: map[string]time.Time{"cluster/prod": testNow()}, Took: map[string]time.Duration{"all": 2500 * time.Millisecond}}
}

func get(t *testing.T, server *httptest.Server, path, token string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), "planted") {
		t.Errorf("%s shows a secret", path)
	}
	return response, string(body)
}

func TestExporter(t *testing.T) {
	t.Parallel()
	exporter := &Exporter{Token: "read-me", Now: testNow, Probes: NewProbes(testNow(), true).Last()}
	server := httptest.NewServer(exporter.Handler())
	t.Cleanup(server.Close)
	check := func(path, token string, code int, shows string) {
		t.Helper()
		response, body := get(t, server, path, token)
		if response.StatusCode != code || !strings.Contains(body, shows) {
			t.Errorf("%s: %d, want %d with %q:\n%.300s", path, response.StatusCode, code, shows, body)
		}
	}
	check("/healthz", "", 200, "ok")
	check("/readyz", "", 503, notYet)
	check("/snapshot", "read-me", 503, notYet)
	check("/", "", 503, notYet)
	check("/metrics", "", 200, `tfgitops_probe_last_success_timestamp_seconds{target="control-repo"} 1.7`)
	view := testView(t)
	if err := exporter.show(view); err != nil {
		t.Fatal(err)
	}
	check("/readyz", "", 200, "ready")
	check("/snapshot", "", 401, "token")
	check("/snapshot", "wrong", 401, "token")
	check("/snapshot", "read-me", 200, `"version": 1`)
	check("/other", "", 404, "")
	response, body := get(t, server, "/", "")
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(body, "artifact-missing") {
		t.Errorf("policy %q", policy)
	}
	fetched, err := Fetch(t.Context(), server.Client(), server.URL, "read-me", testNow())
	if err != nil || len(fetched.Clusters) != len(view.Snapshot.Clusters) {
		t.Errorf("fetched %v, %v", fetched, err)
	}
	check("/upstream", "wrong", 401, "token")
	asked, err := FetchUpstream(t.Context(), server.Client(), server.URL, "read-me")
	if difference := cmp.Diff(view.Upstream, asked); err != nil || difference != "" {
		t.Errorf("%v: %s", err, difference)
	}
	if _, err := Fetch(t.Context(), server.Client(), server.URL, "wrong", testNow()); !errors.Is(err, ErrSnapshot) || !strings.Contains(err.Error(), "TFGITOPS_TOKEN") {
		t.Errorf("with a wrong token: %v", err)
	}
	exporter.Token = ""
	check("/snapshot", "", 401, "token")
}

func TestMetricsGolden(t *testing.T) {
	t.Parallel()
	view := testView(t)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(Collector{View: view})
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
	var written bytes.Buffer
	if err := writeMetrics(&written, view); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "full.metrics"), written.Bytes())
}

// TestScrapeIsCompressed sends the same numbers to those who take gzip, in a tenth of the bytes, and to those who do not.
func TestScrapeIsCompressed(t *testing.T) {
	t.Parallel()
	exporter := &Exporter{}
	if err := exporter.show(testView(t)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "full.metrics"))
	if err != nil {
		t.Fatal(err)
	}
	for accepted, compressed := range map[string]bool{"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "identity": false, "xgzip": false} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		request.Header.Set("Accept-Encoding", accepted)
		answer := httptest.NewRecorder()
		exporter.Handler().ServeHTTP(answer, request)
		body := io.Reader(answer.Body)
		if got := answer.Header().Get("Content-Encoding") == "gzip"; got != compressed {
			t.Errorf("%q: compressed %v", accepted, got)
			continue
		}
		if compressed {
			if answer.Body.Len() > len(want)/5 {
				t.Errorf("%q: %d bytes of %d", accepted, answer.Body.Len(), len(want))
			}
			if body, err = gzip.NewReader(answer.Body); err != nil {
				t.Fatal(err)
			}
		}
		got, err := io.ReadAll(body)
		if difference := cmp.Diff(string(want), string(got)); err != nil || difference != "" {
			t.Errorf("%q: %v: %s", accepted, err, difference)
		}
	}
}

// TestOldDataIsUnknown has an exporter go on serving what it had. Its page says so before anything else, and for those who
// fetch the snapshot the clusters are unknown.
func TestOldDataIsUnknown(t *testing.T) {
	t.Parallel()
	now := testNow()
	exporter := &Exporter{Token: "read-me", Now: func() time.Time { return now }}
	server := httptest.NewServer(exporter.Handler())
	t.Cleanup(server.Close)
	if err := exporter.show(testView(t)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		later time.Duration
		old   bool
	}{{29 * time.Minute, false}, {3 * time.Hour, true}} {
		now = testNow().Add(test.later)
		_, page := get(t, server, "/", "")
		if says := strings.Contains(page, "This is 3h old") && strings.Contains(page, "<title>old, "); says != test.old {
			t.Errorf("after %v the page says that it is old: %v", test.later, says)
		}
		snapshot, err := Fetch(t.Context(), server.Client(), server.URL, "read-me", now)
		if err != nil {
			t.Fatal(err)
		}
		prod := snapshot.Clusters["prod"]
		if forgotten := prod.Error == "the exporter read it 3h ago, and not since" && len(prod.Releases) == 0; forgotten != test.old {
			t.Errorf("after %v: %q with %d releases", test.later, prod.Error, len(prod.Releases))
		}
	}
}

// TestFetchedReleasesAreFound fetches a snapshot in which they are in no order: each is looked up by its name.
func TestFetchedReleasesAreFound(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"version":1,"clusters":{"prod":{"time":%q,"releases":[{"name":"c"},{"name":"a"},{"name":"d"},{"name":"b"}]}}}`, testNow().Format(time.RFC3339))
	}))
	t.Cleanup(server.Close)
	snapshot, err := Fetch(t.Context(), server.Client(), server.URL, "", testNow())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if snapshot.Clusters["prod"].release(name) == nil {
			t.Errorf("there is no release %s", name)
		}
	}
}

// TestPageSaysWhatMattersFirst looks at what stands in the page's head, and at lanes in which nothing waits.
func TestPageSaysWhatMattersFirst(t *testing.T) {
	t.Parallel()
	repo := testRepo(t, "prod web 1.0.0", "beta web 1.0.0")
	snapshot := &Snapshot{Clusters: map[string]Cluster{"prod": {Time: ago(2 * time.Hour)}, "beta": {Error: "no answer in time"}, "local": {Time: testNow()}}}
	var page bytes.Buffer
	if err := WriteHTML(&page, Status(repo, snapshot, History{}, nil, testNow())); err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(page.String(), "</header>")
	for _, wanted := range []string{"⚠ prod: read 2h ago", "⚠ beta: the cluster could not be read: no answer in time"} {
		if !strings.Contains(head, wanted) {
			t.Errorf("the head lacks %q:\n%s", wanted, head[strings.Index(head, "<body>"):])
		}
	}
	if strings.Contains(head, "⚠ local") || !strings.Contains(rest, "every stage has the same version of everything") {
		t.Errorf("of what is good it says:\n%s", rest)
	}
}

// TestExporterKeepsWhatItHad lets refreshes fail and ends the run.
func TestExporterKeepsWhatItHad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	refreshes, said := 0, ""
	exporter := &Exporter{
		Interval: time.Minute, Jitter: func() float64 { return 1 },
		Refresh: func(context.Context) (View, error) {
			refreshes++
			if refreshes == 2 {
				return View{}, errors.New("https://u:planted@git.example.org is away")
			}
			return View{Report: Report{Repo: fmt.Sprint(refreshes)}}, nil
		},
		Say: func(text string) { said += text },
		Sleep: func(ctx context.Context, d time.Duration) error {
			if d != 66*time.Second {
				t.Errorf("paused for %v", d)
			}
			if refreshes == 2 {
				if exporter := ctx.Err(); exporter != nil {
					t.Error(exporter)
				}
				cancel()
			}
			return ctx.Err()
		},
	}
	exporter.Run(ctx)
	if exporter.report().Repo != "1" || refreshes != 2 || strings.Contains(said, "planted") || !strings.Contains(said, "away") {
		t.Errorf("%d refreshes, said %q", refreshes, said)
	}
}
