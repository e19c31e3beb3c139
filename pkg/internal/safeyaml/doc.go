// Package safeyaml turns JSON values into YAML that every parser reads as the same values: commit ids of digits, dates, yes
// and no stay strings for YAML 1.1 and 1.2 parsers alike, and text stays readable. It depends on go.yaml.in/yaml/v3 for the
// nodes, and on nothing of tfgitops.
package safeyaml
