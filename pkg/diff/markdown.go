package diff

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
)

// defaultLimit is how long Markdown may get: a quarter of what GitLab takes.
const defaultLimit = 250_000

// maxOmitted bounds how many components are named of which objects are left out.
const maxOmitted = 10

// maxListed bounds the lists of the summary, which is never cut otherwise.
const maxListed = 200

func writeMarkdown(out io.Writer, r *Report, style Style) error {
	limit := cmp.Or(style.Limit, defaultLimit)
	text := wholeMarkdown(r)
	if len(text) > limit {
		text = shortMarkdown(r, limit)
	}
	_, err := io.WriteString(out, text)
	return err
}

func wholeMarkdown(r *Report) string {
	var out strings.Builder
	out.WriteString(markdownSummary(r, ""))
	for _, component := range r.Components {
		heading := markdownHeading(component)
		for _, block := range component.Blocks {
			out.WriteString(heading + markdownBlock(block))
			heading = ""
		}
	}
	return out.String()
}

// shortMarkdown has the summary whole, which says what is left out: noise, and the objects that do not fit into limit bytes.
func shortMarkdown(r *Report, limit int) string {
	const reserve = 1000 // for the sentence on what is left out
	room := limit - reserve - len(markdownSummary(r, ""))
	var body strings.Builder
	omitted := []string{}
	for _, component := range r.Components {
		heading, left := markdownHeading(component), 0
		for _, block := range component.Blocks {
			text, rest := markdownFitting(block, room-body.Len()-len(heading))
			if left += rest; text != "" {
				body.WriteString(heading + text)
				heading = ""
			}
		}
		if left > 0 {
			omitted = append(omitted, fmt.Sprintf("%d of %s", left, componentHeading(component)))
		}
	}
	return markdownSummary(r, leftOut(omitted)) + body.String()
}

// leftOut says what is left out, and where it is.
func leftOut(omitted []string) string {
	what := "noise"
	if len(omitted) > 0 {
		if n := len(omitted) - maxOmitted; n > 0 {
			omitted = append(omitted[:maxOmitted], fmt.Sprintf("those of %d more components", n))
		}
		what += ", and changed objects: " + strings.Join(omitted, ", ")
	}
	return fmt.Sprintf("\n**Left out here**, as the note would be too long: %s. `tfgitops diff -o html` has everything.\n", what)
}

func markdownHeading(c Component) string { return "\n### " + componentHeading(c) + "\n\n" }

// maxParts bounds how many notes a report fills: nobody reads more.
const maxParts = 10

// MarkdownParts writes a report as the texts of notes of at most limit bytes each (0: 250,000): the summary whole, then the
// objects, over as many notes as it takes, up to ten.
func MarkdownParts(r *Report, limit int) []string {
	limit = cmp.Or(limit, defaultLimit)
	const heading = "## tfgitops diff"
	pieces := summaryPieces(markdownSummary(r, ""), limit/2)
	for _, component := range r.Components {
		title := markdownHeading(component)
		for _, block := range component.Blocks {
			text := title + markdownBlock(block)
			if room := limit - len(heading) - 100; len(text) > room {
				fitting, rest := markdownFitting(block, room-len(title))
				text = title + cmp.Or(fitting, fmt.Sprintf("**%s left out here**, as each would be too long.\n\n", plural(rest, "object is", "objects are")))
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

// summaryPieces takes a summary apart where a note may end: after each line, but not within a fold of at most limit bytes.
// Longer ones are unfolded.
func summaryPieces(summary string, limit int) []string {
	var pieces []string
	for {
		start := strings.Index(summary, "\n<details>")
		if start < 0 {
			return append(pieces, strings.SplitAfter(summary, "\n")...)
		}
		pieces = append(pieces, strings.SplitAfter(summary[:start+1], "\n")...)
		var fold string
		fold, summary, _ = strings.Cut(summary[start+1:], "</details>\n")
		if len(fold) <= limit {
			pieces = append(pieces, fold+"</details>\n")
			continue
		}
		_, fold, _ = strings.Cut(fold, "\n")
		pieces = append(pieces, strings.SplitAfter(fold, "\n")...)
	}
}

func componentHeading(c Component) string {
	if c.Name == "" {
		return c.title()
	}
	return markdown.Code(c.Name)
}

// markdownSummary is what a reviewer must see, whatever else is left out, with a sentence on that.
func markdownSummary(r *Report, leftOut string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "## tfgitops diff\n\n%s → %s\n\n%s%s", markdown.Code(r.Base), markdown.Code(r.Head), markdownHeadline(r), leftOut)
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
		listed, low := splitRisks(r.Risks)
		listUpTo(&out, listed, markdownRisk)
		foldedList(&out, plural(len(low), "low risk", "low risks"), low, markdownRisk)
	}
	foldedList(&out, plural(len(r.Silenced), "silenced risk", "silenced risks"), r.Silenced,
		func(risk Risk) string { return markdownRisk(risk) + ": " + markdown.Code(risk.Silenced) })
	return out.String()
}

func foldedList[T any](out *strings.Builder, title string, list []T, write func(T) string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(out, "\n<details><summary>%s</summary>\n\n", title)
	listUpTo(out, list, write)
	out.WriteString("\n</details>\n")
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
		out.WriteString(markdownObject(object) + markdownNoise(object))
	}
	return foldedBlock(block.title(), out.String())
}

func foldedBlock(title, body string) string {
	return fmt.Sprintf("<details><summary>%s</summary>\n\n%s</details>\n\n", markdown.HTMLCode(title), body)
}

// markdownFitting is as much of a block as fits, without noise, and how many objects are not in it that have more; empty where
// none of them fits.
func markdownFitting(block Block, room int) (text string, left int) {
	var out strings.Builder
	told := 0
	for _, object := range block.Objects {
		if object.noiseOnly() {
			continue
		}
		if text := markdownObject(object); left == 0 && out.Len()+len(text)+400 <= room {
			out.WriteString(text)
			told++
		} else {
			left++
		}
	}
	if told == 0 {
		return "", left
	}
	if left > 0 {
		fmt.Fprintf(&out, "**%s left out here**, as the note would be too long: `tfgitops diff -o html` has everything.\n\n", plural(left, "more object is", "more objects are"))
	}
	return foldedBlock(block.title(), out.String()), left
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
	return out.String()
}

func markdownNoise(o Object) string {
	if len(o.Noise) == 0 {
		return ""
	}
	return fmt.Sprintf("<details><summary>noise: %s</summary>\n\n%s\n</details>\n\n", noiseText(o.Noise), markdown.Diff(diffText(o.Noise)))
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
