package bump

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

var (
	seeds = flag.Int("sequences", 60, "how many random sequences of changes to try")
	seed  = flag.Uint64("seed", 0, "the only sequence to try; 0: as many as -sequences")
)

// sequenceLength is how many changes are tried in each sequence.
const sequenceLength = 50

// TestRandomSequences does random changes of pins to a world and holds what comes of it to a model that knows nothing of
// how the planner works.
func TestRandomSequences(t *testing.T) {
	t.Parallel()
	first, count := uint64(1), *seeds
	if testing.Short() {
		count = min(count, 10)
	}
	if *seed != 0 {
		first, count = *seed, 1
	}
	steps := 0
	for s := first; s < first+uint64(count); s++ {
		steps += runSequence(t, s)
	}
	t.Logf("%d sequences, %d changes that were carried out", count, steps)
	if *seed == 0 && steps < count*sequenceLength/3 {
		t.Errorf("only %d changes came about: the sequences hardly test anything", steps)
	}
}

// modelPin is what a cluster runs, as far as the model cares: a build, and a mark in its values.
type modelPin struct {
	build int
	mark  string
}

func (p modelPin) String() string { return fmt.Sprintf("%d%s", p.build, p.mark) }

// model is what is to be true of one cluster.
type model struct {
	runs       modelPin
	ran        []modelPin // every pin it came to, the newest last
	left       map[modelPin]bool
	leftBuilds map[int]bool
	rollbacks  [][2]modelPin // from and to, the newest last
	refused    map[int]bool  // by a hold
	held       bool          // against everything
}

func newModel(at modelPin) *model {
	return &model{runs: at, ran: []modelPin{at}, left: map[modelPin]bool{}, leftBuilds: map[int]bool{}, refused: map[int]bool{}}
}

// goTo takes a pin up, whatever was thought of it before.
func (m *model) goTo(pin modelPin) {
	delete(m.left, pin)
	if pin.build != m.runs.build {
		delete(m.leftBuilds, pin.build)
	}
	m.runs, m.ran = pin, append(m.ran, pin)
}

// goBack leaves what runs for good.
func (m *model) goBack(to modelPin) {
	m.left[m.runs] = true
	if m.runs.build != to.build {
		m.leftBuilds[m.runs.build] = true
	}
	m.rollbacks = append(m.rollbacks, [2]modelPin{m.runs, to})
	m.goTo(to)
}

func (m *model) isLeft(pin modelPin) bool { return m.left[pin] || m.leftBuilds[pin.build] }

func (m *model) refuses(to modelPin) bool {
	return m.runs != to && (m.held || m.runs.build != to.build && m.refused[to.build])
}

// candidates are what a rollback may go to, the newest first.
func (m *model) candidates() []modelPin {
	var found []modelPin
	for _, pin := range slices.Backward(m.ran) {
		if pin != m.runs && !m.isLeft(pin) && !m.refuses(pin) && !slices.Contains(found, pin) {
			found = append(found, pin)
		}
	}
	return found
}

// reapplied is what re-applying returns to: what the newest rollback to here left, unless it was taken up since, or the
// hold is not on it.
func (m *model) reapplied() (modelPin, bool) {
	for _, rollback := range slices.Backward(m.rollbacks) {
		from, to := rollback[0], rollback[1]
		if to == m.runs && m.isLeft(from) && (m.held || from.build == to.build || m.refused[from.build]) {
			return from, true
		}
	}
	return modelPin{}, false
}

// sequence is a world with its model, and what was done, for a failure to show.
type sequence struct {
	*world
	random *rand.Rand
	models map[string]*model
	done   []string
	seed   uint64
}

func runSequence(t *testing.T, seed uint64) int {
	t.Helper()
	s := &sequence{world: newWorld(t).start(), random: rand.New(rand.NewPCG(seed, 7)), models: map[string]*model{}, seed: seed}
	s.registries.files["app"] = map[string]string{"templates/empty.yaml": ""}
	for _, cluster := range []string{"beta", "local", "prod"} {
		s.models[cluster] = newModel(modelPin{build: 1})
	}
	steps := 0
	for range sequenceLength {
		if t.Failed() {
			break
		}
		if s.step() {
			steps++
		}
		s.check()
	}
	s.checkLog()
	return steps
}

