package diff

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
)

// defaultLimit is how long Markdown may get: a quarter of what GitLab takes.
const defaultLimit = 250_000

// maxOmitted bounds how many blocks are named that were left out.
const maxOmitted = 10

// maxListed bounds the lists of the summary, which is never cut otherwise.
const maxListed = 200

func writeMarkdown(out io.Writer, r *Report, style Style) error {
	limit := cmp.Or(style.Limit, defaultLimit)
	text := wholeMarkdown(r, math.MaxInt)
	if len(text) > limit {
		text = wholeMarkdown(r, limit)
	}
	_, err := io.WriteString(out, text)
	return err
}

// wholeMarkdown writes the summary whole, and of the objects what fits into limit bytes.
func wholeMarkdown(r *Report, limit int) string {
	text := markdownSummary(r)
	omitted := []string{}
	const reserve = 1000 // for the sentence on what was left out
	for _, component := range r.Components {
		heading := "\n### " + componentHeading(component) + "\n\n"
		for _, block := range component.Blocks {
			details := heading + markdownBlock(block)
			if len(text)+len(details) > limit-reserve {
				if details = heading + markdownFitting(block, limit-reserve-len(text)-len(heading)); details == heading {
					omitted = append(omitted, fmt.Sprintf("%d of %s", len(block.Objects), componentHeading(component)))
					continue
				}
			}
			text += details
			heading = ""
		}
	}
	if len(omitted) > 0 {
		if n := len(omitted) - maxOmitted; n > 0 {
			omitted = append(omitted[:maxOmitted], fmt.Sprintf("%d more blocks", n))
		}
		text += fmt.Sprintf("\n**Changed objects are left out here** (%s), as the note would be too long: `tfgitops diff -o html` has everything.\n", strings.Join(omitted, ", "))
	}
	return text
}

// maxParts bounds how many notes a report fills: nobody reads more.
const maxParts = 10

// MarkdownParts writes a report as the texts of notes of at most limit bytes each (0: 250,000): the summary whole, then the
// objects, over as many notes as it takes, up to ten.
func MarkdownParts(r *Report, limit int) []string {
	limit = cmp.Or(limit, defaultLimit)
	const heading = "## tfgitops diff"
	pieces := strings.SplitAfter(markdownSummary(r), "\n")
	for _, component := range r.Components {
		title := "\n### " + componentHeading(component) + "\n\n"
		for _, block := range component.Blocks {
			text := title + markdownBlock(block)
			if room := limit - len(heading) - 100; len(text) > room {
				text = title + markdownFitting(block, room-len(title))
			}
			pieces = append(pieces, text)
			title = ""
		}
	}
	parts, rest := markdown.Pack(pieces, heading, "", limit, maxParts)
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%s\n\n**%s left out here**: `tfgitops diff -o html` has everything.\n", heading, plural(rest, "more block of changed objects is", "more blocks of changed objects are")))
	}
	return parts
}

func componentHeading(c Component) string {
	if c.Name == "" {
		return c.title()
	}
	return markdown.Code(c.Name)
}

// markdownSummary is what a reviewer must see, whatever else is left out.
func markdownSummary(r *Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "## tfgitops diff\n\n%s → %s\n\n%s", markdown.Code(r.Base), markdown.Code(r.Head), markdownHeadline(r))
	out.WriteString(markdownRisks(r))
	if slices.ContainsFunc(r.Components, func(c Component) bool { return len(c.Pins) > 0 }) {
		out.WriteString("\n### Pins\n\n")
	}
	for _, component := range r.Components {
		for _, pin := range component.Pins {
			out.WriteString(markdownPin(component.Name, pin))
		}
	}
	return out.String()
}

func markdownHeadline(r *Report) string {
	risks := r.Summary.riskSentence()
	return fmt.Sprintf("**%s** %s.\n", r.Summary.sentence(), strings.ToUpper(risks[:1])+risks[1:])
}

// RiskSummary is the part of a report that belongs into the description of a merge request: what changes, counted, and every risk.
func RiskSummary(r *Report) string { return markdownHeadline(r) + markdownRisks(r) }

// markdownRisks lists what could not be compared, and the risks.
func markdownRisks(r *Report) string {
	var out strings.Builder
	if len(r.Problems) > 0 {
		out.WriteString("\n### Could not be compared\n\n")
		listUpTo(&out, r.Problems, func(p Problem) string { return ":warning: " + markdown.Code(p.text()) })
	}
	if len(r.Risks) > 0 {
		out.WriteString("\n### Risks\n\n")
		listUpTo(&out, r.Risks, markdownRisk)
	}
	if len(r.Silenced) > 0 {
		fmt.Fprintf(&out, "\n<details><summary>%s</summary>\n\n", plural(len(r.Silenced), "silenced risk", "silenced risks"))
		listUpTo(&out, r.Silenced, func(risk Risk) string { return markdownRisk(risk) + ": " + markdown.Code(risk.Silenced) })
		out.WriteString("\n</details>\n")
	}
	return out.String()
}

func listUpTo[T any](out *strings.Builder, list []T, write func(T) string) {
	for i, item := range list {
		if i == maxListed {
			fmt.Fprintf(out, "- and %d more\n", len(list)-maxListed)
			return
		}
		out.WriteString("- " + write(item) + "\n")
	}
}

// severityIcons show a severity at a glance.
var severityIcons = map[Severity]string{High: "🔴", Medium: "🟠", Low: "🔵"}

func markdownRisk(risk Risk) string {
	text := fmt.Sprintf("%s **%s** %s", severityIcons[risk.Severity], risk.Severity, markdown.Code(risk.text()))
	return text + fmt.Sprintf(" (%s, %s)", markdown.Code(risk.Rule), codeClusters(risk.Clusters))
}

func codeClusters(clusters []string) string {
	words := make([]string, len(clusters))
	for i, name := range clusters {
		words[i] = markdown.Code(name)
	}
	if len(words) > 1 {
		return "same on " + strings.Join(words, ", ")
	}
	return "on " + strings.Join(words, ", ")
}

func markdownPin(component string, pin Pin) string {
	var out strings.Builder
	fmt.Fprintf(&out, "- **%s** %s %s", markdown.Code(component), markdown.Code(pin.change()), codeClusters(pin.Clusters))
	if pin.Changelog != nil {
		if compare := markdown.Link("compare", pin.Changelog.Compare); compare != "" {
			out.WriteString(" · " + compare)
		}
	}
	out.WriteByte('\n')
	for _, note := range pin.Notes {
		fmt.Fprintf(&out, "  - %s\n", markdown.Code(note))
	}
	if pin.Changelog == nil {
		return out.String()
	}
	if len(pin.Changelog.Tasks) > 0 {
		fmt.Fprintf(&out, "  - tasks: %s\n", markdown.Code(strings.Join(pin.Changelog.Tasks, ", ")))
	}
	if pin.Changelog.Undone {
		out.WriteString("  - takes back:\n")
	}
	for _, commit := range pin.Changelog.Commits {
		fmt.Fprintf(&out, "  - %s (%s)\n", markdown.Code(commit.Subject), markdown.Code(short(commit.ID)))
	}
	if pin.Changelog.More > 0 {
		fmt.Fprintf(&out, "  - and %d older ones\n", pin.Changelog.More)
	}
	return out.String()
}

func markdownBlock(block Block) string {
	var out strings.Builder
	for _, object := range block.Objects {
		out.WriteString(markdownObject(object))
	}
	return foldedBlock(block.title(), out.String())
}

func foldedBlock(title, body string) string {
	return fmt.Sprintf("<details><summary>%s</summary>\n\n%s</details>\n\n", markdown.HTMLCode(title), body)
}

// markdownFitting is as much of a block as fits, with a count of the rest; empty where nothing fits.
func markdownFitting(block Block, room int) string {
	var out strings.Builder
	for i, object := range block.Objects {
		text := markdownObject(object)
		if out.Len()+len(text)+400 > room {
			if i == 0 {
				return ""
			}
			fmt.Fprintf(&out, "**%s left out here**, as the note would be too long: `tfgitops diff -o html` has everything.\n\n", plural(len(block.Objects)-i, "more object is", "more objects are"))
			break
		}
		out.WriteString(text)
	}
	return foldedBlock(block.title(), out.String())
}

func markdownObject(o Object) string {
	var out strings.Builder
	fmt.Fprintf(&out, "**%s** %s", markdown.Code(actionMarks[o.Action]+" "+o.title()), o.codeOrigin())
	if remarks := o.remarks(); len(remarks) > 0 {
		fmt.Fprintf(&out, " (%s)", strings.Join(remarks, ", "))
	}
	out.WriteString("\n\n")
	if len(o.Fields) > 0 {
		out.WriteString(markdown.Diff(diffText(o.Fields)) + "\n")
	}
	if len(o.Noise) > 0 {
		fmt.Fprintf(&out, "<details><summary>noise: %s</summary>\n\n%s\n</details>\n\n", noiseText(o.Noise), markdown.Diff(diffText(o.Noise)))
	}
	return out.String()
}

// codeOrigin is origin with a stranger's part in code.
func (o Object) codeOrigin() string {
	if o.Layer == Flux {
		return "Flux"
	}
	return "Helm release " + markdown.Code(o.Release)
}

// diffText is fields as a difference: a path, then what was and what is.
func diffText(fields []Field) string {
	var out strings.Builder
	for _, f := range fields {
		for _, l := range lines(f) {
			switch l.mark {
			case '#':
				out.WriteString("# " + l.text + "\n")
			case '@':
				out.WriteString(l.text + "\n")
			default:
				out.WriteString(string(l.mark) + " " + l.text + "\n")
			}
		}
	}
	return out.String()
}
