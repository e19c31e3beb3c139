package scaffold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// schemasDir holds the JSON Schemas that editors check the files of a control repo with.
const schemasDir = "schemas"

const gitAttributesFile = ".gitattributes"

// gitAttributes keeps Git from changing line ends.
const gitAttributes = `# Rendered files are compared to the byte, and manifests are pinned by their digest.
clusters/*/manifests/** -text
components/*/manifests/** -text
`

// InitOptions describe a new control repo.
type InitOptions struct {
	// Name is the repo's, a DNS label.
	Name string
	// ChartRepository is the URL of the first chart repository, if any.
	ChartRepository string
}

// Init plans a control repo in the folder fsys, which may hold other things. It is an error if one is there already.
func Init(ctx context.Context, fsys fs.FS, options InitOptions) (Plan, error) {
	if exists(fsys, control.RootFile) {
		return Plan{}, fmt.Errorf("%s is %w: this folder is a control repo", control.RootFile, ErrExists)
	}
	content, err := controlRepo(options)
	if err != nil {
		return Plan{}, err
	}
	p := propose(fsys)
	if err := p.create(control.RootFile, content); err != nil {
		return Plan{}, err
	}
	for _, kind := range v1alpha1.Kinds() {
		schema, err := v1alpha1.Schema(kind)
		if err != nil {
			return Plan{}, err
		}
		if err := p.create(path.Join(schemasDir, kind.SchemaFile()), string(schema)); err != nil {
			return Plan{}, err
		}
	}
	if err := p.addGitAttributes(); err != nil {
		return Plan{}, err
	}
	return p.plan(ctx)
}

// addGitAttributes adds the lines that are not there yet to people's own.
func (p *proposal) addGitAttributes() error {
	content, err := fs.ReadFile(p.base, gitAttributesFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read %s: %w", gitAttributesFile, err)
	}
	if bytes.Contains(content, []byte(gitAttributes)) {
		return nil
	}
	if len(content) > 0 {
		content = append(bytes.TrimRight(content, "\n"), "\n\n"...)
	}
	p.files[gitAttributesFile] = append(content, gitAttributes...)
	return nil
}

func controlRepo(options InitOptions) (string, error) {
	if err := checkName("control repo", options.Name); err != nil {
		return "", err
	}
	repositories, err := repositoriesText(options.ChartRepository)
	if err != nil {
		return "", err
	}
	return head(v1alpha1.KindControlRepo, control.RootFile, options.Name, "# This file marks the root of a control repo, and holds what its clusters share.\n") +
		"spec:\n" + repositories + controlRepoRest, nil
}

const controlRepoRest = `  # Stages, the steps that a version takes on its way, are added by ` + "`tfgitops cluster add NAME --stage STAGE`" + `.
  # How often Flux looks at a release, and how long Helm waits, where a component says nothing else.
  releaseDefaults:
    interval: 10m
    timeout: 5m
`

// repositoriesText is the field of the chart repositories, with the one whose URL is given.
func repositoriesText(given string) (string, error) {
	const comment = "  # Chart repositories, by the name that components refer to them with.\n"
	if given == "" {
		return comment + "  repositories: {}\n", nil
	}
	parsed, err := checkURL(given, "oci://", "https://", "http://")
	if err != nil {
		return "", fmt.Errorf("the chart repository: %w", err)
	}
	name := path.Base(parsed.Path)
	if !dnsLabel.MatchString(name) {
		name = "charts"
	}
	return comment + fmt.Sprintf("  repositories:\n    %s:\n      url: %s\n", scalar(name), scalar(given)) +
		`      # Where charts have the commit in their version, this finds it, and their pins follow the component's source:
      # versionPattern: "-(?P<commit>[0-9a-f]{8})$"
`, nil
}
