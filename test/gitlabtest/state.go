package gitlabtest

import (
	"fmt"
	"slices"
)

// MergeRequest is what tests see of a merge request.
type MergeRequest struct {
	IID                       int
	State, Title, Description string
	Source, Target, SHA       string
	Draft, AutoMerge          bool
	Labels, Reviewers         []string
	Author                    string
	Notes                     []Note
}

// Note is what tests see of a note.
type Note struct{ Author, Body string }

// MergeRequests are those of a project, the oldest first.
func (s *Server) MergeRequests(path string) []MergeRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(path)
	if p == nil {
		return nil
	}
	var found []MergeRequest
	for _, m := range p.merges {
		unchecked := m.unchecked
		s.refresh(m)
		m.unchecked = unchecked
		found = append(found, seen(m))
	}
	return found
}

func seen(m *mergeRequest) MergeRequest {
	found := MergeRequest{
		IID: m.IID, State: m.State, Title: m.Title, Description: m.Description, Source: m.SourceBranch, Target: m.TargetBranch, SHA: m.SHA,
		Draft: m.Draft, AutoMerge: m.AutoMerge, Labels: slices.Clone(m.Labels), Author: m.Author.Username,
	}
	for _, reviewer := range m.Reviewers {
		found.Reviewers = append(found.Reviewers, reviewer.Username)
	}
	for _, n := range m.notes {
		found.Notes = append(found.Notes, Note{n.Author.Username, n.Body})
	}
	return found
}

// Open opens a merge request as a user does; from a fork where fork says so.
func (s *Server) Open(path, source, target, author string, fork bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.project(path)
	from := p.id
	if fork {
		from = 1000 + p.id
	}
	m := s.open(p, source, target, from)
	m.Title, m.Author = fmt.Sprintf("A change of %s", author), s.user(s.userID(author))
	return m.IID
}

// Write adds a note as a user does.
func (s *Server) Write(path string, iid int, author, body string) {
	s.change(path, iid, func(m *mergeRequest) { s.write(m, s.userID(author), body) })
}

// Label adds a label as a user does.
func (s *Server) Label(path string, iid int, label string) {
	s.change(path, iid, func(m *mergeRequest) { m.Labels = append(m.Labels, label) })
}

// Review adds a reviewer as a user does.
func (s *Server) Review(path string, iid int, name string) {
	s.change(path, iid, func(m *mergeRequest) { m.Reviewers = append(m.Reviewers, s.user(s.userID(name))) })
}

// CloseRequest closes a merge request as a user does.
func (s *Server) CloseRequest(path string, iid int) {
	s.change(path, iid, func(m *mergeRequest) { m.State = "closed" })
}

// Merge merges as a user does. Under the merge method fast-forward it is rebased first where that is needed.
func (s *Server) Merge(path string, iid int) {
	s.change(path, iid, func(m *mergeRequest) {
		s.refresh(m)
		if s.git(m.p, "merge-base", m.TargetBranch, m.SHA) != s.branch(m.p, m.TargetBranch) {
			s.rebase(m)
			s.refresh(m)
		}
		s.merge(m)
	})
}

// SetStatus sets a merge request's detailed_merge_status.
func (s *Server) SetStatus(path string, iid int, status string) {
	s.change(path, iid, func(m *mergeRequest) { m.status = status })
}

// SetMergeError has a rebase fail.
func (s *Server) SetMergeError(path string, iid int, text string) {
	s.change(path, iid, func(m *mergeRequest) { m.MergeError = text })
}

// SetPipeline sets the state of a merge request's pipeline; "" for none.
func (s *Server) SetPipeline(path string, iid int, state string) {
	s.change(path, iid, func(m *mergeRequest) { m.state = state })
}

func (s *Server) change(path string, iid int, do func(*mergeRequest)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.project(path).merges {
		if m.IID == iid {
			do(m)
			return
		}
	}
	s.t.Errorf("gitlabtest: there is no merge request !%d", iid)
}
