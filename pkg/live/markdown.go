package live

import (
	"fmt"
	"io"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
)

func writeMarkdown(out io.Writer, report Report) error {
	_, err := io.WriteString(out, strings.Join(MarkdownParts(report, 1<<30), "\n"))
	return err
}

// maxParts bounds how many notes a report fills.
const maxParts = 10

// MarkdownParts writes a report as notes of at most limit bytes each: the verdict, what there is to say of each cluster, and
// then the rows, worst first. All that clusters say stands in code.
func MarkdownParts(report Report, limit int) []string {
	pieces := []string{markdownHead(report)}
	heading := "## tfgitops status"
	const columns = "| | component | cluster | pinned | live | state | Flux | note |\n|---|---|---|---|---|---|---|---|\n"
	for i, row := range report.Rows {
		text := markdownRow(row, report)
		if i == 0 {
			text = "\n" + columns + text
		}
		pieces = append(pieces, text)
	}
	parts, rest := markdown.Pack(pieces, heading, columns, limit, maxParts)
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%s\n\n%d more rows are left out: `tfgitops status` has all.\n", heading, rest))
	}
	return parts
}

func markdownHead(report Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "## tfgitops status\n\n**%s**: %s\n", report.Verdict, markdownCounts(report))
	for _, cluster := range report.Clusters {
		for _, line := range cluster.Lines(report.Time) {
			fmt.Fprintf(&out, "- %s: %s\n", markdown.Code(cluster.Name), markdown.Code(line))
		}
	}
	return out.String()
}

// markdownCounts counts the states, worst first.
func markdownCounts(report Report) string {
	counts := map[State]int{}
	for _, row := range report.Rows {
		counts[row.State]++
	}
	var words []string
	for _, info := range states {
		if counts[info.State] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[info.State], info.State))
		}
	}
	if len(words) == 0 {
		return "nothing is pinned"
	}
	return strings.Join(words, ", ")
}

func markdownRow(row Row, report Report) string {
	glyph := ""
	for _, info := range states {
		if info.State == row.State {
			glyph = info.Glyph
		}
	}
	cells := []string{glyph}
	for _, text := range []string{row.Component, row.Cluster, row.PinnedText(report.Time), row.LiveText(), string(row.State), row.Flux, cut(row.Note, maxNote)} {
		cells = append(cells, markdown.Cell(text))
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// WaitMarkdown says how a wait for a component on a cluster ended, with what runs there against what is pinned. log is the
// address of the job's log, if there is one.
func WaitMarkdown(component, cluster, result string, outcome error, releases []ReleaseStatus, log string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "### %s on %s: %s\n\n", markdown.Code(component), markdown.Code(cluster), strings.ToUpper(result))
	if outcome != nil {
		fmt.Fprintf(&out, "%s\n\n", markdown.Code(cut(outcome.Error(), 10*maxNote)))
	}
	out.WriteString("| release | pinned | runs | state | note |\n|---|---|---|---|---|\n")
	for _, r := range releases {
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", markdown.Cell(r.Name), markdown.Cell(r.Pinned), markdown.Cell(r.Live), r.State, markdown.Cell(cut(r.Note, maxNote)))
	}
	if address := markdown.Link("the job's log", log); address != "" {
		out.WriteString("\n" + address + "\n")
	}
	return out.String()
}
