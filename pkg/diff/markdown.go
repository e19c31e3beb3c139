package diff

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"math"
	"net/url"
	"slices"
	"strings"
)

// defaultLimit is how long Markdown may get: a quarter of what GitLab takes.
const defaultLimit = 250_000

// maxOmitted bounds how many blocks are named that were left out.
const maxOmitted = 10

// maxListed bounds the lists of the summary, which is never cut otherwise.
const maxListed = 200

// A stranger's text is always in code, where GitLab looks for no mentions, references, quick actions or HTML.

// code is text as inline code.
func code(text string) string {
	text = visible(text)
	if text == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longestRun is the longest run of backticks in a text.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// htmlCode is text as code within HTML tags.
func htmlCode(text string) string { return "<code>" + html.EscapeString(visible(text)) + "</code>" }

// fenced is lines as a block of code that shows a difference.
func fenced(text string) string {
	fence := strings.Repeat("`", max(3, longestRun(text)+1))
	return fence + "diff\n" + text + fence + "\n"
}

// link is a Markdown link, or nothing where the address is not a plain one.
func link(text, address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || strings.ContainsAny(address, "()<> \"\\`") || visible(address) != address {
		return ""
	}
	return fmt.Sprintf("[%s](%s)", text, address)
}

func writeMarkdown(out io.Writer, r *Report, style Style) error {
	limit := cmp.Or(style.Limit, defaultLimit)
	text := markdown(r, math.MaxInt)
	if len(text) > limit {
		text = markdown(r, limit)
	}
	_, err := io.WriteString(out, text)
	return err
}

// markdown writes the summary whole, and of the objects what fits into limit bytes.
func markdown(r *Report, limit int) string {
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

func componentHeading(c Component) string {
	if c.Name == "" {
		return c.title()
	}
	return code(c.Name)
}

// markdownSummary is what a reviewer must see, whatever else is left out.
func markdownSummary(r *Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "## tfgitops diff\n\n%s → %s\n\n**%s** %s.\n", code(r.Base), code(r.Head), r.Summary.sentence(), strings.ToUpper(r.Summary.riskSentence()[:1])+r.Summary.riskSentence()[1:])
	if len(r.Problems) > 0 {
		out.WriteString("\n### Could not be compared\n\n")
		listUpTo(&out, r.Problems, func(p Problem) string { return ":warning: " + code(p.text()) })
	}
	if len(r.Risks) > 0 {
		out.WriteString("\n### Risks\n\n")
		listUpTo(&out, r.Risks, markdownRisk)
	}
	if len(r.Silenced) > 0 {
		fmt.Fprintf(&out, "\n<details><summary>%s</summary>\n\n", plural(len(r.Silenced), "silenced risk", "silenced risks"))
		listUpTo(&out, r.Silenced, func(risk Risk) string { return markdownRisk(risk) + ": " + code(risk.Silenced) })
		out.WriteString("\n</details>\n")
	}
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
	text := fmt.Sprintf("%s **%s** %s", severityIcons[risk.Severity], risk.Severity, code(risk.text()))
	return text + fmt.Sprintf(" (%s, %s)", code(risk.Rule), codeClusters(risk.Clusters))
}

func codeClusters(clusters []string) string {
	words := make([]string, len(clusters))
	for i, name := range clusters {
		words[i] = code(name)
	}
	if len(words) > 1 {
		return "same on " + strings.Join(words, ", ")
	}
	return "on " + strings.Join(words, ", ")
}

func markdownPin(component string, pin Pin) string {
	var out strings.Builder
	fmt.Fprintf(&out, "- **%s** %s %s", code(component), code(pin.change()), codeClusters(pin.Clusters))
	if pin.Changelog != nil {
		if compare := link("compare", pin.Changelog.Compare); compare != "" {
			out.WriteString(" · " + compare)
		}
	}
	out.WriteByte('\n')
	for _, note := range pin.Notes {
		fmt.Fprintf(&out, "  - %s\n", code(note))
	}
	if pin.Changelog == nil {
		return out.String()
	}
	if len(pin.Changelog.Tasks) > 0 {
		fmt.Fprintf(&out, "  - tasks: %s\n", code(strings.Join(pin.Changelog.Tasks, ", ")))
	}
	for _, commit := range pin.Changelog.Commits {
		fmt.Fprintf(&out, "  - %s (%s)\n", code(commit.Subject), code(short(commit.ID)))
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
	return fmt.Sprintf("<details><summary>%s</summary>\n\n%s</details>\n\n", htmlCode(title), body)
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
	fmt.Fprintf(&out, "**%s** %s", code(actionMarks[o.Action]+" "+o.title()), o.codeOrigin())
	if remarks := o.remarks(); len(remarks) > 0 {
		fmt.Fprintf(&out, " (%s)", strings.Join(remarks, ", "))
	}
	out.WriteString("\n\n")
	if len(o.Fields) > 0 {
		out.WriteString(fenced(diffText(o.Fields)) + "\n")
	}
	if len(o.Noise) > 0 {
		fmt.Fprintf(&out, "<details><summary>noise: %s</summary>\n\n%s\n</details>\n\n", noiseText(o.Noise), fenced(diffText(o.Noise)))
	}
	return out.String()
}

// codeOrigin is origin with a stranger's part in code.
func (o Object) codeOrigin() string {
	if o.Layer == Flux {
		return "Flux"
	}
	return "Helm release " + code(o.Release)
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
