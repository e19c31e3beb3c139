package charts

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Registry answers reads of the charts that were added, as an OCI registry does.
type Registry struct {
	manifests map[string][]byte // by NAME/manifests/TAG and by digest
	blobs     map[string][]byte // by digest
}

// The media types of a chart in a registry.
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.cncf.helm.config.v1+json"
	layerType    = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

// NewRegistry holds nothing yet.
func NewRegistry() *Registry {
	return &Registry{manifests: map[string][]byte{}, blobs: map[string][]byte{}}
}

// Add publishes a chart below a path and returns the digest of its manifest.
func (r *Registry) Add(path string, c Chart) (string, error) {
	config := fmt.Appendf(nil, `{"name":%q,"version":%q}`, c.Name, c.Version)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": r.blob(configType, config), "layers": []descriptor{r.blob(layerType, c.Archive)},
	})
	if err != nil {
		return "", err
	}
	name := path + "/" + c.Name + "/manifests/"
	r.manifests[name+c.Version], r.manifests[name+digest(manifest)] = manifest, manifest
	return digest(manifest), nil
}

func (r *Registry) blob(mediaType string, content []byte) descriptor {
	r.blobs[digest(content)] = content
	return descriptor{mediaType, digest(content), len(content)}
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// ServeHTTP answers the reads of the OCI distribution protocol.
func (r *Registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	name := strings.TrimPrefix(request.URL.Path, "/v2/")
	if name == "" {
		return // this is a registry
	}
	content, found := r.manifests[name]
	if found {
		w.Header().Set("Content-Type", manifestType)
	} else if _, blob, isBlob := strings.Cut(name, "/blobs/"); isBlob {
		content, found = r.blobs[blob]
	}
	if !found {
		http.NotFound(w, request)
		return
	}
	w.Header().Set("Docker-Content-Digest", digest(content))
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	if request.Method != http.MethodHead {
		_, _ = w.Write(content) // whoever went away asks again
	}
}
