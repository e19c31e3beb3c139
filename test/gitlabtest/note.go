package gitlabtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

type note struct {
	ID        int       `json:"id"`
	Body      string    `json:"body"`
	Author    user      `json:"author"`
	System    bool      `json:"system"`
	CreatedAt time.Time `json:"created_at"`
}

func itoa(n int) string { return strconv.Itoa(n) }

// maxText is GitLab's limit of a note and of a description, in characters.
const maxText = 1_000_000

// quickActions are some of what GitLab does when a line of a text begins with it.
var quickActions = []string{"/merge", "/approve", "/close", "/label", "/assign", "/ready", "/target_branch"}

// checkText fails the test where a text would be refused, or would make GitLab do something.
func (s *Server) checkText(r *request, text string) bool {
	if utf8.RuneCountInString(text) > maxText {
		return false
	}
	fence := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if run := line[:len(line)-len(strings.TrimLeft(line, "`"))]; len(run) >= 3 {
			if fence == "" {
				fence = run
			} else if run == line && len(run) >= len(fence) {
				fence = ""
			}
			continue
		}
		for _, action := range quickActions {
			if fence == "" && strings.HasPrefix(line, action) {
				s.t.Errorf("gitlabtest: %s %s: GitLab would carry out %q", r.Method, r.URL.Path, line)
			}
		}
	}
	return true
}

func listNotes(r *request, m *mergeRequest) answer {
	r.query("order_by", "sort")
	newestFirst := slices.Clone(m.notes)
	slices.Reverse(newestFirst)
	return page(r, newestFirst)
}

type noteText struct {
	Body string `json:"body"`
}

func createNote(r *request, m *mergeRequest) answer {
	var text noteText
	if !r.decode(&text) || text.Body == "" || !r.s.checkText(r, text.Body) {
		return refuse(http.StatusBadRequest, "Note is invalid or too long (maximum is 1000000 characters)")
	}
	return answer{status: http.StatusCreated, body: r.s.write(m, r.user, text.Body)}
}

func (s *Server) write(m *mergeRequest, author int, body string) *note {
	m.p.notes++
	n := &note{ID: m.p.notes, Body: strings.TrimSpace(body), Author: s.user(author), CreatedAt: time.Date(2026, 8, 2, 0, 0, m.p.notes, 0, time.UTC)}
	m.notes = append(m.notes, n)
	return n
}

func updateNote(r *request, m *mergeRequest) answer {
	var text noteText
	if !r.decode(&text) || text.Body == "" || !r.s.checkText(r, text.Body) {
		return refuse(http.StatusBadRequest, "Note is invalid or too long (maximum is 1000000 characters)")
	}
	for _, n := range m.notes {
		if itoa(n.ID) != r.PathValue("note") {
			continue
		}
		if n.Author.ID != r.user {
			return refuse(http.StatusForbidden, "403 Forbidden")
		}
		n.Body = strings.TrimSpace(text.Body)
		return ok(n)
	}
	return refuse(http.StatusNotFound, "404 Note Not Found")
}

func deleteNote(r *request, m *mergeRequest) answer {
	for i, n := range m.notes {
		if itoa(n.ID) == r.PathValue("note") {
			if n.Author.ID != r.user {
				return refuse(http.StatusForbidden, "403 Forbidden")
			}
			m.notes = slices.Delete(m.notes, i, i+1)
			return answer{status: http.StatusNoContent}
		}
	}
	return refuse(http.StatusNotFound, "404 Note Not Found")
}