// checkLog holds the history to be whole: each change starts where the one before it ended.
func (s *sequence) checkLog() {
	s.t.Helper()
	history, err := s.planner.Deployments(s.t.Context(), "", "")
	if err != nil {
		s.fail("log: %v", err)
	}
	at := map[string]*v1alpha1.PinSpec{}
	for _, entry := range slices.Backward(history) {
		if !samePin(at[entry.Cluster], entry.Before) {
			s.fail("the log of %s goes on from %s where it had %s", entry.Cluster, Describe(entry.Before), Describe(at[entry.Cluster]))
		}
		at[entry.Cluster] = entry.After
	}
	for cluster := range s.models {
		if !samePin(at[cluster], s.pin(cluster, "app")) {
			s.fail("the log of %s ends with %s", cluster, Describe(at[cluster]))
		}
	}
}

func (s *sequence) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("-seed %d: %s\nafter: %s", s.seed, fmt.Sprintf(format, args...), strings.Join(s.done, "; "))
}

// step does one random thing, and reports whether it came about.
func (s *sequence) step() bool {
	s.t.Helper()
	anyOf := []string{"beta", "local", "prod"}
	steps := []struct {
		weight   int
		clusters []string
		do       func(string) bool
	}{
		{6, anyOf, s.bumpSomewhere},
		{3, []string{"prod"}, s.promote},
		{6, anyOf, s.rollbackCluster},
		{2, anyOf, s.holdCluster},
		{3, anyOf, s.unholdCluster},
		{4, anyOf, s.reapply},
		{2, anyOf, s.revert},
		{1, anyOf, s.handEdit},
	}
	pick := s.random.IntN(27)
	for _, step := range steps {
		if pick -= step.weight; pick >= 0 {
			continue
		}
		before, cluster := maps.Clone(s.files), step.clusters[s.random.IntN(len(step.clusters))]
		changed := step.do(cluster)
		s.onlyFilesOf(before, cluster)
		return changed
	}
	panic("the weights do not add up")
}

// onlyFilesOf holds a step to the one cluster: of others not even a byte changes.
func (s *sequence) onlyFilesOf(before map[string]string, cluster string) {
	s.t.Helper()
	for file, content := range s.files {
		if before[file] != content && !strings.HasPrefix(file, "clusters/"+cluster+"/") {
			s.fail("%s changed, of another cluster than %s", file, cluster)
		}
	}
	for file := range before {
		if _, there := s.files[file]; !there {
			s.fail("%s is gone", file)
		}
	}
}

// attempt carries a request out and holds the plan to the truth about what was there and what is there.
func (s *sequence) attempt(request Request) (*Plan, error) {
	s.t.Helper()
	before := map[string]string{}
	for cluster := range s.models {
		before[cluster] = s.version(cluster)
	}
	request.Hold.Reason = fmt.Sprintf("reason %d", len(s.done))
	plan, err := s.try(request)
	s.done = append(s.done, fmt.Sprintf("%s %s %v %v→%v", request.Op, strings.Join(request.Scope.Clusters, ","), err != nil, before, request.Revision))
	if err != nil {
		return plan, err
	}
	message := plan.Message()
	stated := map[string][2]string{}
	for _, trailer := range gitrepo.ParseTrailers(message) {
		cluster, version, _ := strings.Cut(trailer.Value, " ")
		ends := stated[cluster]
		switch trailer.Key {
		case TrailerFrom:
			ends[0] = version
		case TrailerTo:
			ends[1] = version
		default:
			continue
		}
		stated[cluster] = ends
	}
	for _, change := range plan.Changes {
		if change.From() != before[change.Cluster] || change.To() != s.version(change.Cluster) {
			s.fail("the plan says %s %s → %s, and it was %s → %s", change.Cluster, change.From(), change.To(), before[change.Cluster], s.version(change.Cluster))
		}
		if ends, there := stated[change.Cluster]; there != (change.Unchanged == "") || there && ends != [2]string{before[change.Cluster], s.version(change.Cluster)} {
			s.fail("the message states %v of %s: %s", ends, change.Cluster, message)
		}
	}
	return plan, nil
}

func (s *sequence) read(cluster string) modelPin {
	pin := s.pin(cluster, "app")
	read := modelPin{build: slices.IndexFunc(s.commits(), func(c string) bool { return c == pin.Commit }) + 1}
	if values := pin.Releases["app"].Values; values != nil {
		read.mark = string(values.Raw)
	}
	return read
}

