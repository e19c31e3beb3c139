package registrytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

type tagList struct {
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// serveTags answers one page. go-containerregistry's registry cuts the list to n and says nothing of a next page.
func (s *Server) serveTags(w http.ResponseWriter, r *http.Request) {
	all, whole := s.allTags(r.URL.Path)
	if whole.status != http.StatusOK {
		w.WriteHeader(whole.status)
		w.Write(whole.body.Bytes())
		return
	}
	page, more := pageOf(all.Tags, r.URL.Query().Get("last"), s.pageSize(r.URL.Query().Get("n")))
	if more {
		next := url.Values{"last": {page[len(page)-1]}, "n": {strconv.Itoa(len(page))}}
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, next.Encode()))
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(tagList{Name: all.Name, Tags: page})
}

func (s *Server) allTags(path string) (tagList, *answer) {
	whole := s.direct(http.MethodGet, path, nil, nil)
	var all tagList
	if json.NewDecoder(bytes.NewReader(whole.body.Bytes())).Decode(&all) != nil && whole.status == http.StatusOK {
		whole.status = http.StatusInternalServerError
	}
	return all, whole
}

func (s *Server) pageSize(asked string) int {
	size := s.options.PageSize
	if size <= 0 {
		size = 1000
	}
	if n, err := strconv.Atoi(asked); err == nil && n > 0 {
		size = min(size, n)
	}
	return size
}

// pageOf takes the tags after last, which are sorted.
func pageOf(tags []string, last string, size int) (page []string, more bool) {
	start, found := slices.BinarySearch(tags, last)
	if found {
		start++
	}
	end := min(start+size, len(tags))
	return tags[start:end], end < len(tags)
}
