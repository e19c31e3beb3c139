package main

import (
	"context"
	"path/filepath"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// maxCommits is how many commits diff lists of one component; the rest is counted.
const maxCommits = 30

// changelog lists the commits between two from a cached clone of a component's source.
func (o *options) changelog(ctx context.Context, url, old, new string) (*diff.Changelog, error) {
	source, err := gitrepo.OpenSource(ctx, url, filepath.Join(o.cacheDir(), "sources"))
	if err != nil {
		return nil, err
	}
	defer source.Close()
	for _, commit := range []string{old, new} {
		if _, err := source.Ensure(ctx, commit); err != nil {
			return nil, err
		}
	}
	between, err := source.Commits(ctx, old, new, maxCommits)
	if err != nil {
		return nil, err
	}
	log := &diff.Changelog{Commits: []diff.Commit{}, More: between.More, Tasks: []string{}}
	for _, commit := range between.Commits {
		log.Commits = append(log.Commits, diff.Commit{ID: commit.ID, Subject: commit.Subject, Author: commit.Author.Name})
		log.Tasks = append(log.Tasks, commit.Trailer("Bug")...)
	}
	slices.Sort(log.Tasks)
	log.Tasks = slices.Compact(log.Tasks)
	return log, nil
}
