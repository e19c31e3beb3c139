package registrytest

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// PushImage pushes a container image of one platform (linux/amd64) whose layer is content, and gives the manifest's digest.
func (s *Server) PushImage(repo, tag, platform, content string) (digest string, err error) {
	manifest, err := s.pushImage(repo, tag, platform, content)
	return manifest.Digest.String(), err
}

// PushIndex pushes an image for several platforms and gives the index's digest, and the manifests' by platform.
func (s *Server) PushIndex(repo, tag string, platforms []string, content string) (digest string, children map[string]string, err error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	children = map[string]string{}
	for _, text := range platforms {
		child, err := s.pushImage(repo, "", text, content)
		if err != nil {
			return "", nil, err
		}
		if child.Platform, err = v1.ParsePlatform(text); err != nil {
			return "", nil, fmt.Errorf("platform %q: %w", text, err)
		}
		index.Manifests = append(index.Manifests, child)
		children[text] = child.Digest.String()
	}
	pushed, err := s.PushManifest(repo, tag, types.OCIImageIndex, index)
	return pushed.Digest.String(), children, err
}

func (s *Server) pushImage(repo, tag, platform, content string) (v1.Descriptor, error) {
	layer, err := s.PushBlob(repo, types.OCILayer, []byte(content+" for "+platform))
	if err != nil {
		return v1.Descriptor{}, err
	}
	config, err := s.PushBlob(repo, types.OCIConfigJSON, imageConfig(platform, layer.Digest))
	if err != nil {
		return v1.Descriptor{}, err
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{layer}}
	return s.PushManifest(repo, tag, types.OCIManifestSchema1, manifest)
}

func imageConfig(platform string, layer v1.Hash) []byte {
	parts := append(strings.Split(platform, "/"), "", "")
	return fmt.Appendf(nil, `{"os":%q,"architecture":%q,"variant":%q,"config":{},"rootfs":{"type":"layers","diff_ids":[%q]}}`,
		parts[0], parts[1], parts[2], layer.String())
}
