package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// bumped is what a bump cost in one repo, beside Git alone.
type bumped struct {
	Repo        string
	Files       int
	Bump, Git   time.Duration
	TargetsOver time.Duration
}

// Over is what the bump took beyond Git.
func (b bumped) Over() time.Duration { return b.Bump - b.Git }

// Met says whether that is within the target.
func (b bumped) Met() bool { return b.Over() <= b.TargetsOver }

type results struct {
	Bumps   []bumped
	Listing time.Duration
	Tags    int
}

// tags is how many a listing has.
const tags = 5000

func measureAll(ctx context.Context, o options, scratch string) (results, error) {
	var r results
	toolforge, err := toolforgeWorld(ctx, o, filepath.Join(scratch, "toolforge"))
	if err != nil {
		return r, err
	}
	defer toolforge.server.Close()
	if err := r.bump(ctx, o, toolforge, "Toolforge's repo", 100*time.Millisecond); err != nil {
		return r, err
	}
	if o.generator != "" {
		generated, err := generatedWorld(ctx, o, filepath.Join(scratch, "generated"))
		if err != nil {
			return r, err
		}
		defer generated.server.Close()
		if err := r.bump(ctx, o, generated, "20,000 releases, one cluster", 250*time.Millisecond, "--cluster", "cluster-000"); err != nil {
			return r, err
		}
		if err := r.bump(ctx, o, generated, "20,000 releases, the first stage (20 clusters)", 250*time.Millisecond); err != nil {
			return r, err
		}
	}
	return r, r.list(ctx, o, toolforge)
}

func toolforgeWorld(ctx context.Context, o options, dir string) (*world, error) {
	if err := os.Mkdir(dir, 0o750); err != nil {
		return nil, err
	}
	w := &world{dir: dir}
	if _, err := w.git(ctx, dir, "clone", "-q", o.root, "repo"); err != nil {
		return nil, err
	}
	return newWorld(ctx, dir, o.tfgitops, "maintain-kubeusers")
}

func generatedWorld(ctx context.Context, o options, dir string) (*world, error) {
	w := &world{dir: dir}
	repo := filepath.Join(dir, "repo")
	if err := os.MkdirAll(repo, 0o750); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{o.generator, repo}, {"git", "init", "-q", "-b", "main"}} {
		if _, err := w.run(ctx, repo, args[0], args[1:]...); err != nil {
			return nil, err
		}
	}
	return newWorld(ctx, dir, o.tfgitops, "component-000")
}

// bump measures bumps to builds that nobody has seen before, and what Git alone takes for the same files.
func (r *results) bump(ctx context.Context, o options, w *world, name string, target time.Duration, scope ...string) error {
	result := bumped{Repo: name, TargetsOver: target}
	var bumps, commits []time.Duration
	for i := range o.runs + 1 {
		commit, err := w.build(ctx)
		if err != nil {
			return err
		}
		took, err := w.time(ctx, [][]string{append([]string{w.tfgitops, "bump", w.component, commit, "--commit"}, scope...)})
		if err != nil {
			return err
		}
		files, err := w.git(ctx, w.repo, "diff", "--name-only", "HEAD~1", "HEAD")
		if err != nil {
			return err
		}
		names := strings.Split(files, "\n")
		result.Files = len(names)
		if _, err := w.git(ctx, w.repo, "reset", "-q", "--soft", "HEAD~1"); err != nil {
			return err
		}
		if _, err := w.git(ctx, w.repo, "reset", "-q"); err != nil {
			return err
		}
		alone, err := w.time(ctx, [][]string{append([]string{"git", "add", "--"}, names...), {"git", "commit", "-q", "-m", "bump"}})
		if err != nil {
			return err
		}
		if i > 0 {
			bumps, commits = append(bumps, took), append(commits, alone)
		}
	}
	result.Bump, result.Git = median(bumps), median(commits)
	fmt.Fprintf(os.Stderr, "%s: bump %s, git %s, over %s\n", name, result.Bump.Round(time.Millisecond), result.Git.Round(time.Millisecond), result.Over().Round(time.Millisecond))
	r.Bumps = append(r.Bumps, result)
	return nil
}

// time runs commands one after the other.
func (w *world) time(ctx context.Context, commands [][]string) (time.Duration, error) {
	started := time.Now()
	for _, args := range commands {
		if _, err := w.run(ctx, w.repo, args[0], args[1:]...); err != nil {
			return 0, err
		}
	}
	return time.Since(started), nil
}

// list measures a bump that has to list every tag and finds none of them to be the one. That it saw them all is asserted.
func (r *results) list(ctx context.Context, o options, w *world) error {
	pushed, err := w.server.PushChart("charts", registrytest.Chart{Name: w.component, Version: "1.0.0-20250101000000-00000000"})
	if err != nil {
		return err
	}
	var more []string
	for i := range tags {
		more = append(more, fmt.Sprintf("1.0.%d-2025%010d-%08x", i, i, i+0x10000000))
	}
	if err := w.server.Tag("charts/"+w.component, pushed.Digest, more...); err != nil {
		return err
	}
	var took []time.Duration
	for range o.runs + 1 {
		started := time.Now()
		said, err := w.run(ctx, w.repo, w.tfgitops, "bump", w.component, "deadbeef")
		took = append(took, time.Since(started))
		if err == nil {
			return fmt.Errorf("a commit that nobody built was bumped to")
		}
		if want := fmt.Sprintf("(%d versions listed)", tags+1+w.builds); !strings.Contains(said, want) {
			return fmt.Errorf("the listing is not whole: %q is not in %s", want, said)
		}
	}
	r.Listing, r.Tags = median(took[1:]), tags+1+w.builds
	fmt.Fprintf(os.Stderr, "listing %d tags: %s\n", r.Tags, r.Listing.Round(time.Millisecond))
	return nil
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
