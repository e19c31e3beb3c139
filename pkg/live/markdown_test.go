package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// A report that is too long for one note goes on in the next, with the table's head again; what clusters say does nothing.
func TestMarkdownParts(t *testing.T) {
	t.Parallel()
	report := Report{Time: time.Unix(0, 0), Verdict: Failed, Clusters: []ClusterStatus{{Name: "tools", Error: "/merge @all"}}}
	for i := range 100 {
		report.Rows = append(report.Rows, Row{Component: fmt.Sprintf("c%d", i), Cluster: "tools", State: Failed, Flux: "a | b", Note: "`/close` @all\n\u202e/merge", Pinned: &PinnedVersion{Version: "1|2"}})
	}
	for limit, want := range map[int]int{1 << 20: 1, 5000: 3, 1000: 11} {
		parts := MarkdownParts(report, limit)
		if len(parts) != want {
			t.Errorf("limit %d: %d parts, want %d", limit, len(parts), want)
		}
		rows := 0
		for i, part := range parts {
			if harm := gitlabtest.Harm(part); len(harm) > 0 || len(part) > limit {
				t.Errorf("limit %d: part %d, of %d bytes: %v", limit, i+1, len(part), harm)
			}
			for line := range strings.Lines(part) {
				if strings.HasPrefix(line, "| ✖") {
					rows++
					if strings.Count(line, "|") != 9 {
						t.Errorf("%q", line)
					}
				}
			}
			if left := "more rows are left out"; strings.Contains(part, "| ✖") != strings.Contains(part, "|---|") || strings.Contains(part, left) != (i == 10) {
				t.Errorf("limit %d: part %d:\n%s", limit, i+1, part)
			}
		}
		if want < 11 && rows != 100 {
			t.Errorf("limit %d: %d rows", limit, rows)
		}
	}
	if !strings.HasPrefix(MarkdownParts(report, 1<<20)[0], "## tfgitops status\n\n**failed**: 100 failed\n- `tools`: `/merge @all`\n") {
		t.Errorf("%.200s", MarkdownParts(report, 1<<20)[0])
	}
}
