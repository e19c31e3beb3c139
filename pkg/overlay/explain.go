package overlay

import (
	"bytes"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// noise are the parts of kustomize's messages that repeat the input, with any secret in it, or that are
// about its own workings.
var noise = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile("(?s) with config: `.*`"), ""},
	{regexp.MustCompile(`(?s)\[patch: ".*"\]`), "the patch written in place"},
	{regexp.MustCompile(`(?s)literal sources \[.*\]: `), ""},
	{regexp.MustCompile(`(?s)invalid literal source .*, expected`), "invalid literal source, expected"},
	{regexp.MustCompile(`(?s)(patch and path can't be set at the same time|must specify one of patch and path in)\n.*`), "$1"},
	{regexp.MustCompile(`map\[string\]interface \{\}\(nil\): `), ""},
	// kustomize takes a resource for a file and then, if that fails, for a directory, and tells of both.
	{regexp.MustCompile(`(?s)accumulation err='(.*)': must build at directory: '[^']*': file is not directory`), "$1"},
	{regexp.MustCompile(`accumulation err='accumulating resources from '[^']*': "[^"]*" is a directory': `), ""},
	{regexp.MustCompile(`accumulating resources: |accumulating resources from '[^']*': |recursed accumulation of path '[^']*': `), ""},
}

// hidden stands in a message for the value of a secret.
const hidden = "[hidden]"

// explain turns an error of kustomize into a Problem with a file. A file that is bad YAML is looked for
// first, because kustomize's message about it seldom says which it is.
func (in *inspection) explain(dir string, err error) error {
	for _, file := range in.resources {
		if p := badYAML(file, in.tree.contents[file]); p != nil {
			return Problems{p}
		}
	}
	return Problems{{File: in.culprit(dir, err.Error()), Message: in.clean(err), Reason: ErrBuild}}
}

// culprit is the resource file that a message names, else the directory.
func (in *inspection) culprit(dir, message string) string {
	for _, file := range in.resources {
		if strings.Contains(message, "'"+path.Base(file)+"'") || strings.Contains(message, mounted(file)+"'") {
			return file
		}
	}
	return dir
}

// badYAML tries to decode every document of a file; a key that is there twice counts as bad.
func badYAML(file string, content []byte) *Problem {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			var value any
			err = document.Decode(&value)
		}
		if err != nil {
			return &Problem{File: file, Line: lineIn(err), Message: err.Error(), Reason: ErrSyntax}
		}
	}
}

var lineNumber = regexp.MustCompile(`\bline (\d+)\b`)

// lineIn takes the line out of a message of the YAML decoder, which has no other form for it.
func lineIn(err error) int {
	match := lineNumber.FindStringSubmatch(err.Error())
	if match == nil {
		return 0
	}
	line := 0
	for _, digit := range match[1] {
		line = line*10 + int(digit-'0')
	}
	return line
}

// clean makes a message of kustomize's fit to be shown.
func (in *inspection) clean(err error) string {
	message := err.Error()
	for _, n := range noise {
		message = n.pattern.ReplaceAllString(message, n.instead)
	}
	message = strings.ReplaceAll(message, mount+"/", "")
	for _, secret := range append(in.secrets, in.secretValues()...) {
		if len(secret) >= 4 {
			message = strings.ReplaceAll(message, secret, hidden)
		}
	}
	return strings.TrimSpace(message)
}

// secretValues are the values of all Secrets in the files read.
func (in *inspection) secretValues() []string {
	var values []string
	for _, file := range in.resources {
		decoder := yaml.NewDecoder(bytes.NewReader(in.tree.contents[file]))
		for {
			var secret struct {
				Kind       string
				Data       map[string]string
				StringData map[string]string `yaml:"stringData"`
			}
			if decoder.Decode(&secret) != nil {
				break
			}
			if secret.Kind != "Secret" {
				continue
			}
			for _, part := range []map[string]string{secret.Data, secret.StringData} {
				for _, value := range part {
					values = append(values, value)
				}
			}
		}
	}
	return values
}
