package control

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// values checks the text of every values file that was read.
func (c *checker) values() {
	for _, name := range c.repo.ComponentNames() {
		for _, release := range c.repo.Components[name].ReleaseNames() {
			if _, read := c.repo.Components[name].Values[release]; read {
				c.valuesFile(ComponentValuesFile(name, release))
			}
		}
	}
	for _, name := range c.repo.ClusterNames() {
		for release := range c.repo.Clusters[name].Values {
			c.valuesFile(ClusterValuesFile(name, release))
		}
	}
}

func (c *checker) valuesFile(file string) {
	data, err := readLimited(c.repo.fsys, file, maxValuesSize)
	if err != nil {
		return // a finding of Load
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return // empty, or a finding of Load
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		c.findAt(RuleInvalidFile, file, data, second.Line, max(second.Column, 1), "a second document starts here: Helm would not read it", "move its values into the first")
	}
	c.numberLikeCommits(file, data, "", &document)
}

func (c *checker) findAt(rule, file string, data []byte, line, column int, message, help string) {
	c.findings = append(c.findings, Finding{Rule: rule, Severity: Error, File: file, Line: line, Column: column, Message: message, Help: help, Source: sourceLine(data, line)})
}

// numberLikeCommits finds plain scalars that were meant as commit ids and that Helm reads as numbers.
func (c *checker) numberLikeCommits(file string, data []byte, key string, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.numberLikeCommits(file, data, n.Content[i].Value, n.Content[i+1])
		}
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, item := range n.Content {
			c.numberLikeCommits(file, data, key, item)
		}
	case yaml.ScalarNode:
		if n.Style == 0 && isNumber(n) && looksLikeCommit(key, n.Value) {
			c.findAt(RuleNumberLikeCommit, file, data, n.Line, n.Column, fmt.Sprintf("%s looks like a commit id, and Helm reads it as a number", n.Value), fmt.Sprintf("quote it: %q", n.Value))
		}
	}
}

func isNumber(n *yaml.Node) bool {
	tag := n.ShortTag()
	// yaml.v3 reads 12e4567 as a string, for its size; other parsers read infinity.
	return tag == "!!int" || tag == "!!float" || exponent.MatchString(n.Value)
}

var (
	digits   = regexp.MustCompile(`^[0-9]{7,40}$`)
	exponent = regexp.MustCompile(`^[0-9]+e[0-9]+$`)
	revision = regexp.MustCompile(`(?i)(tag|commit|sha|hash|revision|version)$`)
)

// commitLengths are the usual lengths of a shortened commit id, and the whole.
var commitLengths = []int{7, 8, 9, 10, 11, 12, 40}

// looksLikeCommit reports whether a number was meant as a commit id. A number of digits alone may be a size or a
// time, so it counts only with a leading zero, or under a key that names a revision.
func looksLikeCommit(key, value string) bool {
	if !slices.Contains(commitLengths, len(value)) {
		return false
	}
	return exponent.MatchString(value) || digits.MatchString(value) && (strings.HasPrefix(value, "0") || revision.MatchString(key))
}
