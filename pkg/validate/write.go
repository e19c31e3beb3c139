package validate

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Format names a way of writing findings.
type Format string

// Formats are the ways of writing findings, by name.
func Formats() map[Format]func(io.Writer, control.Findings) error {
	return map[Format]func(io.Writer, control.Findings) error{"table": writeTable, "json": writeJSON, "codequality": writeCodeQuality}
}

// Write writes findings in a format of Formats.
func Write(out io.Writer, format Format, findings control.Findings) error {
	write, known := Formats()[format]
	if !known {
		return fmt.Errorf("there is no output format %q: write table, json or codequality", format)
	}
	return write(out, findings)
}

func writeTable(out io.Writer, findings control.Findings) error {
	for _, f := range findings {
		if _, err := fmt.Fprintf(out, "%s\n\n", f); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, summary(findings))
	return err
}

func summary(findings control.Findings) string {
	if len(findings) == 0 {
		return "no findings"
	}
	var parts []string
	for _, severity := range []control.Severity{control.Error, control.Warning} {
		switch n := findings.Count(severity); n {
		case 0:
		case 1:
			parts = append(parts, "1 "+string(severity))
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", n, severity))
		}
	}
	return strings.Join(parts, ", ")
}

// report is the JSON form; version counts incompatible changes of it.
type report struct {
	Version  int              `json:"version"`
	Findings control.Findings `json:"findings"`
}

func writeJSON(out io.Writer, findings control.Findings) error {
	if findings == nil {
		findings = control.Findings{}
	}
	return encodeJSON(out, report{Version: 1, Findings: findings})
}

// codeQuality is one issue of GitLab's Code Quality report.
type codeQuality struct {
	Description string              `json:"description"`
	CheckName   string              `json:"check_name"`
	Fingerprint string              `json:"fingerprint"`
	Severity    string              `json:"severity"`
	Location    codeQualityLocation `json:"location"`
}

type codeQualityLocation struct {
	Path  string           `json:"path"`
	Lines codeQualityLines `json:"lines"`
}

type codeQualityLines struct {
	Begin int `json:"begin"`
}

// gitlabSeverity maps ours to GitLab's.
var gitlabSeverity = map[control.Severity]string{control.Error: "major", control.Warning: "minor"}

func writeCodeQuality(out io.Writer, findings control.Findings) error {
	issues := []codeQuality{}
	for _, f := range findings {
		description := f.Message
		if f.Help != "" {
			description += " (" + f.Help + ")"
		}
		issues = append(issues, codeQuality{
			Description: description, CheckName: f.Rule, Fingerprint: fingerprint(f), Severity: gitlabSeverity[f.Severity],
			Location: codeQualityLocation{Path: f.File, Lines: codeQualityLines{Begin: max(f.Line, 1)}},
		})
	}
	return encodeJSON(out, issues)
}

// fingerprint stays the same when lines move, so that GitLab knows an old finding again.
func fingerprint(f control.Finding) string {
	sum := sha256.Sum256([]byte(f.Rule + "\x00" + f.File + "\x00" + f.Message))
	return fmt.Sprintf("%x", sum[:16])
}

func encodeJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