func (s *sequence) commits() []string {
	ids := make([]string, builds)
	for n := range builds {
		ids[n] = commitID(n + 1)
	}
	return ids
}

func (s *sequence) bumpSomewhere(cluster string) bool {
	m := s.models[cluster]
	to := modelPin{build: s.random.IntN(builds) + 1, mark: m.runs.mark}
	request := Request{Op: OpBump, Revision: commitID(to.build), Scope: Scope{Clusters: []string{cluster}}, Overrides: map[string]string{RuleDowngrade: "x", RuleStageOrder: "x"}}
	if s.random.IntN(4) == 0 {
		to.mark = fmt.Sprintf(`{"k":"%d"}`, s.random.IntN(3))
		request.Values = map[string]any{"k": to.mark[6:7]}
	}
	_, err := s.attempt(request)
	if refused := m.refuses(to); refused != isRefused(err, RuleHold) {
		s.fail("a bump of %s from %s to %s: %v, held: %v", cluster, m.runs, to, err, refused)
	}
	if err != nil || m.runs == to {
		return false
	}
	m.goTo(to)
	return true
}

func isRefused(err error, rule string) bool {
	return slices.ContainsFunc(refusedBy(nil, err), func(r string) bool { return strings.HasPrefix(r, rule+" ") })
}

// promote copies exactly what beta runs.
func (s *sequence) promote(string) bool {
	before := s.files["clusters/beta/pins/app.yaml"]
	m, from := s.models["prod"], s.models["beta"].runs
	_, err := s.attempt(Request{Op: OpPromote, Overrides: map[string]string{RuleDowngrade: "x"}})
	if refused := m.refuses(from); refused != isRefused(err, RuleHold) {
		s.fail("a promotion from %s to %s: %v, held: %v", m.runs, from, err, refused)
	}
	if s.files["clusters/beta/pins/app.yaml"] != before || s.version("local") != buildVersion(s.models["local"].runs.build) {
		s.fail("promote changed where it comes from, or a follower")
	}
	if err != nil || m.runs == from {
		return false
	}
	if !sameVersion(s.pin("beta", "app"), s.pin("prod", "app")) {
		s.fail("promote does not copy: %+v, %+v", s.pin("beta", "app"), s.pin("prod", "app"))
	}
	if got := s.pin("prod", "app").Releases["app"].Digest; got != digestOf("oci://prod.example/apps", "app", s.version("prod")) {
		s.fail("the digest is not the one of prod's registry")
	}
	m.goTo(from)
	return true
}

// rollbackCluster goes to something that ran before and is neither left nor refused, and what it leaves is refused.
func (s *sequence) rollbackCluster(cluster string) bool {
	m := s.models[cluster]
	from := m.runs
	_, err := s.attempt(Request{Op: OpRollback, Scope: Scope{Clusters: []string{cluster}}})
	if m.held {
		if err == nil {
			s.fail("a rollback of %s, which is held", cluster)
		}
		return false
	}
	to := s.read(cluster)
	candidates := m.candidates()
	switch {
	case err != nil && len(candidates) > 0:
		s.fail("a rollback of %s from %s fails, with %v to go to: %v", cluster, from, candidates, err)
	case err != nil:
		return false
	case to == from:
		s.fail("a rollback of %s stays at %s", cluster, from)
	case len(candidates) == 0 || candidates[0] != to:
		s.fail("a rollback of %s from %s goes to %s; it ran %v, of which %v are good", cluster, from, to, m.ran, candidates)
	}
	if from.build != to.build {
		m.refused[from.build] = true
	}
	m.goBack(to)
	return true
}

func (s *sequence) holdCluster(cluster string) bool {
	m := s.models[cluster]
	hold := v1alpha1.Hold{}
	build := 0
	if s.random.IntN(3) > 0 {
		build = s.random.IntN(builds) + 1
		hold.Refuse = []string{buildVersion(build)}
	}
	if _, err := s.attempt(Request{Op: OpHold, Scope: Scope{Clusters: []string{cluster}}, Hold: hold}); err != nil {
		s.fail("hold: %v", err)
		return false
	}
	if m.held {
		return true
	}
	if build == 0 {
		m.held, m.refused = true, map[int]bool{}
		return true
	}
	m.refused[build] = true
	return true
}

