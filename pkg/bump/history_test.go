package bump

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// ran bumps beta to builds, one after the other.
func (w *world) ran(builds ...int) *world {
	w.t.Helper()
	w.start()
	for _, n := range builds {
		w.bump(n, "beta")
	}
	return w
}

// byHand commits a pin as a person, or Git, leaves it.
func (w *world) byHand(message string, pin *v1alpha1.PinSpec) {
	w.t.Helper()
	w.setPin("beta", "app", pin)
	w.commit(message)
}

func (w *world) ops() string {
	w.t.Helper()
	history, err := w.planner.Deployments(w.t.Context(), "app", "beta")
	if err != nil {
		w.t.Fatal(err)
	}
	var ops []string
	for _, entry := range slices.Backward(history) {
		ops = append(ops, fmt.Sprintf("%s %s", entry.Op, shortVersion(entry.After)))
	}
	return strings.Join(ops, ", ")
}

func shortVersion(pin *v1alpha1.PinSpec) string {
	version, _, _ := strings.Cut(Describe(pin), "-")
	return strings.TrimPrefix(version, "0.0.")
}

func (w *world) at(n int) {
	w.t.Helper()
	if got := w.version("beta"); got != buildVersion(n) {
		w.t.Errorf("beta runs %s, want build %d", got, n)
	}
}

// What a commit did is told by its trailer, or by the pins before and after it.
func TestWhatCommitsDid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(*world)
		want string
	}{
		{"ours", func(w *world) {
			w.ran(2, 3)
			w.rollback("beta")
			w.do(Request{Op: OpUnhold, Reapply: true, Scope: Scope{Clusters: []string{"beta"}}})
			w.do(Request{Op: OpHold, Hold: v1alpha1.Hold{Reason: "x"}, Scope: Scope{Clusters: []string{"beta"}}})
			w.do(Request{Op: OpUnhold, Scope: Scope{Clusters: []string{"beta"}}})
		}, "bump 1, bump 2, bump 3, rollback 2, unhold 3, hold 3, unhold 3"},
		{"a revert, the revert of that, and of that", func(w *world) {
			w.ran(2)
			two, one := w.pin("beta", "app"), newWorld(w.t).pin("beta", "app")
			w.byHand("Revert \"app: bump\"\n\nThis reverts commit 123.\n", one)
			w.byHand("Reapply \"app: bump\"\n\nThis reverts commit 456.\n", two)
			w.byHand("Revert \"Reapply\"\n\nThis reverts commit 789.\n", one)
		}, "bump 1, bump 2, rollback 1, unhold 2, rollback 1"},
		{"a merge commit, without our words", func(w *world) {
			w.ran(2, 3)
			pin := w.do(Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}})
			w.history.commits[0].Trailers = nil
			_ = pin
			w.byHand("Merge branch 'hand' into 'main'\n", newWorld(w.t).pin("beta", "app"))
		}, "bump 1, bump 2, bump 3, rollback 2, rollback 1"},
		{"a merge of a rollback to what a shallow history does not have", func(w *world) {
			w.ran(3)
			pin := w.pin("beta", "app")
			pin.Releases["app"] = v1alpha1.PinnedRelease{Version: buildVersion(2)}
			pin.Commit = commitID(2)
			pin.Hold = &v1alpha1.Hold{Reason: "x", Refuse: []string{buildVersion(3)}}
			w.byHand("Merge branch 'x'\n", pin)
		}, "bump 1, bump 3, rollback 2"},
		{"edits by hand", func(w *world) {
			w.ran()
			for _, n := range []int{2, 3} {
				pin := w.pin("beta", "app")
				pin.Commit, pin.Releases["app"] = commitID(n), v1alpha1.PinnedRelease{Version: buildVersion(n)}
				w.byHand("new build", pin)
			}
			pin := w.pin("beta", "app")
			pin.Hold = &v1alpha1.Hold{Reason: "x"}
			w.byHand("hold it", pin)
			pin.Hold = nil
			w.byHand("go on", pin)
		}, "bump 1, bump 2, bump 3, hold 3, unhold 3"},
		{"a trailer that means nothing, and several", func(w *world) {
			w.ran(2)
			two, one := w.pin("beta", "app"), newWorld(w.t).pin("beta", "app")
			w.byHand("x\n\nTfgitops-Op: destroy\n", one)
			w.byHand("x\n\nTfgitops-Op: bump\nTfgitops-Op: rollback\n", two)
		}, "bump 1, bump 2, rollback 1, unhold 2"},
		{"removed and installed", func(w *world) {
			w.ran(2)
			delete(w.files, "clusters/beta/pins/app.yaml")
			w.commit("gone")
			w.pinTo("beta", 3)
			w.commit("back")
		}, "bump 1, bump 2, bump not installed, bump 3"},
		{"not a pin any more", func(w *world) {
			w.ran(2)
			w.files["clusters/beta/pins/app.yaml"] = "spec: 12e4567\n"
			w.commit("broken")
			w.pinTo("beta", 3)
			w.commit("mended")
		}, "bump 1, bump 2, bump not installed, bump 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.do(w)
			if got := w.ops(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRollbackGoesBackAndNeverForth(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran(2, 3, 4)
	for _, n := range []int{3, 2, 1} {
		w.rollback("beta")
		w.at(n)
	}
	if _, err := w.try(Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}}); err == nil || !strings.Contains(err.Error(), "has run nothing before") {
		t.Error(err)
	}
	if got := w.pin("beta", "app").Hold; !cmp.Equal(got.Refuse, []string{buildVersion(2), buildVersion(3), buildVersion(4)}) || got.Reason != "rolled back" {
		t.Errorf("%+v", got)
	}
}

