package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Repo is one directory in a Git repository: the top of a work tree, a
// subdirectory of one, a linked worktree, or a bare repository. Its methods may
// be called at the same time.
type Repo struct {
	git       git
	dir       string // the directory that was opened, absolute
	prefix    string // where dir is in the work tree: "" or "a/b/"
	commonDir string // the directory that holds objects and branches
	bare      bool
	objects   *objectStore
}

// objectID matches a full SHA-1 object id as Git prints it.
var objectID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Open finds the repository that dir belongs to. dir becomes the root of every
// path that the Repo takes and returns. The error is ErrNotRepository when no
// repository encloses dir.
func Open(ctx context.Context, dir string) (*Repo, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the Git repository of %q: %w", dir, err)
	}
	if _, err := os.Stat(abs); err != nil {
		return nil, fmt.Errorf("opening the Git repository of %q: %w", dir, err)
	}
	repo, err := open(ctx, git{dir: abs, env: gitEnv(os.Environ())})
	if err != nil {
		return nil, fmt.Errorf("opening the Git repository of %q: %w", dir, err)
	}
	return repo, nil
}

// open asks git where it is when it runs as g.
func open(ctx context.Context, g git) (*Repo, error) {
	out, err := g.run(ctx, "rev-parse", "--show-object-format", "--is-bare-repository",
		"--git-common-dir", "--show-prefix")
	if err != nil {
		return nil, notRepository(err)
	}
	fields := strings.SplitN(strings.TrimSuffix(out, "\n"), "\n", 4)
	for len(fields) < 4 {
		fields = append(fields, "")
	}
	if fields[0] != "sha1" {
		return nil, fmt.Errorf("%w: its object format is %q, only sha1 is read", ErrUnsupported, fields[0])
	}
	commonDir := fields[2]
	if !filepath.IsAbs(commonDir) {
		commonDir = filepath.Join(g.dir, commonDir)
	}
	return &Repo{
		git: g, dir: g.dir, prefix: fields[3], commonDir: commonDir,
		bare: fields[1] == "true", objects: newObjectStore(commonDir),
	}, nil
}

// notRepository gives git's own word for "no repository here" its sentinel.
func notRepository(err error) error {
	if said, _ := gitOutput(err); strings.Contains(said, "not a git repository") {
		return ErrNotRepository
	}
	return err
}

// Close gives back the files that reading keeps open.
func (r *Repo) Close() error { return r.objects.close() }

// Dir is the directory that was opened, absolute.
func (r *Repo) Dir() string { return r.dir }

// Prefix is where Dir lies in the work tree, "" or "a/b/".
func (r *Repo) Prefix() string { return r.prefix }

// Shallow reports whether history is cut off (`git clone --depth`), which makes
// questions about ancestry unanswerable.
func (r *Repo) Shallow() bool {
	info, err := os.Stat(r.shallowFile())
	return err == nil && info.Size() > 0
}

func (r *Repo) shallowFile() string { return filepath.Join(r.commonDir, "shallow") }

// Branch returns the name of the checked out branch, "" when HEAD is detached.
func (r *Repo) Branch(ctx context.Context) (string, error) {
	name, err := r.git.line(ctx, "symbolic-ref", "--quiet", "--short", "HEAD")
	if _, code := gitOutput(err); code == 1 {
		return "", nil
	}
	return name, err
}

// Resolve returns the full id of the commit that rev names: a branch, a remote
// branch, a tag, a full or abbreviated id, or anything else that
// `git rev-parse` knows, as HEAD~1. A commit that is not in this clone is
// ErrUnknownRevision, an abbreviation that fits several ErrAmbiguousRevision.
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) {
	if err := checkRevision(rev); err != nil {
		return "", err
	}
	if r.isCommit(rev) {
		return rev, nil
	}
	id, err := r.git.line(ctx, "rev-parse", "--verify", "--end-of-options", rev+"^{commit}")
	if err != nil {
		return "", revisionError(rev, err)
	}
	if !objectID.MatchString(id) {
		return "", fmt.Errorf("revision %q: %w: it names no single commit", rev, ErrUnknownRevision)
	}
	return id, nil
}

// isCommit reports whether rev is the full id of a commit that is here, which needs no git program.
func (r *Repo) isCommit(rev string) bool {
	if !objectID.MatchString(rev) {
		return false
	}
	_, err := r.objects.get(plumbing.CommitObject, plumbing.NewHash(rev))
	return err == nil
}

// checkRevision refuses what git could take for an option or several arguments.
func checkRevision(rev string) error {
	if rev == "" || strings.HasPrefix(rev, "-") || strings.ContainsAny(rev, "\x00\n\r") {
		return fmt.Errorf("revision %q: %w: give a branch, a tag or a commit", rev, ErrUnknownRevision)
	}
	return nil
}

func revisionError(rev string, err error) error {
	said, code := gitOutput(err)
	switch {
	case strings.Contains(said, "is ambiguous"):
		return fmt.Errorf("revision %q: %w: %s", rev, ErrAmbiguousRevision, strings.TrimSpace(said))
	case errors.Is(meaning(err), ErrUnreachable) || errors.Is(meaning(err), ErrAuth): // a partial clone asked its server
		return fmt.Errorf("revision %q: %w: %w", rev, meaning(err), err)
	case code == 128 || code == 1:
		return fmt.Errorf("revision %q: %w", rev, ErrUnknownRevision)
	}
	return fmt.Errorf("revision %q: %w", rev, err)
}

// known reports whether rev names a commit of this clone, and which.
func (r *Repo) known(ctx context.Context, rev string) (id string, ok bool, err error) {
	id, err = r.Resolve(ctx, rev)
	if errors.Is(err, ErrUnknownRevision) {
		return "", false, nil
	}
	return id, err == nil, err
}

// pathspec names exactly this path, whatever characters it holds, wherever git runs.
func (r *Repo) pathspec(path string) string {
	return ":(top,literal)" + strings.TrimSuffix(r.prefix+path, "/.")
}

// pathspecs names the given paths, or everything under the prefix when there are none.
func (r *Repo) pathspecs(paths []string) []string {
	if len(paths) == 0 {
		if r.prefix == "" {
			return nil
		}
		return []string{":(top,literal)" + strings.TrimSuffix(r.prefix, "/")}
	}
	specs := make([]string, len(paths))
	for i, path := range paths {
		specs[i] = r.pathspec(path)
	}
	return specs
}
