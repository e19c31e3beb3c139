package overlay

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pluginPaths are the fields under which the configurations of kustomize's built-in generators and
// transformers name files; ReplacementTransformer does so in its replacements. Compared in any case, as
// its decoder does.
var pluginPaths = []string{"path", "paths", "files", "envs", "env", "targetFilePath"}

const pluginReplacements = "replacements"

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
		in.pluginReferences(from, dir, config)
	}
}

func (in *inspection) pluginReferences(from at, dir string, config map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		switch {
		case slices.ContainsFunc(pluginPaths, func(name string) bool { return strings.EqualFold(key, name) }):
			in.pluginFiles(from, dir, config[key])
		case strings.EqualFold(key, pluginReplacements):
			list, _ := config[key].([]any)
			for _, entry := range list {
				if replacement, ok := entry.(map[string]any); ok {
					in.pluginReferences(from, dir, replacement)
				}
			}
		}
	}
}

// pluginFiles follows the name of a file, or a list of them.
func (in *inspection) pluginFiles(from at, dir string, value any) {
	switch value := value.(type) {
	case []any:
		for _, entry := range value {
			in.pluginFiles(from, dir, entry)
		}
	case string:
		in.follow(from, dir, reference{field: "plugin configuration", value: value, path: pluginPath(value), reach: toFileOrInline})
	}
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
