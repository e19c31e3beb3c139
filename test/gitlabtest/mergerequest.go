package gitlabtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// mergeRequest is as GitLab writes it, as far as anything reads it.
type mergeRequest struct {
	IID             int       `json:"iid"`
	WebURL          string    `json:"web_url"`
	State           string    `json:"state"`
	Title           string    `json:"title"`
	Description     string    `json:"description"`
	Draft           bool      `json:"draft"`
	SourceBranch    string    `json:"source_branch"`
	TargetBranch    string    `json:"target_branch"`
	SourceProjectID int       `json:"source_project_id"`
	TargetProjectID int       `json:"target_project_id"`
	Labels          []string  `json:"labels"`
	Reviewers       []user    `json:"reviewers"`
	Author          user      `json:"author"`
	SHA             string    `json:"sha"`
	CreatedAt       time.Time `json:"created_at"`
	Detailed        string    `json:"detailed_merge_status"`
	AutoMerge       bool      `json:"merge_when_pipeline_succeeds"`
	Rebasing        bool      `json:"rebase_in_progress"`
	MergeError      string    `json:"merge_error"`
	Pipeline        *pipeline `json:"head_pipeline"`

	p         *project
	notes     []*note
	unchecked int
	status    string // what a test says of it, before all else
	state     string // of its pipeline
}

type pipeline struct {
	SHA    string `json:"sha"`
	Status string `json:"status"`
}

// refresh works out what GitLab says of a merge request now.
func (s *Server) refresh(m *mergeRequest) {
	if m.State == "opened" {
		if at := s.branch(m.p, m.SourceBranch); at != "" && m.SourceProjectID == m.TargetProjectID {
			m.SHA = at
		}
	}
	m.Draft = strings.HasPrefix(m.Title, "Draft:")
	m.Pipeline = nil
	if m.state != "" {
		m.Pipeline = &pipeline{m.SHA, m.state}
	}
	m.Detailed = s.detailed(m)
}

func (s *Server) detailed(m *mergeRequest) string {
	switch {
	case m.State != "opened":
		return "not_open"
	case m.unchecked > 0:
		m.unchecked--
		return "checking"
	case m.status != "":
		return m.status
	case m.Draft:
		return "draft_status"
	case s.options.FastForward && s.git(m.p, "merge-base", m.TargetBranch, m.SHA) != s.branch(m.p, m.TargetBranch):
		return "need_rebase"
	case m.state == "running":
		return "ci_still_running"
	case m.state != "success" && m.state != "":
		return "ci_must_pass"
	}
	return "mergeable"
}

func listMergeRequests(r *request) answer {
	values := r.query("state", "source_branch", "target_branch", "order_by", "sort")
	matches := func(name, value string) bool { return values.Get(name) == "" || values.Get(name) == value }
	var found []*mergeRequest
	for _, m := range r.project.merges {
		r.s.refresh(m)
		if matches("state", m.State) && matches("source_branch", m.SourceBranch) && matches("target_branch", m.TargetBranch) {
			found = append(found, m)
		}
	}
	if values.Get("sort") != "asc" {
		slices.Reverse(found)
	}
	return page(r, found)
}

type creation struct {
	Title              string `json:"title"`
	Description        string `json:"description"`
	SourceBranch       string `json:"source_branch"`
	TargetBranch       string `json:"target_branch"`
	Labels             string `json:"labels"`
	ReviewerIDs        []int  `json:"reviewer_ids"`
	RemoveSourceBranch bool   `json:"remove_source_branch"`
}

func createMergeRequest(r *request) answer {
	var c creation
	if !r.decode(&c) || c.Title == "" || c.SourceBranch == "" || c.TargetBranch == "" {
		return refuse(http.StatusBadRequest, "title, source_branch and target_branch are required")
	}
	r.s.checkText(r, c.Description)
	for _, m := range r.project.merges {
		if m.State == "opened" && m.SourceBranch == c.SourceBranch && m.TargetBranch == c.TargetBranch && m.SourceProjectID == r.project.id {
			return answer{status: http.StatusConflict, body: map[string]any{"message": []string{"Another open merge request already exists for this source branch: !" + itoa(m.IID)}}}
		}
	}
	if r.s.unseen[c.SourceBranch]++; r.s.branch(r.project, c.SourceBranch) == "" || r.s.unseen[c.SourceBranch] <= r.s.options.Unseen {
		return answer{status: http.StatusUnprocessableEntity, body: map[string]any{"message": []string{`Source branch "` + c.SourceBranch + `" does not exist`}}}
	}
	m := r.s.open(r.project, c.SourceBranch, c.TargetBranch, r.project.id)
	m.Title, m.Description, m.Labels, m.Author = c.Title, c.Description, splitLabels(c.Labels), r.s.user(r.user)
	m.Reviewers = r.s.usersOf(c.ReviewerIDs)
	r.s.refresh(m)
	return answer{status: http.StatusCreated, body: m}
}

