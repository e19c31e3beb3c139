package helmfile

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A placeholder stands for what a command would print: nothing here runs one. It has letters of both cases and no
// punctuation, so that YAML and quoting leave it as it is and other functions do not.
const (
	markPrefix = "TfgitopsSecretQ"
	markDigits = 16
)

var mark = regexp.MustCompile(markPrefix + fmt.Sprintf("[0-9a-f]{%d}", markDigits))

// secretSource is what a value that nobody here knows comes from.
type secretSource struct {
	// Name is what people call it: the last argument of the command, or what a reference ends in.
	Name string
	// Origin says where it comes from, without any value.
	Origin string
	// Command and Args are those of a command that would be run, where it is one.
	Command string
	Args    []string
	Dir     string
	// Position is where the template is that asks for it.
	Position Position
}

// vault holds the sources of all placeholders.
type vault struct{ sources map[string]secretSource }

func newVault() *vault { return &vault{sources: map[string]secretSource{}} }

// program is the file that a command is, from the root of the imported folder, or its bare name.
func (s secretSource) program() string {
	if strings.Contains(s.Command, "/") && !path.IsAbs(s.Command) {
		return path.Join(s.Dir, s.Command)
	}
	return s.Command
}

// placeholder returns what stands for a source: the same for the same command and arguments.
func (v *vault) placeholder(s secretSource) string {
	what := s.Origin
	if s.Command != "" {
		what = s.program() + "\x00" + strings.Join(s.Args, "\x00")
	}
	sum := sha256.Sum256([]byte(what))
	p := markPrefix + fmt.Sprintf("%x", sum)[:markDigits]
	if _, known := v.sources[p]; !known {
		v.sources[p] = s
	}
	return p
}

// in returns the placeholders in a text, each once, in order.
func (v *vault) in(text string) []string {
	if !strings.Contains(text, markPrefix) {
		return nil
	}
	var found []string
	for _, p := range mark.FindAllString(text, -1) {
		if _, known := v.sources[p]; known && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return found
}

// describe replaces placeholders in a text by the names of their sources.
func (v *vault) describe(text string) string {
	for _, p := range v.in(text) {
		text = strings.ReplaceAll(text, p, "<"+v.sources[p].Name+">")
	}
	return text
}

// ofCommand returns the source of a command's output.
func ofCommand(dir, command string, args []string, at Position) secretSource {
	name := path.Base(command)
	if len(args) > 0 {
		name = args[len(args)-1]
	}
	return secretSource{Name: secretNameOf(name), Origin: strings.Join(append([]string{command}, args...), " "), Command: command, Args: args, Dir: dir, Position: at}
}

// secretNameOf makes a text a name that is told apart from what stands around it.
func secretNameOf(text string) string {
	if name := strings.Trim(secretKey.ReplaceAllString(text, "-"), "-"); name != "" {
		return name
	}
	return "secret"
}

// ofReference returns the source of a reference to a secret store, such as ref+vault://path#/key.
func ofReference(reference string, at Position) secretSource {
	name := reference
	if i := strings.LastIndexAny(reference, "/#"); i >= 0 && i < len(reference)-1 {
		name = reference[i+1:]
	}
	return secretSource{Name: secretNameOf(name), Origin: reference, Position: at}
}

// isReference reports whether helmfile would fetch the text from a secret store.
func isReference(text string) bool {
	return strings.HasPrefix(text, "ref+") || strings.HasPrefix(text, "secretref+")
}

// withReferences replaces references to secret stores in values by placeholders.
func (v *vault) withReferences(value any, at Position) any {
	switch value := value.(type) {
	case string:
		if isReference(value) {
			return v.placeholder(ofReference(value, at))
		}
	case []any:
		for i := range value {
			value[i] = v.withReferences(value[i], at)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			value[key] = v.withReferences(value[key], at)
		}
	}
	return value
}
