package yamledit_test

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/yamledit"
)

type stage struct {
	Name     string   `yaml:"name"`
	Clusters []string `yaml:"clusters"`
}

func TestAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		item     any
		path     []string
		want     string
	}{
		{
			name: "to a list in block style, before the comment that is for what follows",
			in:   "spec:\n  stages:\n    - name: test\n      clusters:\n        - a # the first\n\n    # Everybody's.\n    - name: production # last\n      clusters: [b]\n",
			item: "c", path: []string{"spec", "stages", "0", "clusters"},
			want: "spec:\n  stages:\n    - name: test\n      clusters:\n        - a # the first\n        - c\n\n    # Everybody's.\n    - name: production # last\n      clusters: [b]\n",
		},
		{
			name: "to a list in flow style, in a mapping in flow style",
			in:   "stages:\n  - {name: test, clusters: [\"a]\", b], soak: 0s} # ]\n",
			item: "c", path: []string{"stages", "0", "clusters"},
			want: "stages:\n  - {name: test, clusters: [\"a]\", b, c], soak: 0s} # ]\n",
		},
		{
			name: "a mapping to a list that is not indented, without a line end",
			in:   "stages:\n- name: test\n  clusters:\n  - a",
			item: stage{"production", []string{"b"}}, path: []string{"stages"},
			want: "stages:\n- name: test\n  clusters:\n  - a\n- name: production\n  clusters:\n    - b",
		},
		{
			name: "to a list that is not there",
			in:   "spec:\n  # Nothing yet.\n  defaults: {}\nother: 1\n",
			item: stage{"test", []string{"a"}}, path: []string{"spec", "stages"},
			want: "spec:\n  # Nothing yet.\n  defaults: {}\n  stages:\n    - name: test\n      clusters:\n        - a\nother: 1\n",
		},
		{
			name: "to an empty list",
			in:   "spec:\n  stages: [] # none\n  x: y\n",
			item: stage{"test", []string{"a"}}, path: []string{"spec", "stages"},
			want: "spec:\n  stages: # none\n    - name: test\n      clusters:\n        - a\n  x: y\n",
		},
		{
			name: "to nothing",
			in:   "spec:\n  stages:\n",
			item: "a", path: []string{"spec", "stages"},
			want: "spec:\n  stages:\n    - a\n",
		},
		{
			name: "with the line ends of the file",
			in:   "a:\r\n  - b\r\n",
			item: "c", path: []string{"a"},
			want: "a:\r\n  - b\r\n  - c\r\n",
		},
		{
			name: "after a text of several lines",
			in:   "a:\n  - |\n    one\n    # two\n\nb: c\n",
			item: "40551e32", path: []string{"a"},
			want: "a:\n  - |\n    one\n    # two\n  - \"40551e32\"\n\nb: c\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := yamledit.Append([]byte(test.in), test.item, test.path...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	quoted := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "12e4567", Style: yaml.DoubleQuotedStyle}
	tests := []struct {
		name, in string
		value    any
		path     []string
		want     string
	}{
		{
			name: "one string for another, quoted alike, in the midst of comments",
			in:   "# head\nspec:\n  commit: \"0b8520a0\" # from !12\n  releases: {}\n", value: "09895639", path: []string{"spec", "commit"},
			want: "# head\nspec:\n  commit: \"09895639\" # from !12\n  releases: {}\n",
		},
		{
			name: "a quoted node for a plain one",
			in:   "commit: abc\n", value: quoted, path: []string{"commit"},
			want: "commit: \"12e4567\"\n",
		},
		{
			name: "in single quotes, with one inside",
			in:   "a: {b: 'it''s # fine', c: d}\n", value: "new", path: []string{"a", "b"},
			want: "a: {b: 'new', c: d}\n",
		},
		{
			name: "a mapping for another",
			in:   "a:\n  b:\n    c: d\n    # inside\n  # for e\n  e: f\n", value: map[string]string{"x": "y"}, path: []string{"a", "b"},
			want: "a:\n  b:\n    x: \"y\"\n  # for e\n  e: f\n",
		},
		{
			name: "with the mappings on the way",
			in:   "a: b\n", value: "d", path: []string{"c", "x", "y"},
			want: "a: b\nc:\n  x:\n    \"y\": d\n",
		},
		{
			name: "a key in a mapping in flow style",
			in:   "a: {b: \"}\"}\n", value: "d", path: []string{"a", "c"},
			want: "a: {b: \"}\", c: d}\n",
		},
		{
			name: "a key in an empty mapping",
			in:   "a: {}\nb: c\n", value: "d", path: []string{"a", "c"},
			want: "a:\n  c: d\nb: c\n",
		},
		{
			name: "a text of several lines",
			in:   "a: |\n  one\n  two\nb: c\n", value: []string{"d"}, path: []string{"a"},
			want: "a:\n  - d\nb: c\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := yamledit.Set([]byte(test.in), test.value, test.path...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		path     []string
		want     string
	}{
		{
			name: "an entry, keeping the comment that the next one shares",
			in:   "releases:\n  # Both.\n  a:\n    x: y\n  b: {x: y}\n", path: []string{"releases", "a"},
			want: "releases:\n  # Both.\n  b: {x: y}\n",
		},
		{
			name: "an entry with the comment that is its own",
			in:   "releases:\n  # First.\n  a:\n    x: y # inside\n    # and this\n  # Second.\n  b:\n    x: y\n", path: []string{"releases", "a"},
			want: "releases:\n  # Second.\n  b:\n    x: y\n",
		},
		{
			name: "the last entry of a mapping with the mapping",
			in:   "spec:\n  v: 1\n  # Here.\n  releases:\n    a:\n      x: y\n\n  allow: true\n", path: []string{"spec", "releases", "a"},
			want: "spec:\n  v: 1\n\n  allow: true\n",
		},
		{
			name: "the first of a mapping in flow style",
			in:   "r: {a: {x: [1, 2]}, b: c} # }\n", path: []string{"r", "a"},
			want: "r: {b: c} # }\n",
		},
		{
			name: "the last of a mapping in flow style",
			in:   "r: {a: b, c: {x: \"}\"}}\nd: {}\n", path: []string{"r", "c"},
			want: "r: {a: b}\nd: {}\n",
		},
		{
			name: "at the end of a file",
			in:   "a: b\nc:\n- d\n- e", path: []string{"c"},
			want: "a: b\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := yamledit.Delete([]byte(test.in), test.path...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	byHand, notFound := yamledit.ErrByHand, yamledit.ErrNotFound
	tests := []struct {
		name, in string
		edit     func([]byte) ([]byte, error)
		want     error // nil for any
	}{
		{"an entry behind a dash", "a:\n  - b: c\n    d: e\n", func(in []byte) ([]byte, error) { return yamledit.Delete(in, "a", "0", "b") }, byHand},
		{"the anchor of an alias", "a: &x {b: c}\nd: *x\n", func(in []byte) ([]byte, error) { return yamledit.Delete(in, "a") }, byHand},
		{"through an alias", "a: &x {b: c, e: f}\nd: *x\n", func(in []byte) ([]byte, error) { return yamledit.Delete(in, "d", "b") }, notFound},
		{"a plain text of several lines", "a: b\n  c\n", func(in []byte) ([]byte, error) { return yamledit.Set(in, "d", "a") }, byHand},
		{"behind the end of the document", "a:\n  - b\n...\n", func(in []byte) ([]byte, error) { return yamledit.Append(in, "c", "a") }, byHand},
		{"what is not there", "a: b\n", func(in []byte) ([]byte, error) { return yamledit.Delete(in, "b") }, notFound},
		{"an item for a mapping", "a: {b: c}\n", func(in []byte) ([]byte, error) { return yamledit.Append(in, "c", "a") }, nil},
		{"two documents", "a: b\n---\nc: d\n", func(in []byte) ([]byte, error) { return yamledit.Delete(in, "a") }, nil},
		{"nothing", "", func(in []byte) ([]byte, error) { return yamledit.Set(in, "d", "a") }, nil},
		{"a list", "- a\n", func(in []byte) ([]byte, error) { return yamledit.Set(in, "d", "a") }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.edit([]byte(test.in))
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("got %q and error %v, want %v", got, err, test.want)
			}
		})
	}
}

// FuzzEdits holds that an edit which is accepted changes what was asked for and nothing else, and that none panics.
func FuzzEdits(f *testing.F) {
	for _, seed := range []string{
		"a: b\n", "a:\n  b: c # d\n", "a: {b: [c, d]}\n", "a:\n- b\n- c", "a: [] # x\r\nb: c\r\n", "a: |\n  x\n  # y\n\nb: 'c''d'\n",
		"a:\n  # x\n  b: \"c\\\"d\"\n\n  e:\n", "\ufeffa: b\n", "a: &x b\nb: *x\n", "? a\n: b\n", "{a: b}", "a:\n  b: >-\n   x\n\n\n", "a: !!str b\n", "--- \na: ~\n",
	} {
		f.Add([]byte(seed), "a", "b", "12e4567")
	}
	f.Fuzz(func(t *testing.T, data []byte, first, second, value string) {
		if bytes.ContainsAny(data, "&<") {
			t.Skip("what an alias or a merge key stands for changes with it")
		}
		if !utf8.ValidString(first + " " + second + " " + value) {
			t.Skip("YAML is text")
		}
		if set, err := yamledit.Set(data, value, first, second); err == nil {
			want := read(t, data)
			inner, isMap := want[first].(map[string]any)
			if _, isList := want[first].([]any); isList {
				t.Skip("an item of a list")
			}
			if !isMap {
				inner = map[string]any{}
			}
			inner[second], want[first] = value, inner
			compare(t, want, set)
		}
		if appended, err := yamledit.Append(data, value, first); err == nil {
			want := read(t, data)
			list, _ := want[first].([]any)
			want[first] = append(list, value)
			compare(t, want, appended)
		}
		if deleted, err := yamledit.Delete(data, first); err == nil {
			want := read(t, data)
			delete(want, first)
			compare(t, want, deleted)
		}
	})
}

func compare(t *testing.T, want map[string]any, got []byte) {
	t.Helper()
	if diff := cmp.Diff(want, read(t, got), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("%q: %s", got, diff)
	}
}

func read(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var root map[string]any
	if err := yaml.Unmarshal(data, &root); err != nil {
		t.Skip(err) // keys that are no strings
	}
	return root
}
