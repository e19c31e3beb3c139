package validate_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
)

const changeDir = "../../testdata/golden/validate-change"

// now is the time of every case: outside of base.txtar's freeze.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// TestChangeGolden runs every case of the golden table for changes, in a real Git repository: base.txtar of the other table
// is committed first, then each step of the case, in order. The files of a step stand below its name. Those named main… are
// commits on the branch main, and tree is not committed; all others are commits on a branch that leaves main before the
// first of them. Each step is rendered.
//
// In a step, message is the commit's, delete lists files, revert and merge name what is reverted or merged, and unrendered
// leaves the rendered files as the step has them.
func TestChangeGolden(t *testing.T) {
	t.Parallel()
	validator, base := validate.New(), newChangeWorld(t)
	for _, file := range changeFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive := parseArchive(t, file)
			findings := validator.RunChange(t.Context(), base.after(t, archive).change("main"))
			var got bytes.Buffer
			if err := validate.Write(&got, "table", withoutIDs(findings)); err != nil {
				t.Fatal(err)
			}
			if *update {
				setSection(archive, sectionWant, got.Bytes())
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(section(archive, sectionWant)), got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if isOK := strings.HasSuffix(t.Name(), ".ok"); isOK != (len(findings) == 0) {
				t.Errorf("a case named .ok has no findings, and any other has some: got %d", len(findings))
			}
		})
	}
}

// withoutIDs takes commit ids out, which change with everything that is rendered.
func withoutIDs(findings control.Findings) control.Findings {
	id := regexp.MustCompile(`commit [0-9a-f]{12}\b`)
	for i := range findings {
		findings[i].Message = id.ReplaceAllString(findings[i].Message, "commit ID")
	}
	return findings
}

// TestEveryChangeRuleHasCases holds that each rule on a change has a case that fires and one that must not.
func TestEveryChangeRuleHasCases(t *testing.T) {
	t.Parallel()
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, file := range changeFiles(t) {
		want := string(section(parseArchive(t, file), sectionWant))
		for _, rule := range validate.ChangeRules() {
			fires[rule.ID] = fires[rule.ID] || strings.Contains(want, "["+rule.ID+"]")
			name := filepath.Base(file)
			silent[rule.ID] = silent[rule.ID] || strings.HasPrefix(name, rule.ID+".") && strings.HasSuffix(name, ".ok.txtar")
		}
	}
	for _, rule := range validate.ChangeRules() {
		if !fires[rule.ID] {
			t.Errorf("no golden case fires the rule %s", rule.ID)
		}
		if !silent[rule.ID] {
			t.Errorf("no golden case named %s.*.ok.txtar holds that the rule %s stays silent", rule.ID, rule.ID)
		}
	}
}

func changeFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(changeDir + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return files
}

