package bump

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// maxChangelog is how many commits a changelog lists; the rest is counted.
const maxChangelog = 50

// Changelog is what a component's source says between two commits.
type Changelog struct {
	Old, New string
	Commits  []SourceCommit
	// More is how many older commits are not listed.
	More int
	// Compare is the address of the source's own comparison; empty where it is not known.
	Compare string
}

// SourceCommit is one commit of a component's source.
type SourceCommit struct {
	ID      string
	Subject string
	Author  string
	Bugs    []string
}

// changelog reads what lies between the pinned commit and the new one, the first that differ.
func (w *planning) changelog(ctx context.Context) error {
	change, ok := w.commitChange()
	if !ok {
		return nil
	}
	w.plan.Changelog = &Changelog{Old: change.Old.Commit, New: change.New.Commit, Compare: gitrepo.CompareLink(w.component.Source.URL, change.Old.Commit, change.New.Commit)}
	if w.plan.Request.Op == OpRollback {
		w.plan.Changelog.Compare = gitrepo.CompareLink(w.component.Source.URL, change.New.Commit, change.Old.Commit) // what is undone
		return nil                                                                                                   // it must work when the source is down
	}
	source, _ := w.openSource() // checkAncestry has said why it cannot be opened
	if source == nil {
		return nil
	}
	commits, err := source.Commits(ctx, change.Old.Commit, change.New.Commit, maxChangelog)
	if err != nil {
		w.plan.say(fmt.Sprintf("no list of commits from %s to %s: %v", change.Old.Commit, change.New.Commit, err))
		return nil
	}
	w.plan.Changelog.More = commits.More
	for _, commit := range commits.Commits {
		w.plan.Changelog.Commits = append(w.plan.Changelog.Commits, sourceCommit(commit))
	}
	return nil
}

func (w *planning) commitChange() (Change, bool) {
	if w.component.Source == nil {
		return Change{}, false
	}
	for _, change := range w.plan.Changed() {
		if change.Old != nil && change.Old.Commit != "" && change.New.Commit != "" && !sameCommit(change.Old.Commit, change.New.Commit) {
			return change, true
		}
	}
	return Change{}, false
}

func sourceCommit(commit *gitrepo.Commit) SourceCommit {
	return SourceCommit{ID: commit.ID, Subject: oneLine(commit.Subject), Author: oneLine(commit.Author.Name), Bugs: commit.Tasks()}
}

// Bugs returns the tasks of all commits, each once, sorted.
func (c *Changelog) Bugs() []string {
	if c == nil {
		return nil
	}
	var bugs []string
	for _, commit := range c.Commits {
		bugs = append(bugs, commit.Bugs...)
	}
	slices.Sort(bugs)
	return slices.Compact(bugs)
}

// maxSubject is as much of a foreign commit's subject as is shown.
const maxSubject = 120

// oneLine makes a stranger's text harmless, and not endless.
func oneLine(text string) string {
	text = plainText(text)
	if runes := []rune(text); len(runes) > maxSubject {
		text = string(runes[:maxSubject-1]) + "…"
	}
	return text
}

// plainText makes a text one line of valid UTF-8 without control characters and without those that change its direction
// or are not seen.
func plainText(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r), r < ' ', r == 0x7f:
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
