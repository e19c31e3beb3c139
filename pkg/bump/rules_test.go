package bump

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// releases of 1.20.3, 1.20.4 … of a chart that nobody here builds.
const chartsURL = "https://charts.example"

// Each rule fires, and does not fire where only a little is different.
func TestRules(t *testing.T) {
	t.Parallel()
	bumpTo := func(n int, clusters ...string) Request {
		return Request{Op: OpBump, Revision: buildVersion(n), Scope: Scope{Clusters: clusters}}
	}
	freeze := func(from, to string) string {
		return "\nfreeze: [{from: " + from + ", to: " + to + ", reason: holidays}]"
	}
	held := func(hold v1alpha1.Hold) func(*world) {
		return func(w *world) {
			pin := w.pin("beta", "app")
			pin.Hold = &hold
			w.setPin("beta", "app", pin)
		}
	}
	gates := func(g Gates) func(*world) {
		return func(w *world) {
			w.files["tfgitops.yaml"] = object("ControlRepo", "example", strings.Replace(rootSpec, "clusters: [prod]", "clusters: [prod], requires: [ready]", 1))
			w.pinTo("beta", 2)
			w.planner.Gates = g
		}
	}
	soak := func(ago time.Duration) func(*world) {
		return func(w *world) {
			w.files["tfgitops.yaml"] = object("ControlRepo", "example", strings.Replace(rootSpec, "clusters: [prod]", "clusters: [prod], soak: 2h", 1))
			w.start()
			w.bump(2, "beta")
			w.now = w.now.Add(ago)
		}
	}
	note := func(crossing string, block bool) func(*world) {
		return func(w *world) {
			text := "\nnotes: [{crossing: " + crossing + ", text: clean up first, block: false}]"
			if block {
				text = strings.Replace(text, "false", "true", 1)
			}
			w.files["components/app/component.yaml"] = object("Component", "app", appSpec+text)
		}
	}
	promote := Request{Op: OpPromote}
	rollback := Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}}
	for _, c := range []struct {
		name    string
		setup   func(*world)
		request Request
		want    []string // the rules that refuse
		says    string   // part of a refusal or of what is said
	}{
		{"nothing speaks against it", nil, bumpTo(2), nil, ""},

		{"hold: everything", held(v1alpha1.Hold{Reason: "breaks on NFS", Task: "T9", Until: "2026-08-11"}), bumpTo(2), []string{"hold on beta"}, "the pin is held: breaks on NFS (T9), until 2026-08-11"},
		{"hold: until it ends", held(v1alpha1.Hold{Reason: "x", Until: "2026-08-10T12:00:01Z"}), bumpTo(2), []string{"hold on beta"}, ""},
		{"hold: ended this moment", held(v1alpha1.Hold{Reason: "x", Until: "2026-08-10T12:00:00Z"}), bumpTo(2), nil, ""},
		{"hold: this version", held(v1alpha1.Hold{Reason: "x", Refuse: []string{buildVersion(2)}}), bumpTo(2), []string{"hold on beta"}, buildVersion(2) + " is refused"},
		{"hold: another version", held(v1alpha1.Hold{Reason: "x", Refuse: []string{buildVersion(3)}}), bumpTo(2), nil, ""},
		{"hold: this version, ended", held(v1alpha1.Hold{Reason: "x", Until: "2026-08-10", Refuse: []string{buildVersion(2)}}), bumpTo(2), nil, ""},

		{"freeze: of the repo", func(w *world) {
			w.files["tfgitops.yaml"] = object("ControlRepo", "example", rootSpec+freeze(`"2026-08-10T12:00:00Z"`, `"2026-08-10T12:00:01Z"`))
		}, bumpTo(2), []string{"freeze on beta", "freeze on local"}, "frozen until 2026-08-10T12:00:01Z: holidays"},
		{"freeze: over this moment", func(w *world) {
			w.files["tfgitops.yaml"] = object("ControlRepo", "example", rootSpec+freeze(`"2026-08-01"`, `"2026-08-10T12:00:00Z"`))
		}, bumpTo(2), nil, ""},
		{"freeze: not begun", func(w *world) {
			w.files["tfgitops.yaml"] = object("ControlRepo", "example", rootSpec+freeze(`"2026-08-10T12:00:01Z"`, `"2026-08-11"`))
		}, bumpTo(2), nil, ""},
		{"freeze: of one cluster", func(w *world) {
			w.files["clusters/beta/cluster.yaml"] = object("Cluster", "beta", betaSpec+freeze(`"2026-08-10"`, `"2026-08-11"`))
		}, bumpTo(2), []string{"freeze on beta"}, ""},
		{"freeze: in another zone", func(w *world) {
			w.files["clusters/beta/cluster.yaml"] = object("Cluster", "beta", betaSpec+freeze(`"2026-08-10T14:00:00+02:00"`, `"2026-08-11"`))
		}, bumpTo(2), []string{"freeze on beta"}, ""},
		{"freeze: another digest of the same version", func(w *world) {
			w.files["clusters/beta/cluster.yaml"] = object("Cluster", "beta", betaSpec+freeze(`"2026-08-10"`, `"2026-08-11"`))
			w.registries.digests["oci://beta.example/apps/app:"+buildVersion(1)] = sha256Of("rebuilt")
		}, bumpTo(1, "beta"), []string{"freeze on beta"}, ""},
		{"freeze: holding is allowed", func(w *world) {
			w.files["clusters/beta/cluster.yaml"] = object("Cluster", "beta", betaSpec+freeze(`"2026-08-10"`, `"2026-08-11"`))
		}, Request{Op: OpHold, Scope: Scope{Clusters: []string{"beta"}}, Hold: v1alpha1.Hold{Reason: "x"}}, nil, ""},
		{"freeze: rolling back", func(w *world) {
			w.start()
			w.bump(2, "beta")
			w.files["clusters/beta/cluster.yaml"] = object("Cluster", "beta", betaSpec+freeze(`"2026-08-10"`, `"2026-08-11"`))
		}, rollback, []string{"freeze on beta"}, ""},

		{"downgrade: by ancestry", func(w *world) { w.pinTo("beta", 3) }, bumpTo(2, "beta"), []string{"downgrade on beta"}, "is older than the pinned"},
		{"downgrade: ancestry before time", func(w *world) {
			w.registries.add("oci://beta.example/apps", "app", "0.0.9-20200101000000-"+commitID(2)[:8], commitID(2))
		}, Request{Op: OpBump, Revision: "0.0.9-20200101000000-" + commitID(2)[:8], Scope: Scope{Clusters: []string{"beta"}}}, nil, ""},
		{"downgrade: by time, whatever the counter", func(w *world) {
			w.sourceErr = errors.New("gone")
			w.setPin("beta", "app", &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: "0.0.1-20261231000000-00000000"}}})
		}, bumpTo(2, "beta"), []string{"downgrade on beta", "unverified"}, ""},
		{"downgrade: the counter goes back, time goes on", func(w *world) {
			w.files["components/app/component.yaml"] = object("Component", "app", strings.Replace(appSpec, `source: {url: "https://gitlab.example/group/app", branch: main}`, "", 1))
			w.setPin("beta", "app", &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: "0.0.42-20260101000000-00000000"}}})
		}, bumpTo(2, "beta"), nil, ""},
		{
			"downgrade: by semantic version", func(w *world) { chartOnly(w, "1.20.10", "v1.20.3") },
			Request{Op: OpBump, Revision: "v1.20.3", Scope: Scope{Clusters: []string{"beta"}}},
			[]string{"downgrade on beta"},
			"v1.20.3 is older than the pinned 1.20.10",
		},
		{
			"upgrade: by semantic version", func(w *world) { chartOnly(w, "1.20.9", "1.20.10") },
			Request{Op: OpBump, Revision: "1.20.10", Scope: Scope{Clusters: []string{"beta"}}},
			nil, "",
		},
		{
			"downgrade: build metadata is no order", func(w *world) { chartOnly(w, "1.2.3+b", "1.2.3+a") },
			Request{Op: OpBump, Revision: "1.2.3+a", Scope: Scope{Clusters: []string{"beta"}}},
			nil, "",
		},
		{"downgrade: an older build of the same commit", func(w *world) {
			w.setPin("beta", "app", &v1alpha1.PinSpec{Commit: commitID(2), Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: "0.0.2-20260901000000-" + commitID(2)[:8]}}})
		}, bumpTo(2, "beta"), []string{"downgrade on beta"}, ""},
		{
			"downgrade: of a release that does not follow the source", func(w *world) { secondRelease(w, "3.13.1", "3.0.0") },
			Request{Op: OpBump, Release: "extra", Revision: "3.0.0", Scope: Scope{Clusters: []string{"beta"}}},
			[]string{"downgrade on beta"},
			"3.0.0 is older than the pinned 3.13.1",
		},

		{"ancestry: not on the branch", func(w *world) { w.source.offMain[commitID(2)] = true }, bumpTo(2, "beta"), []string{"ancestry on beta"}, "is not on branch main of https://gitlab.example/group/app"},
		{"ancestry: not on the branch, where builds of merge requests go", func(w *world) { w.source.offMain[commitID(2)] = true }, bumpTo(2, "local"), nil, ""},
		{"ancestry: another line", func(w *world) { w.source.parent[commitID(3)] = commitID(1); w.pinTo("beta", 2) }, bumpTo(3, "beta"), []string{"ancestry on beta"}, "does not descend from the pinned"},
		{"ancestry: the pinned commit is gone", func(w *world) {
			w.pinTo("beta", 2)
			delete(w.source.parent, commitID(2))
			w.source.parent[commitID(3)] = ""
		}, bumpTo(3, "beta"), nil, "unknown whether"},
		{"ancestry: the new commit is gone", func(w *world) { delete(w.source.parent, commitID(2)) }, bumpTo(2, "beta"), nil, "unknown whether " + commitID(2)[:8]},
		{"ancestry: the source does not answer", func(w *world) { w.source.err = errors.New("no route"); delete(w.source.parent, commitID(2)) }, bumpTo(2, "beta"), []string{"unverified"}, "no route"},
		{"ancestry: the source cannot be opened", func(w *world) { w.sourceErr = errors.New("connection refused") }, bumpTo(2, "beta"), []string{"unverified"}, "the history of https://gitlab.example/group/app: connection refused"},
		{
			"ancestry: no source", func(w *world) { chartOnly(w, "1.0.0", "1.0.1"); w.sourceErr = errors.New("not asked") },
			Request{Op: OpBump, Revision: "1.0.1", Scope: Scope{Clusters: []string{"beta"}}},
			nil, "",
		},

		{"stage order: straight to production", nil, bumpTo(2, "prod"), []string{"stage-order on prod"}, `stage "test" (beta) does not run ` + buildVersion(2) + " yet but " + buildVersion(1)},
		{"stage order: both at once", nil, Request{Op: OpBump, Revision: buildVersion(2), Scope: Scope{All: true}}, []string{"stage-order on prod"}, ""},
		{"stage order: there already", func(w *world) { w.pinTo("beta", 2) }, bumpTo(2, "prod"), nil, ""},
		{"stage order: a follower does not gate", func(w *world) { w.pinTo("beta", 2); w.pinTo("local", 9) }, bumpTo(2, "prod"), nil, ""},
		{"stage order: a shorter form of the same commit", func(w *world) {
			w.setPin("beta", "app", &v1alpha1.PinSpec{Commit: commitID(2)[:8], Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: buildVersion(2)}}})
		}, bumpTo(2, "prod"), nil, ""},
		{"stage order: not installed there", func(w *world) { delete(w.files, "clusters/beta/pins/app.yaml") }, bumpTo(2, "prod"), []string{"stage-order on prod"}, "but not installed"},
		{"gates: open", gates(fakeGates{open: true}), promote, nil, ""},
		{"gates: closed", gates(fakeGates{}), promote, []string{"stage-order on prod"}, `the gate "ready" of stage "production" is not open`},
		{"gates: cannot be asked", gates(fakeGates{err: errors.New("timeout")}), promote, []string{"unverified on prod"}, `whether the gate "ready" is open on beta: timeout`},
		{"gates: nobody to ask", gates(nil), promote, []string{"unverified on prod"}, `whether the gate "ready" is open on beta: nothing here knows what runs there; --live asks the cluster`},

		{"soak: too early", soak(time.Hour), promote, []string{"soak on prod"}, "beta has run " + buildVersion(2) + " for 1h0m0s of the 2h0m0s"},
		{"soak: just over", soak(2 * time.Hour), promote, nil, ""},
		{"soak: a second short", soak(2*time.Hour - time.Second), promote, []string{"soak on prod"}, ""},
		{"soak: not committed", func(w *world) { soak(9 * time.Hour)(w); w.pinTo("beta", 3) }, promote, []string{"soak on prod"}, "no time yet: it is not on the branch"},
		{"soak: a hold does not start it again", func(w *world) {
			soak(3 * time.Hour)(w)
			w.do(Request{Op: OpHold, Scope: Scope{Clusters: []string{"beta"}}, Hold: v1alpha1.Hold{Reason: "x"}})
		}, promote, nil, ""},
		{"soak: going away and coming back does", func(w *world) {
			soak(3 * time.Hour)(w)
			w.bump(3, "beta")
			w.bump(2, "beta")
		}, promote, []string{"soak on prod"}, ""},
		{"soak: nobody knows since when", func(w *world) { soak(3 * time.Hour)(w); w.history.err = errors.New("broken pack") }, promote, []string{"unverified on prod"}, "since when beta runs"},
		{"soak: a shallow clone", func(w *world) {
			soak(3 * time.Hour)(w)
			w.history.commits = w.history.commits[:1]
			w.history.commits[0].CutOff = true
		}, promote, []string{"unverified on prod"}, "shallow"},

		{"dependency: absent", func(w *world) { dependsOn(w, false) }, bumpTo(2, "beta"), []string{"dependency on beta"}, "it depends on base, which is not on this cluster"},
		{"dependency: there", func(w *world) { dependsOn(w, true) }, bumpTo(2, "beta"), nil, ""},

		{"note: crossed, blocking", note("0.0.2", true), bumpTo(3, "beta"), []string{"note on beta"}, "crossing 0.0.2 needs a step first: clean up first"},
		{"note: reached, blocking", note("0.0.2", true), bumpTo(2, "beta"), []string{"note on beta"}, ""},
		{"note: not reached", note("0.0.3", true), bumpTo(2, "beta"), nil, ""},
		{"note: behind", note("0.0.1", true), bumpTo(2, "beta"), nil, ""},
		{"note: crossed, said", note("0.0.2", false), bumpTo(3, "beta"), nil, "note of 0.0.2: clean up first"},
		{"note: crossed on the way back", func(w *world) {
			w.start()
			w.bump(3, "beta")
			note("0.0.2", true)(w)
		}, rollback, []string{"note on beta"}, ""},

		{"unverified: the registry, for a whole version", func(w *world) { w.registries.errs["oci://beta.example/apps"] = unreachable("beta") }, bumpTo(2, "beta"), []string{"unverified on beta"}, "could not ask whether oci://beta.example/apps/app:" + buildVersion(2) + " is published, nor what is in chart app and which images it needs: connection refused"},
		{"unverified: an image", func(w *world) { w.deployment(); w.registries.errs["img.example"] = unreachable("img") }, bumpTo(2, "beta"), []string{"unverified on beta"}, "the image img.example/app:1"},
		{"unverified: not of a rollback", func(w *world) {
			w.start()
			w.bump(2, "beta")
			w.registries.errs["oci://beta.example/apps"] = unreachable("beta")
			w.sourceErr = errors.New("gone")
		}, rollback, nil, "not checked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.setup != nil {
				c.setup(w)
			}
			plan, err := w.plan(c.request)
			if plan == nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, refusedBy(plan, nil)); diff != "" {
				t.Errorf("refused by (-want +got)\n%s\n%v", diff, plan.Err())
			}
			said := strings.Join(plan.Said, "\n")
			for _, refusal := range plan.Refusals {
				said += "\n" + refusal.Message
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("%q is not said:\n%s", c.says, said)
			}
			checkOverriding(t, w, c.request, c.want)
		})
	}
}

