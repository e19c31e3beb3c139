package diff

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/markdown"
)

// JSONVersion counts incompatible changes of the JSON form. Within a version, fields are added and never change or go.
const JSONVersion = 1

// Document is a report as JSON. Its schema is docs/reference/diff.schema.json.
type Document struct {
	Version int `json:"version"`
	*Report
}

func writeJSON(out io.Writer, r *Report, _ Style) error {
	return encode(out, Document{JSONVersion, r})
}

// encode writes JSON in which every character is one that shows.
func encode(out io.Writer, value any) error {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := out.Write(escapeHidden(plain.Bytes()))
	return err
}

// escapeHidden writes hidden characters of JSON as \u202e. In JSON they can only be inside strings, or be white space.
func escapeHidden(data []byte) []byte {
	if !bytes.ContainsFunc(data, func(r rune) bool { return r != '\n' && markdown.IsHidden(r) }) {
		return data
	}
	var out bytes.Buffer
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == '\n' || !markdown.IsHidden(r):
			out.Write(data[:size])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		data = data[size:]
	}
	return out.Bytes()
}

// qualityIssue is one issue of GitLab's Code Quality report.
type qualityIssue struct {
	Description string          `json:"description"`
	CheckName   string          `json:"check_name"`
	Fingerprint string          `json:"fingerprint"`
	Severity    string          `json:"severity"`
	Location    qualityLocation `json:"location"`
}

type qualityLocation struct {
	Path  string       `json:"path"`
	Lines qualityLines `json:"lines"`
}

type qualityLines struct {
	Begin int `json:"begin"`
}

// gitlabSeverity maps ours to GitLab's.
var gitlabSeverity = map[Severity]string{High: "critical", Medium: "major", Low: "info"}

func writeCodeQuality(out io.Writer, r *Report, _ Style) error {
	issues := []qualityIssue{}
	for _, risk := range r.Risks {
		issues = append(issues, issue(risk.Rule, gitlabSeverity[risk.Severity], risk.text()+" ("+where(risk.Clusters)+")", risk.File, risk.Line))
	}
	for _, problem := range r.Problems {
		issues = append(issues, issue("not-compared", "major", "could not be compared: "+problem.text(), orRoot(problem.File), 0))
	}
	return encode(out, issues)
}

func orRoot(file string) string {
	if file == "" {
		return "tfgitops.yaml"
	}
	return file
}

// issue has a fingerprint that stays the same when lines move, so that GitLab knows an old issue again.
func issue(check, severity, description, file string, line int) qualityIssue {
	sum := sha256.Sum256([]byte(check + "\x00" + file + "\x00" + description))
	return qualityIssue{
		Description: description, CheckName: check, Fingerprint: fmt.Sprintf("%x", sum[:16]), Severity: severity,
		Location: qualityLocation{Path: file, Lines: qualityLines{Begin: max(line, 1)}},
	}
}
