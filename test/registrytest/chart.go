package registrytest

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Chart is a Helm chart to publish.
type Chart struct {
	Name, Version           string
	AppVersion, KubeVersion string
	// Files by path within the chart: values.yaml, templates/x.yaml. A Chart.yaml among them replaces the one made from the fields.
	Files map[string]string
	// Annotations of the manifest, beside title, version and created, which Helm writes.
	Annotations map[string]string
	// Created is what Helm stamps when it pushes; zero: no stamp, so that two pushes have one digest.
	Created time.Time
	// Tag is where it is pushed, if not to its version.
	Tag string
}

// Pushed is what a chart became.
type Pushed struct {
	Digest      string // of the manifest
	LayerDigest string // of the archive
	Archive     []byte
}

// The media types of Helm's charts.
const (
	ChartConfigType types.MediaType = "application/vnd.cncf.helm.config.v1+json"
	ChartLayerType  types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// PushChart pushes a chart as Helm does, to the repository under path that has the chart's name; a tag that exists is replaced.
func (s *Server) PushChart(path string, c Chart) (Pushed, error) {
	archive, err := c.Archive()
	if err != nil {
		return Pushed{}, err
	}
	repo := strings.Trim(path+"/"+c.Name, "/")
	layer, err := s.PushBlob(repo, ChartLayerType, archive)
	if err != nil {
		return Pushed{}, err
	}
	config, err := s.PushBlob(repo, ChartConfigType, c.config())
	if err != nil {
		return Pushed{}, err
	}
	manifest := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config,
		Layers: []v1.Descriptor{layer}, Annotations: c.annotations(),
	}
	pushed, err := s.PushManifest(repo, c.tag(), types.OCIManifestSchema1, manifest)
	return Pushed{Digest: pushed.Digest.String(), LayerDigest: layer.Digest.String(), Archive: archive}, err
}

func (c Chart) tag() string { return cmp.Or(c.Tag, strings.ReplaceAll(c.Version, "+", "_")) }

func (c Chart) metadata() map[string]string {
	all := map[string]string{"apiVersion": "v2", "name": c.Name, "version": c.Version, "appVersion": c.AppVersion, "kubeVersion": c.KubeVersion}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func (c Chart) config() []byte {
	data, _ := json.Marshal(c.metadata()) // strings alone cannot fail
	return data
}

func (c Chart) annotations() map[string]string {
	all := map[string]string{"org.opencontainers.image.title": c.Name, "org.opencontainers.image.version": c.Version}
	if !c.Created.IsZero() {
		all["org.opencontainers.image.created"] = c.Created.UTC().Format(time.RFC3339)
	}
	maps.Copy(all, c.Annotations)
	return all
}

// Archive is the chart as Helm packages it. The same chart gives the same bytes.
func (c Chart) Archive() ([]byte, error) {
	// JSON is YAML.
	files := map[string]string{"Chart.yaml": string(c.config()) + "\n"}
	maps.Copy(files, c.Files)
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(archive, c.Name+"/"+path, files[path]); err != nil {
			return nil, fmt.Errorf("packing chart %s: %w", c.Name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("packing chart %s: %w", c.Name, err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("packing chart %s: %w", c.Name, err)
	}
	return packed.Bytes(), nil
}

func addFile(archive *tar.Writer, path, content string) error {
	if err := archive.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err := archive.Write([]byte(content))
	return err
}

func digestHex(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }
