package diff

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/gonvenience/ytbx"
	"github.com/homeport/dyff/pkg/dyff"
	"go.yaml.in/yaml/v3"
)

// maxEntries bounds the lists and mappings that are compared entry by entry: dyff's time grows with the square of their
// length (a mapping of 2000 changed keys takes 70 ms, one of 8000 a second).
const maxEntries = 1000

// change is a Field with its path in parts, which rules and noise look at.
type change struct {
	Field
	at []string
}

// compareFields returns how two objects differ, in the order of their paths.
func compareFields(old, new map[string]any) ([]change, error) {
	oldBranches, newBranches := differing(old, new)
	if len(oldBranches) == 0 && len(newBranches) == 0 {
		return nil, nil
	}
	report, err := dyff.CompareInputFiles(input(oldBranches), input(newBranches), dyff.KubernetesEntityDetection(false),
		dyff.NonStandardIdentifierGuessCountThreshold(maxEntries), dyff.AdditionalIdentifiers("mountPath", "containerPort"))
	if err != nil {
		return nil, fmt.Errorf("comparing fields: %w", err)
	}
	var changes []change
	for _, d := range report.Diffs {
		at := parts(d.Path)
		for _, detail := range d.Details {
			changes = append(changes, changesOf(at, detail)...)
		}
	}
	if len(changes) == 0 { // a difference must show, even one that dyff should not see
		changes = append(changes, newChange(nil, OpChanged, oldBranches, newBranches))
	}
	return changes, nil
}

// differing returns the branches of two mappings that are not equal. Lists are kept whole, for dyff to match their entries.
func differing(old, new map[string]any) (oldBranches, newBranches map[string]any) {
	oldBranches, newBranches = map[string]any{}, map[string]any{}
	for key, oldValue := range old {
		newValue, both := new[key]
		switch oldMap, newMap := asMap(oldValue), asMap(newValue); {
		case !both:
			oldBranches[key] = oldValue
		case len(oldMap) > 0 && len(newMap) > 0:
			oldBelow, newBelow := differing(oldMap, newMap)
			if len(oldBelow) > 0 || len(newBelow) > 0 {
				oldBranches[key], newBranches[key] = oldBelow, newBelow
			}
		case !equal(oldValue, newValue):
			oldBranches[key], newBranches[key] = oldValue, newValue
		}
	}
	for key, value := range new {
		if _, both := old[key]; !both {
			newBranches[key] = value
		}
	}
	return oldBranches, newBranches
}

// equal compares JSON values.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && len(a) == len(b) && equalEntries(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return a == b
}

func equalEntries(a, b map[string]any) bool {
	for key, value := range a {
		other, ok := b[key]
		if !ok || !equal(value, other) {
			return false
		}
	}
	return true
}

func input(value map[string]any) ytbx.InputFile {
	return ytbx.InputFile{Documents: []*yaml.Node{{Kind: yaml.DocumentNode, Content: []*yaml.Node{node(value)}}}}
}

// node makes what dyff compares. Containers over maxEntries become a scalar that differs when they do.
func node(value any) *yaml.Node {
	scalar := func(tag, text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text} }
	switch value := value.(type) {
	case nil:
		return scalar("!!null", "null")
	case bool:
		return scalar("!!bool", strconv.FormatBool(value))
	case json.Number:
		if strings.ContainsAny(value.String(), ".eE") {
			return scalar("!!float", value.String())
		}
		return scalar("!!int", value.String())
	case string:
		return scalar("!!str", value)
	case []any:
		if len(value) > maxEntries {
			return scalar("!!str", tooMany(len(value), value))
		}
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range value {
			list.Content = append(list.Content, node(item))
		}
		return list
	case map[string]any:
		if len(value) > maxEntries {
			return scalar("!!str", tooMany(len(value), value))
		}
		mapping := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, key := range sortedKeys(value) {
			mapping.Content = append(mapping.Content, scalar("!!str", key), node(value[key]))
		}
		return mapping
	default:
		panic(fmt.Sprintf("no JSON value: %T", value)) // masking makes nothing else
	}
}

func tooMany(entries int, value any) string {
	return fmt.Sprintf("(%d entries, too many to compare one by one, sha256 %s)", entries, digest(value)[:12])
}

// changesOf splits what dyff says of one path into single changes.
func changesOf(at []string, detail dyff.Detail) []change {
	switch detail.Kind {
	case dyff.ADDITION:
		return entries(at, detail.To, OpAdded)
	case dyff.REMOVAL:
		return entries(at, detail.From, OpRemoved)
	case dyff.ORDERCHANGE:
		return []change{newChange(at, OpReordered, value(detail.From), value(detail.To))}
	default:
		return []change{newChange(at, OpChanged, value(detail.From), value(detail.To))}
	}
}

// entries are the keys of a mapping, or the entries of a list, that came or went.
func entries(at []string, n *yaml.Node, op Op) []change {
	var changes []change
	add := func(part string, v any) {
		below := append(append([]string{}, at...), part)
		if op == OpAdded {
			changes = append(changes, newChange(below, op, nil, v))
		} else {
			changes = append(changes, newChange(below, op, v, nil))
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			add(n.Content[i].Value, value(n.Content[i+1]))
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			v := value(item)
			add(entryPart(v), v)
		}
	default:
		add("", value(n))
	}
	return changes
}

// entryPart addresses an entry of a list: by its name where it has one.
func entryPart(v any) string {
	if name, ok := asMap(v)["name"].(string); ok {
		return "[name=" + name + "]"
	}
	return "[]"
}

func newChange(at []string, op Op, old, new any) change {
	return change{Field: Field{Path: joinPath(at), Op: op, Old: old, New: new}, at: at}
}

// value reads a node back.
func value(n *yaml.Node) any {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.MappingNode:
		mapping := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			mapping[n.Content[i].Value] = value(n.Content[i+1])
		}
		return mapping
	case n.Kind == yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = value(item)
		}
		return list
	case n.Tag == "!!null":
		return nil
	case n.Tag == "!!bool":
		return n.Value == "true"
	case n.Tag == "!!int", n.Tag == "!!float":
		return json.Number(n.Value)
	default:
		return n.Value
	}
}

// parts gives a path of dyff's in parts: keys as they are, entries of lists in brackets.
func parts(path *ytbx.Path) []string {
	if path == nil {
		return nil
	}
	at := make([]string, 0, len(path.PathElements))
	for _, element := range path.PathElements {
		switch {
		case element.Key != "":
			at = append(at, "["+element.Key+"="+element.Name+"]")
		case element.Idx >= 0 && element.Name == "":
			at = append(at, "["+strconv.Itoa(element.Idx)+"]")
		default:
			at = append(at, element.Name)
		}
	}
	return at
}

var (
	plainKey  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	entryForm = regexp.MustCompile(`^\[([0-9]*|[A-Za-z]+=.*)\]$`)
)

// joinPath writes a path for people: keys that are no plain words are quoted.
func joinPath(at []string) string {
	var out strings.Builder
	for i, part := range at {
		switch {
		case entryForm.MatchString(part):
			out.WriteString(part)
		case plainKey.MatchString(part):
			if i > 0 {
				out.WriteByte('.')
			}
			out.WriteString(part)
		default:
			out.WriteString("[" + strconv.Quote(part) + "]")
		}
	}
	return out.String()
}
