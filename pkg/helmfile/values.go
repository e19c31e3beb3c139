package helmfile

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/strvals"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// fillValues gathers a release's values as Helm would: files and mappings in their order, then what set: says.
func (r *reader) fillValues(read *release, s state, node *yaml.Node) error {
	handler := text(child(node, "missingFileHandler"))
	if handler == "" {
		handler = text(child(s.node, "missingFileHandler"))
	}
	prefix := text(child(node, "valuesPathPrefix"))
	data := r.releaseData(s, node)
	entries := append(slices.Clone(contentOf(child(node, "valuesTemplate"))), contentOf(child(node, "values"))...)
	for _, entry := range entries {
		one, err := r.layerOf(s, entry, prefix, handler, data)
		if err != nil {
			return err
		}
		if one != nil {
			read.layers = append(read.layers, *one)
		}
	}
	for _, entry := range contentOf(child(node, "secrets")) {
		if entry.Kind != yaml.ScalarNode {
			return wrongAt(r.position(entry), "an encrypted mapping: put it into a Secret by hand, and take it out here")
		}
		read.encrypted = append(read.encrypted, path.Base(text(entry)))
	}
	sets := append(slices.Clone(contentOf(child(node, "setTemplate"))), contentOf(child(node, "set"))...)
	if err := r.addSets(read, s, sets, strvals.ParseInto); err != nil {
		return err
	}
	if err := r.addSets(read, s, contentOf(child(node, "setString")), strvals.ParseIntoString); err != nil {
		return err
	}
	return r.settle(read, s)
}

// layerOf reads one entry of a release's values. A pattern may match one file only.
func (r *reader) layerOf(s state, entry *yaml.Node, prefix, handler string, data map[string]any) (*layer, error) {
	if entry.Kind == yaml.MappingNode {
		values, err := valuesOfNode(entry)
		if err != nil {
			return nil, wrongAt(r.position(entry), "these values: %w", err)
		}
		r.vault.withReferences(values, r.position(entry))
		return &layer{values: values, hint: entry}, nil
	}
	if entry.Kind != yaml.ScalarNode {
		return nil, wrongAt(r.position(entry), "values are files or mappings")
	}
	if prefix != "" {
		c := *entry
		c.Value = prefix + entry.Value
		r.at[&c] = r.position(entry)
		entry = &c
	}
	files, err := r.matches(parent(s.file), entry, handler)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	if len(files) > 1 {
		return nil, wrongAt(r.position(entry), "%q matches %s: helmfile takes one file only here", text(entry), strings.Join(files, " and "))
	}
	file, err := r.valuesFile(files[0], data)
	return &layer{values: file.values, hint: file.hint}, err
}

// addSets adds what helm would be told with --set, --set-string or --set-file.
func (r *reader) addSets(read *release, s state, sets []*yaml.Node, parse func(string, map[string]any) error) error {
	for _, set := range sets {
		name, at := text(child(set, "name")), r.position(set)
		values := map[string]any{}
		argument := escapeSet(name) + "="
		switch {
		case child(set, "file") != nil:
			file, err := r.source.resolve(parent(s.file), text(child(set, "file")))
			if err != nil {
				return wrongAt(at, "%w", err)
			}
			content, err := r.source.file(file)
			if err != nil {
				return wrongAt(at, "cannot read %q: %w", file, bareError(err))
			}
			argument, parse = escapeSet(name)+"="+escapeSet(string(content)), strvals.ParseIntoString
		case child(set, "values") != nil:
			argument += "{" + strings.Join(each(contentTexts(child(set, "values")), escapeSet), ",") + "}"
		default:
			argument += escapeSet(text(child(set, "value")))
		}
		if err := parse(argument, values); err != nil {
			return wrongAt(at, "set %q cannot be read as helm's --set would", name)
		}
		settled, err := asValues(values)
		if err != nil {
			return wrongAt(at, "set %q: %w", name, err)
		}
		read.layers = append(read.layers, layer{values: settled, set: true})
	}
	return nil
}