// checkOverriding plans once more with the rules that refused overridden: nothing speaks against it then, and the commit
// says why.
func checkOverriding(t *testing.T, w *world, request Request, refused []string) {
	t.Helper()
	request.Overrides = map[string]string{}
	for _, r := range refused {
		rule, _, _ := strings.Cut(r, " on ")
		request.Overrides[rule] = "because"
	}
	plan, err := w.plan(request)
	if err != nil || plan.Err() != nil {
		t.Fatalf("overridden: %v, %v", err, plan.Err())
	}
	for rule := range request.Overrides {
		if !strings.Contains(plan.Message(), "\n"+TrailerOverride+": "+rule+" because\n") {
			t.Errorf("the message does not say that %s was overridden:\n%s", rule, plan.Message())
		}
	}
}

// chartOnly makes app one chart of an HTTP repository that nobody here builds, at a version, with another published.
func chartOnly(w *world, at, other string) {
	w.files["components/app/component.yaml"] = object("Component", "app", "namespace: app\nreleases: [{name: app, repository: charts}]")
	w.registries.add(chartsURL, "app", at, "")
	w.registries.add(chartsURL, "app", other, "")
	for _, cluster := range []string{"beta", "local", "prod"} {
		w.setPin(cluster, "app", &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"app": {Version: at}}})
	}
}

