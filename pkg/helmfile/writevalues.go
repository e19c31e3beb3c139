package helmfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// CompareWithHelmfile runs the helmfile program on a copy of the imported folder, and compares what its write-values
// writes with the values files and mappings that were read, for every release in every environment. The report has the
// outcome; where something differs there are no changes to write.
//
// The program runs where it can fetch no secret and deploy nothing: the commands that templates name, and helm itself, are
// replaced by scripts that print placeholders, nothing else is on its PATH, and it has no kubeconfig. The copy is deleted
// afterwards. It must be a version 0 of helmfile: later ones read these files otherwise. What set: says is not compared:
// write-values leaves it out.
func (result *Result) CompareWithHelmfile(ctx context.Context, program string) (err error) {
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tfgitops-import-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &sandbox{dir: dir, result: result}
	if err := s.build(program); err != nil {
		return fmt.Errorf("cannot make a copy for helmfile to run in: %w", err)
	}
	result.Report.Helmfile, err = s.compareAll(ctx)
	if len(result.Report.Different()) > 0 {
		result.Changes, result.Report.Files = nil, []Written{}
	}
	return err
}

// sandbox is the folder that helmfile runs in.
type sandbox struct {
	dir    string
	result *Result
}

func (s *sandbox) repo() string { return filepath.Join(s.dir, "repo") }
func (s *sandbox) bin() string  { return filepath.Join(s.dir, "bin") }

func (s *sandbox) build(program string) error {
	for _, folder := range []string{s.repo(), s.bin(), filepath.Join(s.dir, "home")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	if err := s.copyFiles(); err != nil {
		return err
	}
	if err := os.Symlink(program, filepath.Join(s.bin(), "helmfile")); err != nil {
		return err
	}
	if err := writeScript(filepath.Join(s.bin(), "helm"), helmScript); err != nil {
		return err
	}
	return s.replaceCommands()
}

// copyFiles copies what the importer may read; nothing of it is executable.
func (s *sandbox) copyFiles() error {
	source := s.result.reader.source
	files, err := source.files(".")
	if err != nil {
		return err
	}
	for _, name := range files {
		content, err := source.file(name)
		if err != nil {
			return err
		}
		to := filepath.Join(s.repo(), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// helmScript stands for helm: it says a version, and makes an empty chart of each that helmfile wants pulled.
const helmScript = `#!/bin/sh
case "$1" in version) echo 'v3.18.6+g0000000'; exit 0 ;; pull|fetch) ;; *) exit 0 ;; esac
name="${2##*/}"
while [ $# -gt 0 ]; do
  if [ "$1" = --destination ]; then
    /bin/mkdir -p "$2/$name" && printf 'apiVersion: v2\nname: %s\nversion: 0.0.0\n' "$name" > "$2/$name/Chart.yaml"
  fi
  shift
done
`

// replaceCommands writes a script in the place of each command that a template names.
func (s *sandbox) replaceCommands() error {
	scripts := map[string]string{}
	sources := s.result.reader.vault.sources
	for _, placeholder := range slices.Sorted(maps.Keys(sources)) {
		source := sources[placeholder]
		if source.Command == "" {
			continue
		}
		at := source.program()
		if path.IsAbs(at) || strings.Contains(at, "/") && !fs.ValidPath(at) {
			return fmt.Errorf("the command %q is outside of the imported folder, so helmfile would run it", source.Command)
		}
		scripts[at] += fmt.Sprintf("  %s) echo %s ;;\n", shellQuote(strings.Join(source.Args, " ")), placeholder)
	}
	for at, cases := range scripts {
		to := filepath.Join(s.bin(), at)
		if strings.Contains(at, "/") {
			to = filepath.Join(s.repo(), filepath.FromSlash(at))
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := writeScript(to, "#!/bin/sh\ncase \"$*\" in\n"+cases+"  *) exit 1 ;;\nesac\n"); err != nil {
			return err
		}
	}
	return nil
}

func writeScript(to, text string) error {
	return os.WriteFile(to, []byte(text), 0o700) //nolint:gosec // it is to be run
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func (s *sandbox) compareAll(ctx context.Context) ([]Compared, error) {
	compared := []Compared{}
	written := map[string]map[string]control.Values{}
	for _, c := range s.result.design.components {
		for _, cluster := range c.clusters() {
			environment := s.result.design.clusters[cluster]
			key := c.from + "\x00" + environment
			if written[key] == nil {
				values, err := s.writeValues(ctx, c.from, environment)
				if err != nil {
					return nil, err
				}
				written[key] = values
			}
			for _, name := range c.order {
				one := Compared{Cluster: cluster, Environment: environment, Component: c.name, Release: name, Differences: []string{}}
				if difference := compareLayers(c.releases[cluster][name], written[key]); difference != "" {
					one.Differences = append(one.Differences, difference)
				}
				compared = append(compared, one)
			}
		}
	}
	return compared, nil
}

// writeValues returns the values that helmfile writes, by release.
func (s *sandbox) writeValues(ctx context.Context, file, environment string) (map[string]control.Values, error) {
	out := filepath.Join(s.dir, "out")
	if err := os.RemoveAll(out); err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, filepath.Join(s.bin(), "helmfile"),
		"-q", "-f", filepath.FromSlash(file), "-e", environment, "write-values", "--output-file-template", out+"/{{ .Release.Name }}.yaml")
	command.Dir = s.repo()
	command.Env = []string{
		"PATH=" + s.bin(), "HOME=" + filepath.Join(s.dir, "home"), "TMPDIR=" + s.dir, "KUBECONFIG=" + filepath.Join(s.dir, "none"),
		"HELMFILE_UPGRADE_NOTICE_DISABLED=true", "HELMFILE_V1MODE=false",
	}
	for _, name := range slices.Sorted(maps.Keys(s.result.reader.options.Env)) {
		command.Env = append(command.Env, name+"="+s.result.reader.options.Env[name])
	}
	var messages bytes.Buffer
	command.Stdout, command.Stderr = &messages, &messages
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("helmfile write-values of %s in %s: %w\n%s", file, environment, err, s.result.reader.vault.describe(messages.String()))
	}
	return readWritten(out)
}

func readWritten(dir string) (map[string]control.Values, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	values := map[string]control.Values{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		if values[name], err = control.ParseValues(content); err != nil {
			return nil, fmt.Errorf("what helmfile writes for %s: %w", name, err)
		}
	}
	return values, nil
}

// compareLayers says in what helmfile's values differ from those that were read.
func compareLayers(read release, written map[string]control.Values) string {
	got, there := written[read.name]
	if !there {
		return "helmfile writes no values for it"
	}
	var layers []control.Values
	for _, l := range read.layers {
		if !l.set { // write-values leaves these out
			layers = append(layers, l.values)
		}
	}
	want := control.MergeValues(layers...)
	if sameValue(trimmed(want), trimmed(got)) {
		return ""
	}
	return "values:\n" + valuesDiff(want, got)
}

// trimmed is a value without space around its texts: what a command prints ends in a line end, which YAML keeps or not.
func trimmed(value any) any {
	switch value := value.(type) {
	case string:
		return strings.TrimSpace(value)
	case []any:
		items := make([]any, len(value))
		for i := range value {
			items[i] = trimmed(value[i])
		}
		return items
	case map[string]any:
		entries := map[string]any{}
		for key := range value {
			entries[key] = trimmed(value[key])
		}
		return entries
	}
	return value
}