// escapeSet is helmfile's: commas and braces belong to the value.
func escapeSet(value string) string {
	return strings.NewReplacer(",", `\,`, "{", `\{`, "}", `\}`).Replace(value)
}

func each[T any](items []T, do func(T) T) []T {
	done := make([]T, len(items))
	for i, item := range items {
		done[i] = do(item)
	}
	return done
}

// asValues brings values of another library's into the form of control's.
func asValues(values map[string]any) (control.Values, error) {
	source, err := toYAML(values)
	if err != nil {
		return nil, err
	}
	return control.ParseValues([]byte(source))
}

// settle merges the layers, drops what is helmfile's own, and takes out what comes from Secrets.
func (r *reader) settle(read *release, s state) error {
	var layers []control.Values
	for _, l := range read.layers {
		layers = append(layers, l.values)
		read.hint = mergeHints(read.hint, l.hint)
	}
	read.values = deepCopy(control.MergeValues(layers...))
	read.kubeVersion = r.kubeVersion(s, read)
	r.dropOwn(read)
	if err := r.dropAsked(read); err != nil {
		return err
	}
	r.noteClearText(read, s)
	return r.takeSecrets(read)
}

func deepCopy(values control.Values) control.Values {
	copied := make(control.Values, len(values))
	for key := range values {
		copied[key] = copyValue(values[key])
	}
	return copied
}

func copyValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		return deepCopy(value)
	case []any:
		return each(value, copyValue)
	}
	return value
}

// ownKeys are the values that are written for helmfile, and for scripts around it, and reach a chart only because one
// file serves both purposes. A chart's own kubeVersion is a version; a range is for scripts.
var ownKeys = []struct {
	pattern *regexp.Regexp // of the path
	value   *regexp.Regexp
}{
	{regexp.MustCompile(`^([^.]+\.)?chartVersion$`), regexp.MustCompile(`^\S+$`)},
	{regexp.MustCompile(`^[^.]+ChartVersion$`), regexp.MustCompile(`^\S+$`)},
	{regexp.MustCompile(`^chartRepository$`), regexp.MustCompile(`^\S+$`)},
	{regexp.MustCompile(`^kubeVersion$`), kubeRange},
}

var kubeRange = regexp.MustCompile(`[<>=~^|*\s]`)

func (r *reader) dropOwn(read *release) {
	for _, first := range slices.Sorted(maps.Keys(read.values)) {
		if below, isMap := read.values[first].(map[string]any); isMap {
			for _, second := range slices.Sorted(maps.Keys(below)) {
				r.dropIfOwn(read, below, first, second)
			}
			continue
		}
		r.dropIfOwn(read, read.values, first)
	}
}

func (r *reader) dropIfOwn(read *release, in map[string]any, path ...string) {
	name, last := strings.Join(path, "."), path[len(path)-1]
	value := fmt.Sprint(in[last])
	for _, own := range ownKeys {
		if !own.pattern.MatchString(name) || !own.value.MatchString(value) || r.options.keeps(read.name, name) {
			continue
		}
		r.notes.add(Item{
			Position: r.whereValue(read, path), Construct: "values." + name, Status: Dropped, Text: fmt.Sprintf("helmfile's own: not a value of release %q", read.name),
			Help: fmt.Sprintf("if the chart reads it, import with --keep %s:%s", read.name, name),
		})
		delete(in, last)
		read.dropped = append(read.dropped, name)
	}
}

// dropAsked drops the values that --drop names.
func (r *reader) dropAsked(read *release) error {
	for _, name := range r.options.Drop[read.name] {
		path := strings.Split(name, ".")
		at := read.values
		for _, key := range path[:len(path)-1] {
			at, _ = at[key].(map[string]any)
		}
		if _, given := at[path[len(path)-1]]; !given {
			continue
		}
		r.notes.add(Item{Position: r.whereValue(read, path), Construct: "values." + name, Status: Dropped, Text: fmt.Sprintf("not a value of release %q, as --drop says", read.name)})
		delete(at, path[len(path)-1])
		read.dropped = append(read.dropped, name)
	}
	return nil
}

