package scaffold

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
)

// ErrChecksum says that a file is not the one that was asked for.
var ErrChecksum = errors.New("the checksum differs")

// VendorOptions say which manifests to fetch for a component.
type VendorOptions struct {
	Component string
	// Version names the folder that they go to.
	Version string
	// Sources are https URLs, http URLs on this machine, or paths of files.
	Sources []string
	// SHA256 are the expected checksums, in hexadecimal, one for each source in their order; or none.
	SHA256 []string
}

// Vendored is one version of a component's manifests.
type Vendored struct {
	// Dir is the version's folder, relative to the repo's root.
	Dir string
	// Digest is that of the folder's content, as a pin needs it.
	Digest string
	Files  []VendoredFile
	// Unchanged says that these manifests were there already.
	Unchanged bool
}

// VendoredFile is one file of a version.
type VendoredFile struct {
	Name, Origin string
	// SHA256 is its checksum in hexadecimal.
	SHA256 string
	// Objects is how many Kubernetes objects are in it.
	Objects int
}

// Vendor fetches a version of a component's plain manifests into the repo below root: the whole folder or nothing. A
// version that is there with other content is an error (ErrExists): pins name it.
func Vendor(ctx context.Context, root *os.Root, client *http.Client, options VendorOptions) (Vendored, error) {
	if err := checkVendor(ctx, root.FS(), options); err != nil {
		return Vendored{}, err
	}
	files := make([]fetched, len(options.Sources))
	for i, source := range options.Sources {
		var err error
		if files[i], err = fetch(ctx, client, source); err != nil {
			return Vendored{}, err
		}
	}
	vendored, err := check(options, files)
	if err != nil {
		return Vendored{}, err
	}
	if exists(root.FS(), vendored.Dir) {
		return vendored.compare(root.FS(), files)
	}
	return vendored.write(ctx, root, files)
}

var versionForm = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9._+]{0,127}$`)

func checkVendor(ctx context.Context, fsys fs.FS, options VendorOptions) error {
	switch {
	case checkName("component", options.Component) != nil:
		return checkName("component", options.Component)
	case !versionForm.MatchString(options.Version):
		return fmt.Errorf("%q is no version: use letters, digits and . _ + -, such as 1.4.1", options.Version)
	case len(options.SHA256) > 0 && len(options.SHA256) != len(options.Sources):
		return fmt.Errorf("%d checksums for %d sources: give one for each, in their order", len(options.SHA256), len(options.Sources))
	case !exists(fsys, control.ComponentFile(options.Component)):
		return fmt.Errorf("there is no component %q%s: add it with `tfgitops component add %s --manifests`", options.Component,
			strictyaml.Suggest(options.Component, control.ComponentFolders(fsys)), options.Component)
	}
	repo, findings := control.Load(ctx, fsys, control.Only{Clusters: []string{}, Components: []string{options.Component}})
	if err := errors.Join(ctx.Err(), of(findings, control.ComponentFile(options.Component)).Err()); err != nil {
		return err
	}
	if component := repo.Components[options.Component]; len(component.Releases) > 0 || component.External != "" {
		return fmt.Errorf("component %q has releases or is external: plain manifests need a component of their own", options.Component)
	}
	return nil
}

// check looks at every file before any is written.
func check(options VendorOptions, files []fetched) (Vendored, error) {
	vendored := Vendored{Dir: control.ManifestsDir(options.Component, options.Version)}
	seen, size := map[object]string{}, 0
	for i, file := range files {
		sum := sha256.Sum256(file.content)
		described := VendoredFile{Name: file.name, Origin: file.origin, SHA256: hex.EncodeToString(sum[:])}
		if err := checkFileName(file.name, vendored.Files); err != nil {
			return Vendored{}, err
		}
		if len(options.SHA256) > 0 && !strings.EqualFold(strings.TrimPrefix(options.SHA256[i], "sha256:"), described.SHA256) {
			return Vendored{}, fmt.Errorf("%s: %w: it is %s, and %s was expected", file.origin, ErrChecksum, described.SHA256, options.SHA256[i])
		}
		if size += len(file.content); size > maxManifests {
			return Vendored{}, fmt.Errorf("the files have more than %d MiB together", maxManifests>>20)
		}
		var err error
		if described.Objects, err = checkObjects(file.name, file.content, seen); err != nil {
			return Vendored{}, err
		}
		vendored.Files = append(vendored.Files, described)
	}
	return vendored, nil
}

var fileForm = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9._+]*\.ya?ml$`)

func checkFileName(name string, before []VendoredFile) error {
	switch {
	case !fileForm.MatchString(name):
		return fmt.Errorf("%q is no name for a file of manifests: it must end in .yaml or .yml; fetch it to a file of that name first", name)
	case isKustomization(name):
		return fmt.Errorf("%s is no manifest: give the files that it lists", name)
	case slices.ContainsFunc(before, func(f VendoredFile) bool { return f.Name == name }):
		return fmt.Errorf("two of the sources are called %s: fetch one of them to a file of another name first", name)
	}
	return nil
}

func isKustomization(name string) bool {
	return name == kustomizationFile || name == "kustomization.yml"
}

const kustomizationFile = "kustomization.yaml"

// compare holds the fetched files against a version that is there.
func (v Vendored) compare(fsys fs.FS, files []fetched) (Vendored, error) {
	entries, err := fs.ReadDir(fsys, v.Dir)
	if err != nil {
		return Vendored{}, fmt.Errorf("cannot read %s: %w", v.Dir, err)
	}
	present := slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return isKustomization(e.Name()) })
	same := len(present) == len(files)
	for _, file := range files {
		content, err := fs.ReadFile(fsys, path.Join(v.Dir, file.name))
		same = same && err == nil && bytes.Equal(content, file.content)
	}
	if !same {
		return Vendored{}, fmt.Errorf("%s is %w with other content, which pins may name: choose another version name, or remove the folder if no cluster pins it", v.Dir, ErrExists)
	}
	v.Unchanged = true
	v.Digest, err = control.ManifestsDigest(fsys, v.Dir)
	return v, err
}

// write makes the folder, after a look at what kustomize and the control repo's checks say of it.
func (v Vendored) write(ctx context.Context, root *os.Root, files []fetched) (Vendored, error) {
	p := propose(root.FS())
	for _, file := range files {
		p.files[path.Join(v.Dir, file.name)] = file.content
	}
	p.files[path.Join(v.Dir, kustomizationFile)] = []byte(v.kustomization())
	plan, err := p.plan(ctx)
	if err != nil {
		return Vendored{}, err
	}
	if _, err := overlay.Build(ctx, p.FS(), v.Dir); err != nil {
		return Vendored{}, fmt.Errorf("kustomize cannot build these manifests: %w", err)
	}
	if v.Digest, err = control.ManifestsDigest(p.FS(), v.Dir); err != nil {
		return Vendored{}, err
	}
	return v, writeFolder(ctx, root, v.Dir, plan)
}

// kustomization lists the files, and says where each is from.
func (v Vendored) kustomization() string {
	var text strings.Builder
	text.WriteString("# Fetched by tfgitops component vendor. Pins hold the digest of this folder: change nothing in it.\n")
	text.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n")
	for _, file := range v.Files {
		fmt.Fprintf(&text, "  # From %s\n  # sha256:%s\n  - %s\n", file.Origin, file.SHA256, scalar(file.Name))
	}
	return text.String()
}
