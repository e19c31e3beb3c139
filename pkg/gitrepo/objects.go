package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// maxBlob bounds one file: nothing in a control repo is near it.
const maxBlob = 64 << 20

// objectStore reads Git objects in process. go-git's storage is not safe for
// concurrent use, so one mutex guards it.
type objectStore struct {
	mu      sync.Mutex
	storage *filesystem.Storage
}

func newObjectStore(commonDir string) *objectStore {
	return &objectStore{storage: filesystem.NewStorageWithOptions(
		osfs.New(commonDir), cache.NewObjectLRUDefault(),
		// Open pack files once: four times faster than once an object (measured).
		filesystem.Options{KeepDescriptors: true, AlternatesFS: osfs.New("/")},
	)}
}

func (s *objectStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storage.Close()
}

// get returns an object. Packs that appeared after the first read (a fetch, a
// gc) are found by reading the list of packs again.
func (s *objectStore) get(kind plumbing.ObjectType, id plumbing.Hash) (plumbing.EncodedObject, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkSize(id); err != nil {
		return nil, err
	}
	found, err := s.storage.EncodedObject(kind, id)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		s.storage.Reindex()
		found, err = s.storage.EncodedObject(kind, id)
	}
	return found, err
}

// checkSize refuses an object that would not fit before it is unpacked. An
// object that is not there is left to get.
func (s *objectStore) checkSize(id plumbing.Hash) error {
	size, err := s.storage.EncodedObjectSize(id)
	if err == nil && size > maxBlob {
		return fmt.Errorf("object %s: %w: %d bytes, at most %d are read", id, ErrTooLarge, size, maxBlob)
	}
	return nil
}

// objectReader adds to the store what only the git program can do: fetching an
// object that a partial clone left on the server.
type objectReader struct {
	store *objectStore
	fetch func(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error)
}

// reader returns a reader whose fetches end with ctx.
func (r *Repo) reader(ctx context.Context) objectReader {
	fetch := func(kind plumbing.ObjectType, id plumbing.Hash) ([]byte, error) {
		out, err := r.git.run(ctx, "cat-file", kind.String(), id.String())
		if err != nil {
			return nil, fmt.Errorf("object %s is missing from this clone: %w", id, err)
		}
		return []byte(out), nil
	}
	return objectReader{store: r.objects, fetch: fetch}
}

// object returns an object of the given kind.
func (o objectReader) object(kind plumbing.ObjectType, id plumbing.Hash) (plumbing.EncodedObject, error) {
	found, err := o.store.get(kind, id)
	if !errors.Is(err, plumbing.ErrObjectNotFound) {
		return found, err
	}
	content, err := o.fetch(kind, id)
	if err != nil {
		return nil, err
	}
	fetched := &plumbing.MemoryObject{}
	fetched.SetType(kind)
	_, err = fetched.Write(content)
	return fetched, err
}

// blob returns the content of a file.
func (o objectReader) blob(id plumbing.Hash) ([]byte, error) {
	found, err := o.object(plumbing.BlobObject, id)
	if err != nil {
		return nil, err
	}
	reader, err := found.Reader()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return io.ReadAll(reader)
}

// tree returns the entries of a directory, in Git's order.
func (o objectReader) tree(id plumbing.Hash) ([]object.TreeEntry, error) {
	found, err := o.object(plumbing.TreeObject, id)
	if err != nil {
		return nil, err
	}
	var tree object.Tree
	if err := tree.Decode(found); err != nil {
		return nil, fmt.Errorf("tree %s: %w: %w", id, ErrMalformed, err)
	}
	return tree.Entries, nil
}

// commit returns a commit.
func (o objectReader) commit(id plumbing.Hash) (*object.Commit, error) {
	found, err := o.object(plumbing.CommitObject, id)
	if err != nil {
		return nil, err
	}
	var commit object.Commit
	if err := commit.Decode(found); err != nil {
		return nil, fmt.Errorf("commit %s: %w: %w", id, ErrMalformed, err)
	}
	return &commit, nil
}

// Blob returns the content of the file with this object id, as History and
// ObjectID name it. The id of no file ("") is fs.ErrNotExist.
func (r *Repo) Blob(ctx context.Context, id string) ([]byte, error) {
	if id == "" {
		return nil, fs.ErrNotExist
	}
	if !objectID.MatchString(id) {
		return nil, fmt.Errorf("reading blob %q: %w: not an object id of 40 hex digits", id, ErrMalformed)
	}
	content, err := r.reader(ctx).blob(plumbing.NewHash(id))
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", id, err)
	}
	return content, nil
}
