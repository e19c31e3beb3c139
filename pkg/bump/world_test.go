package bump

import (
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// world is a control repo in memory with everything that is asked about it: cluster beta and its follower local, then
// prod, all of which run build 1 of app.
type world struct {
	t          testing.TB
	files      map[string]string
	registries *fakeRegistries
	source     *fakeSource
	sourceErr  error
	history    *fakeHistory
	planner    *Planner
	now        time.Time
	decoded    map[string]*v1alpha1.PinSpec // pins by the content of their files
}

// builds is how many commits app's source has.
const builds = 9

// commitID is the n-th commit of app's source.
func commitID(n int) string {
	sum := sha1.Sum(fmt.Appendf(nil, "commit %d", n))
	return hex.EncodeToString(sum[:])
}

// buildVersion is what CI names the build of the n-th commit.
func buildVersion(n int) string {
	return fmt.Sprintf("0.0.%d-202608%02d120000-%s", n, n, commitID(n)[:8])
}

const apiHeader = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: %s\nmetadata:\n  name: %s\nspec:\n"

func object(kind, name, spec string) string {
	return fmt.Sprintf(apiHeader, kind, name) + "  " + strings.ReplaceAll(strings.Trim(spec, "\n"), "\n", "\n  ") + "\n"
}

const (
	rootSpec = `repositories:
  apps: {url: "oci://prod.example/apps", versionPattern: "-(?P<commit>[0-9a-f]{8})$"}
  charts: {url: "https://charts.example"}
stages:
  - {name: test, clusters: [beta], followers: [local]}
  - {name: production, clusters: [prod]}`
	appSpec = `source: {url: "https://gitlab.example/group/app", branch: main}
namespace: app
releases:
  - {name: app, repository: apps, platforms: [linux/amd64]}`
	betaSpec  = "kubeVersion: \"1.32.4\"\nfluxVersion: \"2.9\"\nrepositories: {apps: {url: \"oci://beta.example/apps\"}}"
	localSpec = betaSpec + "\nallowApply: true"
	prodSpec  = "kubeVersion: \"1.32.4\"\nfluxVersion: \"2.9\""
)

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, decoded: map[string]*v1alpha1.PinSpec{}, now: time.Date(2026, 8, 10, 12, 0, 0, 0, time.UTC),
		files: map[string]string{
			"tfgitops.yaml":                 object("ControlRepo", "example", rootSpec),
			"components/app/component.yaml": object("Component", "app", appSpec),
			"clusters/beta/cluster.yaml":    object("Cluster", "beta", betaSpec),
			"clusters/local/cluster.yaml":   object("Cluster", "local", localSpec),
			"clusters/prod/cluster.yaml":    object("Cluster", "prod", prodSpec),
		},
		registries: newFakeRegistries(), source: newFakeSource(), history: &fakeHistory{blobs: map[string]string{}},
	}
	for n := range builds {
		w.source.add(commitID(n+1), n > 0, commitID(n))
		w.publish(n+1, "oci://beta.example/apps", "oci://prod.example/apps")
	}
	for _, cluster := range []string{"beta", "local", "prod"} {
		w.pinTo(cluster, 1)
	}
	w.planner = &Planner{
		Registries: w.registries, History: w.history, Head: "HEAD",
		OpenSource: func(context.Context, string) (Source, error) { return w.source, w.sourceErr },
		Now:        func() time.Time { return w.now },
		Clock:      fakeClock{w},
	}
	return w
}

// start makes the first commit, of what was set up by then.
func (w *world) start() *world {
	w.t.Helper()
	w.commit("Start")
	return w
}

func (w *world) publish(n int, registries ...string) {
	for _, registry := range registries {
		w.registries.add(registry, "app", buildVersion(n), commitID(n))
	}
}

// pinTo writes a pin without asking anyone.
func (w *world) pinTo(cluster string, n int) {
	w.t.Helper()
	registry := map[string]string{"prod": "oci://prod.example/apps"}[cluster]
	registry = cmp.Or(registry, "oci://beta.example/apps")
	w.setPin(cluster, "app", &v1alpha1.PinSpec{Commit: commitID(n), Releases: map[string]v1alpha1.PinnedRelease{
		"app": {Version: buildVersion(n), Digest: digestOf(registry, "app", buildVersion(n))},
	}})
}