// A version that was left and then taken up again on purpose is good again.
func TestTakenUpAgain(t *testing.T) {
	t.Parallel()
	back := Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}}
	for _, c := range []struct {
		name string
		how  Request
	}{
		{"bumped to", Request{Op: OpBump, Revision: commitID(3), Scope: back.Scope, Overrides: anyway()}},
		{"re-applied", Request{Op: OpUnhold, Reapply: true, Scope: back.Scope}},
		{"rolled back to by name", Request{Op: OpRollback, Revision: commitID(3), Scope: back.Scope, Overrides: anyway()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).ran(2, 3)
			w.do(back)
			w.do(c.how)
			w.at(3)
			if hold := w.pin("beta", "app").Hold; hold != nil && slices.Contains(hold.Refuse, buildVersion(3)) && c.how.Op != OpBump {
				t.Errorf("the pinned version is held: %+v", hold)
			}
			w.do(Request{Op: OpUnhold, Scope: back.Scope})
			w.bump(4, "beta")
			w.do(back)
			w.at(3)
		})
	}
}

// Reverting with Git, and reverting that, is like rolling back and re-applying.
func TestRollbackAfterRevertOfARevert(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran(2, 3)
	three := w.pin("beta", "app")
	w.pinTo("beta", 2)
	w.commit("Revert \"app: bump to 3\"\n\nThis reverts commit 123.\n")
	w.byHand("Reapply \"app: bump to 3\"\n\nThis reverts commit 456.\n", three)
	w.bump(4, "beta")
	w.rollback("beta")
	w.at(3)
	w.rollback("beta")
	w.at(2)
}

// Values of the same version are left like a version, but no version can be held for them.
func TestRollbackOfValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran()
	for _, value := range []string{"a", "b", "c"} {
		w.do(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"beta"}}, Values: control.Values{"key": value}})
	}
	for _, want := range []string{`{"key":"b"}`, `{"key":"a"}`} {
		w.rollback("beta")
		if got := w.pin("beta", "app"); string(got.Releases["app"].Values.Raw) != want || got.Hold != nil {
			t.Errorf("got %s, %+v, want %s", got.Releases["app"].Values.Raw, got.Hold, want)
		}
	}
	w.rollback("beta")
	w.at(1)
}

