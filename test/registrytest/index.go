package registrytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

const chartsPath = "/charts/"

// chartRepository is one HTTP chart repository.
type chartRepository struct {
	entries  map[string][]IndexEntry
	archives map[string][]byte
	index    []byte // replaces the one made from the entries
}

// IndexEntry is a version in an index.yaml.
type IndexEntry struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Created string   `json:"created,omitempty"`
	Digest  string   `json:"digest,omitempty"`
	URLs    []string `json:"urls"`
}

// AddChart publishes a chart in the HTTP repository of that name, at a relative URL. The change func, if any, may spoil the
// entry first. It gives the archive's digest.
func (s *Server) AddChart(repo string, c Chart, change func(*IndexEntry)) (digest string, err error) {
	archive, err := c.Archive()
	if err != nil {
		return "", err
	}
	file := fmt.Sprintf("%s-%s.tgz", c.Name, c.Version)
	entry := IndexEntry{Name: c.Name, Version: c.Version, Digest: digestHex(archive), URLs: []string{file}}
	if !c.Created.IsZero() {
		entry.Created = c.Created.UTC().Format(time.RFC3339Nano)
	}
	if change != nil {
		change(&entry)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.chartRepository(repo)
	r.entries[c.Name] = append(r.entries[c.Name], entry)
	r.archives[file] = archive
	return "sha256:" + digestHex(archive), nil
}

// SetIndex replaces the index.yaml of an HTTP repository.
func (s *Server) SetIndex(repo string, index []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chartRepository(repo).index = index
}

func (s *Server) chartRepository(name string) *chartRepository {
	if s.charts[name] == nil {
		s.charts[name] = &chartRepository{entries: map[string][]IndexEntry{}, archives: map[string][]byte{}}
	}
	return s.charts[name]
}

func (s *Server) serveCharts(w http.ResponseWriter, r *http.Request) {
	repo, file := path.Split(strings.TrimPrefix(r.URL.Path, chartsPath))
	data, ok := s.chartFile(strings.TrimSuffix(repo, "/"), file)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Write(data)
}

func (s *Server) chartFile(repo, file string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.charts[repo]
	if r == nil {
		return nil, false
	}
	if file == "index.yaml" {
		return r.indexYAML(), true
	}
	data, ok := r.archives[file]
	return data, ok
}

// indexYAML is JSON, which is YAML.
func (r *chartRepository) indexYAML() []byte {
	if r.index != nil {
		return r.index
	}
	data, _ := json.MarshalIndent(map[string]any{"apiVersion": "v1", "entries": r.entries}, "", "  ") // strings alone cannot fail
	return data
}
