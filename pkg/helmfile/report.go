package helmfile

import (
	"cmp"
	"slices"
)

// Status says what became of a construct.
type Status string

// The statuses.
const (
	// Mapped is carried over.
	Mapped Status = "mapped"
	// Dropped has no meaning without helmfile.
	Dropped Status = "dropped"
	// Todo is for a person: it has no counterpart, or the importer cannot know.
	Todo Status = "to do"
	// Failed keeps its component from being imported.
	Failed Status = "failed"
)

// Item is one construct of the imported repo.
type Item struct {
	Position
	// Component is the one that it belongs to, if any.
	Component string `json:"component,omitempty"`
	// Construct names it: releases[].needs, values.chartVersion, template.secret.
	Construct string `json:"construct"`
	Status    Status `json:"status"`
	// Text says what it became.
	Text string `json:"text,omitempty"`
	// Help says what to do.
	Help string `json:"help,omitempty"`
}

// SecretKey is one key of a Secret that must be there before Flux deploys a release.
type SecretKey struct {
	Cluster string `json:"cluster"`
	Release string `json:"release"`
	Secret  string `json:"secret"`
	Key     string `json:"key"`
	// TargetPath is the value that it becomes; empty where it holds values as a whole.
	TargetPath string `json:"targetPath,omitempty"`
	// Content says what to put there, with <names> for what the commands print.
	Content string `json:"content"`
	// Sources are the commands and references that helmfile took it from.
	Sources []string `json:"sources"`
}

// Compared is one release on one cluster whose rendered HelmRelease was compared with what helmfile deploys.
type Compared struct {
	Cluster     string `json:"cluster"`
	Environment string `json:"environment"`
	Component   string `json:"component"`
	Release     string `json:"release"`
	// Differences are what is not the same: none, if the import is right.
	Differences []string `json:"differences"`
}

// Written is a file that the import changes.
type Written struct {
	Path string `json:"path"`
	Verb string `json:"verb"`
}

// Report is what an import did.
type Report struct {
	// Version is that of this format.
	Version int `json:"version"`
	// Clusters are the names of the environments, and what they became.
	Clusters map[string]string `json:"clusters"`
	// Components are the names of those that were imported.
	Components []string    `json:"components"`
	Items      []Item      `json:"items"`
	Secrets    []SecretKey `json:"secrets"`
	Proof      []Compared  `json:"proof"`
	// Helmfile is the comparison with what helmfile itself writes, if it was asked for.
	Helmfile []Compared `json:"helmfile,omitempty"`
	Files    []Written  `json:"files"`
}

// Failed returns the items that kept a component from being imported.
func (r *Report) Failed() []Item {
	return slices.DeleteFunc(slices.Clone(r.Items), func(i Item) bool { return i.Status != Failed })
}

// Different returns the releases that are not what helmfile deploys.
func (r *Report) Different() []Compared {
	return slices.DeleteFunc(slices.Concat(r.Proof, r.Helmfile), func(c Compared) bool { return len(c.Differences) == 0 })
}

// notes gathers items, each once.
type notes struct {
	component string
	items     []Item
	seen      map[Item]bool
}

func newNotes() *notes { return &notes{seen: map[Item]bool{}} }

func (n *notes) add(items ...Item) {
	for _, item := range items {
		item.Component = cmp.Or(item.Component, n.component)
		if !n.seen[item] {
			n.seen[item] = true
			n.items = append(n.items, item)
		}
	}
}

func (n *notes) failed() bool {
	return slices.ContainsFunc(n.items, func(i Item) bool { return i.Status == Failed })
}

// sorted returns the items by place.
func (n *notes) sorted() []Item {
	items := slices.Clone(n.items)
	slices.SortStableFunc(items, func(a, b Item) int {
		return cmp.Or(comparePositions(a.Position, b.Position), cmp.Compare(a.Construct, b.Construct), cmp.Compare(a.Text, b.Text))
	})
	return items
}
