package gitlabtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Fault spoils requests to the API. What is set happens in the order of the fields.
type Fault struct {
	Method string // empty: every method
	Path   string // a part of the path; empty: every path
	Times  int    // how many requests; 0: all of them

	Delay  time.Duration     // wait first
	Header map[string]string // then add these headers
	Status int               // then answer with this status and Body
	Body   string
	Lost   bool // or else carry the request out, and close the connection without an answer
}

// Fail adds a fault. Where several match a request, the one added first applies.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// fault takes the fault for a request, using it up.
func (s *Server) fault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Method != "" && f.Method != r.Method || !strings.Contains(r.URL.EscapedPath(), f.Path) {
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

// before applies what comes before the answer, and tells whether the request is still to be answered.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return false
		}
	}
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	if f.Status == 0 {
		return true
	}
	w.WriteHeader(f.Status)
	fmt.Fprint(w, f.Body)
	return false
}

func hangUp(w http.ResponseWriter) {
	if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
		connection.Close()
	}
}
