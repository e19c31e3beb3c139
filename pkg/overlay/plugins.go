package overlay

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pluginPaths are the fields, at any depth, under which the configurations of kustomize's built-in
// generators and transformers name files. Compared in any case, as its decoder does.
var pluginPaths = []string{"path", "paths", "files", "envs", "env", "targetFilePath"}

// inlinePlugin checks an entry that is a configuration itself; false for one that names a file.
func (in *inspection) inlinePlugin(here at, dir string, ref reference) bool {
	if !isMapping(ref.value) {
		return false
	}
	in.plugins(here, dir, []byte(ref.value))
	return true
}

// plugins follows what the configurations in a file or an entry name, relative to the kustomization's
// directory. Those that are not kustomize's own are refused: Flux runs none.
func (in *inspection) plugins(from at, dir string, content []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var config map[string]any
		err := decoder.Decode(&config)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			in.report(from, "", ErrSyntax, "plugin configuration: %v", err)
			return
		}
		if version, kind := config["apiVersion"], config["kind"]; version != "builtin" || kind == "HelmChartInflationGenerator" {
			in.report(from, "", ErrPlugin, "%v %v is a plugin that Flux does not run: accepted are kustomize's own, apiVersion: builtin", version, kind)
			continue
		}
		in.pluginReferences(from, dir, config, false)
	}
}

func (in *inspection) pluginReferences(from at, dir string, value any, isPath bool) {
	switch value := value.(type) {
	case map[string]any:
		for key, child := range value {
			in.pluginReferences(from, dir, child, namesPath(key))
		}
	case []any:
		for _, child := range value {
			in.pluginReferences(from, dir, child, isPath)
		}
	case string:
		if isPath {
			in.follow(from, dir, reference{field: "plugin configuration", value: value, path: pluginPath(value), reach: toFileOrInline})
		}
	}
}

func namesPath(key string) bool {
	for _, name := range pluginPaths {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// pluginPath takes the path out of "key=path"; a patch or another text is left as it is.
func pluginPath(value string) string {
	if strings.Contains(value, "\n") {
		return value
	}
	return sourcePath(value)
}

// isMapping reports whether a value is YAML of a mapping, as a configuration or a patch written in place
// is, and the name of a file is not.
func isMapping(value string) bool {
	var node yaml.Node
	return yaml.Unmarshal([]byte(value), &node) == nil && len(node.Content) == 1 && node.Content[0].Kind == yaml.MappingNode
}

// redactURL drops a password from a URL that goes into a message.
func redactURL(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.User == nil {
		return value
	}
	return u.Redacted()
}
