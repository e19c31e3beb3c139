package toolforge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"
)

// How a template treats a value that is missing.
const (
	lenient = "missingkey=default"
	strict  = "missingkey=error"
)

// secretMark begins what stands for the output of a secret-fetching command.
const secretMark = "secret-from-a-command-"

// templateContext is what a template of helmfile's sees.
type templateContext struct {
	Dir         string // relative paths start here
	Environment string
	Values      map[string]any
}

// load reads a values file. Only .gotmpl files are templates, and their paths are relative to themselves.
func (c templateContext) load(file string) (map[string]any, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(file, ".gotmpl") {
		c.Dir = filepath.Dir(file)
		if content, err = c.execute(string(content), strict); err != nil {
			return nil, err
		}
	}
	values, err := decodeYAML(content)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	return values, nil
}

func (c templateContext) execute(text, missing string) ([]byte, error) {
	parsed, err := template.New("").Option(missing).Funcs(c.functions()).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, map[string]any{
		"Environment": map[string]any{"Name": c.Environment},
		"Values":      c.Values,
	})
	return out.Bytes(), err
}

// functions are those that the tree uses.
func (c templateContext) functions() template.FuncMap {
	return template.FuncMap{
		"exec":     execSecret,
		"list":     func(items ...any) []any { return items },
		"readFile": c.readFile,
		"fromYaml": func(text string) (map[string]any, error) { return decodeYAML([]byte(text)) },
		"toYaml":   toYAML,
		"toJson":   toJSON,
		"nindent":  nindent,
		"quote":    func(v any) string { return strconv.Quote(fmt.Sprint(v)) },
		"trim":     func(v any) string { return strings.TrimSpace(fmt.Sprint(v)) },
	}
}

// execSecret runs nothing. Like the real command's, its output ends in a newline.
func execSecret(_ string, arguments []any) (string, error) {
	if len(arguments) != 1 {
		return "", fmt.Errorf("exec has %d arguments, want the secret's name", len(arguments))
	}
	return fmt.Sprintf("%s%v\n", secretMark, arguments[0]), nil
}

func (c templateContext) readFile(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(c.Dir, name))
	return string(content), err
}

func toYAML(v any) (string, error) {
	data, err := yaml.Marshal(v)
	return strings.TrimSuffix(string(data), "\n"), err
}

func toJSON(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err
}

func nindent(spaces int, text string) string {
	pad := "\n" + strings.Repeat(" ", spaces)
	return pad + strings.ReplaceAll(text, "\n", pad)
}
