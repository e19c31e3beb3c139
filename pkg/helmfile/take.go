package helmfile

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// secretValue is a value of a release that comes from a Secret.
type secretValue struct {
	// path leads to the value; nil where all values of the release come from the Secret.
	path []string
	key  string // in the Secret
	// template is what to put there, with <names> for what the commands print.
	template string
	sources  []secretSource
}

// valuesKey is the key of a Secret that holds all values of a release: Flux's own default.
const valuesKey = "values.yaml"

// What Flux accepts as a target path, and as a key of a Secret.
var (
	targetPath = regexp.MustCompile(`^([a-zA-Z0-9_\-.\\/]|\[[0-9]{1,5}\])+$`)
	secretKey  = regexp.MustCompile(`[^-._a-zA-Z0-9]+`)
)

const maxTargetPath = 250

// target is a path as Flux and helm --set write it.
func target(path []string) string {
	escaped := make([]string, len(path))
	for i, key := range path {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(key)
	}
	return strings.Join(escaped, ".")
}

// takeSecrets moves what commands would print out of a release's values. A value that only mappings lead to is taken
// alone; for one inside a list, or at a path that Flux does not accept, all values of the release come from the Secret.
func (r *reader) takeSecrets(read *release) error {
	whole := false
	eachScalar(read.values, read.hint, nil, func(path []string, value any) {
		written, isText := value.(string)
		if !isText || len(r.vault.in(written)) == 0 {
			return
		}
		if !r.isTargetable(read.values, path) {
			whole = true
		}
		read.secrets = append(read.secrets, r.secretAt(path, written))
	})
	if found := keysWithSecrets(r.vault, read.values); found != "" {
		return wrongAt(read.at, "the output of a command (%s) is the name of a value of release %q: write down what it is", found, read.name)
	}
	if whole {
		return r.takeWhole(read)
	}
	nameKeys(read.secrets)
	for _, secret := range read.secrets {
		r.noteSecret(read, secret)
		removeValue(read.values, secret.path)
	}
	r.takeEncrypted(read)
	return nil
}

func (r *reader) isTargetable(values control.Values, path []string) bool {
	at := any(values)
	for _, key := range path {
		mapping, isMap := at.(map[string]any)
		if !isMap || key == "" || strings.ContainsAny(key, "[]=,") {
			return false
		}
		at = mapping[key]
	}
	written := target(path)
	return targetPath.MatchString(written) && len(written) <= maxTargetPath
}

func (r *reader) secretAt(path []string, written string) secretValue {
	secret := secretValue{path: path, template: strings.TrimSpace(r.vault.describe(written))}
	for _, p := range r.vault.in(written) {
		secret.sources = append(secret.sources, r.vault.sources[p])
	}
	return secret
}

// keysWithSecrets returns the name of a secret that is part of a mapping's key, if any.
func keysWithSecrets(v *vault, value any) string {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if found := v.in(key); len(found) > 0 {
				return v.sources[found[0]].Name
			}
			if found := keysWithSecrets(v, value[key]); found != "" {
				return found
			}
		}
	case []any:
		for _, item := range value {
			if found := keysWithSecrets(v, item); found != "" {
				return found
			}
		}
	}
	return ""
}

// takeWhole makes all values of a release one key of its Secret.
func (r *reader) takeWhole(read *release) error {
	written, err := toYAML(masked(r.vault, read.values, ""))
	if err != nil {
		return err
	}
	secret := secretValue{key: valuesKey, template: written}
	for _, part := range read.secrets {
		secret.sources = append(secret.sources, part.sources...)
		r.noteSecretIn(read, part)
	}
	read.values, read.secrets, read.hint = control.Values{}, []secretValue{secret}, nil
	if len(read.encrypted) > 0 {
		return wrongAt(read.at, "release %q has encrypted files, and values that come from a Secret as a whole: put all of them into one Secret by hand", read.name)
	}
	return nil
}

