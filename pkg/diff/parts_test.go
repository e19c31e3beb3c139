package diff

import (
	"fmt"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// longReport has a long summary, and more objects than fit into one note, all in a stranger's words.
func longReport(components, objects int, text string) *Report {
	r := &Report{Base: text, Head: text, Summary: Summary{Components: components, High: 1}}
	for i := range components {
		name := fmt.Sprintf("component-%d", i)
		r.Risks = append(r.Risks, Risk{Rule: "rule", Severity: High, Component: name, Clusters: []string{"beta"}, Message: text})
		c := Component{Name: name, Pins: []Pin{{Clusters: []string{"beta"}, Action: ActionChanged, Changelog: &Changelog{Commits: []Commit{{ID: "0123456789", Subject: text, Author: text}}}}}}
		block := Block{Clusters: []string{"beta"}}
		for j := range objects {
			block.Objects = append(block.Objects, Object{Layer: Helm, Release: name, Action: ActionChanged, APIVersion: "v1", Kind: "ConfigMap", Name: fmt.Sprintf("object-%d-%d", i, j), Fields: []Field{{Path: "data.x", Op: OpChanged, Old: text, New: text + "\n" + text}}})
		}
		c.Blocks = []Block{block}
		r.Components = append(r.Components, c)
	}
	return r
}

// The summary is whole, over however many notes, and all objects follow that have room.
func TestMarkdownParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                string
		components, objects int
		limit               int
		parts               int
		all                 bool
	}{
		{"one note", 3, 2, 0, 1, true},
		{"several", 20, 3, 10_000, 2, true},
		{"an object too many for a note", 1, 200, 10_000, 1, false},
		{"more than anybody reads", 150, 30, 20_000, 11, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := longReport(c.components, c.objects, "text @all")
			parts := MarkdownParts(r, c.limit)
			if len(parts) != c.parts {
				t.Errorf("%d parts, want %d", len(parts), c.parts)
			}
			whole := strings.Join(parts, "")
			for _, component := range r.Components {
				if strings.Count(whole, "- **`"+component.Name+"`**") != 1 {
					t.Errorf("%s is not in the summary", component.Name)
				}
				if last := fmt.Sprintf("object%s-%d", strings.TrimPrefix(component.Name, "component"), c.objects-1); c.all && !strings.Contains(whole, last) {
					t.Errorf("%s is lost", last)
				}
			}
			if risks := strings.Count(whole, "🔴 **high**"); risks != c.components {
				t.Errorf("%d risks in the summary, want %d", risks, c.components)
			}
			if left := strings.Contains(whole, "left out here"); left == c.all {
				t.Errorf("left out: %v", left)
			}
			for i, part := range parts {
				if limit := max(c.limit, 1); c.limit > 0 && len(part) > limit {
					t.Errorf("part %d has %d bytes", i+1, len(part))
				}
				if !strings.HasPrefix(part, "## tfgitops diff") {
					t.Errorf("part %d begins with %.50q", i+1, part)
				}
				if strings.Count(part, "<details>") != strings.Count(part, "</details>") {
					t.Errorf("part %d leaves a fold open", i+1)
				}
			}
		})
	}
}

func TestMarkdownPartsAreHarmless(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"/merge", "@all", "`", "```", "````\n/merge", "\u202e/merge", "</details>\n/close", strings.Repeat("@all `", 2000)} {
		for i, part := range MarkdownParts(longReport(2, 2, text), 8000) {
			if harm := gitlabtest.Harm(part); len(harm) > 0 {
				t.Errorf("%.40q: part %d: %v\n%.2000s", text, i+1, harm, part)
			}
		}
	}
}

// A grave risk says why it is one, in every format; the others say it in JSON.
func TestGraveRisksSayWhy(t *testing.T) {
	t.Parallel()
	r := &Report{Risks: []Risk{
		{Rule: "a", Severity: High, Clusters: []string{"beta"}, Message: "gains hostPath /etc", Because: "one has the node"},
		{Rule: "b", Severity: Low, Clusters: []string{"beta"}, Message: "restarts", Because: "caches are empty"},
	}}
	for _, format := range Formats() {
		var out strings.Builder
		if err := Write(&out, format, r, Style{}); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); !strings.Contains(text, "one has the node") || strings.Contains(text, "caches are empty") != (format == "json") {
			t.Errorf("%s:\n%s", format, text)
		}
	}
}

// Many low risks do not hide a grave one: they are folded, or counted where nothing folds, and a fold stays in one note.
func TestManyLowRisksAreFolded(t *testing.T) {
	t.Parallel()
	r := &Report{Risks: []Risk{{Rule: "grave", Severity: High, Clusters: []string{"beta"}, Message: "the grave one"}}}
	for i := range 30 {
		r.Risks = append(r.Risks, Risk{Rule: "pods-restart", Severity: Low, Clusters: []string{"beta"}, Message: fmt.Sprintf("low %d.", i)})
	}
	write := func(format Format, style Style) string {
		var out strings.Builder
		if err := Write(&out, format, r, style); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if text := write("text", Style{}); !strings.Contains(text, "low    30 of pods-restart; --noise lists them") || strings.Contains(text, "low 0.") || !strings.Contains(text, "the grave one") {
		t.Errorf("text:\n%s", text)
	}
	if text := write("text", Style{Noise: true}); !strings.Contains(text, "low 0.") || strings.Contains(text, "--noise") {
		t.Errorf("text with noise:\n%s", text)
	}
	for format, fold := range map[Format]string{"markdown": "<details><summary>30 low risks</summary>", "html": "<summary>30 low risks</summary>"} {
		before, after, _ := strings.Cut(write(format, Style{}), fold)
		if !strings.Contains(before, "the grave one") || strings.Contains(before, "low 0.") || strings.Count(after, "low 0.") != 1 || strings.Count(after, "low 29.") != 1 {
			t.Errorf("%s: what is before the fold:\n%s\nand in it:\n%s", format, before, after)
		}
	}
	for _, limit := range []int{700, 5000, 10_000} {
		parts := MarkdownParts(r, limit)
		for i, part := range parts {
			if strings.Count(part, "<details>") != strings.Count(part, "</details>") || len(part) > limit {
				t.Errorf("limit %d: part %d:\n%s", limit, i+1, part)
			}
		}
		if whole := strings.Join(parts, ""); strings.Count(whole, "low 29.") != 1 && limit > 700 {
			t.Errorf("limit %d: risks are lost:\n%s", limit, whole)
		}
	}
}
