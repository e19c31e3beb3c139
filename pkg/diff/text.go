package diff

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
)

// wideTerminal is from which width on old and new stand side by side.
const wideTerminal = 140

// painter writes text for a terminal.
type painter struct {
	out    strings.Builder
	colour bool
	width  int
	noise  bool
}

// The colours of a terminal, as SGR parameters.
var colours = map[string]string{
	"+": "32", "-": "31", "@": "36", "#": "1", "dim": "2", "bold": "1",
	string(High): "1;31", string(Medium): "33", string(Low): "36",
}

// paint gives text a colour.
func (p *painter) paint(style, text string) string {
	code, known := colours[style]
	if !p.colour || !known || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *painter) print(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }

func writeText(out io.Writer, r *Report, style Style) error {
	p := &painter{colour: style.Colour, width: style.Width, noise: style.Noise}
	p.print("%s → %s", markdown.Visible(r.Base), markdown.Visible(r.Head))
	p.print("%s %s", r.Summary.sentence(), p.paint("dim", "("+r.Summary.riskSentence()+")"))
	p.problems(r.Problems)
	p.risks(r)
	for _, component := range r.Components {
		p.component(component)
	}
	_, err := io.WriteString(out, p.out.String())
	return err
}

func (p *painter) problems(problems []Problem) {
	if len(problems) == 0 {
		return
	}
	p.print("\n%s", p.paint("bold", "Could not be compared"))
	for _, problem := range problems {
		p.print("  %s %s", p.paint(string(High), "!"), problem.text())
	}
}

func (p *painter) risks(r *Report) {
	if len(r.Risks) > 0 {
		p.print("\n%s", p.paint("bold", "Risks"))
	}
	listed, low := splitRisks(r.Risks)
	if p.noise {
		listed, low = r.Risks, nil
	}
	for _, risk := range listed {
		p.print("  %s %s  %s %s", p.paint(string(risk.Severity), fmt.Sprintf("%-6s", risk.Severity)), risk.text(),
			p.paint("dim", "["+risk.Rule+"]"), p.paint("dim", where(risk.Clusters)))
	}
	if len(low) > 0 {
		p.print("  %s %s", p.paint(string(Low), fmt.Sprintf("%-6s", Low)), rulesText(low)+"; --noise lists them")
	}
	if len(r.Silenced) > 0 {
		p.print("\n%s", p.paint("bold", "Silenced risks"))
	}
	for _, risk := range r.Silenced {
		p.print("  %-6s %s  %s", risk.Severity, risk.text(), p.paint("dim", "["+risk.Rule+"] "+markdown.Visible(risk.Silenced)))
	}
}

// rulesText counts risks by their rules.
func rulesText(risks []Risk) string {
	counts := map[string]int{}
	for _, risk := range risks {
		counts[risk.Rule]++
	}
	var words []string
	for _, rule := range sortedKeys(counts) {
		words = append(words, fmt.Sprintf("%d of %s", counts[rule], rule))
	}
	return strings.Join(words, ", ")
}

func (p *painter) component(c Component) {
	p.print("\n%s", p.paint("bold", "── "+c.title()+" ──"))
	for _, pin := range c.Pins {
		p.pin(pin)
	}
	for _, block := range c.Blocks {
		p.print("\n%s", p.paint("dim", block.title()))
		p.objects(block.Objects)
	}
}

// fewQuiet is how many objects with noise only are named; more are counted, so that the others are seen.
const fewQuiet = 3

func (p *painter) objects(objects []Object) {
	origin, quiet := "", 0
	var noise []Field
	for _, object := range objects {
		if object.noiseOnly() {
			quiet++
			noise = append(noise, object.Noise...)
		}
	}
	counted := quiet > fewQuiet && !p.noise
	for _, object := range objects {
		if counted && object.noiseOnly() {
			continue
		}
		if object.origin() != origin {
			origin = object.origin()
			p.print("%s", p.paint("dim", "  "+origin))
		}
		p.object(object)
	}
	if counted {
		p.print("  %s", p.paint("dim", fmt.Sprintf("and %d objects with noise only: %s; --noise shows them", quiet, noiseText(noise))))
	}
}

func (p *painter) pin(pin Pin) {
	p.print("%s %s", pin.change(), p.paint("dim", where(pin.Clusters)))
	for _, note := range pin.Notes {
		p.print("  note: %s", markdown.Visible(note))
	}
	if pin.Changelog == nil {
		return
	}
	if pin.Changelog.Undone {
		p.print("  takes back:")
	}
	for _, commit := range pin.Changelog.Commits {
		p.print("  - %s (%s, %s)", markdown.Visible(commit.Subject), markdown.Visible(short(commit.ID)), markdown.Visible(commit.Author))
	}
	if pin.Changelog.More > 0 {
		p.print("  - and %d older ones", pin.Changelog.More)
	}
	if len(pin.Changelog.Tasks) > 0 {
		p.print("  tasks: %s", markdown.Visible(strings.Join(pin.Changelog.Tasks, ", ")))
	}
	if pin.Changelog.Compare != "" {
		p.print("  %s", markdown.Visible(pin.Changelog.Compare))
	}
}

func (p *painter) object(o Object) {
	mark := actionMarks[o.Action]
	title := p.paint(mark, mark+" "+o.title())
	if remarks := o.remarks(); len(remarks) > 0 {
		title += " " + p.paint("dim", "("+strings.Join(remarks, ", ")+")")
	}
	if len(o.Noise) > 0 {
		title += " " + p.paint("dim", "noise: "+noiseText(o.Noise))
	}
	p.print("  %s", title)
	for _, field := range o.Fields {
		p.field(field)
	}
	if !p.noise {
		return
	}
	for _, field := range o.Noise {
		p.print("      %s", p.paint("dim", "noise: "+string(field.Noise)))
		p.field(field)
	}
}

func (p *painter) field(f Field) {
	shown := lines(f)
	if column := (p.width - 10) / 2; p.width >= wideTerminal && f.Op == OpChanged && fit(shown, column) {
		p.sideBySide(shown, column)
		return
	}
	for _, l := range shown {
		p.print("      %s", p.paint(string(l.mark), p.marked(l)))
	}
}

func (p *painter) marked(l line) string {
	if l.mark == '#' || l.mark == '@' {
		return l.text
	}
	return string(l.mark) + " " + l.text
}

// fit reports whether what was and what is have room in a column: what differs must not be cut off.
func fit(shown []line, column int) bool {
	return !slices.ContainsFunc(shown, func(l line) bool {
		return (l.mark == '-' || l.mark == '+') && utf8.RuneCountInString(l.text)+2 > column
	})
}

// sideBySide puts removed lines to the left of the added ones that follow them.
func (p *painter) sideBySide(shown []line, column int) {
	var left, right []line
	flush := func() {
		for i := range max(len(left), len(right)) {
			l, r := cell(left, i, column), cell(right, i, column)
			p.print("      %s %s %s", p.paint("-", l), p.paint("dim", "│"), p.paint("+", strings.TrimRight(r, " ")))
		}
		left, right = nil, nil
	}
	for _, l := range shown {
		switch l.mark {
		case '-':
			left = append(left, l)
		case '+':
			right = append(right, l)
		default:
			flush()
			p.print("      %s", p.paint(string(l.mark), p.marked(l)))
		}
	}
	flush()
}

// cell fills a column.
func cell(column []line, i, width int) string {
	text := ""
	if i < len(column) {
		text = string(column[i].mark) + " " + column[i].text
	}
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}
