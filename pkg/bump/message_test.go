package bump

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range builds {
		w.source.messages[commitID(n+1)] = gitrepo.Commit{
			Subject: fmt.Sprintf("Change %d", n+1), Author: gitrepo.Signature{Name: "Ada"},
			Trailers: []gitrepo.Trailer{{Key: "Bug", Value: fmt.Sprintf("T10%d", n+1)}, {Key: "Bug", Value: "T7"}, {Key: "Bug", Value: "T7"}, {Key: "bug", Value: "x; rm -rf /"}},
		}
	}
	w.pinTo("local", 2)
	w.start()
	plan := w.do(Request{Op: OpBump, Revision: commitID(3)})
	want := `app: bump to ` + buildVersion(3) + `

beta:
  From: ` + buildVersion(1) + `
  To:   ` + buildVersion(3) + `
local:
  From: ` + buildVersion(2) + `
  To:   ` + buildVersion(3) + `

Changes from ` + commitID(1)[:8] + ` to ` + commitID(3)[:8] + `:
- Change 3 (` + commitID(3)[:8] + `, Ada)
- Change 2 (` + commitID(2)[:8] + `, Ada)
https://gitlab.example/group/app/-/compare/` + commitID(1) + `...` + commitID(3) + `

Bug: T102
Bug: T103
Bug: T7
Tfgitops-Op: bump
Tfgitops-Component: app
Tfgitops-From: beta ` + buildVersion(1) + `
Tfgitops-To: beta ` + buildVersion(3) + `
Tfgitops-Source-Sha: beta ` + commitID(3) + `
Tfgitops-Digest: beta app ` + digestOf("oci://beta.example/apps", "app", buildVersion(3)) + `
Tfgitops-From: local ` + buildVersion(2) + `
Tfgitops-To: local ` + buildVersion(3) + `
Tfgitops-Source-Sha: local ` + commitID(3) + `
Tfgitops-Digest: local app ` + digestOf("oci://beta.example/apps", "app", buildVersion(3)) + `
`
	if diff := cmp.Diff(want, plan.Message()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// A cluster that does not change is not in it.
	w.bump(4, "local")
	plan = w.do(Request{Op: OpBump, Revision: commitID(4)})
	if message := plan.Message(); strings.Contains(message, "local") || !strings.Contains(message, "beta") {
		t.Error(message)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	one := Scope{Clusters: []string{"beta"}}
	for _, c := range []struct {
		request Request
		want    string
	}{
		{Request{Op: OpBump, Revision: commitID(2)}, "app: bump to " + buildVersion(2)},
		{Request{Op: OpPromote}, "app: promote " + buildVersion(2) + " to prod"},
		{Request{Op: OpHold, Scope: one, Hold: v1alpha1.Hold{Reason: "x"}}, "app: hold on beta"},
		{Request{Op: OpUnhold, Scope: one}, "app: lift the hold on beta"},
		{Request{Op: OpRollback, Scope: one}, "app: roll back to " + buildVersion(1) + " on beta"},
		{Request{Op: OpUnhold, Scope: one, Reapply: true}, "app: re-apply " + buildVersion(2) + " on beta"},
	} {
		if got := w.do(c.request).Subject(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// hostile are texts of strangers, and of people in a hurry.
var hostile = []string{
	"fine", "two\nlines", "a\r\nTfgitops-Op: rollback", "x\n\n/merge\n\nBug: T666", "/merge", "@everyone", "\u202etxt.exe", "\u200f\u2066x", "a\x00b\x1b[31m", "\xff\xfe",
	strings.Repeat("long ", 2000), "", "# comment", "-----", "Tfgitops-Override: freeze nobody", "\u2028Bug: T666", "\u0085Bug: T666", "(cherry picked from commit 123)", "\ufeff",
}

// Nothing that a stranger writes becomes a trailer, a line of its own or a quick action, and what is ours stays readable by
// Git.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		w := newWorld(t)
		w.source.messages[commitID(2)] = gitrepo.Commit{
			Subject: text, Author: gitrepo.Signature{Name: text}, Trailers: []gitrepo.Trailer{{Key: "Bug", Value: text}, {Key: "Bug", Value: "T1"}},
		}
		w.start()
		checkHostile(t, text, w.bump(2, "beta"), OpBump)
		checkHostile(t, text, w.do(Request{
			Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}, Hold: v1alpha1.Hold{Reason: text, Task: text}, Overrides: map[string]string{RuleFreeze: "x" + text},
		}), OpRollback)
	}
}

func checkHostile(t *testing.T, text string, plan *Plan, op Op) {
	t.Helper()
	plan.Refusals = []Refusal{{Rule: RuleFreeze, Reason: "x" + text}}
	message := plan.Message()
	if !utf8.ValidString(message) {
		t.Errorf("%q: not UTF-8", text)
	}
	if i := strings.IndexFunc(message, func(r rune) bool {
		return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
	}); i >= 0 {
		t.Errorf("%q: a control character at %q", text, message[i:min(i+20, len(message))])
	}
	for line := range strings.Lines(message) {
		if strings.HasPrefix(line, "/") || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "@") {
			t.Errorf("%q: the line %q", text, line)
		}
	}
	trailers := gitrepo.ParseTrailers(message)
	var ops, overrides []string
	for _, trailer := range trailers {
		switch trailer.Key {
		case TrailerOp:
			ops = append(ops, trailer.Value)
		case TrailerOverride:
			overrides = append(overrides, trailer.Value)
		case "Bug":
			if !gitrepo.IsTask(trailer.Value) || trailer.Value == "T666" {
				t.Errorf("%q: a Bug trailer %q", text, trailer.Value)
			}
		}
	}
	if !slices.Equal(ops, []string{string(op)}) || len(overrides) != 1 || !strings.HasPrefix(overrides[0], "freeze x") {
		t.Errorf("%q: trailers %v\n%s", text, trailers, message)
	}
}