// Two releases may have versions of the same text.
func TestRollbackOfOneReleaseOfTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["components/app/component.yaml"] = object("Component", "app", "namespace: app\nreleases: [{name: a, repository: charts}, {name: b, repository: charts}]")
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		w.registries.add(chartsURL, "a", version, "")
		w.registries.add(chartsURL, "b", version, "")
	}
	for _, cluster := range []string{"beta", "local", "prod"} {
		w.setPin(cluster, "app", &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"a": {Version: "1.0.0"}, "b": {Version: "1.1.0"}}})
	}
	w.start()
	bump := func(release, version string) error {
		_, err := w.try(Request{Op: OpBump, Release: release, Revision: version, Scope: Scope{Clusters: []string{"beta"}}})
		return err
	}
	if err := bump("a", "1.1.0"); err != nil {
		t.Fatal(err)
	}
	w.rollback("beta")
	if got := w.pin("beta", "app"); Describe(got) != "a 1.0.0, b 1.1.0" || got.Hold == nil || !cmp.Equal(got.Hold.Refuse, []string{"1.1.0"}) {
		t.Errorf("%s, %+v", Describe(got), got.Hold)
	}
	if err := bump("a", "1.1.0"); !strings.Contains(fmt.Sprint(err), "refused by hold on beta: 1.1.0 is refused") {
		t.Errorf("what was left is taken up again: %v", err)
	}
	if err := bump("b", "1.2.0"); err != nil {
		t.Errorf("b runs 1.1.0 all the time, and may go on: %v", err)
	}
	// A hold names versions, not releases: b cannot go back to 1.1.0 unless it is lifted.
	if _, err := w.try(Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}}); err == nil || !strings.Contains(err.Error(), "held") {
		t.Error(err)
	}
	w.do(Request{Op: OpUnhold, Scope: Scope{Clusters: []string{"beta"}}})
	w.rollback("beta")
	if got := Describe(w.pin("beta", "app")); got != "a 1.0.0, b 1.1.0" {
		t.Error(got)
	}
}