// secondRelease gives app a second release that does not follow its source, whose chart states a commit of its own.
func secondRelease(w *world, at string, others ...string) {
	w.files["components/app/component.yaml"] = object("Component", "app", appSpec+"\n  - {name: extra, repository: charts}")
	for _, version := range append(slices.Clone(others), at) {
		w.registries.add(chartsURL, "extra", version, strings.Repeat("e", 40))
	}
	for _, cluster := range []string{"beta", "local", "prod"} {
		pin := w.pin(cluster, "app")
		pin.Releases["extra"] = v1alpha1.PinnedRelease{Version: at}
		w.setPin(cluster, "app", pin)
	}
}

func dependsOn(w *world, there bool) {
	w.files["components/app/component.yaml"] = object("Component", "app", appSpec+"\ndependsOn: [base, debian]")
	w.files["components/base/component.yaml"] = object("Component", "base", "namespace: base\nreleases: [{name: base, repository: charts}]")
	w.files["components/debian/component.yaml"] = object("Component", "debian", "external: a Debian package")
	if there {
		w.setPin("beta", "base", &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"base": {Version: "1.0.0"}}})
	}
}

// deployment gives app's chart an image.
func (w *world) deployment() {
	w.registries.files["app"] = map[string]string{"templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec: {containers: [{name: app, image: img.example/app:1}]}\n"}
}

