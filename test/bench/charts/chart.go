package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Chart is a packaged chart.
type Chart struct {
	Name, Version string
	Archive       []byte
}

// The smallest and the largest number of templates in a chart.
const (
	fewestTemplates = 20
	mostTemplates   = 60
)

// Templates is how many templates the chart of a component has, helpers aside: from 20 to 60, spread evenly over of charts.
func Templates(number, of int) int {
	return fewestTemplates + number*(mostTemplates-fewestTemplates)/max(1, of-1)
}

// Version is what CI calls the build of a component.
func Version(build int) string {
	return fmt.Sprintf("0.0.%d-20260804%06d-%08x", build, 100441+build, 0xa0000000+build*7919)
}

// New makes the chart of a build. Another build has another version, image and configuration, and the same templates.
func New(name string, templates, build int) (Chart, error) {
	files := map[string]string{
		"Chart.yaml":             fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\nappVersion: \"%d\"\n", name, Version(build), build),
		"values.yaml":            defaults(name, templates, build),
		"values.schema.json":     schema,
		"templates/_helpers.tpl": helpers,
		"templates/NOTES.txt":    "{{ .Release.Name }} runs in {{ .Release.Namespace }}.\n",
	}
	for i := range templates {
		worker := fmt.Sprintf("worker%02d", i/len(kinds))
		kind := kinds[i%len(kinds)]
		files[fmt.Sprintf("templates/%s/%s.yaml", worker, kind.file)] = strings.ReplaceAll(kind.template, "WORKER", worker)
	}
	archive, err := pack(name, files)
	return Chart{Name: name, Version: Version(build), Archive: archive}, err
}

// pack makes the archive that `helm package` makes. The same files give the same bytes.
func pack(name string, files map[string]string) ([]byte, error) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		content := []byte(files[file])
		if err := archive.WriteHeader(&tar.Header{Name: name + "/" + file, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := archive.Write(content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	err := zipped.Close()
	return packed.Bytes(), err
}

// defaults are a chart's values.yaml: some sixty lines, and thirty for each worker.
func defaults(name string, templates, build int) string {
	var b strings.Builder
	fmt.Fprintf(&b, defaultValues, name, build)
	for w := range (templates + len(kinds) - 1) / len(kinds) {
		fmt.Fprintf(&b, workerValues, w, w+1, 8000+w, build)
	}
	return b.String()
}
