package live

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Transitions returns, a line each, what is otherwise in the rows of a report than in an earlier one: what somebody who
// watches has to be told.
func Transitions(before, after Report) []string {
	var lines []string
	for _, row := range after.Rows {
		was := before.row(row.Component, row.Cluster)
		switch {
		case was == nil:
			lines = append(lines, fmt.Sprintf("%s on %s: %s%s", row.Component, row.Cluster, row.State, because(row)))
		case was.State != row.State || was.LiveText() != row.LiveText() || was.pinnedVersion() != row.pinnedVersion():
			lines = append(lines, fmt.Sprintf("%s on %s: %s%s → %s%s%s", row.Component, row.Cluster, was.State, running(*was), row.State, running(row), because(row)))
		}
	}
	for _, row := range before.Rows {
		if after.row(row.Component, row.Cluster) == nil {
			lines = append(lines, fmt.Sprintf("%s on %s: neither pinned nor there any more", row.Component, row.Cluster))
		}
	}
	slices.SortStableFunc(lines, cmp.Compare)
	return lines
}

func (r Report) row(component, cluster string) *Row {
	for i := range r.Rows {
		if r.Rows[i].Component == component && r.Rows[i].Cluster == cluster {
			return &r.Rows[i]
		}
	}
	return nil
}

func (r Row) pinnedVersion() string {
	if r.Pinned == nil {
		return ""
	}
	return r.Pinned.Version
}

func running(row Row) string {
	if text := row.LiveText(); text != "-" {
		return " " + text
	}
	return ""
}

func because(row Row) string {
	if text := strings.TrimSpace(row.Note); text != "" {
		return " (" + cut(text, maxNote) + ")"
	}
	return ""
}