func (s *sequence) unholdCluster(cluster string) bool {
	m := s.models[cluster]
	if _, err := s.attempt(Request{Op: OpUnhold, Scope: Scope{Clusters: []string{cluster}}}); err != nil {
		s.fail("unhold: %v", err)
		return false
	}
	was := m.held || len(m.refused) > 0
	m.held, m.refused = false, map[int]bool{}
	return was
}

// reapply returns to what was left for what runs now, where that is held.
func (s *sequence) reapply(cluster string) bool {
	m := s.models[cluster]
	want, possible := m.reapplied()
	if !m.held && len(m.refused) == 0 {
		want, possible = m.runs, true // nothing is held
	}
	_, err := s.attempt(Request{Op: OpUnhold, Reapply: true, Scope: Scope{Clusters: []string{cluster}}})
	if (err == nil) != possible {
		s.fail("re-applying on %s: %v, and it is to go to %s: %v", cluster, err, want, possible)
	}
	if err != nil || want == m.runs {
		return false
	}
	m.held = false
	if want.build != m.runs.build {
		delete(m.refused, want.build)
	}
	m.goTo(want)
	return true
}

// revert does what `git revert` does to the newest commit of a cluster's pin, in Git's words or in those of a merge commit.
func (s *sequence) revert(cluster string) bool {
	history, err := s.planner.Deployments(s.t.Context(), "app", cluster)
	if err != nil || len(history) == 0 || history[0].Before == nil {
		return false
	}
	s.setPin(cluster, "app", history[0].Before)
	s.commit([]string{"Revert \"x\"\n\nThis reverts commit 123.\n", "Merge branch 'x' into 'main'\n\nSee merge request !1\n"}[s.random.IntN(2)])
	s.done = append(s.done, "revert on "+cluster)
	m, to := s.models[cluster], s.read(cluster)
	s.readHold(cluster)
	switch {
	case to == m.runs:
	case m.left[to]:
		m.goTo(to)
	default:
		m.goBack(to)
	}
	return true
}

// readHold takes a hold that a revert brought back, or took away, into the model.
func (s *sequence) readHold(cluster string) {
	m, hold := s.models[cluster], s.pin(cluster, "app").Hold
	m.held, m.refused = hold != nil && len(hold.Refuse) == 0, map[int]bool{}
	if hold != nil {
		for n := range builds {
			if slices.Contains(hold.Refuse, buildVersion(n+1)) {
				m.refused[n+1] = true
			}
		}
	}
}

// handEdit is a person who writes a build into a pin file.
func (s *sequence) handEdit(cluster string) bool {
	m := s.models[cluster]
	pin := s.pin(cluster, "app")
	build := s.random.IntN(builds) + 1
	if build == m.runs.build {
		return false
	}
	pin.Commit = commitID(build)
	release := pin.Releases["app"]
	registry := "oci://beta.example/apps"
	if cluster == "prod" {
		registry = "oci://prod.example/apps"
	}
	release.Version, release.Digest = buildVersion(build), digestOf(registry, "app", buildVersion(build))
	pin.Releases["app"] = release
	s.setPin(cluster, "app", pin)
	s.commit("by hand")
	s.done = append(s.done, fmt.Sprintf("by hand %s to %d", cluster, build))
	to := s.read(cluster)
	if !m.left[to] && (slices.Contains(m.ran, to) || m.refused[m.runs.build]) {
		m.goBack(to) // by whatever words
	} else {
		m.goTo(to)
	}
	return true
}

// check holds the world to the model: what runs where, and that no hold and no reason is lost.
func (s *sequence) check() {
	s.t.Helper()
	for cluster, m := range s.models {
		if got := s.read(cluster); got != m.runs {
			s.fail("%s runs %s, and is to run %s", cluster, got, m.runs)
		}
		hold := s.pin(cluster, "app").Hold
		refused := map[int]bool{}
		held := false
		if hold != nil {
			held = len(hold.Refuse) == 0
			for n := range builds {
				if slices.Contains(hold.Refuse, buildVersion(n+1)) {
					refused[n+1] = true
				}
			}
			if hold.Reason == "" {
				s.fail("%s is held without a reason", cluster)
			}
		}
		if held != m.held || !maps.Equal(refused, m.refused) {
			s.fail("%s is held %v, refuses %v, and is to be held %v, refuse %v", cluster, held, refused, m.held, m.refused)
		}
	}
}