// open adds a merge request to a project.
func (s *Server) open(p *project, source, target string, from int) *mergeRequest {
	m := &mergeRequest{
		IID: len(p.merges) + 1, State: "opened", SourceBranch: source, TargetBranch: target, SourceProjectID: from, TargetProjectID: p.id,
		Labels: []string{}, Reviewers: []user{}, p: p, CreatedAt: time.Date(2026, 8, 1, 0, 0, len(p.merges), 0, time.UTC), unchecked: s.options.Unchecked,
	}
	m.WebURL = s.URL + "/" + p.path + "/-/merge_requests/" + itoa(m.IID)
	if !s.options.NoPipelines {
		m.state = "running"
	}
	p.merges = append(p.merges, m)
	return m
}

func splitLabels(text string) []string {
	return slices.DeleteFunc(strings.Split(text, ","), func(label string) bool { return label == "" })
}

func (s *Server) usersOf(ids []int) []user {
	found := []user{}
	for _, id := range ids {
		if id < 1 || id > len(s.users) {
			s.t.Errorf("gitlabtest: there is no user %d", id)
			continue
		}
		found = append(found, s.user(id))
	}
	return found
}

func getMergeRequest(r *request, m *mergeRequest) answer {
	r.query()
	r.s.refresh(m)
	m.Rebasing = false
	return ok(m)
}

type update struct {
	Title       *string `json:"title"`
	AddLabels   string  `json:"add_labels"`
	ReviewerIDs []int   `json:"reviewer_ids"`
	StateEvent  string  `json:"state_event"`
}

// updateMergeRequest takes no labels, description or branch: who sends those overwrites what people wrote.
func updateMergeRequest(r *request, m *mergeRequest) answer {
	var u update
	if !r.decode(&u) {
		return refuse(http.StatusBadRequest, "what is that?")
	}
	if m.State == "merged" && u.StateEvent != "" {
		return refuse(http.StatusUnprocessableEntity, "it is merged")
	}
	if u.Title != nil {
		m.Title = *u.Title
	}
	for _, label := range splitLabels(u.AddLabels) {
		if !slices.Contains(m.Labels, label) {
			m.Labels = append(m.Labels, label)
		}
	}
	if u.ReviewerIDs != nil {
		m.Reviewers = r.s.usersOf(u.ReviewerIDs)
	}
	if u.StateEvent == "close" {
		m.State = "closed"
	}
	r.s.refresh(m)
	return ok(m)
}

type acceptance struct {
	AutoMerge bool   `json:"auto_merge"`
	SHA       string `json:"sha"`
	Remove    bool   `json:"should_remove_source_branch"`
}

func acceptMergeRequest(r *request, m *mergeRequest) answer {
	var a acceptance
	if !r.decode(&a) || a.SHA == "" {
		r.s.t.Errorf("gitlabtest: a merge without the commit that was reviewed")
		return refuse(http.StatusBadRequest, "sha is missing")
	}
	r.s.refresh(m)
	switch {
	case m.Detailed == "checking" || m.Draft || m.State != "opened":
		return refuse(http.StatusMethodNotAllowed, "405 Method Not Allowed")
	case a.SHA != m.SHA:
		return refuse(http.StatusConflict, "SHA does not match HEAD of source branch: %s", m.SHA)
	case m.Detailed == "ci_still_running" && a.AutoMerge, m.Detailed == "not_approved" && a.AutoMerge:
		m.AutoMerge = true
		return ok(m)
	case m.Detailed != "mergeable":
		return refuse(http.StatusUnprocessableEntity, "Branch cannot be merged")
	}
	r.s.merge(m)
	return ok(m)
}

// merge moves the target branch on to the source branch.
func (s *Server) merge(m *mergeRequest) {
	s.git(m.p, "update-ref", "refs/heads/"+m.TargetBranch, m.SHA)
	s.git(m.p, "update-ref", "-d", "refs/heads/"+m.SourceBranch)
	m.State, m.Detailed = "merged", "not_open"
}

// rebaseMergeRequest carries a single commit over to the target's newest.
func rebaseMergeRequest(r *request, m *mergeRequest) answer {
	if m.MergeError == "" {
		r.s.rebase(m)
	}
	m.Rebasing = true
	return answer{status: http.StatusAccepted, body: map[string]any{"rebase_in_progress": true}}
}

func (s *Server) rebase(m *mergeRequest) {
	target := s.branch(m.p, m.TargetBranch)
	tree := s.git(m.p, "merge-tree", "--write-tree", target, m.SHA) // one commit: the merge has what the rebase has
	message := s.git(m.p, "log", "-1", "--format=%B", m.SHA)
	commit := s.git(m.p, "commit-tree", "-p", target, "-m", message, tree)
	if commit == "" {
		s.t.Errorf("gitlabtest: %s does not rebase onto %s", m.SourceBranch, m.TargetBranch)
		return
	}
	s.git(m.p, "update-ref", "refs/heads/"+m.SourceBranch, commit)
}

func ofCommit(r *request) answer {
	commit := r.PathValue("commit")
	found := []*mergeRequest{}
	for _, m := range r.project.merges {
		r.s.refresh(m)
		if m.SHA == commit {
			found = append(found, m)
		}
	}
	return page(r, found)
}
