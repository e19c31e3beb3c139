package overlay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// fluxSystem is the folder that flux bootstrap writes into a cluster's directory.
const fluxSystem = "flux-system"

// FluxSystemUnlisted reports whether a cluster's directory holds Flux's own manifests but its
// kustomization does not lead to them. Flux, which applies that kustomization and prunes what is no longer
// in it, would then delete itself.
//
// It says false of a kustomization with problems: Build reports those.
func FluxSystemUnlisted(ctx context.Context, fsys fs.FS, dir string) (bool, error) {
	folder := path.Join(dir, fluxSystem)
	holds, err := holdsManifests(fsys, folder)
	if err != nil || !holds {
		return false, err
	}
	in := inspect(newTree(ctx, fsys), path.Clean(dir))
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("reading %q: %w", dir, err)
	}
	return len(in.problems) == 0 && !in.reaches(folder), nil
}

// holdsManifests tells a folder of Flux's from one that does not exist or is empty.
func holdsManifests(fsys fs.FS, folder string) (bool, error) {
	entries, err := fs.ReadDir(fsys, folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %q: %w", folder, err)
	}
	for _, entry := range entries {
		switch path.Ext(entry.Name()) {
		case ".yaml", ".yml":
			return true, nil
		}
	}
	return false, nil
}

// reaches reports whether objects are taken from a folder.
func (in *inspection) reaches(folder string) bool {
	if _, visited := in.visits[folder]; visited {
		return true
	}
	for _, file := range in.resources {
		if strings.HasPrefix(file, folder+"/") {
			return true
		}
	}
	return false
}
