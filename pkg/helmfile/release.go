package helmfile

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// release is one release as helmfile would deploy it in one environment.
type release struct {
	name, namespace string
	chart           string // without its repository
	repository      chartRepository
	version         string
	timeout         time.Duration // zero where nothing is said
	kubeVersion     string        // a range of Kubernetes versions that the values give
	needs           []string      // names of releases
	rollback        bool          // after a failed upgrade
	skipCRDs        bool
	layers          []layer // values, lowest first
	encrypted       []string
	at              Position
	// values are what the layers come to, without helmfile's own, and without what comes from Secrets.
	values  control.Values
	hint    *yaml.Node
	secrets []secretValue
	dropped []string // paths of values that are not carried over
}

// layer is one of the files and mappings that a release's values are made of.
type layer struct {
	values control.Values
	hint   *yaml.Node
	set    bool // by set:, not a file
}

// release returns what one entry deploys; nil where it is switched off.
func (r *reader) release(s state, node *yaml.Node) (*release, error) {
	at := r.position(node)
	if node.Kind != yaml.MappingNode {
		return nil, wrongAt(at, "a release is a mapping")
	}
	node, err := r.inherited(s.node, node, nil)
	if err != nil {
		return nil, err
	}
	if node, err = r.expressions(s, node, at); err != nil {
		return nil, err
	}
	if on, err := r.isOn(s, node, at); err != nil || !on {
		return nil, err
	}
	r.noteKeys(releaseKeys, "releases[].", node)
	read := &release{name: text(child(node, "name")), at: at}
	for _, fill := range []func(*release, state, *yaml.Node) error{r.fillChart, r.fillSettings, r.fillNeeds, r.fillValues} {
		if err := fill(read, s, node); err != nil {
			return nil, err
		}
	}
	return read, nil
}

// inherited merges the templates that a release inherits: the first value stays, lists are appended.
func (r *reader) inherited(root, node *yaml.Node, way []string) (*yaml.Node, error) {
	var merged *yaml.Node
	inherit := child(node, "inherit")
	var entries []*yaml.Node
	if len(way) == 0 {
		entries = slices.Clone(contentOf(child(root, "defaultInherit")))
	}
	for _, entry := range append(entries, contentOf(inherit)...) {
		name := text(child(entry, "template"))
		if entry.Kind == yaml.ScalarNode {
			name = entry.Value
		}
		template := child(child(root, "templates"), name)
		if template == nil || slices.Contains(way, name) {
			return nil, wrongAt(r.position(entry), "the release template %q is not there, or inherits itself", name)
		}
		from, err := r.inherited(root, template, append(slices.Clone(way), name))
		if err != nil {
			return nil, err
		}
		merged = mergeNodes(merged, without(from, contentTexts(child(entry, "except"))), true, false)
	}
	return mergeNodes(merged, without(node, []string{"inherit"}), true, false), nil
}

func contentOf(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	return n.Content
}

func contentTexts(n *yaml.Node) []string {
	var texts []string
	for _, item := range contentOf(n) {
		texts = append(texts, text(item))
	}
	return texts
}

