package safeyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Encoder writes values as YAML documents, indented by two spaces. It is not safe for concurrent use.
type Encoder struct {
	document bytes.Buffer
	encoder  *yaml.Encoder
	written  int
}

// NewEncoder returns an Encoder.
func NewEncoder() *Encoder { return &Encoder{} }

// maxDocuments is for how many documents one encoder of the library is used: a new one costs 128 KiB, and an old one keeps
// an event for everything that it ever wrote.
const maxDocuments = 12

func (e *Encoder) next() *yaml.Encoder {
	if e.written%maxDocuments == 0 {
		e.encoder = yaml.NewEncoder(&e.document)
		e.encoder.SetIndent(2)
	}
	e.written++
	return e.encoder
}

// separator is what the library writes before each document but the first.
const separator = "---\n"

// Encode appends one document, without a separator, to out.
func (e *Encoder) Encode(out *bytes.Buffer, value any) error {
	e.document.Reset()
	if err := e.next().Encode(Node(value)); err != nil {
		return err
	}
	_, err := out.Write(bytes.TrimPrefix(e.document.Bytes(), []byte(separator)))
	return err
}

// Node returns a JSON value as a YAML node that YAML 1.1 and 1.2 parsers, typed or not, read as the same value.
func Node(value any) *yaml.Node {
	switch value := value.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(value)}
	case json.Number:
		return numberNode(value)
	case string:
		return stringNode(value)
	case []any:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range value {
			list.Content = append(list.Content, Node(item))
		}
		return list
	case map[string]any:
		mapping := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			mapping.Content = append(mapping.Content, stringNode(key), Node(value[key]))
		}
		return mapping
	default:
		panic(fmt.Sprintf("no JSON value: %T", value)) // json.Decoder gives nothing else
	}
}

// numberNode writes a number as it is. Beyond 64 bits YAML parsers read digits alone as a float.
func numberNode(n json.Number) *yaml.Node {
	tag := "!!float"
	if isInteger(string(n)) {
		tag = "!!int"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: string(n)}
}

func isInteger(n string) bool {
	_, signed := strconv.ParseInt(n, 10, 64)
	_, unsigned := strconv.ParseUint(n, 10, 64)
	return signed == nil || unsigned == nil
}

func stringNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case isReadableBlock(s):
		n.Style = yaml.LiteralStyle
	case mustQuote(s):
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// numberLike matches what some YAML parser reads as a number, a date or a time: every commit id of digits with or
// without an e among them (09895639, 40551e32, 12e4567), versions, 1_000, 0x1F, 12:30:45, 2024-04-01.
var numberLike = regexp.MustCompile(`^[-+.]?[0-9][0-9A-Fa-fxXoOtTzZ_.,:+ -]*$`)

// reserved are the words that YAML 1.1 or 1.2 reads as something other than a string, in lower case.
var reserved = []string{"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<", ".nan", ".inf", "-.inf", "+.inf"}

// mustQuote reports whether some YAML parser would not read s, written plainly, as the string s. What no parser could
// read so because of its punctuation is left to the YAML library.
func mustQuote(s string) bool {
	return slices.Contains(reserved, strings.ToLower(s)) || numberLike.MatchString(s) || strings.Contains(s, "\n") || !isPrintable(s)
}

// isReadableBlock reports whether s has several lines and comes back unchanged from a literal block.
func isReadableBlock(s string) bool {
	if !strings.Contains(s, "\n") || !isPrintable(s) || strings.TrimSpace(s) == "" {
		return false
	}
	if first := s[0]; first == ' ' || first == '\n' || first == '\t' {
		return false
	}
	for line := range strings.Lines(s) {
		if text := strings.TrimSuffix(line, "\n"); text != strings.TrimRight(text, " \t") {
			return false
		}
	}
	return true
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && (!unicode.IsPrint(r) || r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\ufeff')
	})
}
