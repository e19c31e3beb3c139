package bump

import (
	"fmt"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/gitlabtest"
)

// planOf is a plan that brings one release to a version on beta and local. Others are what else the component has.
func planOf(op Op, release, version string, others ...string) *Plan {
	plan := &Plan{Request: Request{Op: op, Component: "app"}, Component: "app"}
	for _, cluster := range []string{"beta", "local"} {
		old, next := map[string]v1alpha1.PinnedRelease{release: {Version: "0.0.1"}}, map[string]v1alpha1.PinnedRelease{release: {Version: version}}
		for _, other := range others {
			old[other], next[other] = v1alpha1.PinnedRelease{Version: "1.0.0"}, v1alpha1.PinnedRelease{Version: "1.0.0"}
		}
		plan.Changes = append(plan.Changes, Change{Cluster: cluster, Old: &v1alpha1.PinSpec{Releases: old}, New: &v1alpha1.PinSpec{Releases: next}})
	}
	return plan
}

// Only another version of the same component on the same clusters is older or newer, and only where the versions tell.
func TestCompareBranch(t *testing.T) {
	t.Parallel()
	const later = "0.0.9-20260807120000-09895639" // its counter went backwards
	for _, c := range []struct {
		plan  *Plan
		other string
		want  string
	}{
		{planOf(OpBump, "app", later), "bump/app/0.0.42-20260805120000-1433b2d6/beta+local", "newer"},
		{planOf(OpBump, "app", "0.0.42-20260805120000-1433b2d6"), "bump/app/" + later + "/beta+local", "older"},
		{planOf(OpBump, "app", later), "bump/app/" + later + "/beta+local", "-"},
		{planOf(OpBump, "app", later), "bump/app/1.2.3/beta+local", "-"},
		{planOf(OpBump, "app", "1.10.0"), "bump/app/1.9.0/beta+local", "newer"},
		{planOf(OpBump, "app", "1.10.0"), "bump/app/main/beta+local", "-"},
		{planOf(OpBump, "app", "1.10.0"), "bump/app/1.9.0/beta", "-"},
		{planOf(OpBump, "app", "1.10.0"), "bump/other/1.9.0/beta+local", "-"},
		{planOf(OpBump, "app", "1.10.0"), "promote/app/1.9.0/beta+local", "-"},
		{planOf(OpBump, "app", "1.10.0"), "people/own", "-"},
		{planOf(OpPromote, "app", "1.10.0"), "promote/app/1.9.0/beta+local", "newer"},
		{planOf(OpRollback, "app", "1.8.0"), "rollback/app/1.9.0/beta+local", "-"},
		{planOf(OpBump, "web", "1.10.0", "db"), "bump/app/web-1.9.0/beta+local", "newer"},
		{planOf(OpBump, "web", "1.10.0", "db"), "bump/app/db-1.9.0/beta+local", "-"},
	} {
		got := "-"
		if order, ok := c.plan.compareBranch(c.other); ok {
			got = map[bool]string{true: "newer", false: "older"}[order > 0]
		}
		if got != c.want {
			t.Errorf("%s is %s than %s, want %s", c.plan.BranchName(), got, c.other, c.want)
		}
	}
}

// Whatever strangers and people wrote, a forge shows it and does nothing.
func TestDescriptionIsHarmless(t *testing.T) {
	t.Parallel()
	for _, text := range append([]string{"/merge", "@all", "`", "```", "`@all`", "``` /merge", "a | b", "\u202e/merge", "<!-- x", "</details>", strings.Repeat("@all `", 2000)}, hostile...) {
		plan := planOf(OpRollback, "app", "1.0.0|2")
		plan.Request.Hold.Reason = text
		plan.Said, plan.Waits = []string{text, "\n" + text}, []string{text}
		plan.Refusals = []Refusal{{Rule: RuleSoak, Cluster: "beta", Message: text, Reason: text}}
		plan.Changelog = &Changelog{Old: "12345678", New: "87654321", Commits: []SourceCommit{{ID: "12345678", Subject: text, Author: text, Bugs: []string{"T1"}}}, Compare: "https://gitlab.example.org/a/b/-/compare/1...2"}
		got := plan.Description("", "https://gitlab.example.org/a/b")
		if harm := gitlabtest.Harm(got); len(harm) > 0 {
			t.Errorf("%q: %v\n%s", text, harm, got)
		}
		if table := strings.Count(strings.Split(got, "\n")[4], "|"); table != 4 {
			t.Errorf("the table's row has %d bars:\n%s", table, got)
		}
	}
}

func TestDescriptionIsBounded(t *testing.T) {
	t.Parallel()
	plan := planOf(OpBump, "app", "1.0.0")
	for i := range 10_000 {
		plan.Said = append(plan.Said, fmt.Sprintf("%d %s", i, strings.Repeat("x", 100)))
	}
	if got := plan.Description("risks", "https://x"); len(got) > maxDescription || !strings.Contains(got, "| `beta` |") || !strings.Contains(got, "too long to sum up") {
		t.Errorf("%d bytes: %.500s", len(got), got)
	}
}
