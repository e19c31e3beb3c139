package live

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Formats are the forms in which a report is written.
func Formats() map[string]func(io.Writer, Report) error {
	return map[string]func(io.Writer, Report) error{"table": writePlainTable, "json": writeReportJSON, "yaml": writeReportYAML, "html": WriteHTML, "markdown": writeMarkdown}
}

func writeReportJSON(out io.Writer, report Report) error { return WriteJSON(out, report) }

// WriteJSON writes a document as people and programs read it.
func WriteJSON(out io.Writer, document any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

func writeReportYAML(out io.Writer, report Report) error { return WriteYAML(out, report) }

// WriteYAML writes a document with the names of its JSON form.
func WriteYAML(out io.Writer, document any) error {
	data, err := yaml.Marshal(document)
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}

// maxNote is where a table cuts a note, in characters: JSON has all of it.
const maxNote = 80

func writePlainTable(out io.Writer, report Report) error { return WriteTable(out, report, false) }

// WriteTable writes the report for a terminal, the worst first and the verdict last. Colour only repeats what the words say.
func WriteTable(out io.Writer, report Report, colour bool) error {
	paint := painter(colour)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tCLUSTER\tPINNED\tLIVE\t"+paint("", "STATE")+"\tBEHIND\tFLUX\tNOTE")
	for _, row := range report.Rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Component, row.Cluster, row.PinnedText(report.Time), row.LiveText(),
			paint(row.State, string(row.State)), row.Behind.text(report.Time), orDash(cut(row.Flux, maxNote)), cut(row.Note, maxNote))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, external := range report.External {
		fmt.Fprintf(out, "%s is delivered outside Kubernetes: %s\n", external.Component, external.How)
	}
	for _, cluster := range report.Clusters {
		for _, line := range cluster.Lines(report.Time) {
			fmt.Fprintf(out, "%s: %s\n", cluster.Name, line)
		}
	}
	_, err := fmt.Fprintf(out, "verdict: %s%s\n", paint(report.Verdict, string(report.Verdict)), report.countText())
	return err
}

// countText says how many deployments are in which state.
func (r Report) countText() string {
	var counts []string
	for _, state := range states {
		if count := countState(r.Rows, state.State); count > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", count, state.State))
		}
	}
	if len(counts) < 2 {
		return ""
	}
	return " (" + strings.Join(counts, ", ") + ")"
}

// painter returns what gives a word the colour of a state. Every colour is as many characters, the heading's too: the columns
// stay aligned.
func painter(colour bool) func(State, string) string {
	if !colour {
		return func(_ State, word string) string { return word }
	}
	return func(state State, word string) string { return "\x1b[" + state.sgr() + "m" + word + "\x1b[0m" }
}

// sgr is a state's colour on a terminal, as an SGR parameter of two digits.
func (s State) sgr() string {
	switch s {
	case ArtifactMissing, Failed:
		return "31" // red
	case Drifting, Unmanaged, Suspended, Unknown, Stale:
		return "33" // yellow
	case Pending, MRBuild:
		return "36" // cyan
	case OK:
		return "32" // green
	}
	return "01" // bold
}

// Lines say how old what is known of a cluster is, and what is wrong there.
func (c ClusterStatus) Lines(now time.Time) []string {
	var lines []string
	if c.Error != "" {
		lines = append(lines, c.Error)
	} else {
		lines = append(lines, "read "+age(c.Read, now)+" ago")
	}
	if !c.BehindSince.IsZero() {
		lines = append(lines, "Flux has not applied a commit of "+age(c.BehindSince, now)+" ago")
	}
	for _, kind := range sortedKeys(c.Incomplete) {
		lines = append(lines, kind+": "+c.Incomplete[kind])
	}
	return append(lines, c.Notes...)
}

// PinnedText is what is pinned and for how long, in a few characters.
func (r Row) PinnedText(now time.Time) string {
	if r.Pinned == nil {
		return "-"
	}
	text := shortVersion(r.Pinned.Version, r.Pinned.Commit)
	if !r.Pinned.Since.IsZero() {
		text += " " + age(r.Pinned.Since, now)
	}
	return text
}

// LiveText is what runs, in a few characters.
func (r Row) LiveText() string {
	if r.Live == nil || r.Live.Version == "" {
		return "-"
	}
	return shortVersion(r.Live.Version, r.Live.Commit)
}

// BehindText is how many commits wait, and for how long.
func (r Row) BehindText(now time.Time) string { return r.Behind.text(now) }

func (b *Behind) text(now time.Time) string {
	switch {
	case b == nil:
		return "?"
	case b.Commits == 0:
		return "0"
	}
	return fmt.Sprintf("%d (%s)", b.Commits, age(b.Oldest, now))
}

// shortCommit is how many digits of a commit people read.
const shortCommit = 8

// shortVersion is the commit where there is one: it says what the rest of the version repeats.
func shortVersion(version, commit string) string {
	if commit != "" {
		return commit[:min(len(commit), shortCommit)]
	}
	return cut(version, maxVersion)
}

const maxVersion = 28

// age is how long ago something was, in its largest unit.
func age(at, now time.Time) string {
	if at.IsZero() {
		return "?"
	}
	span := max(now.Sub(at), 0)
	switch {
	case span < time.Minute:
		return fmt.Sprintf("%ds", int(span.Seconds()))
	case span < time.Hour:
		return fmt.Sprintf("%dm", int(span.Minutes()))
	case span < 2*day:
		return fmt.Sprintf("%dh", int(span.Hours()))
	}
	return fmt.Sprintf("%dd", int(span/day))
}

// cut shortens a text to so many characters.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:limit-1])) + "…"
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
