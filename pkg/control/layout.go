package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// RootFile marks the root of a control repo.
const RootFile = "tfgitops.yaml"

// The folders of a control repo.
const (
	componentsDir = "components"
	clustersDir   = "clusters"
)

// ErrNoControlRepo says that a directory is not in a control repo.
var ErrNoControlRepo = errors.New("no " + RootFile + " found")

// FindRoot returns the nearest directory at or above dir that holds a tfgitops.yaml, or ErrNoControlRepo.
func FindRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := start; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, RootFile)); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%w in %s or above: run this inside a control repo, name one with -C DIR, or start one with `tfgitops init`", ErrNoControlRepo, start)
		}
	}
}

// The functions below are the layout of a control repo: slash-separated paths relative to its root.

// ComponentDir is the folder of a component.
func ComponentDir(component string) string { return componentsDir + "/" + component }

// ComponentFile is where a Component is declared.
func ComponentFile(component string) string { return ComponentDir(component) + "/component.yaml" }

// ComponentValuesFile holds a release's values for every cluster.
func ComponentValuesFile(component, release string) string {
	return ComponentDir(component) + "/values/" + release + ".yaml"
}

// ManifestsDir holds one version of a component of plain manifests.
func ManifestsDir(component, version string) string {
	return ComponentDir(component) + "/manifests/" + version
}

// ClusterDir is the folder of a cluster, and the overlay that Flux applies.
func ClusterDir(cluster string) string { return clustersDir + "/" + cluster }

// ClusterFile is where a Cluster is declared.
func ClusterFile(cluster string) string { return ClusterDir(cluster) + "/cluster.yaml" }

// ClusterValuesFile holds a release's values for one cluster.
func ClusterValuesFile(cluster, release string) string {
	return ClusterDir(cluster) + "/values/" + release + ".yaml"
}

// PinFile pins a component on a cluster.
func PinFile(cluster, component string) string {
	return ClusterDir(cluster) + "/pins/" + component + ".yaml"
}

// ParsePinFile returns what a pin's file pins, and whether the file is one of a pin.
func ParsePinFile(file string) (cluster, component string, ok bool) {
	parts := strings.Split(file, "/")
	if len(parts) != 4 {
		return "", "", false
	}
	component, isYAML := strings.CutSuffix(parts[3], ".yaml")
	return parts[1], component, isYAML && file == PinFile(parts[1], component)
}

// RenderedDir is what render writes for a cluster.
func RenderedDir(cluster string) string { return ClusterDir(cluster) + "/manifests" }

// OverlayFile is the cluster's kustomization.
func OverlayFile(cluster string) string { return ClusterDir(cluster) + "/kustomization.yaml" }

// ClusterFolders returns the names of the clusters in a control repo, sorted, without reading their files.
func ClusterFolders(fsys fs.FS) []string { return folderNames(fsys, clustersDir) }

// ComponentFolders returns the names of the components in a control repo, sorted, without reading their files.
func ComponentFolders(fsys fs.FS) []string { return folderNames(fsys, componentsDir) }

func folderNames(fsys fs.FS, dir string) []string {
	entries, _ := fs.ReadDir(fsys, dir) // what cannot be read has no names; Load says why
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}
