package helmfile

import (
	"io/fs"
	"maps"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/yamledit"
)

func sameValue(a, b any) bool { return reflect.DeepEqual(a, b) }

// refitted returns a component's values file as it must be for every cluster to come to what is wanted: an entry is
// changed where all clusters want the same, and goes where some cluster wants it gone. What all want alike and none has of
// its own is new there.
func refitted(shared control.Values, own, wanted []control.Values) control.Values {
	fitted := control.Values{}
	for key, value := range wanted[0] {
		wants, all := valuesAt(wanted, key)
		_, known := shared[key]
		if all && !known && allSame(wants) && !slices.ContainsFunc(own, func(o control.Values) bool { _, has := o[key]; return has }) {
			fitted[key] = value
		}
	}
	for key, value := range shared {
		wants, all := valuesAt(wanted, key)
		if !all {
			continue
		}
		switch belowWants, areMaps := asMaps(wants); {
		case allSame(wants):
			fitted[key] = wants[0]
		case areMaps:
			if belowShared, isMap := value.(map[string]any); isMap {
				if more := refitted(belowShared, below(own, key), belowWants); len(more) > 0 {
					fitted[key] = more
				}
			}
		default:
			if _, isMap := value.(map[string]any); !isMap {
				fitted[key] = value
			}
		}
	}
	return fitted
}

// below returns the mappings that some have at a key.
func below(of []control.Values, key string) []control.Values {
	var found []control.Values
	for _, values := range of {
		if mapping, isMap := values[key].(map[string]any); isMap {
			found = append(found, mapping)
		}
	}
	return found
}

// valuesAt returns what each mapping has at a key, and whether all have something there.
func valuesAt(of []control.Values, key string) ([]any, bool) {
	var found []any
	for _, values := range of {
		value, has := values[key]
		if !has {
			return nil, false
		}
		found = append(found, value)
	}
	return found, len(of) > 0
}

func allSame(values []any) bool {
	return all(values, func(v any) bool { return sameValue(v, values[0]) })
}

func asMaps(values []any) ([]control.Values, bool) {
	var mappings []control.Values
	for _, value := range values {
		mapping, isMap := value.(map[string]any)
		if !isMap {
			return nil, false
		}
		mappings = append(mappings, mapping)
	}
	return mappings, true
}

// valuesOver returns what must be merged over base to come to what is wanted. Everything in base must be wanted, with
// whatever value.
func valuesOver(base, wanted control.Values) control.Values {
	over := control.Values{}
	for key, value := range wanted {
		have, has := base[key]
		below, isMap := value.(map[string]any)
		haveBelow, haveIsMap := have.(map[string]any)
		switch {
		case has && sameValue(have, value):
		case has && isMap && haveIsMap:
			over[key] = valuesOver(haveBelow, below)
		default:
			over[key] = value
		}
	}
	return over
}

// editValues returns the text of a values file that has other values now: with as few lines changed as can be. A file
// that has no values left is nil.
func editValues(fsys fs.FS, file string, from, to control.Values, hint *yaml.Node) ([]byte, error) {
	if len(to) == 0 {
		return nil, nil
	}
	old, err := fs.ReadFile(fsys, file)
	if err != nil || len(from) == 0 {
		return valuesText(to, hint, nil)
	}
	if edited, ok := editInPlace(old, from, to); ok {
		return edited, nil
	}
	if roots, err := parseDocuments(file, old, nil, map[*yaml.Node]Position{}); err == nil && len(roots) == 1 {
		hint = mergeHints(hint, roots[0])
	}
	return valuesText(to, hint, nil)
}

func editInPlace(text []byte, from, to control.Values) ([]byte, bool) {
	for _, e := range edits(from, to, nil) {
		var err error
		if e.gone {
			text, err = yamledit.Delete(text, e.path...)
		} else {
			text, err = yamledit.Set(text, annotated(e.value, nil, nil), e.path...)
		}
		if err != nil {
			return nil, false
		}
	}
	result, err := control.ParseValues(text)
	return text, err == nil && sameValue(result, to)
}

// edit is one change of a values file.
type edit struct {
	path  []string
	value any
	gone  bool
}

func edits(from, to control.Values, path []string) []edit {
	var found []edit
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, stays := to[key]; !stays {
			found = append(found, edit{path: append(slices.Clone(path), key), gone: true})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(to)) {
		here := append(slices.Clone(path), key)
		old, had := from[key]
		below, isMap := to[key].(map[string]any)
		oldBelow, wasMap := old.(map[string]any)
		switch {
		case had && sameValue(old, to[key]):
		case had && isMap && wasMap && len(below) > 0 && len(oldBelow) > 0:
			found = append(found, edits(oldBelow, below, here)...)
		default:
			found = append(found, edit{path: here, value: to[key]})
		}
	}
	return found
}
