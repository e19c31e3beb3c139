package charts_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/bench/charts"
)

// TestCharts holds that charts have as many templates as is said, and that builds differ only in what a bump changes.
func TestCharts(t *testing.T) {
	t.Parallel()
	if few, many := charts.Templates(0, 30), charts.Templates(29, 30); few != 20 || many != 60 {
		t.Errorf("%d to %d templates", few, many)
	}
	first, second := unpack(t, 1), unpack(t, 2)
	templates := 0
	for name, content := range first {
		if strings.Contains(name, "/templates/") && strings.HasSuffix(name, ".yaml") {
			templates++
			if second[name] != content {
				t.Errorf("%s differs between builds", name)
			}
		}
	}
	if templates != 37 {
		t.Errorf("%d templates, want 37", templates)
	}
	if first["app/values.yaml"] == second["app/values.yaml"] || first["app/Chart.yaml"] == second["app/Chart.yaml"] {
		t.Error("two builds are the same")
	}
}

func unpack(t *testing.T, build int) map[string]string {
	t.Helper()
	chart, err := charts.New("app", 37, build)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(chart.Archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}

// TestRegistry holds that a chart is found by tag and by digest, and its archive by its own.
func TestRegistry(t *testing.T) {
	t.Parallel()
	chart, err := charts.New("app", 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	registry := charts.NewRegistry()
	digest, err := registry.Add("path", chart)
	if err != nil {
		t.Fatal(err)
	}
	for target, status := range map[string]int{
		"/v2/": http.StatusOK, "/v2/path/app/manifests/" + chart.Version: http.StatusOK, "/v2/path/app/manifests/" + digest: http.StatusOK,
		"/v2/path/app/manifests/other": http.StatusNotFound, "/v2/path/app/blobs/sha256:00": http.StatusNotFound,
	} {
		answer := httptest.NewRecorder()
		registry.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		if answer.Code != status {
			t.Errorf("%s: %d, want %d", target, answer.Code, status)
		}
	}
}