func TestHoldsAreKeptAndAddedTo(t *testing.T) {
	t.Parallel()
	scope := Scope{Clusters: []string{"beta"}}
	for _, c := range []struct {
		name string
		do   func(*world)
		want *v1alpha1.Hold
	}{
		{"rolling back twice", func(w *world) {
			w.do(Request{Op: OpRollback, Scope: scope, Hold: v1alpha1.Hold{Reason: "breaks on NFS", Task: "T1", Until: "2026-09-01"}})
			w.do(Request{Op: OpRollback, Scope: scope, Hold: v1alpha1.Hold{Reason: "this one too", Task: "T2", Until: "2026-08-20"}})
		}, &v1alpha1.Hold{Reason: "breaks on NFS (T1); this one too", Task: "T2", Until: "2026-09-01", Refuse: []string{buildVersion(2), buildVersion(3)}}},
		{"for good stays for good", func(w *world) {
			w.do(Request{Op: OpRollback, Scope: scope, Hold: v1alpha1.Hold{Reason: "x"}})
			w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "y", Until: "2026-08-20", Refuse: []string{"9.9.9"}}})
		}, &v1alpha1.Hold{Reason: "x; y", Refuse: []string{buildVersion(3), "9.9.9"}}},
		{"everything stays everything", func(w *world) {
			w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "x"}})
			w.do(Request{Op: OpRollback, Scope: scope, Overrides: anyway(), Hold: v1alpha1.Hold{Reason: "y"}})
		}, &v1alpha1.Hold{Reason: "x; y"}},
		{"everything on top of a version", func(w *world) {
			w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "x", Refuse: []string{"9.9.9"}}})
			w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "y"}})
		}, &v1alpha1.Hold{Reason: "x; y"}},
		{"one that has ended is not revived", func(w *world) {
			w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "x", Until: "2026-08-01", Refuse: []string{"9.9.9"}}})
			w.do(Request{Op: OpRollback, Scope: scope, Hold: v1alpha1.Hold{Reason: "y"}})
		}, &v1alpha1.Hold{Reason: "y", Refuse: []string{buildVersion(3)}}},
		{"one of the past is not revived", func(w *world) {
			w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "x"}})
			w.bump(4, "beta")
			w.do(Request{Op: OpUnhold, Scope: scope})
			w.do(Request{Op: OpRollback, Scope: scope})
		}, &v1alpha1.Hold{Reason: "rolled back", Refuse: []string{buildVersion(4)}}},
		{"a bump leaves it", func(w *world) {
			w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "x", Refuse: []string{"9.9.9"}}})
			w.bump(4, "beta")
		}, &v1alpha1.Hold{Reason: "x", Refuse: []string{"9.9.9"}}},
		{"re-applying lifts the one version", func(w *world) {
			w.do(Request{Op: OpRollback, Scope: scope, Hold: v1alpha1.Hold{Reason: "x"}})
			w.do(Request{Op: OpRollback, Scope: scope, Hold: v1alpha1.Hold{Reason: "y"}})
			w.do(Request{Op: OpUnhold, Reapply: true, Scope: scope})
			w.at(2)
		}, &v1alpha1.Hold{Reason: "x; y", Refuse: []string{buildVersion(3)}}},
		{"and again the next", func(w *world) {
			w.do(Request{Op: OpRollback, Scope: scope})
			w.do(Request{Op: OpRollback, Scope: scope})
			w.do(Request{Op: OpUnhold, Reapply: true, Scope: scope})
			w.do(Request{Op: OpUnhold, Reapply: true, Scope: scope})
			w.at(3)
		}, nil},
		{"going to the refused version on purpose", func(w *world) {
			w.do(Request{Op: OpRollback, Scope: scope, Hold: v1alpha1.Hold{Reason: "x"}})
			w.do(Request{Op: OpRollback, Scope: scope, Revision: buildVersion(3), Overrides: anyway(), Hold: v1alpha1.Hold{Reason: "y"}})
		}, &v1alpha1.Hold{Reason: "y", Refuse: []string{buildVersion(2)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).ran(2, 3)
			c.do(w)
			if diff := cmp.Diff(c.want, w.pin("beta", "app").Hold); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHoldUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	scope := Scope{Clusters: []string{"beta"}}
	for _, hold := range []v1alpha1.Hold{{}, {Reason: " "}, {Reason: "x", Until: "tomorrow"}} {
		if _, err := w.plan(Request{Op: OpHold, Scope: scope, Hold: hold}); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", hold, err)
		}
	}
	for _, op := range []Op{OpHold, OpRollback, OpUnhold} {
		_, err := w.plan(Request{Op: op, Hold: v1alpha1.Hold{Reason: "x"}})
		if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "with --cluster: it is installed on beta, local, prod") {
			t.Errorf("%s without a cluster: %v", op, err)
		}
	}
	w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "x"}})
	if plan := w.do(Request{Op: OpHold, Scope: scope, Hold: v1alpha1.Hold{Reason: "x"}}); len(plan.Changed()) > 0 {
		t.Errorf("held twice: %+v", plan.Changed())
	}
	if plan := w.do(Request{Op: OpUnhold, Scope: Scope{Clusters: []string{"prod"}}}); plan.Changes[0].Unchanged != "not held" {
		t.Errorf("%+v", plan.Changes)
	}
	_, err := w.plan(Request{Op: OpUnhold, Reapply: true, Scope: scope})
	if err == nil || !strings.Contains(err.Error(), "the version that was left is not in its history") {
		t.Errorf("nothing was left: %v", err)
	}
	w.planner.History = nil
	if _, err := w.plan(Request{Op: OpRollback, Scope: scope}); !errors.Is(err, ErrNoHistory) {
		t.Error(err)
	}
}

