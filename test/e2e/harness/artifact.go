package harness

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1" //nolint:gosec // a revision looks like a Git commit; nothing trusts it
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Sources stands in for source-controller: it serves trees of files as artifacts and writes the status of the GitRepositories
// that they come from.
type Sources struct {
	server *httptest.Server

	mu        sync.Mutex
	artifacts map[string][]byte // by path
}

// NewSources starts serving. Close ends it.
func NewSources() *Sources {
	s := &Sources{artifacts: map[string][]byte{}}
	s.server = httptest.NewServer(s)
	return s
}

// Close ends serving.
func (s *Sources) Close() { s.server.Close() }

// ServeHTTP serves an artifact.
func (s *Sources) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	content, known := s.artifacts[r.URL.Path]
	s.mu.Unlock()
	if !known {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(content) // to a controller that may have gone
}

// Publish gives the tree to the GitRepository of that name in Flux's namespace, which it makes if need be, as
// source-controller would after a push. It returns the revision, which the content alone decides.
func (s *Sources) Publish(ctx context.Context, c *Cluster, name string, tree fs.FS) (revision string, err error) {
	content, err := pack(tree)
	if err != nil {
		return "", fmt.Errorf("packing %q: %w", name, err)
	}
	revision = fmt.Sprintf("main@sha1:%x", sha1.Sum(content)) //nolint:gosec // see the import
	at := "/" + name + "/" + revision + ".tar.gz"
	s.mu.Lock()
	s.artifacts[at] = content
	s.mu.Unlock()
	repository := &sourcev1.GitRepository{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: FluxNamespace}}
	err = c.Get(ctx, client.ObjectKeyFromObject(repository), repository)
	if client.IgnoreNotFound(err) != nil {
		return "", err
	}
	if err != nil {
		repository.Spec = sourcev1.GitRepositorySpec{URL: s.server.URL + "/" + name, Interval: metav1.Duration{Duration: time.Hour}}
		if err := c.Create(ctx, repository); err != nil {
			return "", err
		}
	}
	size := int64(len(content))
	repository.Status = sourcev1.GitRepositoryStatus{
		ObservedGeneration: repository.Generation,
		Artifact: &meta.Artifact{
			Path: at[1:], URL: s.server.URL + at, Revision: revision,
			Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(content)), LastUpdateTime: metav1.Now(), Size: &size,
		},
	}
	apimeta.SetStatusCondition(&repository.Status.Conditions, metav1.Condition{
		Type: meta.ReadyCondition, Status: metav1.ConditionTrue, Reason: "Succeeded",
		Message: "stored artifact for revision '" + revision + "'", ObservedGeneration: repository.Generation,
	})
	return revision, c.Status().Update(ctx, repository)
}

// pack makes the archive of a tree, the same for the same content.
func pack(tree fs.FS) ([]byte, error) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// Applied waits until the Flux Kustomization of that name has applied a revision, and fails as soon as it could not.
func (c *Cluster) Applied(ctx context.Context, name, revision string) (*kustomizev1.Kustomization, error) {
	key := client.ObjectKey{Namespace: FluxNamespace, Name: name}
	var k kustomizev1.Kustomization
	var failed error
	err := Poll(ctx, fmt.Sprintf("the Kustomization %q to apply %s", name, revision), func(ctx context.Context) error {
		if err := c.Get(ctx, key, &k); err != nil {
			return err
		}
		failed = applyFailure(&k, revision)
		ready := apimeta.FindStatusCondition(k.Status.Conditions, meta.ReadyCondition)
		switch {
		case failed != nil:
			return nil //nolint:nilerr // that is the answer: it ends the wait
		case k.Status.ObservedGeneration != k.Generation || k.Status.LastAppliedRevision != revision || ready == nil || ready.Status != metav1.ConditionTrue:
			return fmt.Errorf("applied %q, condition %+v", k.Status.LastAppliedRevision, ready)
		}
		return nil
	})
	if err == nil {
		err = failed
	}
	return &k, err
}

// applyFailure is why a Kustomization could not apply a revision, if it could not.
func applyFailure(k *kustomizev1.Kustomization, revision string) error {
	ready := apimeta.FindStatusCondition(k.Status.Conditions, meta.ReadyCondition)
	if k.Status.LastAttemptedRevision != revision || ready == nil || ready.Status != metav1.ConditionFalse || ready.ObservedGeneration != k.Generation {
		return nil
	}
	return fmt.Errorf("the Kustomization %q could not apply %s: %s: %s", k.Name, revision, ready.Reason, ready.Message)
}