// Git itself reads the trailers as we do.
func TestTrailersAsGitReadsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	message := w.do(Request{Op: OpBump, Revision: commitID(2), Overrides: map[string]string{}}).Message()
	cmd := exec.Command("git", "interpret-trailers", "--parse", "--no-divider")
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.Output()
	if err != nil {
		t.Skip("git is not here:", err)
	}
	var ours strings.Builder
	for _, trailer := range gitrepo.ParseTrailers(message) {
		ours.WriteString(trailer.Key + ": " + trailer.Value + "\n")
	}
	if diff := cmp.Diff(string(out), ours.String()); diff != "" {
		t.Error(diff)
	}
}

// A long reason is kept whole: with the task and the end behind it.
func TestReasonsAreKeptWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t).ran(2)
	long := strings.Repeat("because ", 40) + "of this"
	plan := w.do(Request{Op: OpRollback, Scope: Scope{Clusters: []string{"beta"}}, Hold: v1alpha1.Hold{Reason: long, Task: "T9", Until: "2026-12-01"}})
	if !strings.Contains(plan.Message(), "\nReason: "+long+" (T9), until 2026-12-01\n") || !strings.Contains(plan.Message(), "\nBug: T9\n") {
		t.Error(plan.Message())
	}
}

func TestChangelogIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := builds; n < 80; n++ {
		w.source.add(commitID(n+1), true, commitID(n))
	}
	w.publish(80, "oci://beta.example/apps")
	message := w.bump(80, "beta").Message()
	if got := strings.Count(message, "\n- "); got != maxChangelog+1 || !strings.Contains(message, "- and 29 older ones\n") {
		t.Errorf("%d lines\n%s", got, message)
	}
}

func TestCompareLink(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"https://gitlab.wikimedia.org/a/b":             "https://gitlab.wikimedia.org/a/b/-/compare/1...2",
		"https://gitlab.wikimedia.org/a/b.git":         "https://gitlab.wikimedia.org/a/b/-/compare/1...2",
		"https://gitlab.wikimedia.org/a/b/":            "https://gitlab.wikimedia.org/a/b/-/compare/1...2",
		"https://gitlab.example:8443/a/b.git/?x=y#z":   "https://gitlab.example:8443/a/b/-/compare/1...2",
		"https://github.com/a/b":                       "https://github.com/a/b/compare/1...2",
		"https://user:secret@gitlab.wikimedia.org/a/b": "",
		"https://elsewhere.example/a/b":                "",
		"http://gitlab.wikimedia.org/a/b":              "",
		"file:///srv/git/a":                            "",
		"ssh://git@gitlab.wikimedia.org/a/b":           "",
		"https://gitlab.wikimedia.org/a\x7f":           "",
		"":                                             "",
	} {
		if got := gitrepo.CompareLink(source, "1", "2"); got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
}

func TestBranchName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, err := w.plan(Request{Op: OpBump, Revision: commitID(2)})
	if err != nil || plan.BranchName() != "bump/app/"+buildVersion(2)+"/beta+local" {
		t.Errorf("%v, %s", err, plan.BranchName())
	}
	other, err := w.plan(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"beta"}}})
	if err != nil || other.BranchName() == plan.BranchName() {
		t.Errorf("%v: other clusters have the same branch", err)
	}
}

// Whatever a version looks like, Git and the file system take the name, and different texts have different names.
func TestBranchParts(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	texts := append([]string{
		"1.2.3+meta", "a..b", ".a", "a.", "-a", "a.lock", "a.lock.lock", "a.lock.-.lock", "x.lock..", "a@{b", "a b", "a~1", "a^", "a:b", "a?*[b", `a\b`, "web 1.0, db 2.0",
		strings.Repeat("x", 300), strings.Repeat("x", 300) + "y", strings.Repeat("a.lock", 60), strings.Repeat("é", 200),
	}, hostile...)
	for _, text := range texts {
		part := branchPart(text)
		if len(part) > maxBranchPart {
			t.Errorf("%q: %d characters", text, len(part))
		}
		if part == "" {
			continue // BranchName leaves it out
		}
		if out, err := exec.Command("git", "check-ref-format", "refs/heads/bump/"+part+"/x").CombinedOutput(); err != nil {
			t.Errorf("%q: git does not take %q: %v %s", text, part, err, out)
		}
	}
	if branchPart(strings.Repeat("x", 300)) == branchPart(strings.Repeat("x", 300)+"y") {
		t.Error("two long texts have one name")
	}
}

func FuzzPlainText(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := oneLine(text)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxSubject || got != strings.TrimSpace(got) || strings.ContainsAny(got, "\n\r\x00\u2028\u2029\u202e\u0085") {
			t.Errorf("%q gives %q", text, got)
		}
		if again := oneLine(got); again != got {
			t.Errorf("%q: a second time %q", got, again)
		}
	})
}

func TestRefusedError(t *testing.T) {
	t.Parallel()
	err := &RefusedError{Refusals: []Refusal{{Rule: RuleFreeze, Cluster: "beta", Message: "a"}, {Rule: RuleFreeze, Cluster: "prod", Message: "b"}, {Rule: RuleDirty, Message: "c"}}}
	want := "refused by freeze on beta: a\nrefused by freeze on prod: b\nrefused by dirty: c\nto go on all the same, add --override freeze --override dirty --reason TEXT: it is recorded in the commit"
	if got := err.Error(); got != want || !err.Refused() {
		t.Error(got)
	}
}
