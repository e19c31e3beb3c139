package registrytest

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Options configure a Server. The zero value is an open registry with pages of 1000 tags.
type Options struct {
	// PageSize is the most tags of one page; 0: 1000. A client's smaller n is honoured.
	PageSize int
	// Auth, if set, is required of every request over HTTP.
	Auth *Auth
}

// Server is a registry. Its methods are safe for concurrent use; those that push and delete bypass authentication, faults
// and the log.
type Server struct {
	options Options
	inner   http.Handler // go-containerregistry's

	listener net.Listener
	http     *http.Server

	mu       sync.Mutex
	faults   []*Fault
	requests []*Request
	charts   map[string]*chartRepository
}

// Start listens on a free port of 127.0.0.1 until Close.
func Start(o Options) (*Server, error) {
	return Listen("127.0.0.1:0", o)
}

// Listen is Start on an address of one's own, which must be on loopback.
func Listen(address string, o Options) (*Server, error) {
	if host, _, err := net.SplitHostPort(address); err != nil || !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("registry: address %q is not on loopback: write 127.0.0.1:PORT", address)
	}
	listener, err := net.Listen("tcp", address) //nolint:noctx // it lasts until Close
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	s := &Server{
		options:  o,
		inner:    registry.New(registry.Logger(log.New(io.Discard, "", 0))),
		listener: listener,
		charts:   map[string]*chartRepository{},
	}
	s.http = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second}
	go s.http.Serve(listener)
	return s, nil
}

// TB is the part of testing.TB that ForTest needs, so that this package does not import testing.
type TB interface {
	// Helper marks the caller as a helper.
	Helper()
	// Fatalf ends the test.
	Fatalf(format string, args ...any)
	// Cleanup calls a function when the test ends.
	Cleanup(fn func())
}

// ForTest starts a Server that ends with the test.
func ForTest(t TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatalf("starting a registry: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Fatalf("closing the registry: %v", err)
		}
	})
	return s
}

// Close stops listening and ends every connection.
func (s *Server) Close() error {
	if err := s.http.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

// Host is 127.0.0.1:PORT.
func (s *Server) Host() string { return s.listener.Addr().String() }

// OCI is the address of a path in the registry: oci://127.0.0.1:PORT/path.
func (s *Server) OCI(path string) string { return "oci://" + s.Host() + "/" + path }

// HTTP is the address of an HTTP chart repository: http://127.0.0.1:PORT/charts/path.
func (s *Server) HTTP(path string) string { return "http://" + s.Host() + chartsPath + path }

// ServeHTTP logs, injects faults, authenticates and answers, in this order.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	recorder := &statusRecorder{ResponseWriter: w}
	entry := s.begin(r)
	defer func() { s.end(entry, recorder.status) }()
	if fault := s.fault(r); fault != nil && !fault.serve(recorder, r, s.answer) {
		return
	}
	s.answer(recorder, r)
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if s.options.Auth != nil && !s.options.Auth.admit(w, r) {
		return
	}
	switch {
	case strings.HasPrefix(r.URL.Path, chartsPath):
		s.serveCharts(w, r)
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/tags/list"):
		s.serveTags(w, r)
	default:
		s.inner.ServeHTTP(w, r)
	}
}

// Request is one request that came over HTTP.
type Request struct {
	Method, Path, Query string
	UserAgent           string
	Authorization       string // the scheme alone: "Basic", "Bearer" or empty
	Status              int    // 0: not answered
}

// Requests lists those that came, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Request
	for _, r := range s.requests {
		all = append(all, *r)
	}
	return all
}

// Forget empties the log.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

func (s *Server) begin(r *http.Request) *Request {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	entry := &Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, UserAgent: r.UserAgent(), Authorization: scheme,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, entry)
	return entry
}

func (s *Server) end(entry *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Status = status
}

// statusRecorder notes the status; 0 until there is an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