// whereValue is where a value was written: in the last file that has it.
func (r *reader) whereValue(read *release, path []string) Position {
	for _, l := range slices.Backward(read.layers) {
		at, key := l.hint, (*yaml.Node)(nil)
		for _, name := range path {
			if key = keyNode(at, name); key == nil {
				break
			}
			at = child(at, name)
		}
		if key != nil {
			return r.position(key)
		}
	}
	return read.at
}

// kubeVersion is the range of Kubernetes versions that the values give a release, if any.
func (r *reader) kubeVersion(s state, read *release) string {
	for _, values := range []map[string]any{read.values, s.env.all()} {
		if version, isText := values["kubeVersion"].(string); isText && kubeRange.MatchString(version) {
			return strings.TrimSpace(version)
		}
	}
	return ""
}

// secretName matches the names of values that are passwords; secretPlace those that only name where one is.
var (
	secretName  = regexp.MustCompile(`(?i)(passw(or)?d|passphrase|htpasswd|token|apikey|api_key|private_?key|secret_?(access_?)?key|access_?key(_?id)?|credentials?|secret)$`)
	secretPlace = regexp.MustCompile(`(?i)(existing|name|ref|enabled|path|file|mount)`)
)

// noteClearText lists passwords that stand in the values.
func (r *reader) noteClearText(read *release, s state) {
	eachScalar(read.values, read.hint, nil, func(path []string, value any) {
		written, isText := value.(string)
		last := path[len(path)-1]
		if !isText || written == "" || len(r.vault.in(written)) > 0 || !secretName.MatchString(last) || secretPlace.MatchString(last) {
			return
		}
		r.notes.add(Item{
			Position: r.whereValue(read, path), Construct: "values." + strings.Join(path, "."), Status: Todo,
			Text: fmt.Sprintf("release %q has what looks like a password in clear text, in %s", read.name, s.env.name),
			Help: "it stays as it is: if it is real, change it, and put the new one into a Secret",
		})
	})
}

// eachScalar calls do for every value that is no mapping or list, in the order of the hint. List items have their number
// in the path.
func eachScalar(value any, hint *yaml.Node, path []string, do func(path []string, value any)) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range keyOrder(value, hint) {
			eachScalar(value[key], child(hint, key), append(slices.Clone(path), key), do)
		}
	case []any:
		for i, item := range value {
			eachScalar(item, nil, append(slices.Clone(path), fmt.Sprint(i)), do)
		}
	default:
		if len(path) > 0 {
			do(path, value)
		}
	}
}

// mergeHints merges the nodes of two layers for what values have no room for: comments, order and style.
func mergeHints(base, over *yaml.Node) *yaml.Node {
	if base == nil || over == nil || base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		if over == nil {
			return base
		}
		return over
	}
	merged := *base
	merged.HeadComment = joinComments(base.HeadComment, over.HeadComment)
	merged.Content = slices.Clone(base.Content)
	index := map[string]int{}
	for i := 0; i+1 < len(merged.Content); i += 2 {
		index[merged.Content[i].Value] = i
	}
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		at, known := index[key.Value]
		if !known {
			merged.Content = append(merged.Content, key, value)
			continue
		}
		both := *key
		both.HeadComment = joinComments(merged.Content[at].HeadComment, key.HeadComment)
		merged.Content[at], merged.Content[at+1] = &both, mergeHints(merged.Content[at+1], value)
	}
	return &merged
}

func joinComments(a, b string) string {
	switch {
	case a == "" || strings.Contains(b, a):
		return b
	case b == "" || strings.Contains(a, b):
		return a
	}
	return a + "\n" + b
}
