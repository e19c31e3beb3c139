package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/gofrs/flock"
)

// Source is a cached clone of a component's source: every branch and tag, the
// whole history, and no files where the server can leave them out. Branches
// have their plain names (main, not origin/main).
type Source struct {
	*Repo
	url    string
	lock   string
	cached bool // never asks the server
}

// filters are tried in turn when a source is cloned: commits alone, commits and
// directories, everything. Servers that know no filters at all ignore them.
var filters = []string{"--filter=tree:0", "--filter=blob:none", "--no-filter"}

// lockInterval is how often a process asks again for a lock that another holds.
const lockInterval = 50 * time.Millisecond

// OpenSource returns the cached clone of url in cacheDir, made on first use. An
// existing one is opened without asking the network. Processes that use the
// same directory at the same time wait for each other. CheckURL says which URLs
// are accepted; ctx bounds the waiting and the network.
func OpenSource(ctx context.Context, url, cacheDir string) (*Source, error) {
	return openSource(ctx, &Source{url: url}, cacheDir)
}

// OpenCachedSource is OpenSource without the network: ErrNotRepository where url
// was not cloned before, and the Source never asks the server.
func OpenCachedSource(ctx context.Context, url, cacheDir string) (*Source, error) {
	return openSource(ctx, &Source{url: url, cached: true}, cacheDir)
}

func openSource(ctx context.Context, source *Source, cacheDir string) (*Source, error) {
	if err := CheckURL(source.url); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Join(cacheDir, cacheName(source.url)))
	if err == nil {
		source.lock = dir + ".lock"
		err = source.open(ctx, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the clone of %q: %w", Redact(source.url), err)
	}
	return source, nil
}

// notInNames is what a cache directory's name leaves out of a URL's last part.
var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// cacheName is readable, and different for every URL.
func cacheName(url string) string {
	sum := sha256.Sum256([]byte(url))
	base := strings.TrimSuffix(path.Base(strings.TrimRight(url, "/")), ".git")
	return strings.Trim(notInNames.ReplaceAllString(base, "-"), "-") + "-" + hex.EncodeToString(sum[:8])
}

// open opens the clone, or makes it when there is none that Git understands and
// the server may be asked.
func (s *Source) open(ctx context.Context, dir string) (err error) {
	if s.cached {
		s.Repo, _, err = openSourceDir(ctx, sourceGit(dir))
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		repo, g, err := openSourceDir(ctx, sourceGit(dir))
		if errors.Is(err, ErrNotRepository) {
			if err = s.clone(ctx, g); err == nil {
				repo, err = open(ctx, g)
			}
		}
		s.Repo = repo
		return err
	})
}

// openSourceDir opens a clone, and returns how git is to be run on it, also where there is none yet. It asks git two things at
// once: each takes as long as git takes to start.
func openSourceDir(ctx context.Context, g git) (*Repo, git, error) {
	quiet := g
	var asking sync.WaitGroup
	asking.Go(func() { quiet = withoutPrompt(ctx, g) })
	repo, err := openExisting(ctx, g)
	asking.Wait()
	if err != nil {
		return nil, quiet, err
	}
	repo.git = quiet
	return repo, quiet, nil
}

func openExisting(ctx context.Context, g git) (*Repo, error) {
	if _, err := os.Stat(filepath.Join(g.dir, "HEAD")); err != nil {
		return nil, ErrNotRepository
	}
	return open(ctx, g)
}

// sourceGit runs git on the clone alone, over the accepted protocols alone,
// whatever a redirect or a configured insteadOf says.
func sourceGit(dir string) git {
	env := append(gitEnv(os.Environ()), "GIT_ALLOW_PROTOCOL=file:http:https:ssh")
	return git{dir: dir, env: env}.with("GIT_DIR=" + dir)
}

// withoutPrompt keeps ssh from asking questions, unless somebody has said how it is to be run.
func withoutPrompt(ctx context.Context, g git) git {
	if hasVariable(g.env, "GIT_SSH_COMMAND", "GIT_SSH") {
		return g
	}
	if configured, _ := g.in(filepath.Dir(g.dir)).line(ctx, "config", "--get", "core.sshCommand"); configured != "" {
		return g
	}
	return g.with("GIT_SSH_COMMAND=ssh -o BatchMode=yes")
}

// locked runs do while no other process works on this clone. The lock ends with
// the process, however that ends.
func (s *Source) locked(ctx context.Context, do func() error) error {
	lock := flock.New(s.lock)
	if ok, err := lock.TryLockContext(ctx, lockInterval); err != nil || !ok {
		return fmt.Errorf("waiting for another process to release %q: %w", s.lock, err)
	}
	defer func() { _ = lock.Unlock() }() // closing the file, which follows, unlocks it too
	return do()
}