func (w *world) setPin(cluster, component string, pin *v1alpha1.PinSpec) {
	w.t.Helper()
	file := control.PinFile(cluster, component)
	content, err := EncodePin(file, component, pin, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.files[file] = string(content)
}

// pin reads a pin as the next command would.
func (w *world) pin(cluster, component string) *v1alpha1.PinSpec {
	w.t.Helper()
	file := control.PinFile(cluster, component)
	content, there := w.files[file]
	if !there {
		return nil
	}
	if w.decoded[content] == nil {
		pin, findings := control.DecodePin(file, []byte(content))
		if err := findings.Err(); err != nil {
			w.t.Fatal(err)
		}
		w.decoded[content] = &pin.Spec
	}
	return clonePin(w.decoded[content])
}

// replace edits a file of the world.
func (w *world) replace(file, old, new string) {
	w.t.Helper()
	if !strings.Contains(w.files[file], old) {
		w.t.Fatalf("%s does not contain %q", file, old)
	}
	w.files[file] = strings.Replace(w.files[file], old, new, 1)
}

func (w *world) fs() fs.FS {
	fsys := fstest.MapFS{}
	for name, content := range w.files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func (w *world) plan(request Request) (*Plan, error) {
	w.t.Helper()
	request.Component = cmp.Or(request.Component, "app")
	return w.planner.Plan(w.t.Context(), w.fs(), request)
}

// try plans, and carries the plan out with a commit where nothing speaks against it.
func (w *world) try(request Request) (*Plan, error) {
	w.t.Helper()
	plan, err := w.plan(request)
	if err == nil {
		err = plan.Err()
	}
	if err != nil {
		return plan, err
	}
	changes, err := Stage(w.t.Context(), w.fs(), plan)
	if err != nil {
		return plan, err
	}
	for _, change := range changes {
		if change.New == nil {
			delete(w.files, change.Path)
		} else {
			w.files[change.Path] = string(change.New)
		}
	}
	if len(changes) > 0 {
		w.commit(plan.Message())
	}
	return plan, nil
}

func (w *world) do(request Request) *Plan {
	w.t.Helper()
	plan, err := w.try(request)
	if err != nil {
		w.t.Fatalf("%s: %v", request.Op, err)
	}
	return plan
}

func (w *world) bump(n int, clusters ...string) *Plan {
	w.t.Helper()
	return w.do(Request{Op: OpBump, Revision: commitID(n), Scope: Scope{Clusters: clusters}, Overrides: anyway()})
}

func (w *world) rollback(clusters ...string) *Plan {
	w.t.Helper()
	return w.do(Request{Op: OpRollback, Scope: Scope{Clusters: clusters}})
}

// anyway overrides what speaks against setting a scene.
func anyway() map[string]string {
	return map[string]string{RuleDowngrade: "x", RuleStageOrder: "x", RuleSoak: "x", RuleHold: "x", RuleNote: "x", RuleFreeze: "x", RuleAncestry: "x"}
}

func (w *world) version(cluster string) string { return Describe(w.pin(cluster, "app")) }

func (w *world) commit(message string) {
	w.now = w.now.Add(time.Minute)
	w.history.commit(message, w.now, w.files)
}

// fakeClock is the world's, and passes no time.
type fakeClock struct{ w *world }

func (c fakeClock) Now() time.Time { return c.w.now }
func (c fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.w.now = c.w.now.Add(d)
	return ctx.Err()
}

// fakeRegistries are registries in memory. Which version a revision means is decided by pkg/artifact.
type fakeRegistries struct {
	mu       sync.Mutex
	versions map[string][]string          // by registry and chart
	revision map[string]string            // the commit that a chart states, by registry, chart and version
	files    map[string]map[string]string // of a chart, by its name
	images   map[string]string            // digest by reference
	errs     map[string]error             // by registry, or by image reference
	digests  map[string]string            // overrides, by registry/chart:version
	calls    []string
	anyImage bool
}

func newFakeRegistries() *fakeRegistries {
	return &fakeRegistries{
		versions: map[string][]string{}, revision: map[string]string{}, images: map[string]string{}, errs: map[string]error{},
		digests: map[string]string{}, files: map[string]map[string]string{}, anyImage: true,
	}
}

func (f *fakeRegistries) add(registry, chart, version, commit string) {
	key := registry + "/" + chart
	f.versions[key] = append(f.versions[key], version)
	f.revision[key+":"+version] = commit
}

func (f *fakeRegistries) ask(what string, repo artifact.Repository) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, what)
	return f.errs[repo.URL]
}

func digestOf(registry, chart, version string) string {
	return sha256Of(registry + "/" + chart + ":" + version)
}

