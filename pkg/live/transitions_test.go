package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTransitions(t *testing.T) {
	t.Parallel()
	row := func(component string, state State, pinned, live, note string) Row {
		r := Row{Component: component, Cluster: "prod", State: state, Pinned: &PinnedVersion{Version: pinned}, Note: note}
		if live != "" {
			r.Live = &LiveVersion{Version: live}
		}
		return r
	}
	before := Report{Rows: []Row{
		row("bumped", OK, "1", "1", ""), row("gone", OK, "1", "1", ""), row("same", OK, "1", "1", "old words"), row("upgraded", Pending, "2", "1", "running upgrade"),
	}}
	after := Report{Rows: []Row{
		row("bumped", Pending, "2", "1", "new"), row("made", Unknown, "1", "", "away"), row("same", OK, "1", "1", "other words"), row("upgraded", OK, "2", "2", ""),
	}}
	want := []string{
		"bumped on prod: ok 1 → pending 1 (new)", "gone on prod: neither pinned nor there any more", "made on prod: unknown (away)", "upgraded on prod: pending 1 → ok 2",
	}
	if difference := cmp.Diff(want, Transitions(before, after)); difference != "" {
		t.Error(difference)
	}
	if same := Transitions(after, after); len(same) > 0 {
		t.Errorf("nothing changed, and it says %v", same)
	}
}
