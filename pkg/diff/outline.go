package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
)

// What every writer for people says, and how fields become lines. All text that these functions return has been made visible.

// line is one line of a field's change. Its mark is '+', '-', ' ' for context, '@' for a place in a text, '#' for a path.
type line struct {
	mark byte
	text string
}

// lines shows a changed field.
func lines(f Field) []line {
	var out []line
	if f.Path != "" {
		out = append(out, line{'#', markdown.Visible(f.Path)})
	}
	old, oldIsText := f.Old.(string)
	new, newIsText := f.New.(string)
	switch {
	case f.Op == OpReordered:
		return append(out, line{'-', "order: " + inOne(f.Old)}, line{'+', "order: " + inOne(f.New)})
	case f.Op == OpChanged && oldIsText && newIsText && (strings.Contains(old, "\n") || strings.Contains(new, "\n")):
		return append(out, textLines(old, new)...)
	}
	if f.Op != OpAdded {
		out = append(out, valueLines('-', f.Old)...)
	}
	if f.Op != OpRemoved {
		out = append(out, valueLines('+', f.New)...)
	}
	return out
}

// textLines compares texts of several lines.
func textLines(old, new string) []line {
	var out []line
	for i, text := range strings.Split(strings.TrimSuffix(udiff.Unified("", "", old, new), "\n"), "\n") {
		switch {
		case i < 2 || strings.HasPrefix(text, `\ No newline`): // the names of the files
		case text == "":
			out = append(out, line{' ', ""})
		case strings.HasPrefix(text, "@@"):
			out = append(out, line{'@', markdown.Visible(text)})
		default:
			out = append(out, line{text[0], markdown.Visible(text[1:])})
		}
	}
	return out
}

func valueLines(mark byte, v any) []line {
	var out []line
	for text := range strings.SplitSeq(strings.TrimSuffix(asYAML(v), "\n"), "\n") {
		out = append(out, line{mark, markdown.Visible(text)})
	}
	return out
}

// asYAML writes a value as every YAML parser reads it.
func asYAML(v any) string {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(safeyaml.Node(v)); err != nil {
		data, _ := json.Marshal(v) // what yaml cannot write, such as a text that is no UTF-8
		return string(data)
	}
	return out.String()
}

// inOne writes a list in one line.
func inOne(v any) string {
	var words []string
	for _, item := range asList(v) {
		words = append(words, strings.TrimSpace(asYAML(item)))
	}
	return markdown.Visible(strings.Join(words, ", "))
}

// sentence sums the report up.
func (s Summary) sentence() string {
	if s.Components == 0 && s.Clusters == 0 && s.Problems == 0 {
		return "Nothing differs."
	}
	objects := fmt.Sprintf("%s changed, %d added, %d removed", count(s.Changed, "object"), s.Added, s.Removed)
	if s.NoiseOnly > 0 {
		objects += fmt.Sprintf(", %d with noise only", s.NoiseOnly)
	}
	text := fmt.Sprintf("%s on %s: %s.", count(s.Components, "component"), count(s.Clusters, "cluster"), objects)
	if s.Restarts > 0 {
		text += fmt.Sprintf(" %s.", plural(s.Restarts, "workload restarts", "workloads restart"))
	}
	return text
}

