// Package yamledit changes one value in a YAML file and leaves every other byte, comments among them, as it is.
//
// It finds the place of the change with the positions of go.yaml.in/yaml/v3's nodes, changes the text there, parses the
// result and compares it with what the change should have made of the nodes: a text that the small rules here would
// spoil is refused (ErrByHand), never written. It depends on nothing of tfgitops.
package yamledit
