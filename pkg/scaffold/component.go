package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
)

// ComponentOptions describe a new component: one Helm release, or plain manifests.
type ComponentOptions struct {
	Name string
	// Chart is the chart's name; the component's where it is empty.
	Chart string
	// Repository is a name from tfgitops.yaml; it may be empty if there is but one.
	Repository string
	// Namespace is where the release goes; the component's name where it is empty.
	Namespace string
	// Source is the URL of the Git repository that the component is built from, if any.
	Source string
	// Manifests says that the component is one of plain manifests, which have none of chart, repository and namespace.
	Manifests bool
}

// AddComponent plans a component that is deployed nowhere yet.
func AddComponent(ctx context.Context, fsys fs.FS, options ComponentOptions) (Plan, error) {
	if err := checkName("component", options.Name); err != nil {
		return Plan{}, err
	}
	if file := control.ComponentFile(options.Name); exists(fsys, file) {
		return Plan{}, fmt.Errorf("%s is %w", file, ErrExists)
	}
	spec, err := specText(ctx, fsys, options)
	if err != nil {
		return Plan{}, err
	}
	p := propose(fsys)
	text := head(v1alpha1.KindComponent, control.ComponentFile(options.Name), options.Name, "") + spec
	if err := p.create(control.ComponentFile(options.Name), text); err != nil {
		return Plan{}, err
	}
	if options.Manifests {
		if err := p.create(control.ManifestsDir(options.Name, "README.md"), manifestsReadme(options.Name)); err != nil {
			return Plan{}, err
		}
	}
	return p.plan(ctx)
}

func specText(ctx context.Context, fsys fs.FS, options ComponentOptions) (string, error) {
	source, err := sourceText(options.Source)
	switch {
	case err != nil:
		return "", err
	case !options.Manifests:
		release, err := releaseText(ctx, fsys, options)
		return "spec:\n" + source + release, err
	case options.Chart != "" || options.Repository != "" || options.Namespace != "":
		return "", errors.New("a component of plain manifests has no chart, repository or namespace: leave them out, or leave out manifests")
	case source != "":
		return "# Plain manifests, in manifests/<version>/.\nspec:\n" + source, nil
	default:
		return "# Plain manifests, in manifests/<version>/.\nspec: {}\n", nil
	}
}

func sourceText(source string) (string, error) {
	if source == "" {
		return "", nil
	}
	if _, err := checkURL(source, "https://", "http://", "ssh://"); err != nil {
		return "", fmt.Errorf("the source: %w", err)
	}
	return fmt.Sprintf("  # The Git repository that it is built from: pins name its commits.\n  source:\n    url: %s\n", scalar(source)), nil
}

func releaseText(ctx context.Context, fsys fs.FS, options ComponentOptions) (string, error) {
	repository, err := chartRepository(ctx, fsys, options.Repository)
	if err != nil {
		return "", err
	}
	namespace := options.Namespace
	if namespace == "" {
		namespace = options.Name
	}
	if err := checkName("namespace", namespace); err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "  namespace: %s\n  # Components that must be ready first:\n  # dependsOn: [cert-manager]\n", scalar(namespace))
	fmt.Fprintf(&text, "  # Values for every cluster go into values/%s.yaml next to this file.\n  releases:\n    - name: %s\n", options.Name, scalar(options.Name))
	if options.Chart != "" && options.Chart != options.Name {
		if err := checkName("chart", options.Chart); err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "      chart: %s\n", scalar(options.Chart))
	}
	fmt.Fprintf(&text, "      repository: %s\n", scalar(repository))
	return text.String(), nil
}

// chartRepository returns the name of the chart repository: the one given, or the only one.
func chartRepository(ctx context.Context, fsys fs.FS, given string) (string, error) {
	repo, _ := control.Load(ctx, fsys, control.Only{Clusters: []string{}, Components: []string{}})
	known := slices.Sorted(maps.Keys(repo.Spec.Repositories))
	switch {
	case len(known) == 0:
		return "", fmt.Errorf("%s has no chart repository: add one to spec.repositories there, such as {charts: {url: oci://registry.example/charts}}", control.RootFile)
	case given == "" && len(known) == 1:
		return known[0], nil
	case given == "":
		return "", fmt.Errorf("which chart repository is it? %s has %s: name one with --repository", control.RootFile, strings.Join(known, ", "))
	case !slices.Contains(known, given):
		return "", fmt.Errorf("%s has no chart repository %q%s", control.RootFile, given, strictyaml.Suggest(given, known))
	}
	return given, nil
}

func manifestsReadme(component string) string {
	return fmt.Sprintf("Each folder here is one version of %s, as `tfgitops component vendor %s VERSION URL` fetched it.\nPins name a folder and the digest of what is in it: change nothing inside.\n", component, component)
}
