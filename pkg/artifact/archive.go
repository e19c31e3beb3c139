package artifact

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ChartYAML is what a chart's own Chart.yaml says.
type ChartYAML struct {
	Name        string            `yaml:"name"`
	Version     string            `yaml:"version"`
	AppVersion  string            `yaml:"appVersion"`
	KubeVersion string            `yaml:"kubeVersion"`
	Type        string            `yaml:"type"`
	Metadata    map[string]string `yaml:"annotations"` // Chart.yaml's own annotations
}

const (
	maxUnpacked  = 256 * mib
	maxEntries   = 20_000
	maxChartYAML = mib
)

// ReadChartYAML reads the Chart.yaml of a chart archive, at the depth of one folder. yaml.v3 keeps the text of unquoted
// values, so an appVersion of 40551e32 stays what was written.
func ReadChartYAML(archive []byte) (ChartYAML, error) {
	data, err := chartYAML(archive)
	if err != nil {
		return ChartYAML{}, err
	}
	var meta ChartYAML
	if err := yaml.Unmarshal(data, &meta); err != nil {
		return ChartYAML{}, fmt.Errorf("reading its Chart.yaml: %w", err)
	}
	if meta.Name == "" || meta.Version == "" {
		return ChartYAML{}, errors.New("its Chart.yaml lacks a name or a version")
	}
	return meta, nil
}

func chartYAML(archive []byte) ([]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("unpacking its archive: %w", err)
	}
	files := tar.NewReader(&boundedReader{unzipped, maxUnpacked})
	for range maxEntries {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("its archive holds no Chart.yaml")
		}
		if err != nil {
			return nil, fmt.Errorf("unpacking its archive: %w", err)
		}
		if isChartYAML(header) {
			return readBounded(files, header.Size)
		}
	}
	return nil, fmt.Errorf("its archive holds more than %d files", maxEntries)
}

func isChartYAML(header *tar.Header) bool {
	dir, file := path.Split(path.Clean(header.Name))
	return header.Typeflag == tar.TypeReg && file == "Chart.yaml" && strings.Count(dir, "/") == 1
}

func readBounded(r io.Reader, size int64) ([]byte, error) {
	if size > maxChartYAML {
		return nil, fmt.Errorf("its Chart.yaml has %d bytes, at most %d are read", size, maxChartYAML)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpacking its Chart.yaml: %w", err)
	}
	return data, nil
}
