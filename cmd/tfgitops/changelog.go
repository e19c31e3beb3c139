package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// maxCommits is how many commits diff lists of one component; the rest is counted.
const maxCommits = 30

// changelog lists the commits between two from the component's source, which is cloned and fetched for it.
func (o *options) changelog(ctx context.Context, url, old, new string) (*diff.Changelog, error) {
	source, err := gitrepo.OpenSource(ctx, url, o.sourcesDir())
	return readChangelog(ctx, source, err, url, old, new)
}

// cachedChangelog lists the commits that a clone from before has, as bump made it. Where it has not, only the link is known.
func (o *options) cachedChangelog(ctx context.Context, url, old, new string) (*diff.Changelog, error) {
	source, err := gitrepo.OpenCachedSource(ctx, url, o.sourcesDir())
	log, err := readChangelog(ctx, source, err, url, old, new)
	if errors.Is(err, gitrepo.ErrNotRepository) || errors.Is(err, gitrepo.ErrUnknownRevision) {
		return log, nil
	}
	return log, err
}

func (o *options) sourcesDir() string { return filepath.Join(o.cacheDir(), "sources") }

// readChangelog lists what new has and old has not; of a step back, what is undone. The link needs no clone.
func readChangelog(ctx context.Context, source *gitrepo.Source, err error, url, old, new string) (*diff.Changelog, error) {
	log := &diff.Changelog{Compare: gitrepo.CompareLink(url, old, new), Commits: []diff.Commit{}, Tasks: []string{}}
	if err != nil {
		return log, err
	}
	defer source.Close()
	for _, commit := range []string{old, new} {
		if _, err := source.Ensure(ctx, commit); err != nil {
			return log, err
		}
	}
	between, err := source.Commits(ctx, old, new, maxCommits)
	if err == nil && len(between.Commits) == 0 {
		log.Undone, log.Compare = true, gitrepo.CompareLink(url, new, old)
		between, err = source.Commits(ctx, new, old, maxCommits)
	}
	log.More = between.More
	for _, commit := range between.Commits {
		log.Commits = append(log.Commits, diff.Commit{ID: commit.ID, Subject: commit.Subject, Author: commit.Author.Name})
		log.Tasks = append(log.Tasks, commit.Tasks()...)
	}
	slices.Sort(log.Tasks)
	log.Tasks = slices.Compact(log.Tasks)
	return log, err
}
