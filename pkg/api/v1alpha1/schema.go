package v1alpha1

import (
	"embed"
	"fmt"
	"strings"

	"github.com/texttheater/golang-levenshtein/levenshtein"
)

// schemas holds what hack/generate makes from the types of this package.
//
//go:embed schemas/*.schema.json
var schemas embed.FS

// Schema returns the JSON Schema (draft-07, which editors support best) of a kind's files.
func Schema(kind Kind) ([]byte, error) {
	data, err := schemas.ReadFile("schemas/" + kind.SchemaFile())
	if err != nil {
		return nil, unknownKind(string(kind))
	}
	return data, nil
}

// SchemaFile is the name of the file that holds the kind's JSON Schema, in the schemas folder of a control repo.
func (k Kind) SchemaFile() string { return strings.ToLower(string(k)) + ".schema.json" }

// ParseKind returns the kind of that name, whatever the case of its letters.
func ParseKind(name string) (Kind, error) {
	for _, kind := range Kinds() {
		if strings.EqualFold(string(kind), name) {
			return kind, nil
		}
	}
	return "", unknownKind(name)
}

// unknownKind says what the kinds are, and which of them was meant where that is plain.
func unknownKind(name string) error {
	names, nearest := make([]string, 0, len(Kinds())), ""
	for _, kind := range Kinds() {
		names = append(names, string(kind))
		given, wanted := []rune(strings.ToLower(name)), []rune(strings.ToLower(string(kind)))
		if levenshtein.DistanceForStrings(given, wanted, levenshtein.DefaultOptionsWithSub) <= 1+len(given)/4 {
			nearest = fmt.Sprintf(" (did you mean %s?)", kind)
		}
	}
	return fmt.Errorf("there is no kind %q%s: the kinds are %s", name, nearest, strings.Join(names, ", "))
}
