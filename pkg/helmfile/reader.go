package helmfile

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// reader reads helmfiles. What it notes on the way is for the report.
type reader struct {
	source  *source
	options Options
	vault   *vault
	at      map[*yaml.Node]Position
	notes   *notes
	// repositories are the URLs that any helmfile gives a repository's name.
	repositories map[string][]chartRepository
}

func newReader(fsys fs.FS, options Options) *reader {
	return &reader{
		source: newSource(fsys), options: options, vault: newVault(), at: map[*yaml.Node]Position{}, notes: newNotes(),
		repositories: map[string][]chartRepository{},
	}
}

func (r *reader) position(n *yaml.Node) Position { return r.at[n] }

func (r *reader) noteEnv(name string, given bool, at Position) {
	item := Item{Position: at, Construct: "template.env", Status: Todo, Text: fmt.Sprintf("the environment variable %q decides something here", name)}
	if given {
		item.Status, item.Text = Mapped, fmt.Sprintf("the environment variable %q has the value that was given with --env", name)
	} else {
		item.Help = fmt.Sprintf("it was taken as not set: give it with --env %s=VALUE if it usually is", name)
	}
	r.notes.add(item)
}

// environment is what helmfile calls an environment: its name and values.
type environment struct {
	name     string
	context  string         // of kubeconfig
	defaults map[string]any // the helmfile's own values
	values   map[string]any // the environment's
	override map[string]any // given on the command line, or to a nested helmfile
}

func newEnvironment(name string) environment {
	return environment{name: name, defaults: map[string]any{}, values: map[string]any{}, override: map[string]any{}}
}

// all are the values that templates see.
func (e environment) all() map[string]any {
	return mergeEnvironment(mergeEnvironment(e.defaults, e.values), e.override)
}

// templateData is what a template of a helmfile, or of an environment's values, sees.
func (e environment) templateData(values map[string]any, namespace string) map[string]any {
	seen := forTemplates(values)
	return map[string]any{
		"Environment": map[string]any{"Name": e.name, "KubeContext": e.context, "Values": forTemplates(e.values), "Defaults": forTemplates(e.defaults)},
		"Namespace":   namespace, "KubeContext": "", "Chart": "",
		"Values": seen, "StateValues": seen,
	}
}

// mergeEnvironment merges the values of environments as helmfile 0.167.1 was seen to: mappings key by key, and everything
// else by the later one, which may be false, 0, "", null or an empty list. What is read here stays apart from the values of
// releases, which Helm merges: the two may hold other things under the same key.
func mergeEnvironment(base, over map[string]any) map[string]any {
	return control.MergeValues(base, over)
}

// forTemplates turns values as JSON has them into what templates can count and compare.
func forTemplates(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return int(n)
		}
		f, _ := value.Float64()
		return f
	case []any:
		items := make([]any, len(value))
		for i := range value {
			items[i] = forTemplates(value[i])
		}
		return items
	case map[string]any:
		entries := make(map[string]any, len(value))
		for key := range value {
			entries[key] = forTemplates(value[key])
		}
		return entries
	}
	return value
}

// valuesFile is a file of values, filled in.
type valuesFile struct {
	name   string
	values control.Values
	hint   *yaml.Node // the same with its comments; nil for a file without content
}

// valuesFile reads a file of values. Only those that end in .gotmpl are templates, and their paths start at themselves.
func (r *reader) valuesFile(name string, data any) (valuesFile, error) {
	content, err := r.source.file(name)
	if err != nil {
		return valuesFile{}, wrongAt(Position{File: name}, "cannot read it: %w", bareError(err))
	}
	made := rendered{text: content}
	if strings.HasSuffix(name, ".gotmpl") {
		x := &execution{reader: r, dir: parent(name), at: Position{File: name, Line: 1}}
		if made, err = x.render(content, data); err != nil {
			return valuesFile{}, err
		}
	}
	return r.parseValues(name, made)
}

func (r *reader) parseValues(name string, made rendered) (valuesFile, error) {
	values, err := control.ParseValues(made.text)
	if err != nil {
		return valuesFile{}, wrongAt(Position{File: name}, "no values: %s", r.vault.describe(err.Error()))
	}
	roots, err := parseDocuments(name, made.text, made.lines, r.at)
	if err != nil {
		return valuesFile{}, err
	}
	file := valuesFile{name: name, values: values}
	if len(roots) > 1 {
		return valuesFile{}, wrongAt(r.position(roots[1]), "a second document: Helm would not read it")
	}
	if len(roots) == 1 {
		file.hint = roots[0]
	}
	r.vault.withReferences(file.values, Position{File: name})
	return file, nil
}

// bareError leaves out the operation and path of a file system's error.
func bareError(err error) error {
	if pathError, ok := err.(*fs.PathError); ok { //nolint:errorlint // the outermost only
		return pathError.Err
	}
	return err
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return "."
}