func TestRollbackTo(t *testing.T) {
	t.Parallel()
	scope := Scope{Clusters: []string{"beta"}}
	for _, c := range []struct {
		name, to string
		want     int    // the build; 0: an error
		says     string // part of the error
	}{
		{"a version", buildVersion(2), 2, ""},
		{"a commit", commitID(2), 2, ""},
		{"a prefix, as people write it", strings.ToUpper(commitID(2)[:6]), 2, ""},
		{"what runs", buildVersion(4), 4, ""},
		{"never ran", buildVersion(5), 0, `has never run "` + buildVersion(5) + `"`},
		{"too short", commitID(2)[:3], 0, "has never run"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).ran(2, 3, 4)
			plan, err := w.try(Request{Op: OpRollback, Scope: scope, Revision: c.to})
			if c.want == 0 {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Error(err)
				}
				return
			}
			if err != nil || plan.Changes[0].To() != buildVersion(c.want) {
				t.Errorf("%v, %+v", err, plan)
			}
		})
	}
	w := newWorld(t).ran()
	for _, commit := range []string{"abcd11", "abcd22"} {
		w.byHand("x", &v1alpha1.PinSpec{Commit: commit + strings.Repeat("0", 34), Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: "0.0.1-20260901000000-" + commit + "00"}}})
	}
	w.bump(2, "beta")
	_, err := w.plan(Request{Op: OpRollback, Scope: scope, Revision: "abcd"})
	if err == nil || !strings.Contains(err.Error(), "several commits that begin with \"abcd\": write one of abcd22") {
		t.Errorf("ambiguous: %v", err)
	}
	// The same version with other values: the one before, not the one that runs.
	w = newWorld(t).ran()
	for _, value := range []string{"a", "b"} {
		w.do(Request{Op: OpBump, Revision: commitID(2), Scope: scope, Values: control.Values{"key": value}})
	}
	plan := w.do(Request{Op: OpRollback, Scope: scope, Revision: buildVersion(2)})
	if len(plan.Changed()) != 1 || string(w.pin("beta", "app").Releases["app"].Values.Raw) != `{"key":"a"}` {
		t.Errorf("%+v", plan.Changes)
	}
}

// Each of the targets that are offered can be chosen, also where versions do not tell them apart.
func TestChosenTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran()
	for _, value := range []string{"a", "b", "c"} {
		w.do(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"beta"}}, Values: control.Values{"key": value}})
	}
	targets, err := w.planner.RollbackTargets(t.Context(), "app", "beta", w.pin("beta", "app"))
	if err != nil || len(targets) != 3 {
		t.Fatalf("%v, %+v", err, targets)
	}
	w.do(Request{Op: OpRollback, Target: targets[1].After, Scope: Scope{Clusters: []string{"beta"}}})
	if got := string(w.pin("beta", "app").Releases["app"].Values.Raw); got != `{"key":"a"}` {
		t.Error(got)
	}
}

// A shallow clone does not have all: what is before the oldest change is known from that one, and that there may be more is
// said.
func TestShallowHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran(2, 3)
	w.history.commits = w.history.commits[:2]
	w.history.commits[1].CutOff = true // it brought build 2, and its parent is not here
	w.rollback("beta")
	w.at(2)
	_, err := w.plan(Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}})
	if err == nil || !strings.Contains(err.Error(), "the clone is shallow: `git fetch --unshallow`") {
		t.Error(err)
	}
	_, err = w.plan(Request{Op: OpRollback, Revision: buildVersion(1), Scope: Scope{Clusters: []string{"beta"}}})
	if err == nil || !strings.Contains(err.Error(), "shallow") {
		t.Error(err)
	}
}

// A rollback asks nobody: it must work when all is down.
func TestRollbackAsksNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran(2)
	w.registries.calls = nil
	w.planner.OpenSource = nil
	w.planner.Registries = nil
	plan := w.rollback("beta")
	w.at(1)
	if plan.Changelog == nil || plan.Changelog.Compare != "https://gitlab.example/group/app/-/compare/"+commitID(1)+"..."+commitID(2) {
		t.Errorf("%+v", plan.Changelog)
	}
}

func TestRollingBackSeveralClusters(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran(2, 3)
	w.bump(5, "prod")
	plan := w.do(Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta", "prod"}}})
	if got, want := plan.Subject(), fmt.Sprintf("app: roll back to %s (beta), %s (prod) on beta, prod", buildVersion(2), buildVersion(1)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