func sha256Of(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func unreachable(ref string) error {
	return &artifact.Error{Op: "asking", Ref: ref, Kind: artifact.ErrUnreachable, Detail: "connection refused"}
}

func (f *fakeRegistries) Resolve(_ context.Context, repo artifact.Repository, q artifact.Query) (artifact.Resolution, error) {
	if err := f.ask("resolve", repo); err != nil {
		return artifact.Resolution{}, err
	}
	var versions []artifact.Version
	for _, version := range f.versions[repo.URL+"/"+q.Chart] {
		versions = append(versions, artifact.Version{Version: version})
	}
	return artifact.Select(q, versions)
}

func (f *fakeRegistries) Digest(_ context.Context, repo artifact.Repository, chart, version string) (string, error) {
	if err := f.ask("digest", repo); err != nil {
		return "", err
	}
	key := repo.URL + "/" + chart
	if !slices.Contains(f.versions[key], version) {
		return "", &artifact.Error{Op: "reading", Ref: key + ":" + version, Kind: artifact.ErrMissing}
	}
	if digest, overridden := f.digests[key+":"+version]; overridden {
		return digest, nil
	}
	return digestOf(repo.URL, chart, version), nil
}

func (f *fakeRegistries) Chart(_ context.Context, repo artifact.Repository, ref artifact.ChartRef) (*artifact.Chart, error) {
	if err := f.ask("chart", repo); err != nil {
		return nil, err
	}
	archive, err := f.archive(ref.Name, ref.Version)
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{}
	if commit := f.revision[repo.URL+"/"+ref.Name+":"+ref.Version]; commit != "" {
		annotations[artifact.AnnotationRevision] = commit
	}
	return &artifact.Chart{ChartYAML: artifact.ChartYAML{Name: ref.Name, Version: ref.Version}, Digest: ref.Digest, Annotations: annotations, Archive: archive}, nil
}

func (f *fakeRegistries) archive(name, version string) ([]byte, error) {
	files := f.files[name]
	if files == nil {
		files = map[string]string{"templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"}
	}
	return registrytest.Chart{Name: name, Version: version, Files: files}.Archive()
}

func (f *fakeRegistries) Image(_ context.Context, q artifact.ImageQuery) (artifact.Image, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, "image "+q.Ref)
	for prefix, err := range f.errs {
		if strings.HasPrefix(q.Ref, prefix) {
			return artifact.Image{}, err
		}
	}
	digest, there := f.images[q.Ref]
	if !there && !f.anyImage {
		return artifact.Image{}, &artifact.Error{Op: "reading", Ref: q.Ref, Kind: artifact.ErrMissing}
	}
	return artifact.Image{Ref: q.Ref, Digest: cmp.Or(digest, sha256Of(q.Ref)), Platforms: q.Platforms}, nil
}

// fakeSource is a component's source: commits with one parent each, and the branches that they are on.
type fakeSource struct {
	parent   map[string]string
	offMain  map[string]bool
	messages map[string]gitrepo.Commit
	err      error // of every question to the server
}

func newFakeSource() *fakeSource {
	return &fakeSource{parent: map[string]string{}, offMain: map[string]bool{}, messages: map[string]gitrepo.Commit{}}
}

func (s *fakeSource) add(id string, hasParent bool, parent string) {
	s.parent[id] = ""
	if hasParent {
		s.parent[id] = parent
	}
}

func (s *fakeSource) whole(rev string) (string, bool) {
	for id := range s.parent {
		if len(rev) >= minCommitDigits && strings.HasPrefix(id, rev) {
			return id, true
		}
	}
	return "", false
}

func (s *fakeSource) Ensure(_ context.Context, rev string) (string, error) {
	if id, known := s.whole(rev); known {
		return id, nil
	}
	return "", cmp.Or(s.err, fmt.Errorf("revision %q: %w", rev, gitrepo.ErrUnknownRevision))
}

func (s *fakeSource) IsAncestor(_ context.Context, old, new string) (gitrepo.Relation, error) {
	oldID, known := s.whole(old)
	at, knownNew := s.whole(new)
	if !known || !knownNew {
		return gitrepo.Unknown, nil
	}
	for ; at != ""; at = s.parent[at] {
		if at == oldID {
			return gitrepo.Yes, nil
		}
	}
	return gitrepo.No, nil
}

func (s *fakeSource) OnBranch(_ context.Context, _, commit string) (gitrepo.Relation, error) {
	id, known := s.whole(commit)
	switch {
	case known && !s.offMain[id]:
		return gitrepo.Yes, nil
	case s.err != nil:
		return gitrepo.Unknown, s.err
	case !known:
		return gitrepo.Unknown, nil
	}
	return gitrepo.No, nil
}

