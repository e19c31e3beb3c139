package bump

import (
	"fmt"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
)

// maxDescription bounds a merge request's description, in bytes: GitLab takes a million characters, people less.
const maxDescription = 200_000

// Description is the text of the plan's merge request, in Markdown: what changes where, what it waits for, what the component's
// source says, and the rest that a reviewer must know. risks is Markdown already, and diff the address of the rendered
// difference. All else is a stranger's or a person's text, and stands in code, where no forge acts on it.
func (p *Plan) Description(risks, diff string) string {
	parts := []string{p.clusterTable(), p.waitList(), p.remarks()}
	if risks != "" {
		parts = append(parts, "### What it does\n\n"+strings.TrimSpace(risks)+"\n")
	}
	if diff != "" {
		parts = append(parts, fmt.Sprintf("[The rendered difference](%s), as it was when this was opened.\n", diff))
	}
	text := joined(append(parts, p.changelogList())...)
	if len(text) > maxDescription { // of what may be long, the summary stays
		text = joined(p.clusterTable(), p.waitList(), fmt.Sprintf("[The rendered difference](%s), which is too long to sum up here.\n", diff))
	}
	return text
}

func joined(parts ...string) string {
	var out []string
	for _, part := range parts {
		if part != "" {
			out = append(out, part)
		}
	}
	return strings.Join(out, "\n")
}

// clusterTable is the truth about each cluster that changes.
func (p *Plan) clusterTable() string {
	var out strings.Builder
	fmt.Fprintf(&out, "**%s**\n\n| cluster | from | to |\n|---|---|---|\n", markdown.Code(p.Subject()))
	for _, change := range p.Changed() {
		fmt.Fprintf(&out, "| %s | %s | %s |\n", markdown.Cell(change.Cluster), markdown.Cell(change.From()), markdown.Cell(change.To()))
	}
	return out.String()
}

func (p *Plan) waitList() string {
	if len(p.Waits) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString("### This is a draft until\n\n")
	for _, text := range p.Waits {
		fmt.Fprintf(&out, "- %s\n", markdown.Code(text))
	}
	fmt.Fprintf(&out, "\nThen %s marks it ready: a pipeline runs that.\n", markdown.Code(fmt.Sprintf("tfgitops promote %s --to %s --merge-request --ready --live", p.Component, p.Request.Stage)))
	return out.String()
}

// remarks are the reason, what was said, and the rules that somebody went on past.
func (p *Plan) remarks() string {
	var out strings.Builder
	line := func(text string) { fmt.Fprintf(&out, "- %s\n", markdown.Code(plainText(text))) }
	if reason := p.reason(); reason != "" {
		line(reason)
	}
	for _, refusal := range p.Refusals {
		if refusal.Overridden() {
			line(fmt.Sprintf("overridden: %s: %s (%s)", refusal.Where(), refusal.Message, refusal.Reason))
		}
	}
	for _, text := range p.Said {
		line(text)
	}
	return out.String()
}

func (p *Plan) changelogList() string {
	c := p.Changelog
	if c == nil {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "### Commits\n\n%s to %s", markdown.Code(short(c.Old)), markdown.Code(short(c.New)))
	if compare := markdown.Link("compare", c.Compare); compare != "" {
		out.WriteString(" · " + compare)
	}
	out.WriteString("\n\n")
	for _, commit := range c.Commits {
		fmt.Fprintf(&out, "- %s (%s, %s)\n", markdown.Code(commit.Subject), markdown.Code(short(commit.ID)), markdown.Code(commit.Author))
	}
	if c.More > 0 {
		fmt.Fprintf(&out, "- and %d older ones\n", c.More)
	}
	if bugs := c.Bugs(); len(bugs) > 0 {
		fmt.Fprintf(&out, "\nTasks: %s\n", markdown.Code(strings.Join(bugs, ", ")))
	}
	return out.String()
}
