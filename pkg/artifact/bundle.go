package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// The media types by which Flux knows its artifacts.
const (
	BundleConfigType types.MediaType = "application/vnd.cncf.flux.config.v1+json"
	BundleLayerType  types.MediaType = "application/vnd.cncf.flux.content.v1.tar+gzip"
)

// AnnotationSource is the repository that an artifact was built from.
const AnnotationSource = "org.opencontainers.image.source"

// Bundle is what Flux applies, as `flux push artifact` pushes it. The same bundle has the same digest, whoever pushes it
// and when.
type Bundle struct {
	// Files by their paths in the artifact.
	Files map[string][]byte
	// Source is the URL of the repository, without credentials; Revision what Flux shows: sha1:COMMIT.
	Source, Revision string
	// Created is the time of the commit, to the second.
	Created time.Time
}

// BundleFiles are objects, as decoded JSON with json.Number, as a folder that kustomize builds to those very objects: each
// value is written so that no YAML parser takes it for something else.
func BundleFiles(objects []map[string]any) (map[string][]byte, error) {
	const kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [objects.yaml]\n"
	var documents bytes.Buffer
	encoder := safeyaml.NewEncoder()
	for _, object := range objects {
		documents.WriteString("---\n")
		if err := encoder.Encode(&documents, object); err != nil {
			return nil, fmt.Errorf("writing a %v as YAML failed", object["kind"]) // the cause may quote a Secret
		}
	}
	return map[string][]byte{"objects.yaml": documents.Bytes(), "kustomization.yaml": []byte(kustomization)}, nil
}

// image is the bundle in a registry's form.
func (b Bundle) image() (v1.Image, error) {
	packed, err := b.pack()
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }, tarball.WithMediaType(BundleLayerType))
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), BundleConfigType)
	if img, err = mutate.Append(img, mutate.Addendum{Layer: layer}); err != nil {
		return nil, err
	}
	if img, err = mutate.CreatedAt(img, v1.Time{Time: b.Created.UTC()}); err != nil {
		return nil, err
	}
	annotated, _ := mutate.Annotations(img, b.annotations()).(v1.Image) // it gives back what it got
	return annotated, nil
}

func (b Bundle) annotations() map[string]string {
	all := map[string]string{AnnotationSource: redact(b.Source), AnnotationRevision: b.Revision, AnnotationCreated: b.Created.UTC().Format(time.RFC3339)}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// pack makes the archive: sorted, of nobody, as old as the commit.
func (b Bundle) pack() ([]byte, error) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(b.Files[name])), ModTime: b.Created.UTC().Truncate(time.Second)}
		if err := archive.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing %q: %w", name, err)
		}
		if _, err := archive.Write(b.Files[name]); err != nil {
			return nil, fmt.Errorf("packing %q: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	return packed.Bytes(), nil
}