// clone makes the clone beside its place and moves it there when it is whole,
// so that a kill leaves nothing that looks like a clone.
func (s *Source) clone(ctx context.Context, g git) error {
	part := g.dir + ".part"
	defer os.RemoveAll(part)
	for _, filter := range filters {
		if err := os.RemoveAll(part); err != nil {
			return err
		}
		err := s.fill(ctx, g.in(filepath.Dir(part)), part, filter)
		if said, _ := gitOutput(err); err != nil && strings.Contains(said, "filter") {
			continue // this server filters, but not so
		}
		if err != nil {
			return err
		}
		if err := os.RemoveAll(g.dir); err != nil {
			return err
		}
		return os.Rename(part, g.dir)
	}
	return fmt.Errorf("cloning %q: the server accepts no filter, nor none", Redact(s.url))
}

// fill creates a bare repository in dir and fetches everything into it.
func (s *Source) fill(ctx context.Context, g git, dir, filter string) error {
	g = g.with("GIT_DIR=" + dir)
	if _, err := g.run(ctx, "init", "--quiet", "--bare", "--template=", dir); err != nil {
		return err
	}
	settings := [][2]string{
		{"remote.origin.url", s.url},
		{"remote.origin.fetch", "+refs/heads/*:refs/heads/*"},
		{"remote.origin.fetch", "+refs/tags/*:refs/tags/*"},
	}
	for _, setting := range settings {
		if _, err := g.run(ctx, "config", "--add", setting[0], setting[1]); err != nil {
			return err
		}
	}
	return s.fetch(ctx, g, filter)
}

// fetch brings every branch and tag, or only one commit, up to date.
func (s *Source) fetch(ctx context.Context, g git, more ...string) error {
	args := []string{"fetch", "--quiet", "--prune", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"}
	if len(more) > 0 && strings.HasPrefix(more[0], "--") {
		args, more = append(args, more[0]), more[1:]
	}
	_, err := g.run(ctx, append(append(args, "--", "origin"), more...)...)
	return remoteError("fetching from", s.url, err)
}

// Fetch asks the server for news of every branch and tag, unless it may not be
// asked.
func (s *Source) Fetch(ctx context.Context) error {
	if s.cached {
		return nil
	}
	return s.locked(ctx, func() error { return s.fetch(ctx, s.git) })
}

// Ensure resolves a commit (4 to 40 hex digits), branch or tag to a full id. It
// asks the server only for what the clone does not know: first for news of all
// branches, then, given a full id, for that commit itself, which may be on no
// branch any more. What the server does not have either is ErrUnknownRevision.
func (s *Source) Ensure(ctx context.Context, rev string) (string, error) {
	id, err := s.here(ctx, rev)
	if !errors.Is(err, ErrUnknownRevision) {
		return id, err
	}
	if err := s.Fetch(ctx); err != nil {
		return "", err
	}
	id, err = s.here(ctx, rev)
	if !errors.Is(err, ErrUnknownRevision) || !objectID.MatchString(rev) {
		return id, err
	}
	if err := s.fetchCommit(ctx, rev); err != nil {
		return "", err
	}
	return s.here(ctx, rev)
}

// here resolves without the network: git itself would fetch a missing full id.
func (s *Source) here(ctx context.Context, rev string) (string, error) {
	if !objectID.MatchString(rev) {
		return s.Resolve(ctx, rev)
	}
	_, err := s.objects.get(plumbing.CommitObject, plumbing.NewHash(rev))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return "", fmt.Errorf("revision %q: %w", rev, ErrUnknownRevision)
	}
	return rev, err
}

// fetchCommit asks for one commit. A server that does not have it, or does not
// hand out commits by id, is no error: the commit then stays unknown.
func (s *Source) fetchCommit(ctx context.Context, id string) error {
	if s.cached {
		return nil
	}
	err := s.locked(ctx, func() error { return s.fetch(ctx, s.git, id) })
	if said, _ := gitOutput(err); strings.Contains(said, "not our ref") || strings.Contains(said, "unadvertised object") {
		return nil
	}
	return err
}

// OnBranch reports whether a commit is on a branch of the source, asking the
// server when the clone does not say yes. Unknown with an error says that the
// server could not be asked.
func (s *Source) OnBranch(ctx context.Context, branch, commit string) (Relation, error) {
	if relation, err := s.Contains(ctx, branch, commit); err != nil || relation == Yes {
		return relation, err
	}
	if err := s.Fetch(ctx); err != nil {
		return Unknown, err
	}
	return s.Contains(ctx, branch, commit)
}
