package live

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// View is what an exporter knows at one moment.
type View struct {
	Report   Report
	Snapshot *Snapshot
	Upstream *Upstream
	// Probes are, by target, when it was read last: clusters, sources, registries, the control repo.
	Probes map[string]time.Time
	// Took is, by part, how long reading took: clusters, upstream, or the whole refresh.
	Took map[string]time.Duration
}

// Exporter serves the newest View as metrics, JSON and a page. Refresh is its only source: one that fails leaves the view
// that was there, which grows old for all to see.
type Exporter struct {
	Refresh  func(ctx context.Context) (View, error)
	Interval time.Duration
	// Jitter returns a number from 0 to 1, so that several exporters do not ask all at once.
	Jitter func() float64
	Sleep  func(ctx context.Context, d time.Duration) error
	// Now is the clock by which the page says how old it is.
	Now func() time.Time
	// Token is what readers of /snapshot and /upstream must send; without one nobody reads it.
	Token string
	// Say is told of refreshes that failed.
	Say func(string)
	// Probes are shown until there is a view: without them nobody would be told that there never is one.
	Probes map[string]time.Time

	mu   sync.RWMutex
	view *View
	// metrics are gzipped: as text, those of 20,000 releases are fourteen mebibytes, a minute each.
	metrics []byte
}

// Run refreshes until the context ends.
func (e *Exporter) Run(ctx context.Context) {
	for ctx.Err() == nil {
		e.refresh(ctx)
		// Between nine and eleven tenths of the interval.
		pause := time.Duration(float64(e.Interval) * (0.9 + 0.2*e.Jitter()))
		if e.Sleep(ctx, pause) != nil {
			return
		}
	}
}

func (e *Exporter) refresh(ctx context.Context) {
	view, err := e.Refresh(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.Say("not refreshed: " + clean(err.Error()))
		}
		return
	}
	if err := e.show(view); err != nil {
		e.Say("not refreshed: " + clean(err.Error()))
	}
}

// show makes a view the current one. Its metrics are written out once: a scrape then costs no more than sending them.
func (e *Exporter) show(view View) error {
	var metrics bytes.Buffer
	compressed, _ := gzip.NewWriterLevel(&metrics, gzip.BestSpeed) // fails on other levels
	if err := errors.Join(writeMetrics(compressed, view), compressed.Close()); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.view, e.metrics = &view, metrics.Bytes()
	return nil
}

// metricsFormat is Prometheus' text form, which every version reads.
const metricsFormat = "text/plain; version=0.0.4; charset=utf-8"

// writeMetrics writes one metric after the other: gathered all at once, those of 20,000 releases take more memory than
// everything that they are made of.
func writeMetrics(out io.Writer, view View) error {
	for _, metric := range allMetrics() {
		registry := prometheus.NewRegistry()
		if err := registry.Register(Collector{View: view, only: metric}); err != nil {
			return err
		}
		families, err := registry.Gather()
		if err != nil {
			return err
		}
		for _, family := range families {
			if _, err := expfmt.MetricFamilyToText(out, family); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Exporter) current() *View {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.view
}

// Handler serves /metrics, /healthz, /readyz, /snapshot, /upstream and the page at /.
func (e *Exporter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", e.scrape)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", e.ready)
	mux.HandleFunc("GET /snapshot", e.document(func(v *View) (any, bool) { return v.Snapshot, v.Snapshot != nil }))
	mux.HandleFunc("GET /upstream", e.document(func(v *View) (any, bool) { return v.Upstream, v.Upstream != nil }))
	mux.HandleFunc("GET /{$}", e.page)
	return mux
}

func (e *Exporter) report() *Report {
	if view := e.current(); view != nil {
		return &view.Report
	}
	return nil
}

func (e *Exporter) scrape(w http.ResponseWriter, r *http.Request) {
	e.mu.RLock()
	metrics := e.metrics
	e.mu.RUnlock()
	w.Header().Set("Content-Type", metricsFormat)
	w.Header().Set("Vary", "Accept-Encoding")
	switch {
	case metrics == nil:
		_ = writeMetrics(w, View{Probes: e.Probes}) // fails on names, which a test holds, or where the reader went away
	case takesGzip(r):
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(metrics)
	default:
		text, err := gzip.NewReader(bytes.NewReader(metrics))
		if err == nil {
			_, _ = io.Copy(w, text) //nolint:gosec // we compressed it ourselves
		}
	}
}

// takesGzip reports whether a reader says that it takes gzip. Prometheus does.
func takesGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if name == "gzip" {
			return strings.Trim(weight, "q=0.") != "" || weight == ""
		}
	}
	return false
}

const notYet = "nothing has been read yet"

func (e *Exporter) ready(w http.ResponseWriter, _ *http.Request) {
	if e.current() == nil {
		http.Error(w, notYet, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// document serves a part of the view as JSON, to those with the token.
func (e *Exporter) document(part func(*View) (document any, known bool)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		given, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if e.Token == "" || !isBearer || !sameSecret(given, e.Token) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the read token is needed", http.StatusUnauthorized)
			return
		}
		view := e.current()
		if view == nil {
			http.Error(w, notYet, http.StatusServiceUnavailable)
			return
		}
		document, known := part(view)
		if !known {
			http.Error(w, notYet, http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = WriteJSON(w, document) // the reader went away
	}
}

// sameSecret takes as long for one that is nearly right as for any other.
func sameSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (e *Exporter) page(w http.ResponseWriter, _ *http.Request) {
	report := e.report()
	if report == nil {
		http.Error(w, notYet, http.StatusServiceUnavailable)
		return
	}
	var page bytes.Buffer
	if err := WritePage(&page, *report, e.Now()); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", Policy()+"; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	_, _ = page.WriteTo(w) // the reader went away
}