// riskSentence counts the risks.
func (s Summary) riskSentence() string {
	var words []string
	for _, n := range []struct {
		n    int
		what Severity
	}{{s.High, High}, {s.Medium, Medium}, {s.Low, Low}} {
		if n.n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	text := "no risks found"
	if s.Unjudged {
		text = "risk rules judge changes of the control repo, not this"
	}
	if len(words) > 0 {
		text = "risks: " + strings.Join(words, ", ")
	}
	if s.Silenced > 0 {
		text += fmt.Sprintf(", %d silenced", s.Silenced)
	}
	if s.Problems > 0 {
		text += "; not all could be compared"
	}
	return text
}

func count(n int, noun string) string { return plural(n, noun, noun+"s") }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// title is the heading of a component.
func (c Component) title() string {
	if c.Name == "" {
		return "Objects of no component"
	}
	return markdown.Visible(c.Name)
}

// title is what an object is, in one line without what happens to it.
func (o Object) title() string {
	name := ref{kind: o.Kind, namespace: o.Namespace, name: o.Name}.String()
	if o.OldName != "" {
		name = fmt.Sprintf("%s (was %s)", name, o.OldName)
	}
	return markdown.Visible(name)
}

// actionMarks show an action in one character.
var actionMarks = map[Action]string{ActionAdded: "+", ActionRemoved: "-", ActionChanged: "~", ActionRenamed: ">"}

// remarks are what else there is to know of an object.
func (o Object) remarks() []string {
	var words []string
	if o.Action != ActionChanged {
		words = append(words, string(o.Action))
	}
	if o.Hook {
		words = append(words, "hook")
	}
	if o.Restarts {
		words = append(words, "pods restart")
	}
	return words
}

// origin says who applies an object.
func (o Object) origin() string {
	if o.Layer == Flux {
		return "Flux"
	}
	return "Helm release " + markdown.Visible(o.Release)
}

// noiseText counts noise by its reason.
func noiseText(fields []Field) string {
	counts := map[string]int{}
	for _, f := range fields {
		counts[string(f.Noise)]++
	}
	var words []string
	for _, reason := range sortedKeys(counts) {
		words = append(words, count(counts[reason], reason))
	}
	return strings.Join(words, ", ")
}

// fewLow is how many low risks are listed among the others; where there are more, graver ones would be overlooked.
const fewLow = 5

// splitRisks returns the risks to list, and the low ones to fold.
func splitRisks(risks []Risk) (listed, folded []Risk) {
	first := slices.IndexFunc(risks, func(risk Risk) bool { return risk.Severity == Low })
	if first < 0 || len(risks)-first <= fewLow {
		return risks, nil
	}
	return risks[:first], risks[first:]
}

// noiseOnly reports whether nothing of an object need be read.
func (o Object) noiseOnly() bool { return len(o.Fields) == 0 && o.Action != ActionRenamed }

// change is a pin's headline: what was and what is.
func (p Pin) change() string {
	var words []string
	switch p.Action {
	case ActionAdded:
		words = append(words, "installed")
	case ActionRemoved:
		words = append(words, "removed")
	}
	if p.OldCommit != p.NewCommit {
		words = append(words, "commit "+arrow(short(p.OldCommit), short(p.NewCommit)))
	}
	for _, v := range p.Versions {
		text := arrow(v.Old, v.New)
		if v.Release != "" {
			text = v.Release + " " + text
		}
		words = append(words, text)
	}
	return markdown.Visible(strings.Join(words, ", "))
}

func arrow(old, new string) string {
	switch {
	case old == "":
		return new
	case new == "":
		return "was " + old
	}
	return old + " → " + new
}

// shortCommit is as much of a commit as people read.
const shortCommit = 12

func short(commit string) string { return commit[:min(len(commit), shortCommit)] }

// where says which clusters, as "same on a, b" where there are several.
func where(clusters []string) string {
	if len(clusters) > 1 {
		return "same on " + markdown.Visible(strings.Join(clusters, ", "))
	}
	return "on " + markdown.Visible(strings.Join(clusters, ", "))
}

// text is a problem in one line.
func (p Problem) text() string {
	words := slices.Clone(p.Clusters)
	if p.Release != "" {
		words = append(words, "release "+p.Release)
	}
	if p.File != "" && p.Release == "" {
		words = append(words, p.File)
	}
	words = append(words, p.Side)
	return markdown.Visible(strings.Join(words, ", ") + ": " + p.Message)
}

// text is a risk in one line, without its severity; a grave one says why it is.
func (r Risk) text() string {
	text := r.Message
	if r.Severity == High && r.Because != "" {
		text += ": " + r.Because
	}
	if r.Object != "" {
		text = r.Object + ": " + text
	}
	return markdown.Visible(text)
}

// blockTitle counts the objects of a block.
func (b Block) title() string {
	real, noisy := 0, 0
	for _, o := range b.Objects {
		if len(o.Fields) > 0 || o.Action == ActionRenamed {
			real++
		} else {
			noisy++
		}
	}
	var words []string
	if real > 0 {
		words = append(words, count(real, "object"))
	}
	if noisy > 0 {
		words = append(words, fmt.Sprintf("%d with noise only", noisy))
	}
	return strings.Join(words, ", ") + ": " + where(b.Clusters)
}
