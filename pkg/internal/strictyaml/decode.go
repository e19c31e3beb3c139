package strictyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/texttheater/golang-levenshtein/levenshtein"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// maxDepth is deeper than any values file needs to be, and far from what would exhaust a stack.
const maxDepth = 100

// Problem is one thing that is wrong, at a position counted from 1. A Line of 0 means the file as a whole.
type Problem struct {
	Line, Column int
	Message      string
}

// Decode checks data, one YAML document, against the schema and decodes it into the value that into points to, which is
// of the schema's type. It returns every problem found, in the order of the file; with any problem the value is not
// filled.
func (s *Schema) Decode(data []byte, into any) []Problem {
	root, problem := parse(data)
	if problem != nil {
		return []Problem{*problem}
	}
	d := &decoder{}
	d.value(root, s, 0)
	if len(d.problems) > 0 {
		return d.problems
	}
	if err := json.Unmarshal(d.json.Bytes(), into); err != nil {
		return []Problem{{Message: err.Error()}}
	}
	return nil
}

// parse returns the root node of the only document in data.
func parse(data []byte) (*yaml.Node, *Problem) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, &Problem{Message: "the file is empty"}
	} else if err != nil {
		return nil, syntaxProblem(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, &Problem{Line: second.Line, Column: max(second.Column, 1), Message: "a second document starts here: one file holds one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(err)
	}
	return document.Content[0], nil
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxProblem takes the line out of an error of the YAML library, which has it only in its text.
func syntaxProblem(err error) *Problem {
	match := yamlErrorLine.FindStringSubmatch(err.Error())
	if match == nil {
		return &Problem{Message: "not YAML: " + err.Error()}
	}
	line, _ := strconv.Atoi(match[1])
	return &Problem{Line: line, Column: min(line, 1), Message: "not YAML: " + match[2]}
}

// decoder walks nodes along a schema, writes them as JSON and gathers what is wrong with them.
type decoder struct {
	json     bytes.Buffer
	problems []Problem
}

func (d *decoder) problemf(n *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) value(n *yaml.Node, s *Schema, depth int) {
	switch {
	case depth > maxDepth:
		d.problemf(n, "nested deeper than %d levels", maxDepth)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.problemf(n, "anchors and aliases are not accepted here: write the value out")
	case isNull(n):
		d.json.WriteString("null")
	default:
		d.notNull(n, s, depth)
	}
}

func (d *decoder) notNull(n *yaml.Node, s *Schema, depth int) {
	switch s.kind {
	case object:
		d.object(n, s, depth)
	case dictionary:
		d.mapping(n, "a mapping of names", depth, func(string, *yaml.Node) *Schema { return s.elem })
	case list:
		d.list(n, s, depth)
	case freeForm:
		d.freeForm(n, depth)
	default:
		d.scalar(n, s)
	}
}

func (d *decoder) object(n *yaml.Node, s *Schema, depth int) {
	names := slices.Sorted(maps.Keys(s.fields))
	given := map[string]bool{}
	d.mapping(n, "a mapping with the keys "+strings.Join(names, ", "), depth, func(name string, key *yaml.Node) *Schema {
		fieldSchema, known := s.fields[name]
		if !known {
			d.problemf(key, "unknown key %q%s", name, Suggest(name, names))
			return nil
		}
		given[name] = true
		return fieldSchema
	})
	if n.Kind != yaml.MappingNode {
		return
	}
	for _, name := range s.required {
		if value := child(n, name); !given[name] || value == nil || isNull(value) || isEmptyText(value) {
			d.problemf(n, "the key %q is missing or empty", name)
		}
	}
}

// mapping writes a mapping whose values' schemas are looked up by key; a key without a schema is left out.
func (d *decoder) mapping(n *yaml.Node, want string, depth int, schemaOf func(string, *yaml.Node) *Schema) {
	if n.Kind != yaml.MappingNode {
		d.problemf(n, "%s is not accepted here: write %s", describe(n), want)
		return
	}
	d.json.WriteByte('{')
	seen := map[string]*yaml.Node{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !d.key(key, seen) {
			continue
		}
		valueSchema := schemaOf(key.Value, key)
		if valueSchema == nil {
			continue
		}
		d.comma('{')
		d.text(key.Value)
		d.json.WriteByte(':')
		d.value(value, valueSchema, depth+1)
	}
	d.json.WriteByte('}')
}

// key reports whether a mapping's key is usable: a string, not written as a number, and new.
func (d *decoder) key(key *yaml.Node, seen map[string]*yaml.Node) bool {
	if key.Kind != yaml.ScalarNode || key.Anchor != "" {
		d.problemf(key, "a key must be a plain string")
		return false
	}
	if tag := key.ShortTag(); tag != "!!str" {
		d.problemf(key, "the key %s reads as %s: quote it", key.Value, tagName(tag))
		return false
	}
	if first, duplicate := seen[key.Value]; duplicate {
		d.problemf(key, "the key %q stands here a second time; the first is in line %d", key.Value, first.Line)
		return false
	}
	seen[key.Value] = key
	return true
}

func (d *decoder) list(n *yaml.Node, s *Schema, depth int) {
	if n.Kind != yaml.SequenceNode {
		d.problemf(n, "%s is not accepted here: write a list", describe(n))
		return
	}
	d.json.WriteByte('[')
	for _, item := range n.Content {
		d.comma('[')
		d.value(item, s.elem, depth+1)
	}
	d.json.WriteByte(']')
}

// freeForm writes what Helm would read: sigs.k8s.io/yaml keeps dates as strings, as Helm does.
func (d *decoder) freeForm(n *yaml.Node, depth int) {
	before := len(d.problems)
	d.checkFreeForm(n, depth)
	if len(d.problems) > before {
		return
	}
	source, err := yaml.Marshal(n)
	if err != nil {
		d.problemf(n, "cannot be read: %v", err)
		return
	}
	converted, err := sigsyaml.YAMLToJSON(source)
	if err != nil {
		d.problemf(n, "cannot be read: %v", err)
		return
	}
	d.json.Write(converted)
}

func (d *decoder) checkFreeForm(n *yaml.Node, depth int) {
	if depth > maxDepth {
		d.problemf(n, "nested deeper than %d levels", maxDepth)
		return
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.problemf(n, "anchors and aliases are not accepted here: write the value out")
		return
	}
	seen := map[string]*yaml.Node{}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if first, duplicate := seen[c.Value]; duplicate && c.Kind == yaml.ScalarNode {
				d.problemf(c, "the key %q stands here a second time; the first is in line %d", c.Value, first.Line)
			}
			seen[c.Value] = c
		}
		d.checkFreeForm(c, depth+1)
	}
}

