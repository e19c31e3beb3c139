package registrytest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault spoils requests. What is set happens in the order of the fields.
type Fault struct {
	Method string // empty: every method
	Path   string // a part of the path; empty: every path
	Times  int    // how many requests; 0: all of them until ClearFaults

	Delay    time.Duration     // wait first
	Close    bool              // then close the connection without an answer
	Header   map[string]string // then add these headers
	Status   int               // then answer with this status and Body
	Body     string            // for a Status; empty: an error of the specification's form
	Truncate bool              // or else answer as usual, but close the connection halfway through the body
}

// Fail adds a fault. Where several match a request, the one added first applies.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault takes the fault for a request, using it up.
func (s *Server) fault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method != "" && f.Method != r.Method || !strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		found := *f
		if f.Times--; f.Times == 0 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		}
		return &found
	}
	return nil
}

// serve applies the fault and tells whether the request is still to be answered.
func (f *Fault) serve(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) bool {
	if f.Delay > 0 && !wait(r, f.Delay) {
		return false
	}
	if f.Close {
		hangUp(w)
		return false
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	switch {
	case f.Status != 0:
		f.answerStatus(w)
		return false
	case f.Truncate:
		truncate(w, r, answer)
		return false
	}
	return true
}

func wait(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (f *Fault) answerStatus(w http.ResponseWriter) {
	if f.Body == "" {
		writeError(w, f.Status, "UNKNOWN", "a fault that was asked for")
		return
	}
	w.WriteHeader(f.Status)
	w.Write([]byte(f.Body))
}

func hangUp(w http.ResponseWriter) {
	if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
		connection.Close()
	}
}

// truncate announces the whole length and sends half of it.
func truncate(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) {
	whole := newAnswer()
	answer(whole, r)
	for name, values := range whole.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(whole.body.Len()))
	w.WriteHeader(whole.status)
	w.Write(whole.body.Bytes()[:whole.body.Len()/2])
	http.NewResponseController(w).Flush()
	hangUp(w)
}

// answer keeps a handler's answer.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}, status: http.StatusOK} }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