func TestEveryRuleIsOneRowWithAName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, rule := range Rules() {
		if rule.Name == "" || rule.Refuses == "" || seen[rule.Name] {
			t.Errorf("%+v", rule)
		}
		seen[rule.Name] = true
	}
	for _, name := range []string{RuleAncestry, RuleDowngrade, RuleHold, RuleFreeze, RuleStageOrder, RuleSoak, RuleUnverified, RuleDirty, RuleDependency, RuleNote} {
		if !seen[name] {
			t.Errorf("no row for %s", name)
		}
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := Request{Op: OpBump, Revision: commitID(2), Overrides: map[string]string{"nosuch": "x"}}
	if _, err := w.plan(request); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), `there is no rule "nosuch": there are hold, freeze`) {
		t.Errorf("an unknown rule: %v", err)
	}
	request.Overrides = map[string]string{RuleFreeze: " \t"}
	if _, err := w.plan(request); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "--reason") {
		t.Errorf("no reason: %v", err)
	}
	request.Overrides = map[string]string{RuleFreeze: "not needed"}
	plan, err := w.plan(request)
	if err != nil || plan.Err() != nil || len(plan.Refusals) > 0 || strings.Contains(plan.Message(), "Override") {
		t.Errorf("an override of a rule that does not fire is not harmless: %v, %v", err, plan)
	}
}

// What is refused on several clusters for one reason is said once; each cause of what could not be asked, too.
func TestRefusalsAreMerged(t *testing.T) {
	t.Parallel()
	got := (&RefusedError{Refusals: []Refusal{
		{Rule: RuleDowngrade, Cluster: "beta", Message: "older"},
		{Rule: RuleUnverified, Message: "older"},
		{Rule: RuleDowngrade, Cluster: "local", Message: "older"},
		{Rule: RuleDowngrade, Cluster: "prod", Message: "much older"},
	}}).Error()
	want := `refused by downgrade on beta, local: older
refused by unverified: older
refused by downgrade on prod: much older
to go on all the same, add --override downgrade --override unverified --reason TEXT: it is recorded in the commit`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