// without returns a mapping without some of its keys.
func without(n *yaml.Node, keys []string) *yaml.Node {
	c := *n
	c.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !slices.Contains(keys, n.Content[i].Value) {
			c.Content = append(c.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &c
}

// expressionKeys are the fields of a release that helmfile fills in once more, with .Release.
var expressionKeys = []string{
	"name", "chart", "namespace", "version", "condition", "installedTemplate", "conditionTemplate", "values", "valuesTemplate", "secrets", "needs",
	"setTemplate", "labels", "waitTemplate", "verifyTemplate",
}

// maxPasses is how often helmfile fills in expressions that lead to each other.
const maxPasses = 6

func (r *reader) expressions(s state, node *yaml.Node, at Position) (*yaml.Node, error) {
	for range maxPasses {
		data := r.releaseData(s, node)
		changed := false
		next := *node
		next.Content = slices.Clone(node.Content)
		for i := 0; i+1 < len(next.Content); i += 2 {
			key := next.Content[i].Value
			if !slices.Contains(expressionKeys, key) {
				continue
			}
			filled, err := r.fillNode(next.Content[i+1], parent(s.file), data, key == "valuesTemplate" || key == "setTemplate" || key == "labels")
			if err != nil {
				return nil, err
			}
			changed = changed || filled != next.Content[i+1]
			next.Content[i+1] = filled
		}
		if node = &next; !changed {
			return node, nil
		}
	}
	return nil, wrongAt(at, "the templates in this release lead to each other without end")
}

// fillNode fills in the templates in a text, in the texts of a list, and in mappings where deep says so. What has none is
// returned as it is.
func (r *reader) fillNode(n *yaml.Node, dir string, data map[string]any, deep bool) (*yaml.Node, error) {
	if n.Kind == yaml.ScalarNode {
		return r.fillText(n, dir, data)
	}
	if n.Kind == yaml.MappingNode && !deep {
		return n, nil
	}
	filled := n
	for i, item := range n.Content {
		next, err := r.fillNode(item, dir, data, deep)
		if err != nil {
			return nil, err
		}
		if next != item {
			if filled == n {
				c := *n
				c.Content = slices.Clone(n.Content)
				filled = &c
				r.at[filled] = r.position(n)
			}
			filled.Content[i] = next
		}
	}
	return filled, nil
}

func (r *reader) fillText(n *yaml.Node, dir string, data map[string]any) (*yaml.Node, error) {
	if !strings.Contains(n.Value, "{{") {
		return n, nil
	}
	x := &execution{reader: r, dir: dir, at: r.position(n)}
	made, err := x.render([]byte(n.Value), data)
	if err != nil {
		return nil, err
	}
	c := *n
	c.Value = string(made.text)
	c.Tag = "" // it may be a number now
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		c.Tag = "!!str"
	}
	r.at[&c] = r.position(n)
	return &c, nil
}

func (r *reader) releaseData(s state, node *yaml.Node) map[string]any {
	data := s.env.templateData(s.env.all(), text(child(s.node, "namespace")))
	labels := map[string]any{}
	for _, from := range []*yaml.Node{child(node, "labels"), child(s.node, "commonLabels")} {
		for i := 0; i+1 < len(contentOf(from)); i += 2 {
			labels[from.Content[i].Value] = text(from.Content[i+1])
		}
	}
	data["Release"] = map[string]any{
		"Name": text(child(node, "name")), "Namespace": namespaceOf(s, node), "Chart": text(child(node, "chart")),
		"ChartVersion": text(child(node, "version")), "KubeContext": text(child(node, "kubeContext")), "Labels": labels,
	}
	return data
}

// namespaceOf is the release's namespace; one for the whole helmfile overrides it.
func namespaceOf(s state, node *yaml.Node) string {
	if all := text(child(s.node, "namespace")); all != "" {
		return all
	}
	return text(child(node, "namespace"))
}

// isOn reports whether helmfile deploys a release: installed, and its condition holds.
func (r *reader) isOn(s state, node *yaml.Node, at Position) (bool, error) {
	installed := child(node, "installed")
	if template := child(node, "installedTemplate"); !isNull(template) {
		installed = template
	}
	on, err := isTrue(plain(installed), true)
	if err != nil {
		return false, wrongAt(at, "installed: %w", err)
	}
	if !on {
		r.notes.add(Item{
			Position: at, Construct: "releases[].installed", Status: Mapped, Text: fmt.Sprintf("the release %q is not installed in %s: it has no pin there", text(child(node, "name")), s.env.name),
			Help: "helmfile would uninstall it; Flux knows nothing of it: uninstall it by hand if it is still there",
		})
		return false, nil
	}
	if template := plain(child(node, "conditionTemplate")); !isNull(template) {
		on, err := isTrue(template, true)
		return on, err
	}
	on, err = condition(text(child(node, "condition")), s.env.all())
	if err != nil {
		return false, wrongAt(r.position(child(node, "condition")), "%w", err)
	}
	if !on {
		r.notes.add(Item{
			Position: r.position(child(node, "condition")), Construct: "releases[].condition", Status: Mapped,
			Text: fmt.Sprintf("the condition of release %q does not hold in %s: it has no pin there", text(child(node, "name")), s.env.name),
		})
	}
	return on, nil
}

// plain returns a scalar as if it were not quoted: a switch made by a template is one.
func plain(n *yaml.Node) *yaml.Node {
	if n == nil {
		return nil
	}
	c := *n
	c.Tag, c.Style, c.Value = "", 0, strings.TrimSpace(n.Value)
	return &c
}

// condition looks up NAME.enabled in the values.
func condition(path string, values map[string]any) (bool, error) {
	switch strings.ToLower(path) {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	}
	keys := strings.Split(path, ".")
	if keys[len(keys)-1] != "enabled" {
		return false, fmt.Errorf("the condition %q does not end in .enabled", path)
	}
	at := values
	for _, key := range keys[:len(keys)-1] {
		next, isMap := at[key].(map[string]any)
		if !isMap {
			return false, fmt.Errorf("the condition %q: the environment's values have no %q", path, key)
		}
		at = next
	}
	enabled, isBool := at["enabled"].(bool)
	if _, given := at["enabled"]; given && !isBool {
		return false, fmt.Errorf("the condition %q is neither true nor false", path)
	}
	return enabled, nil
}

// maxReleaseName is Helm's own limit.
const maxReleaseName = 53

// exactVersion is a version that stands for one chart only. What follows a range's operators is none.
var exactVersion = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?([+_][0-9A-Za-z.-]+)?$`)

func (r *reader) fillChart(read *release, s state, node *yaml.Node) error {
	if !isName(read.name) || len(read.name) > maxReleaseName {
		return wrongAt(read.at, "%q is no name for a release here: lower-case letters, digits and -, at most %d characters", r.vault.describe(read.name), maxReleaseName)
	}
	chart, at := child(node, "chart"), read.at
	if isNull(chart) {
		chart = child(node, "directory")
	}
	if chart != nil {
		at = r.position(chart)
	}
	if found := r.vault.in(text(chart) + text(child(node, "version")) + namespaceOf(s, node) + read.name); len(found) > 0 {
		return wrongAt(read.at, "the output of a command (%s) is part of the name, chart, version or namespace of release %q: write down what it is", r.vault.sources[found[0]].Name, read.name)
	}
	repository, name, err := r.chartOf(s, text(chart))
	if err != nil {
		return wrongAt(at, "the chart of release %q: %w", read.name, err)
	}
	read.repository, read.chart, read.version = repository, name, text(child(node, "version"))
	if versionAt := child(node, "version"); versionAt != nil {
		at = r.position(versionAt)
	}
	if !exactVersion.MatchString(read.version) {
		return wrongAt(at, "release %q has the version %q, and a pin is an exact one: write what runs now (helm list shows it)", read.name, read.version)
	}
	if read.namespace = namespaceOf(s, node); read.namespace == "" {
		return wrongAt(read.at, "release %q has no namespace: helmfile takes the kubeconfig's; write the one it is in", read.name)
	}
	return nil
}

func (r *reader) fillSettings(read *release, s state, node *yaml.Node) error {
	defaults := child(s.node, "helmDefaults")
	setting := func(name string) *yaml.Node {
		if own := child(node, name); !isNull(own) {
			return own
		}
		return child(defaults, name)
	}
	if timeout := setting("timeout"); !isNull(timeout) {
		seconds, err := strconv.Atoi(text(timeout))
		if err != nil || seconds < 0 {
			return wrongAt(r.position(timeout), "%q is no timeout: helmfile counts whole seconds", text(timeout))
		}
		read.timeout = time.Duration(seconds) * time.Second
	}
	for _, flag := range []struct {
		keys []string
		into *bool
	}{
		{[]string{"atomic", "rollbackOnFailure"}, &read.rollback},
		{[]string{"skipCRDs"}, &read.skipCRDs},
	} {
		for _, key := range flag.keys {
			on, err := isTrue(plain(setting(key)), false)
			if err != nil {
				return wrongAt(r.position(setting(key)), "%s: %w", key, err)
			}
			*flag.into = *flag.into || on
		}
	}
	return nil
}

// fillNeeds takes the releases' names out of [CONTEXT/][NAMESPACE/]NAME.
func (r *reader) fillNeeds(read *release, _ state, node *yaml.Node) error {
	for _, need := range contentOf(child(node, "needs")) {
		if name := path.Base(text(need)); name != "." && name != read.name {
			read.needs = append(read.needs, name)
		}
	}
	slices.Sort(read.needs)
	read.needs = slices.Compact(read.needs)
	return nil
}

// bytesOf returns a node as YAML text.
func bytesOf(n *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	err := encoder.Encode(n)
	return out.Bytes(), err
}
