package helmfile

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Format is a form of the report.
type Format string

// The formats.
const (
	Markdown Format = "markdown"
	JSON     Format = "json"
)

// Formats are all formats with their writers.
func Formats() map[Format]func(io.Writer, Report) error {
	return map[Format]func(io.Writer, Report) error{Markdown: writeMarkdown, JSON: writeJSON}
}

func writeJSON(w io.Writer, report Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

func writeMarkdown(w io.Writer, report Report) error {
	var out strings.Builder
	out.WriteString("# Import from helmfile\n\n")
	summary(&out, report)
	proof(&out, report)
	for _, section := range []struct {
		title  string
		status Status
	}{{"Failed", Failed}, {"To do", Todo}} {
		tasks(&out, section.title, report, section.status)
	}
	secrets(&out, report)
	for _, section := range []struct {
		title  string
		status Status
	}{{"Dropped", Dropped}, {"Mapped", Mapped}} {
		constructs(&out, section.title, report, section.status)
	}
	changed(&out, report)
	_, err := io.WriteString(w, out.String())
	return err
}

func count(report Report, status Status) int {
	n := 0
	for _, item := range report.Items {
		if item.Status == status {
			n++
		}
	}
	return n
}

func summary(out *strings.Builder, report Report) {
	for _, environment := range slices.Sorted(maps.Keys(report.Clusters)) {
		fmt.Fprintf(out, "- environment %s is cluster %s\n", code(environment), code(report.Clusters[environment]))
	}
	fmt.Fprintf(out, "- %d components: %s\n", len(report.Components), strings.Join(report.Components, ", "))
	fmt.Fprintf(out, "- %d constructs: %d mapped, %d dropped, %d to do, %d failed\n\n", len(report.Items), count(report, Mapped), count(report, Dropped), count(report, Todo), count(report, Failed))
}

func proof(out *strings.Builder, report Report) {
	different := report.Different()
	fmt.Fprintf(out, "## Proof\n\nChart, version, repository, namespaces, timeout and final values of %d releases (each on each cluster) were compared with what is rendered: ", len(report.Proof))
	if len(different) == 0 {
		out.WriteString("all are the same.\n\n")
		if n := len(report.Helmfile); n > 0 {
			fmt.Fprintf(out, "The values of %d releases were also compared with what `helmfile write-values` writes: all are the same.\n\n", n)
		}
		return
	}
	fmt.Fprintf(out, "%d differ.\n\n", len(different))
	for _, c := range different {
		fmt.Fprintf(out, "- %s on %s (component %s):\n", code(c.Release), code(c.Cluster), c.Component)
		for _, difference := range c.Differences {
			fmt.Fprintf(out, "\n  ```diff\n%s\n  ```\n", indent(difference))
		}
	}
	out.WriteString("\n")
}

// tasks lists what is for a person, each with what to do.
func tasks(out *strings.Builder, title string, report Report, status Status) {
	if count(report, status) == 0 {
		return
	}
	fmt.Fprintf(out, "## %s\n\n", title)
	for _, item := range report.Items {
		if item.Status != status {
			continue
		}
		fmt.Fprintf(out, "- %s %s", code(item.Position.String()), code(item.Construct))
		if item.Text != "" {
			out.WriteString(": " + escape(item.Text))
		}
		if item.Help != "" {
			out.WriteString("\n  → " + escape(item.Help))
		}
		out.WriteString("\n")
	}
	out.WriteString("\n")
}

// secrets lists the Secrets to make, as the input of `import secrets`.
func secrets(out *strings.Builder, report Report) {
	if len(report.Secrets) == 0 {
		return
	}
	out.WriteString("## Secrets\n\nThey must be there before Flux deploys. Fill these in, in a file that is never committed, and pipe what `tfgitops import secrets --from FILE --cluster CLUSTER` prints to `kubectl apply -f -` or `sops`.\n")
	cluster, secret := "", ""
	for _, key := range report.Secrets {
		if key.Cluster != cluster {
			if cluster != "" {
				out.WriteString("```\n")
			}
			fmt.Fprintf(out, "\n%s:\n\n```yaml\n", code(key.Cluster))
			cluster, secret = key.Cluster, ""
		}
		if key.Secret != secret {
			fmt.Fprintf(out, "%s:\n", key.Secret)
			secret = key.Secret
		}
		if strings.Contains(key.Content, "\n") {
			fmt.Fprintf(out, "  %s: |\n", key.Key)
			for line := range strings.Lines(key.Content) {
				out.WriteString("    " + line)
			}
			continue
		}
		fmt.Fprintf(out, "  %s: %q # %s\n", key.Key, key.Content, strings.Join(key.Sources, ", "))
	}
	out.WriteString("```\n\n")
}

func constructs(out *strings.Builder, title string, report Report, status Status) {
	if count(report, status) == 0 {
		return
	}
	fmt.Fprintf(out, "## %s\n\n| where | construct | |\n| --- | --- | --- |\n", title)
	for _, item := range report.Items {
		if item.Status == status {
			note := item.Text
			if item.Help != "" {
				note += " (" + item.Help + ")"
			}
			fmt.Fprintf(out, "| %s | %s | %s |\n", code(item.Position.String()), code(item.Construct), escape(note))
		}
	}
	out.WriteString("\n")
}

func changed(out *strings.Builder, report Report) {
	out.WriteString("## Files\n\n")
	if len(report.Files) == 0 {
		out.WriteString("Nothing changes.\n")
	}
	for _, file := range report.Files {
		fmt.Fprintf(out, "- %s %s\n", file.Verb, code(file.Path))
	}
}

// code shows text from the imported repo as code, whatever is in it.
func code(text string) string {
	return "`" + strings.NewReplacer("`", "'", "\n", " ", "|", "¦").Replace(text) + "`"
}

// escape keeps text from being read as Markdown or HTML.
func escape(text string) string {
	return strings.NewReplacer("\n", " ", "|", "\\|", "<", "\\<", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[").Replace(text)
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}
