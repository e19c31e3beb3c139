package gitlabtest

import (
	"fmt"
	"net/http"
	"regexp"
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

// checkText fails the test where a text would make GitLab do something, and reports whether it would be taken.
func (s *Server) checkText(r *request, text string) bool {
	for _, harm := range Harm(text) {
		s.t.Errorf("gitlabtest: %s %s: %s", r.Method, r.URL.Path, harm)
	}
	return utf8.RuneCountInString(text) <= maxText
}

// Harm returns what GitLab would do on reading a text as Markdown, beyond showing it, and what people would not see of it.
func Harm(text string) []string {
	var found []string
	for line := range strings.Lines(withoutCode(text)) {
		for _, action := range quickActions {
			if strings.HasPrefix(strings.TrimSpace(line), action) {
				found = append(found, fmt.Sprintf("it would carry out %q", line))
			}
		}
		if mention.MatchString(line) {
			found = append(found, fmt.Sprintf("it would tell somebody of %q", line))
		}
	}
	if strings.ContainsAny(text, "\u202e\u202d\u2066\u2067\u200b") {
		found = append(found, "there are characters that are not seen")
	}
	return found
}

// mention is what GitLab takes for one.
var mention = regexp.MustCompile(`(^|[^\w` + "`" + `])@\w`)

// fence begins and ends a block of code.
var fence = regexp.MustCompile("^ {0,3}(`{3,})")

// withoutCode leaves of Markdown what is no code: no block between fences, and no span between equal runs of backticks.
func withoutCode(text string) string {
	var kept strings.Builder
	open := ""
	for line := range strings.Lines(text) {
		found := fence.FindStringSubmatch(line)
		switch {
		case found != nil && open == "" && !strings.Contains(strings.TrimSpace(line)[len(found[1]):], "`"):
			open = found[1]
		case found != nil && len(found[1]) >= len(open) && open != "" && strings.TrimSpace(line) == found[1]:
			open = ""
		case open == "":
			kept.WriteString(withoutSpans(line))
		}
	}
	return kept.String()
}

// run is a run of backticks.
var run = regexp.MustCompile("`+")

func withoutSpans(line string) string {
	var kept strings.Builder
	for {
		from := run.FindStringIndex(line)
		if from == nil {
			return kept.String() + line
		}
		fence, rest := line[from[0]:from[1]], line[from[1]:]
		end := -1
		for _, to := range run.FindAllStringIndex(rest, -1) {
			if rest[to[0]:to[1]] == fence {
				end = to[1]
				break
			}
		}
		if end < 0 { // the backticks are text
			kept.WriteString(line[:from[1]])
			line = rest
			continue
		}
		kept.WriteString(line[:from[0]] + "`")
		line = rest[end:]
	}
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