// masked shows values with the names of secrets in place of their placeholders, and without what looks like a password.
func masked(v *vault, value any, key string) any {
	switch value := value.(type) {
	case map[string]any:
		shown := map[string]any{}
		for k := range value {
			shown[k] = masked(v, value[k], k)
		}
		return shown
	case []any:
		shown := make([]any, len(value))
		for i := range value {
			shown[i] = masked(v, value[i], key)
		}
		return shown
	case string:
		if len(v.in(value)) > 0 {
			return v.describe(value)
		}
		if value != "" && secretName.MatchString(key) && !secretPlace.MatchString(key) {
			return "<" + key + ">"
		}
	}
	return value
}

// nameKeys gives each value a key in the Secret: the last part of its path, or as many as tell them apart.
func nameKeys(secrets []secretValue) {
	for parts := 1; ; parts++ {
		taken := map[string]int{}
		long := true
		for i := range secrets {
			path := secrets[i].path
			long = long && parts >= len(path)
			from := max(0, len(path)-parts)
			secrets[i].key = strings.Trim(secretKey.ReplaceAllString(strings.Join(path[from:], "-"), "-"), "-")
			taken[secrets[i].key]++
		}
		if len(taken) == len(secrets) {
			return
		}
		if long {
			for i := range secrets {
				secrets[i].key = fmt.Sprintf("%s-%d", secrets[i].key, i+1)
			}
			return
		}
	}
}

// removeValue takes a value out, and the mappings that it leaves empty stay.
func removeValue(values control.Values, path []string) {
	at := values
	for _, key := range path[:len(path)-1] {
		at, _ = at[key].(map[string]any)
	}
	delete(at, path[len(path)-1])
}

// takeEncrypted adds each encrypted file as a key of the release's Secret. Its content is not known here.
func (r *reader) takeEncrypted(read *release) {
	for _, name := range read.encrypted {
		key := strings.Trim(secretKey.ReplaceAllString(name, "-"), "-")
		read.secrets = append(read.secrets, secretValue{key: key, template: "<the decrypted content of " + name + ">"})
		r.notes.add(Item{
			Position: read.at, Construct: "releases[].secrets", Status: Todo, Text: fmt.Sprintf("the encrypted file %s of release %q comes from the Secret %s, key %s", name, read.name, secretOf(read.name), key),
			Help: "put the decrypted file there; a value that is also written in clear text must be removed from the values files, since Flux takes the written one",
		})
	}
}

// secretOf is the name of the Secret with a release's values.
func secretOf(release string) string { return release + "-values" }

func (r *reader) noteSecret(read *release, s secretValue) {
	item := Item{
		Position: s.sources[0].Position, Construct: "template.secret", Status: Mapped,
		Text: fmt.Sprintf("%s: value %s of release %q comes from the Secret %s, key %s", s.sources[0].Origin, target(s.path), read.name, secretOf(read.name), s.key),
	}
	item.Position = r.whereValue(read, s.path)
	if !isWholeTemplate(s) {
		item.Status, item.Help = Todo, fmt.Sprintf("the Secret must hold the whole value: %s", oneLine(s.template))
	}
	r.notes.add(item)
}

func (r *reader) noteSecretIn(read *release, s secretValue) {
	r.notes.add(Item{
		Position: r.whereValue(read, s.path), Construct: "template.secret", Status: Todo,
		Text: fmt.Sprintf("%s: value %s of release %q is where no target path leads, so all values of the release come from the Secret %s, key %s", s.sources[0].Origin, strings.Join(s.path, "."), read.name, secretOf(read.name), valuesKey),
		Help: "fill in the values under Secrets below",
	})
}

// isWholeTemplate reports whether a value is what one command prints, and nothing else.
func isWholeTemplate(s secretValue) bool {
	if len(s.sources) != 1 || s.template != "<"+s.sources[0].Name+">" {
		return false
	}
	return s.sources[0].Command != "" || isReference(s.sources[0].Origin) // and not what a function made of it
}

const maxShown = 120

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxShown {
		return text[:maxShown] + "…"
	}
	return text
}
