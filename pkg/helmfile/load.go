package helmfile

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// state is a helmfile in one environment, its parts and bases merged.
type state struct {
	file string
	node *yaml.Node
	env  environment
}

// maxBases bounds how deep helmfiles are based on each other.
const maxBases = 10

// load reads a helmfile as helmfile's version 0 does. Each part is a template twice: what the first, lenient pass says of
// environments gives the values for the second.
func (r *reader) load(file string, env environment, depth int) (state, error) {
	if depth > maxBases {
		return state{}, wrongAt(Position{File: file}, "helmfiles are based on each other in a circle, or more than %d deep", maxBases)
	}
	content, err := r.source.file(file)
	if err != nil {
		return state{}, wrongAt(Position{File: file}, "cannot read it: %w", bareError(err))
	}
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	loaded := state{file: file, env: env}
	line := 1
	for _, text := range bytes.Split(content, []byte("\n---\n")) {
		node, err := r.loadPart(&loaded.env, part{file, line, text, depth})
		if err != nil {
			return state{}, err
		}
		// A later part replaces the lists of an earlier one.
		loaded.node = mergeNodes(loaded.node, node, false, true)
		line += bytes.Count(text, []byte("\n")) + 2
	}
	if loaded.node == nil {
		loaded.node = &yaml.Node{Kind: yaml.MappingNode}
	}
	return loaded, nil
}

// part is one of the parts that --- separates.
type part struct {
	file  string
	line  int // its first
	text  []byte
	depth int
}

// loadPart returns a part with its bases, and adds what it says of the environment.
func (r *reader) loadPart(env *environment, p part) (*yaml.Node, error) {
	made := rendered{text: p.text, lines: sameLines(p)}
	if r.isTemplate(p.file) {
		values := env.all()
		if !r.options.V1 {
			values = r.draft(*env, p).all()
		}
		x := &execution{reader: r, dir: parent(p.file), at: Position{p.file, p.line}}
		var err error
		if made, err = x.render(p.text, env.templateData(values, "")); err != nil {
			return nil, err
		}
	}
	roots, err := parseDocuments(p.file, made.text, made.lines, r.at)
	if err != nil {
		return nil, err
	}
	var node *yaml.Node
	for _, root := range roots {
		node = mergeNodes(node, root, true, false)
	}
	if node, err = r.withBases(*env, p, node); err != nil {
		return nil, err
	}
	return node, r.addValues(env, p.file, node)
}

// isTemplate reports whether a helmfile is a template as a whole.
func (r *reader) isTemplate(file string) bool {
	return !r.options.V1 || strings.HasSuffix(file, ".gotmpl")
}

func sameLines(p part) []int {
	lines := make([]int, bytes.Count(p.text, []byte("\n"))+1)
	for i := range lines {
		lines[i] = p.line + i
	}
	return lines
}

// draft is the first pass: the environment with what can be made out of the part when missing values are empty. Its
// mistakes are the second pass's to report.
func (r *reader) draft(env environment, p part) environment {
	x := &execution{reader: r, dir: parent(p.file), at: Position{p.file, p.line}, draft: true}
	made, err := x.render(p.text, env.templateData(map[string]any{}, ""))
	if err != nil {
		return env
	}
	roots, err := parseDocuments(p.file, made.text, made.lines, r.at)
	if err != nil {
		return env
	}
	quiet := *r
	quiet.notes = newNotes()
	drafted := env
	for _, root := range roots {
		if err := quiet.addValues(&drafted, p.file, root); err != nil {
			return env
		}
	}
	return drafted
}

// withBases puts a part on the helmfiles that it is based on: lists are appended, and the first value stays.
func (r *reader) withBases(env environment, p part, node *yaml.Node) (*yaml.Node, error) {
	bases := child(node, "bases")
	if isNull(bases) {
		return node, nil
	}
	var merged *yaml.Node
	for _, base := range bases.Content {
		file, err := r.source.resolve(parent(p.file), text(base))
		if err != nil {
			return nil, wrongAt(r.position(base), "%w", err)
		}
		loaded, err := r.load(file, env, p.depth+1)
		if err != nil {
			return nil, err
		}
		merged = mergeNodes(merged, loaded.node, true, false)
	}
	return mergeNodes(merged, node, true, false), nil
}