// scalarTags are the YAML tags that each kind of scalar accepts.
var scalarTags = map[kind]struct{ tag, want string }{
	text:    {"!!str", "a string"},
	boolean: {"!!bool", "true or false"},
	integer: {"!!int", "a whole number"},
}

func (d *decoder) scalar(n *yaml.Node, s *Schema) {
	accepted := scalarTags[s.kind]
	if n.Kind != yaml.ScalarNode {
		d.problemf(n, "%s is not accepted here: write %s", describe(n), accepted.want)
		return
	}
	if tag := n.ShortTag(); tag != accepted.tag {
		if s.kind == text {
			d.problemf(n, "%s reads as %s, and a string is wanted: quote it (%q)", n.Value, tagName(tag), n.Value)
		} else {
			d.problemf(n, "%s is not accepted here: write %s", describe(n), accepted.want)
		}
		return
	}
	if s.kind == text {
		d.checkText(n, s)
		d.text(n.Value)
		return
	}
	d.typed(n, s)
}

func (d *decoder) checkText(n *yaml.Node, s *Schema) {
	value := reflect.New(s.goType).Elem()
	value.SetString(n.Value)
	if c, ok := value.Interface().(checker); ok {
		if err := c.Check(); err != nil {
			d.problemf(n, "%v", err)
		}
	}
}

// typed writes a boolean or a whole number in JSON's form, whatever form YAML had (0x10, True).
func (d *decoder) typed(n *yaml.Node, s *Schema) {
	value := reflect.New(s.goType)
	if err := n.Decode(value.Interface()); err != nil {
		d.problemf(n, "%s is not accepted here: write %s", describe(n), scalarTags[s.kind].want)
		return
	}
	encoded, _ := json.Marshal(value.Interface())
	d.json.Write(encoded)
}

// comma separates an element from the one before it.
func (d *decoder) comma(open byte) {
	if b := d.json.Bytes(); len(b) > 0 && b[len(b)-1] != open {
		d.json.WriteByte(',')
	}
}

func (d *decoder) text(s string) {
	encoded, _ := json.Marshal(s)
	d.json.Write(encoded)
}

// Suggest returns "; did you mean …?" with the name nearest to the one given, or ": accepted are …", or nothing.
func Suggest(given string, names []string) string {
	if nearest := Nearest(given, names); nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	if len(names) == 0 || len(names) > 12 {
		return ""
	}
	return ": accepted are " + strings.Join(names, ", ")
}

// Nearest returns the name that differs least from the one given, if it is near enough to be a slip of the keyboard.
func Nearest(given string, names []string) string {
	options := levenshtein.Options{InsCost: 1, DelCost: 1, SubCost: 1, Matches: levenshtein.IdenticalRunes}
	best, bestDistance := "", 1+len(given)/3
	for _, name := range names {
		if strings.EqualFold(name, given) {
			return name
		}
		if distance := levenshtein.DistanceForStrings([]rune(given), []rune(name), options); distance <= bestDistance && (best == "" || distance < bestDistance) {
			best, bestDistance = name, distance
		}
	}
	return best
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func isEmptyText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == "" }

func child(mapping *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

func tagName(tag string) string {
	switch tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	default:
		return "YAML's " + tag
	}
}