func (s *fakeSource) Commits(_ context.Context, old, new string, limit int) (gitrepo.Range, error) {
	oldID, known := s.whole(old)
	at, knownNew := s.whole(new)
	if !known || !knownNew {
		return gitrepo.Range{}, gitrepo.ErrUnknownRevision
	}
	var found gitrepo.Range
	for ; at != "" && at != oldID; at = s.parent[at] {
		commit := s.messages[at]
		commit.ID = at
		commit.Subject = cmp.Or(commit.Subject, "Change "+at[:8])
		commit.Author.Name = cmp.Or(commit.Author.Name, "Someone")
		if limit > 0 && len(found.Commits) == limit {
			found.More++
			continue
		}
		found.Commits = append(found.Commits, &commit)
	}
	return found, nil
}

// fakeHistory is the control repo's history, of which each commit is given by the files that it leaves.
type fakeHistory struct {
	commits []*gitrepo.Commit // newest first
	blobs   map[string]string
	last    map[string]string // blob by path
	err     error
}

func (h *fakeHistory) blob(content string) string {
	id := sha256Of(content)
	h.blobs[id] = content
	return id
}

// commit records a message and a state of files.
func (h *fakeHistory) commit(message string, at time.Time, files map[string]string) *gitrepo.Commit {
	subject, body, _ := strings.Cut(message, "\n")
	commit := &gitrepo.Commit{
		ID: fmt.Sprintf("%040x", len(h.commits)+1), Subject: subject, Body: strings.TrimSpace(body), Trailers: gitrepo.ParseTrailers(message),
		Author: gitrepo.Signature{Name: "Someone", Time: at}, Committer: gitrepo.Signature{Name: "Someone", Time: at},
	}
	next := map[string]string{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		next[file] = h.blob(files[file])
		if next[file] != h.last[file] {
			commit.Changes = append(commit.Changes, gitrepo.Change{Path: file, Before: gitrepo.File{ID: h.last[file]}, After: gitrepo.File{ID: next[file]}})
		}
	}
	for _, file := range slices.Sorted(maps.Keys(h.last)) {
		if _, there := files[file]; !there {
			commit.Changes = append(commit.Changes, gitrepo.Change{Path: file, Before: gitrepo.File{ID: h.last[file]}})
		}
	}
	h.last = next
	h.commits = slices.Insert(h.commits, 0, commit)
	return commit
}

func (h *fakeHistory) History(_ context.Context, _ string, opts gitrepo.HistoryOptions) iter.Seq2[*gitrepo.Commit, error] {
	return func(yield func(*gitrepo.Commit, error) bool) {
		if h.err != nil {
			yield(nil, h.err)
			return
		}
		for _, commit := range h.commits {
			narrowed := *commit
			narrowed.Changes = slices.DeleteFunc(slices.Clone(commit.Changes), func(c gitrepo.Change) bool {
				return !slices.ContainsFunc(opts.Paths, func(p string) bool { return c.Path == p || strings.HasPrefix(c.Path, p+"/") })
			})
			if len(narrowed.Changes) > 0 && !yield(&narrowed, nil) {
				return
			}
		}
	}
}

func (h *fakeHistory) Blob(_ context.Context, id string) ([]byte, error) {
	content, there := h.blobs[id]
	if !there {
		return nil, fs.ErrNotExist
	}
	return []byte(content), nil
}

// fakeGates answers for every gate alike.
type fakeGates struct {
	open bool
	err  error
}

func (g fakeGates) Open(context.Context, v1alpha1.Gate, string, string, *v1alpha1.PinSpec) (bool, error) {
	return g.open, g.err
}

// refusedBy returns the rules that refuse, as "rule on cluster", overridden ones left out.
func refusedBy(plan *Plan, err error) []string {
	var refused *RefusedError
	refusals := []Refusal{}
	if errors.As(err, &refused) {
		refusals = refused.Refusals
	} else if plan != nil {
		refusals = plan.Refusals
	}
	var rules []string
	for _, r := range refusals {
		if !r.Overridden() {
			rules = append(rules, strings.TrimSuffix(r.Rule+" on "+r.Cluster, " on "))
		}
	}
	return rules
}

// noDigests is an HTTP repository whose index does not say digests.
type noDigests struct{ *fakeRegistries }

func (noDigests) Digest(_ context.Context, repo artifact.Repository, chart, version string) (string, error) {
	return "", &artifact.Error{Op: "reading the digest", Ref: repo.Ref(chart, version), Kind: artifact.ErrInvalid, Detail: "the index does not say it"}
}

func mustNumber(digits string) json.Number { return json.Number(digits) }
