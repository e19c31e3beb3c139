package bump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// schemaComment makes editors complete and check a pin file.
const schemaComment = "# yaml-language-server: $schema=../../../schemas/pin.schema.json"

// EncodePin returns a pin file: block style, one field a line, every string below spec quoted, fields in the order of the
// type. Comments of old, the file as it was, are kept where what they are on is kept.
func EncodePin(file, component string, pin *v1alpha1.PinSpec, old []byte) ([]byte, error) {
	document := &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{pinNode(component, pin)}}
	if was := parsed(old); was != nil {
		takeComments(document, was)
		takeComments(document.Content[0], was.Content[0])
	} else {
		document.Content[0].HeadComment = schemaComment
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("writing %s: %w", file, err)
	}
	// What is written is read again: a pin that came out as anything else must not reach a disk.
	written, findings := control.DecodePin(file, out.Bytes())
	if err := findings.Err(); err != nil {
		return nil, err
	}
	if !samePin(&written.Spec, pin) {
		return nil, fmt.Errorf("writing %s: the pin would not be read as it was meant", file)
	}
	return out.Bytes(), nil
}

func parsed(data []byte) *yaml.Node {
	var document yaml.Node
	if len(data) == 0 || yaml.Unmarshal(data, &document) != nil || len(document.Content) == 0 {
		return nil
	}
	return &document
}

// takeComments copies the comments of old onto the same keys, and the same items, of fresh.
func takeComments(fresh, old *yaml.Node) {
	fresh.HeadComment, fresh.LineComment, fresh.FootComment = old.HeadComment, old.LineComment, old.FootComment
	switch {
	case fresh.Kind == yaml.MappingNode && old.Kind == yaml.MappingNode:
		takeCommentsOfKeys(fresh, old)
	case fresh.Kind == yaml.SequenceNode && old.Kind == yaml.SequenceNode:
		takeCommentsOfItems(fresh, old)
	}
}

func takeCommentsOfKeys(fresh, old *yaml.Node) {
	for i := 0; i+1 < len(fresh.Content); i += 2 {
		for j := 0; j+1 < len(old.Content); j += 2 {
			if fresh.Content[i].Value == old.Content[j].Value {
				takeComments(fresh.Content[i], old.Content[j])
				takeComments(fresh.Content[i+1], old.Content[j+1])
			}
		}
	}
}

// takeCommentsOfItems knows an item again by its value, or by its first field: the name of an image.
func takeCommentsOfItems(fresh, old *yaml.Node) {
	for _, item := range fresh.Content {
		if i := slices.IndexFunc(old.Content, func(other *yaml.Node) bool { return itemName(other) == itemName(item) }); i >= 0 {
			takeComments(item, old.Content[i])
		}
	}
}

func itemName(item *yaml.Node) string {
	if item.Kind == yaml.MappingNode && len(item.Content) > 1 {
		return item.Content[1].Value
	}
	return item.Value
}

// pinNode builds the file's only document.
func pinNode(component string, pin *v1alpha1.PinSpec) *yaml.Node {
	spec := mapping()
	add(spec, "commit", pin.Commit)
	if len(pin.Releases) > 0 {
		releases := mapping()
		for _, name := range releaseNames(pin) {
			put(releases, key(name), releaseNode(pin.Releases[name]))
		}
		put(spec, key("releases"), releases)
	}
	if len(pin.Images) > 0 {
		images := &yaml.Node{Kind: yaml.SequenceNode}
		for _, image := range pin.Images {
			n := mapping()
			add(n, "name", image.Name)
			add(n, "tag", image.Tag)
			add(n, "digest", image.Digest)
			images.Content = append(images.Content, n)
		}
		put(spec, key("images"), images)
	}
	if pin.Manifests != nil {
		manifests := mapping()
		add(manifests, "version", pin.Manifests.Version)
		add(manifests, "digest", pin.Manifests.Digest)
		put(spec, key("manifests"), manifests)
	}
	if pin.Hold != nil {
		put(spec, key("hold"), holdNode(pin.Hold))
	}
	metadata := mapping()
	put(metadata, key("name"), plain(component))
	document := mapping()
	put(document, key("apiVersion"), plain(v1alpha1.APIVersion))
	put(document, key("kind"), plain(string(v1alpha1.KindPin)))
	put(document, key("metadata"), metadata)
	put(document, key("spec"), spec)
	return document
}

func releaseNode(release v1alpha1.PinnedRelease) *yaml.Node {
	n := mapping()
	add(n, "version", release.Version)
	add(n, "digest", release.Digest)
	if release.Values != nil {
		put(n, key("values"), jsonNode(release.Values.Raw))
	}
	return n
}

func holdNode(hold *v1alpha1.Hold) *yaml.Node {
	n := mapping()
	add(n, "reason", hold.Reason)
	add(n, "task", hold.Task)
	add(n, "until", string(hold.Until))
	if len(hold.Refuse) > 0 {
		refuse := &yaml.Node{Kind: yaml.SequenceNode}
		for _, version := range hold.Refuse {
			refuse.Content = append(refuse.Content, quoted(version))
		}
		put(n, key("refuse"), refuse)
	}
	return n
}

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func put(m, name, value *yaml.Node) { m.Content = append(m.Content, name, value) }

// add puts a quoted string, unless it is empty.
func add(m *yaml.Node, name, value string) {
	if value != "" {
		put(m, key(name), quoted(value))
	}
}

func key(name string) *yaml.Node { return plain(name) }
func plain(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func quoted(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
}

// jsonNode writes free-form values, with every string quoted.
func jsonNode(source []byte) *yaml.Node {
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	var value any
	_ = decoder.Decode(&value) // it was decoded from JSON before
	return valueNode(value)
}

func valueNode(value any) *yaml.Node {
	switch value := value.(type) {
	case map[string]any:
		n := mapping()
		if len(value) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			put(n, quoted(name), valueNode(value[name]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if len(value) == 0 {
			n.Style = yaml.FlowStyle
		}
		for _, item := range value {
			n.Content = append(n.Content, valueNode(item))
		}
		return n
	case string:
		return quoted(value)
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	default: // a number or a boolean, as JSON writes it
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(value)}
	}
}
