package live

import (
	"strings"
	"time"
)

// PinChange is one change of a pin in the control repo's history.
type PinChange struct {
	Time      time.Time `json:"time"`
	Cluster   string    `json:"cluster"`
	Component string    `json:"component"`
	Op        string    `json:"op"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	By        string    `json:"by"`
	Commit    string    `json:"commit"`
	Subject   string    `json:"subject"`
}

// History is what the control repo's Git history says.
type History struct {
	// Head is the commit that is looked at.
	Head string
	// Changes are those of the pins, newest first.
	Changes []PinChange
	// Unapplied are, by cluster, the commits of Head's branch that its Kustomization has not applied, newest first: a merge
	// counts once and as of when it was merged. A cluster that is not there could not be compared.
	Unapplied map[string][]Commit
}

// Commit is one commit of a Git history.
type Commit struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Author  string    `json:"author"`
	Subject string    `json:"subject"`
	// Tasks are those that the commit's trailers name.
	Tasks []string `json:"tasks,omitempty"`
}

// pinned returns the change that brought the version that is pinned now, or nothing where that is not in the history.
func (h History) pinned(cluster, component string) (PinChange, bool) {
	for _, change := range h.Changes {
		if change.Cluster == cluster && change.Component == component && change.From != change.To {
			return change, true
		}
	}
	return PinChange{}, false
}

// appliedCommit is the commit in a revision as Flux writes it: main@sha1:…, or sha1:… where that is all that is known.
func appliedCommit(revision string) string {
	id, found := strings.CutPrefix(revision[strings.LastIndex(revision, "@")+1:], "sha1:")
	if !found {
		return ""
	}
	return id
}

// oldest returns the time of the oldest of some commits, the newest of which is first.
func oldest(commits []Commit) time.Time {
	var at time.Time
	for _, commit := range commits {
		if at.IsZero() || commit.Time.Before(at) {
			at = commit.Time
		}
	}
	return at
}
