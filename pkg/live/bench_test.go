package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The size that is aimed at: a snapshot in 3 s and 500 MiB, a scrape in 200 ms.
const benchClusters, benchReleases = 200, 100

// BenchmarkSnapshot reads 20,000 releases from 200 API servers over TLS, 32 at once. The servers run in the same process:
// their time is in it, and so is that of connecting.
func BenchmarkSnapshot(b *testing.B) {
	api := newFakeAPI()
	for i := range benchReleases {
		api.lists[releasesPath] = append(api.lists[releasesPath], benchRelease(b, i))
	}
	handlers := map[string]http.Handler{}
	for i := range benchClusters {
		handlers[fmt.Sprintf("c%03d", i)] = api
	}
	clusters, kubeconfig := fakeClusters(b, handlers)
	b.ReportAllocs()
	var releases int
	for b.Loop() {
		snapshot, err := Reader{Connect: kubeconfig.Connect, Now: time.Now}.Snapshot(b.Context(), clusters)
		if err != nil {
			b.Fatal(err)
		}
		releases = 0
		for _, cluster := range snapshot.Clusters {
			releases += len(cluster.Releases)
		}
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(releases), "releases")
	b.ReportMetric(float64(memory.Sys>>20), "MiB-from-system")
}

// benchRelease is a HelmRelease of the size that they have: six kilobytes, half of it values and managed fields.
func benchRelease(t testing.TB, i int) json.RawMessage {
	t.Helper()
	var object map[string]any
	plain := testRelease{Name: fmt.Sprintf("release-%d", i), Wanted: "1.2.3", Live: "1.2.3", Ready: "True", Message: strings.Repeat("words ", 30)}.object(t)
	if err := json.Unmarshal(plain, &object); err != nil {
		t.Fatal(err)
	}
	values, fields := map[string]any{}, map[string]any{}
	for j := range 40 {
		values[fmt.Sprintf("value%d", j)] = map[string]any{"enabled": true, "replicas": j, "name": "something of a length"}
		fields[fmt.Sprintf("f:value%d", j)] = map[string]any{"f:enabled": map[string]any{}, "f:replicas": map[string]any{}, "f:name": map[string]any{}}
	}
	object["spec"].(map[string]any)["values"] = values
	object["metadata"].(map[string]any)["managedFields"] = []any{map[string]any{"fieldsV1": fields}}
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// benchReport is the report of a snapshot of that size.
func benchReport() Report {
	report := Report{Time: testNow()}
	for cluster := range benchClusters {
		for component := range benchReleases {
			name := fmt.Sprint("c", component)
			report.Rows = append(report.Rows, Row{
				Component: name, Cluster: fmt.Sprint("k", cluster), State: OK, Pinned: &PinnedVersion{Version: "1", Since: testNow()}, Live: &LiveVersion{Version: "1"},
				Behind: &Behind{}, Releases: []ReleaseStatus{{Name: name, State: OK, Ready: "True", DriftKnown: true}},
			})
		}
	}
	return report
}

// BenchmarkScrape is one scrape of 20,000 releases; BenchmarkMetrics is what is done once for all scrapes of a view.
func BenchmarkScrape(b *testing.B) {
	exporter := &Exporter{}
	if err := exporter.show(View{Report: benchReport()}); err != nil {
		b.Fatal(err)
	}
	handler := exporter.Handler()
	for b.Loop() {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", nil))
		if recorder.Code != http.StatusOK || bytes.Count(recorder.Body.Bytes(), []byte("tfgitops_pin_info{")) != benchClusters*benchReleases {
			b.Fatalf("answered %d", recorder.Code)
		}
	}
}

func BenchmarkMetrics(b *testing.B) {
	view := View{Report: benchReport()}
	for b.Loop() {
		if err := writeMetrics(io.Discard, view); err != nil {
			b.Fatal(err)
		}
	}
}
