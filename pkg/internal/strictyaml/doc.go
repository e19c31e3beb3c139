// Package strictyaml decodes YAML into Go types and reports everything that is wrong with it, with positions.
//
// It is stricter than the YAML libraries: unknown and duplicate keys, wrong types, missing required fields, a second
// document, anchors, and an unquoted number in a string field are problems (sigs.k8s.io/yaml would turn the commit
// 40551e32 into 4.0551e+36 without a word). A type is described by its json tags, so that types with json tags alone,
// such as Flux's, decode as encoding/json would decode them. A jsonschema tag with the word "required" makes a field
// required; a type with a Check method checks its own values.
//
// It depends on go.yaml.in/yaml/v3 for the nodes and on sigs.k8s.io/yaml for free-form values.
package strictyaml