// after is a copy of the world in which the steps of a case were carried out.
func (w *changeWorld) after(t *testing.T, archive *txtar.Archive) *changeWorld {
	t.Helper()
	next := &changeWorld{t, filepath.Join(t.TempDir(), "repo")}
	if err := os.CopyFS(next.dir, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	for _, step := range stepsOf(t, archive) {
		next.carryOut(step)
	}
	return next
}

// step is one commit of a case.
type step struct {
	name  string
	files map[string][]byte // special ones included
}

func stepsOf(t *testing.T, archive *txtar.Archive) []step {
	t.Helper()
	var steps []step
	for _, f := range archive.Files {
		if f.Name == sectionWant {
			continue
		}
		name, file, ok := strings.Cut(f.Name, "/")
		if !ok {
			t.Fatalf("%s stands in no step", f.Name)
		}
		i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
		if i < 0 {
			i = len(steps)
			steps = append(steps, step{name, map[string][]byte{}})
		}
		steps[i].files[file] = f.Data
	}
	return steps
}

// changeWorld is a control repo under Git, which holds base.txtar.
type changeWorld struct {
	t   *testing.T
	dir string
}

func newChangeWorld(t *testing.T) *changeWorld {
	t.Helper()
	w := &changeWorld{t, filepath.Join(t.TempDir(), "repo")}
	w.git("init", "-q", "-b", "main", ".")
	base := step{"main", map[string][]byte{}}
	for _, f := range parseArchive(t, goldenDir+"/base.txtar").Files {
		base.files[f.Name] = f.Data
	}
	w.carryOut(base)
	return w
}

func (w *changeWorld) git(args ...string) string {
	w.t.Helper()
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = w.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=Someone", "GIT_AUTHOR_EMAIL=someone@example.org", "GIT_COMMITTER_NAME=Someone", "GIT_COMMITTER_EMAIL=someone@example.org",
		"GIT_AUTHOR_DATE=2026-11-20T12:00:00Z", "GIT_COMMITTER_DATE=2026-11-20T12:00:00Z",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *changeWorld) carryOut(s step) {
	w.t.Helper()
	w.checkOut(s.name)
	special := func(name string) string { return strings.TrimSpace(string(s.files[name])) }
	if revision := special("revert"); revision != "" {
		w.git("revert", "--no-edit", revision)
	}
	if branch := special("merge"); branch != "" {
		w.git("merge", "-q", "--no-ff", "-m", "Merge "+branch, branch)
	}
	for name, content := range s.files {
		if !slices.Contains([]string{"message", "delete", "revert", "merge", "unrendered"}, name) {
			w.write(name, content)
		}
	}
	for _, name := range strings.Fields(special("delete")) {
		if err := os.RemoveAll(filepath.Join(w.dir, name)); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, unrendered := s.files["unrendered"]; !unrendered {
		w.render()
	}
	if s.name == "tree" || w.git("status", "--porcelain") == "" {
		return
	}
	w.git("add", "-A")
	message := special("message")
	if message == "" {
		message = "Change something"
	}
	w.git("commit", "-q", "-m", message)
}

// checkOut goes to the branch of a step, which the first step that is not of main makes.
func (w *changeWorld) checkOut(name string) {
	w.t.Helper()
	onMain := strings.HasPrefix(name, "main")
	switch branches := w.git("branch", "--format=%(refname:short)"); {
	case branches == "": // before the first commit
	case onMain:
		w.git("checkout", "-q", "main")
	case strings.Contains(branches, "topic"):
		w.git("checkout", "-q", "topic")
	default:
		w.git("checkout", "-q", "-b", "topic")
	}
}

func (w *changeWorld) write(name string, content []byte) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *changeWorld) render() {
	w.t.Helper()
	changes, err := render.Plan(w.t.Context(), os.DirFS(w.dir), control.Only{})
	if err != nil {
		return // the case is about what prevents rendering
	}
	for _, change := range changes {
		if change.New != nil {
			w.write(change.Path, change.New)
		} else if err := os.Remove(filepath.Join(w.dir, change.Path)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// change is what leads from a branch to the working tree.
func (w *changeWorld) change(ref string) *validate.Change {
	w.t.Helper()
	change, err := w.changeSince(ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return change
}

func (w *changeWorld) changeSince(ref string) (*validate.Change, error) {
	w.t.Helper()
	repo, err := gitrepo.Open(w.t.Context(), w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { repo.Close() })
	return validate.ChangeSince(w.t.Context(), repo, os.DirFS(w.dir), ref, now)
}

// TestChangeInShallowClone holds that what a clone does not have is said, with what brings it.
func TestChangeInShallowClone(t *testing.T) {
	t.Parallel()
	full := newChangeWorld(t).after(t, parseArchive(t, changeDir+"/pin-lowered.other-rollback.txtar"))
	full.git("checkout", "-q", "main")
	full.git("commit", "-q", "--allow-empty", "-m", "Somebody else")
	full.git("checkout", "-q", "topic")
	clone := func(t *testing.T, args ...string) *changeWorld {
		w := &changeWorld{t, filepath.Join(t.TempDir(), "repo")}
		w.git(append(append([]string{"clone", "-q", "-b", "topic"}, args...), "file://"+full.dir, ".")...)
		return w
	}
	for name, test := range map[string]struct {
		args []string
		ref  string
		want string // in the error
	}{
		"main is not there":     {[]string{"--depth=2"}, "origin/main", "fetch it, as in `git fetch origin main:refs/remotes/origin/main`"},
		"no such branch":        {nil, "man", "fetch it, as in `git fetch origin man`"},
		"an option":             {nil, "--all", "give a branch, a tag or a commit"},
		"they parted too early": {[]string{"--depth=2", "--no-single-branch"}, "origin/main", "in GitLab CI set GIT_DEPTH: 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := clone(t, test.args...).changeSince(test.ref)
			if !errors.Is(err, validate.ErrNoBase) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrNoBase with %q", err, test.want)
			}
		})
	}
	t.Run("the whole change is there", func(t *testing.T) {
		got := codes(validate.New().RunChange(t.Context(), clone(t, "--depth=5", "--no-single-branch").change("origin/main")))
		if diff := cmp.Diff([]string{validate.RulePinLowered, validate.RulePinLowered}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a merged branch is cut off", func(t *testing.T) {
		w := clone(t, "--no-single-branch")
		w.git("checkout", "-q", "-b", "side", "topic~3")
		w.git("commit", "-q", "--allow-empty", "-m", "One")
		w.git("commit", "-q", "--allow-empty", "-m", "Two")
		w.git("checkout", "-q", "topic")
		w.git("merge", "-q", "--no-ff", "-m", "Merge side", "side")
		if err := os.WriteFile(filepath.Join(w.dir, ".git", "shallow"), []byte(w.git("rev-parse", "side")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := codes(validate.New().RunChange(t.Context(), w.change("origin/main"))); !slices.Contains(got, validate.RuleChangeUnknown) {
			t.Errorf("got %v, want %s among them", got, validate.RuleChangeUnknown)
		}
	})
}

func codes(findings control.Findings) []string {
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.Rule)
	}
	return ids
}

// TestAncestryTellsFirst holds that the component's source goes before the versions, and that these tell where it cannot.
func TestAncestryTellsFirst(t *testing.T) {
	t.Parallel()
	base := newChangeWorld(t)
	const older, newer = "1a2b3c4d", "4e357e0a" // base.txtar pins the newer one
	for name, test := range map[string]struct {
		pinned string // the version that beta comes to
		source *fakeSource
		want   []string
	}{
		"a rebuild of an older commit has a newer time": {"0.0.221-20260901000000-" + older, &fakeSource{older: older, newer: newer}, []string{validate.RulePinLowered}},
		"a newer commit was built earlier":              {"0.0.219-20260701000000-" + older, &fakeSource{older: newer, newer: older}, nil},
		"the source does not have them":                 {"0.0.219-20260701000000-" + older, &fakeSource{}, []string{validate.RulePinLowered}},
		"the source does not answer":                    {"0.0.221-20260901000000-" + older, nil, []string{validate.RuleChangeUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pin := strings.ReplaceAll(string(section(parseArchive(t, goldenDir+"/base.txtar"), "clusters/beta/pins/app.yaml")), "0.0.220-20260804122801-"+newer, test.pinned)
			pin = strings.ReplaceAll(pin, newer, older)
			change := base.after(t, &txtar.Archive{Files: []txtar.File{{Name: "one/clusters/beta/pins/app.yaml", Data: []byte(pin)}}}).change("main")
			change.OpenSource = func(_ context.Context, url string) (bump.Source, error) {
				if url != "https://git.example/app" {
					t.Errorf("asked %s", url)
				}
				if test.source == nil {
					return nil, errors.New("no answer")
				}
				return test.source, nil
			}
			if diff := cmp.Diff(test.want, codes(validate.New().RunChange(t.Context(), change))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// fakeSource knows which of two commits is older.
type fakeSource struct {
	bump.Source
	older, newer string
}

func (s *fakeSource) Ensure(_ context.Context, rev string) (string, error) {
	if rev == s.older || rev == s.newer {
		return rev, nil
	}
	return "", gitrepo.ErrUnknownRevision
}

func (s *fakeSource) IsAncestor(_ context.Context, old, new string) (gitrepo.Relation, error) {
	if old == s.older && new == s.newer || old == new {
		return gitrepo.Yes, nil
	}
	return gitrepo.No, nil
}