// addValues adds the default values of a helmfile, and those of the environment.
func (r *reader) addValues(env *environment, file string, node *yaml.Node) error {
	defaults, err := r.environmentValues(*env, file, child(node, "values"), "")
	if err != nil {
		return err
	}
	env.defaults = mergeEnvironment(env.defaults, defaults)
	spec := child(child(node, "environments"), env.name)
	if context := text(child(spec, "kubeContext")); context != "" {
		env.context = context
	}
	handler := text(child(spec, "missingFileHandler"))
	values, err := r.environmentValues(*env, file, child(spec, "values"), handler)
	if err != nil {
		return err
	}
	env.values = mergeEnvironment(env.values, values)
	return nil
}

// environmentValues reads a list of files and mappings: all files that a pattern matches, later ones over earlier ones.
// Templates among them see the values of earlier parts.
func (r *reader) environmentValues(env environment, file string, entries *yaml.Node, handler string) (map[string]any, error) {
	merged := map[string]any{}
	if isNull(entries) {
		return merged, nil
	}
	if entries.Kind != yaml.SequenceNode {
		return nil, wrongAt(r.position(entries), "a list of values files is wanted here")
	}
	for _, entry := range entries.Content {
		values, err := r.environmentEntry(env, file, entry, handler)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			merged = mergeEnvironment(merged, v)
		}
	}
	return merged, nil
}

func (r *reader) environmentEntry(env environment, file string, entry *yaml.Node, handler string) ([]map[string]any, error) {
	if entry.Kind == yaml.MappingNode {
		values, err := valuesOfNode(entry)
		if err != nil {
			return nil, wrongAt(r.position(entry), "%w", err)
		}
		return []map[string]any{values}, nil
	}
	files, err := r.matches(parent(file), entry, handler)
	if err != nil {
		return nil, err
	}
	data := env.templateData(env.all(), "")
	var all []map[string]any
	for _, name := range files {
		if strings.HasSuffix(name, ".hcl") {
			return nil, wrongAt(r.position(entry), "values in HCL cannot be read: write them as YAML")
		}
		values, err := r.valuesFile(name, data)
		if err != nil {
			return nil, err
		}
		all = append(all, values.values)
	}
	return all, nil
}

// matches returns the files that an entry names. One that matches nothing is an error, unless the handler for missing
// files says otherwise.
func (r *reader) matches(dir string, entry *yaml.Node, handler string) ([]string, error) {
	pattern := text(entry)
	if strings.Contains(pattern, "://") || strings.Contains(pattern, "::") {
		return nil, wrongAt(r.position(entry), "%q is fetched from elsewhere, which an import does not do: put the file into the folder", pattern)
	}
	files, err := r.source.glob(dir, pattern)
	if err != nil {
		return nil, wrongAt(r.position(entry), "%w", err)
	}
	if len(files) > 0 {
		return files, nil
	}
	switch handler {
	case "Warn", "Info", "Debug":
		r.notes.add(Item{Position: r.position(entry), Construct: "missingFileHandler", Status: Mapped, Text: fmt.Sprintf("no file matches %q; missingFileHandler %s says to go on", pattern, handler)})
		return nil, nil
	case "", "Error":
		return nil, wrongAt(r.position(entry), "no file matches %q in %s: helmfile stops here too", pattern, dir)
	default:
		return nil, wrongAt(r.position(entry), "missingFileHandler %q is none of Error, Warn, Info, Debug", handler)
	}
}

// valuesOfNode returns a mapping as Helm would read it from a file.
func valuesOfNode(node *yaml.Node) (control.Values, error) {
	source, err := yaml.Marshal(withoutComments(node))
	if err != nil {
		return nil, err
	}
	return control.ParseValues(source)
}

func withoutComments(n *yaml.Node) *yaml.Node {
	c := *n
	c.HeadComment, c.LineComment, c.FootComment = "", "", ""
	c.Content = nil
	for _, item := range n.Content {
		c.Content = append(c.Content, withoutComments(item))
	}
	return &c
}
