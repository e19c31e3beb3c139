package overlay

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxExpanded is how many nodes the aliases of a file may stand for. kustomize writes each of them out,
// at some kilobytes a node, and has no limit of its own for objects.
const maxExpanded = 20_000

// checkAliases refuses a file whose aliases stand for too much ("billion laughs"). A file that is no
// YAML passes: it is for others to report.
func checkAliases(content []byte) error {
	if !mayHoldAnchors(content) {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); err != nil {
			return nil //nolint:nilerr // the end of the file, or what others report
		}
		e := expansion{sizes: map[*yaml.Node]int{}}
		e.sizeOf(&document)
		if e.aliased > maxExpanded {
			return fmt.Errorf("%w: the YAML aliases stand for more than %d values", ErrTooLarge, maxExpanded)
		}
	}
}

// beforeAnchor are the characters after which YAML may have an anchor; beyond ASCII, any (a byte order
// mark, the line ends of Unicode).
const beforeAnchor = " \t\r\n[]{},:?-\"'"

// mayHoldAnchors spares most files, even those with an ampersand in a text, from being parsed once more.
func mayHoldAnchors(content []byte) bool {
	for i, c := range content {
		if c != '&' {
			continue
		}
		if i == 0 || content[i-1] >= 0x80 || strings.IndexByte(beforeAnchor, content[i-1]) >= 0 {
			return true
		}
	}
	return false
}

// expansion counts nodes as they are once aliases are written out.
type expansion struct {
	sizes   map[*yaml.Node]int
	aliased int // nodes that stand there through an alias
}

func (e *expansion) sizeOf(node *yaml.Node) int {
	if size, known := e.sizes[node]; known {
		return size
	}
	e.sizes[node] = 1 // an alias inside its own anchor ends here
	size := 1
	if node.Kind == yaml.AliasNode {
		size = e.sizeOf(node.Alias)
		e.aliased = min(e.aliased+size, maxExpanded+1)
	}
	for _, child := range node.Content {
		size = min(size+e.sizeOf(child), maxExpanded+1)
	}
	e.sizes[node] = size
	return size
}
