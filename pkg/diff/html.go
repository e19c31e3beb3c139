package diff

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
)

// The parts of the page. It holds all that it needs, and its policy lets a browser load or run nothing else.
var (
	//go:embed html/page.html.tmpl
	pageTemplate string
	//go:embed html/page.css
	pageStyle string
	//go:embed html/page.js
	pageScript string
)

func writeHTML(out io.Writer, r *Report, _ Style) error {
	page, err := template.New("page").Funcs(template.FuncMap{
		"visible": markdown.Visible,
		"fields":  htmlLines,
		"where":   where,
		"short":   short,
		"title":   func(v interface{ title() string }) string { return v.title() },
		"remarks": func(o Object) string { return strings.Join(o.remarks(), ", ") },
		"origin":  Object.origin,
		"mark":    func(o Object) string { return actionMarks[o.Action] },
		"noise":   noiseText,
		"pin":     Pin.change,
		"risk":    Risk.text,
		"listed":  func(risks []Risk) []Risk { listed, _ := splitRisks(risks); return listed },
		"folded":  func(risks []Risk) []Risk { _, folded := splitRisks(risks); return folded },
		"problem": Problem.text,
		"sum":     func(s Summary) string { return s.sentence() },
		"risks":   func(s Summary) string { return s.riskSentence() },
		"join":    func(list []string) string { return markdown.Visible(strings.Join(list, ", ")) },
		"link":    func(address string) bool { return markdown.Link("", address) != "" },
		"isNoise": Object.noiseOnly,
		"long":    func(o Object) bool { return lineCount(o) > openLines },
	}).Parse(pageTemplate)
	if err != nil {
		return err
	}
	return page.Execute(out, map[string]any{
		"Report": r,
		"Style":  template.CSS(pageStyle), // #nosec G203 -- a file of ours
		"Script": template.JS(pageScript), // #nosec G203 -- a file of ours
		"Policy": policy(),
	})
}

// policy lets the page's own style and script run, and nothing else.
func policy() string {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript) + "; base-uri 'none'; form-action 'none'"
}

// openLines is how many lines an object may have to be shown unfolded.
const openLines = 60

func lineCount(o Object) int {
	n := 0
	for _, f := range o.Fields {
		n += len(lines(f))
	}
	return n
}

// htmlLine is a line with the class that colours it.
type htmlLine struct{ Class, Mark, Text string }

var lineClasses = map[byte]string{'+': "added", '-': "removed", '#': "path", '@': "place", ' ': "context"}

func htmlLines(fields []Field) []htmlLine {
	var out []htmlLine
	for _, f := range fields {
		for _, l := range lines(f) {
			mark := string(l.mark)
			if l.mark == '#' || l.mark == '@' {
				mark = ""
			}
			out = append(out, htmlLine{lineClasses[l.mark], mark, l.text})
		}
	}
	return out
}
