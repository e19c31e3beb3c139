package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// summary is a history as `subject: path before→after …`, by content.
func summary(t *testing.T, repo *Repo, commits []*Commit) []string {
	t.Helper()
	content := func(file File) string {
		if file.ID == "" {
			return "-"
		}
		blob, err := repo.Blob(t.Context(), file.ID)
		if err != nil {
			t.Fatal(err)
		}
		return string(blob)
	}
	var lines []string
	for _, commit := range commits {
		line := commit.Subject + ":"
		for _, change := range commit.Changes {
			line += fmt.Sprintf(" %s %s→%s", change.Path, content(change.Before), content(change.After))
		}
		lines = append(lines, line)
	}
	return lines
}

func TestHistory(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"c/a": "1", "other": "x"})
	commitFiles(t, dir, "edit a", map[string]string{"c/a": "2"})
	commitFiles(t, dir, "edit other", map[string]string{"other": "y"})
	commitFiles(t, dir, "nothing", nil)
	runGit(t, dir, "checkout", "-q", "-b", "side", "HEAD~2")
	commitFiles(t, dir, "side adds b", map[string]string{"c/b": "b1"})
	commitFiles(t, dir, "side edits b", map[string]string{"c/b": "b2", "c/a\t[*]\nü": "odd"})
	runGit(t, dir, "checkout", "-q", "main")
	runGit(t, dir, "merge", "-q", "--no-ff", "-m", "merge side", "side")
	runGit(t, dir, "rm", "-q", "c/a")
	commitFiles(t, dir, "remove a", nil)

	top, sub := openRepo(t, dir), openRepo(t, filepath.Join(dir, "c"))
	tests := []struct {
		name string
		repo *Repo
		rev  string
		opts HistoryOptions
		want []string
	}{
		{"everything", top, "HEAD", HistoryOptions{}, []string{
			"remove a: c/a 2→-", "merge side: c/a\t[*]\nü -→odd c/b -→b2", "nothing:", "edit other: other x→y",
			"edit a: c/a 1→2", "start: c/a -→1 other -→x",
		}},
		{"one file", top, "HEAD", HistoryOptions{Paths: []string{"c/a"}}, []string{
			"remove a: c/a 2→-", "edit a: c/a 1→2", "start: c/a -→1",
		}},
		{"a directory", top, "HEAD~1", HistoryOptions{Paths: []string{"c"}}, []string{
			"merge side: c/a\t[*]\nü -→odd c/b -→b2", "edit a: c/a 1→2", "start: c/a -→1",
		}},
		{"a name that looks like a pattern", top, "HEAD", HistoryOptions{Paths: []string{"c/a\t[*]\nü"}}, []string{
			"merge side: c/a\t[*]\nü -→odd",
		}},
		{"limited", top, "HEAD", HistoryOptions{Paths: []string{"c/a"}, Limit: 1}, []string{"remove a: c/a 2→-"}},
		{"below a prefix", sub, "HEAD", HistoryOptions{}, []string{
			"remove a: a 2→-", "merge side: a\t[*]\nü -→odd b -→b2", "edit a: a 1→2", "start: a -→1",
		}},
		{"a path below a prefix", sub, "HEAD", HistoryOptions{Paths: []string{"b"}}, []string{"merge side: b -→b2"}},
		{"a path that never was", top, "HEAD", HistoryOptions{Paths: []string{"none"}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := summary(t, test.repo, collect(t.Context(), t, test.repo, test.rev, test.opts))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHistoryFields(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, nil)
	first := runGit(t, dir, "rev-parse", "HEAD")
	message := "long subject\non two lines\n\nBody.\n\n:100644 not a raw line\n\nBug: T1\nbug: T2\nSigned-off-by: A <a@x>\n"
	cmd := exec.Command("git", "commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(message)
	cmd.Env = append(gitEnv(os.Environ()), "GIT_AUTHOR_NAME=Jörg", "GIT_AUTHOR_EMAIL=j@example.org",
		"GIT_AUTHOR_DATE=2024-02-29T12:00:00+02:00", "GIT_COMMITTER_DATE=2024-03-01T00:00:00Z")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	got := collect(t.Context(), t, openRepo(t, dir), "HEAD", HistoryOptions{Limit: 1})[0]
	want := &Commit{
		ID: runGit(t, dir, "rev-parse", "HEAD"), Parents: []string{first},
		Author:    Signature{"Jörg", "j@example.org", time.Date(2024, 2, 29, 10, 0, 0, 0, time.UTC)},
		Committer: Signature{"Test Er", "test@example.org", time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)},
		Subject:   "long subject on two lines",
		Body:      "Body.\n\n:100644 not a raw line\n\nBug: T1\nbug: T2\nSigned-off-by: A <a@x>",
		Trailers:  []Trailer{{"Bug", "T1"}, {"bug", "T2"}, {"Signed-off-by", "A <a@x>"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"T1", "T2"}, got.Trailer("Bug")); diff != "" {
		t.Error(diff)
	}
}

func TestHistoryStopsAndFails(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, nil)
	for i := range 5 {
		commitFiles(t, dir, "more", map[string]string{"a": fmt.Sprint(i)})
	}
	repo := openRepo(t, dir)
	seen := 0
	for _, err := range repo.History(t.Context(), "HEAD", HistoryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 2 {
			break
		}
	}
	if seen != 2 {
		t.Errorf("saw %d commits", seen)
	}
	for commit, err := range repo.History(t.Context(), "nope", HistoryOptions{}) {
		if commit != nil || !errors.Is(err, ErrUnknownRevision) {
			t.Errorf("%v, %v", commit, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for commit, err := range repo.History(ctx, "HEAD", HistoryOptions{}) {
		if commit != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", commit, err)
		}
	}
}

func TestCommits(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, nil)
	old := runGit(t, dir, "rev-parse", "HEAD")
	runGit(t, dir, "checkout", "-q", "-b", "side")
	commitFiles(t, dir, "on the side\n\nBug: T7", map[string]string{"s": "1"})
	runGit(t, dir, "checkout", "-q", "main")
	commitFiles(t, dir, "on main", map[string]string{"m": "1"})
	runGit(t, dir, "merge", "-q", "--no-ff", "-m", "merge", "side")
	repo := openRepo(t, dir)

	all, err := repo.Commits(t.Context(), old, "main", 0)
	if err != nil || len(all.Commits) != 3 || all.More != 0 || all.Commits[0].Subject != "merge" {
		t.Errorf("%+v, %v", all, err)
	}
	bugs := map[string]bool{}
	for _, commit := range all.Commits {
		for _, bug := range commit.Trailer("Bug") {
			bugs[bug] = true
		}
	}
	if !bugs["T7"] {
		t.Errorf("the merged commit's trailer is missing: %v", bugs)
	}
	some, err := repo.Commits(t.Context(), old, "main", 1)
	if err != nil || len(some.Commits) != 1 || some.More != 2 {
		t.Errorf("limited: %+v, %v", some, err)
	}
	none, err := repo.Commits(t.Context(), "main", old, 5)
	if err != nil || len(none.Commits) != 0 || none.More != 0 {
		t.Errorf("backwards: %+v, %v", none, err)
	}
	if _, err := repo.Commits(t.Context(), strings.Repeat("ab", 20), "main", 5); !errors.Is(err, ErrUnknownRevision) {
		t.Errorf("an unknown commit: %v", err)
	}
}

// A control repo of 5,000 commits is read in well under a second; the bound is
// loose for slow machines, and catches a walk that starts a process a commit.
func TestLongHistory(t *testing.T) {
	t.Parallel()
	dir := longRepo(t, 5000)
	repo := openRepo(t, dir)
	start := time.Now()
	commits := collect(t.Context(), t, repo, "HEAD", HistoryOptions{Paths: []string{"clusters"}})
	if len(commits) != 5000 {
		t.Fatalf("%d commits", len(commits))
	}
	walked := time.Since(start)
	for _, commit := range commits {
		if _, err := repo.Blob(t.Context(), commit.Changes[0].After.ID); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("walk %v, with the content of every pin %v", walked, time.Since(start))
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// longRepo makes n commits, each to one of 40 pins.
func longRepo(t testing.TB, n int) string {
	t.Helper()
	var stream strings.Builder
	for i := range n {
		message := fmt.Sprintf("c%d: bump to 0.0.%d\n\nBug: T%d\n", i%40, i, i)
		pin := fmt.Sprintf("kind: Pin\nversion: \"0.0.%d\"\n", i)
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter A <a@x> %d +0000\ndata %d\n%s\n", 1600000000+i, len(message), message)
		fmt.Fprintf(&stream, "M 100644 inline clusters/tools/pins/c%d.yaml\ndata %d\n%s\n", i%40, len(pin), pin)
	}
	dir := filepath.Join(t.TempDir(), "long")
	runGit(t, filepath.Dir(dir), "init", "-q", dir)
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Env, cmd.Stdin = dir, gitEnv(os.Environ()), strings.NewReader(stream.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return dir
}

func FuzzLog(f *testing.F) {
	id := strings.Repeat("a", 40)
	record := strings.Join([]string{id, id, "n", "e", "1", "n", "e", "2", "subject\n\nBug: T1\n", ""}, "\x00")
	change := "\n:100644 000000 " + id + " " + strings.Repeat("0", 40) + " D\x00path\x00"
	for _, seed := range []string{"", record, record + change, record + change + record, record + ":x\x00", record[:30], record + "\n:100644"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, out string) {
		reader := newLogReader(strings.NewReader(out), "a/")
		for range len(out) + 1 {
			commit, err := reader.next()
			if err != nil {
				return
			}
			if !objectID.MatchString(commit.ID) {
				t.Errorf("commit id %q", commit.ID)
			}
			for _, change := range commit.Changes {
				for _, file := range []File{change.Before, change.After} {
					if file.ID != "" && !objectID.MatchString(file.ID) {
						t.Errorf("file %+v", file)
					}
				}
			}
		}
		t.Error("more commits than bytes")
	})
}

func TestLogReaderRefuses(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 40)
	record := strings.Join([]string{id, "", "n", "e", "1", "n", "e", "2", "s", ""}, "\x00")
	for name, out := range map[string]string{
		"no commit id":        strings.Replace(record, id, "HEAD", 1),
		"cut off in a record": record[:len(record)-4],
		"no path":             record + ":100644 100644 " + id + " " + id + " M\x00",
		"short raw line":      record + ":100644 M\x00path\x00",
		"bad mode":            record + ":10x644 100644 " + id + " " + id + " M\x00path\x00",
		"bad object id":       record + ":100644 100644 " + id + " zz M\x00path\x00",
	} {
		if commit, err := newLogReader(strings.NewReader(out), "").next(); err == nil {
			t.Errorf("%s: %+v", name, commit)
		}
	}
}

func TestChangesSince(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, map[string]string{"c/a": "1", "other": "x"})
	runGit(t, dir, "checkout", "-q", "-b", "topic")
	commitFiles(t, dir, "edit a", map[string]string{"c/a": "2"})
	runGit(t, dir, "checkout", "-q", "-b", "side")
	commitFiles(t, dir, "side adds b", map[string]string{"c/b": "b1"})
	runGit(t, dir, "checkout", "-q", "main")
	commitFiles(t, dir, "somebody else", map[string]string{"other": "y"})
	runGit(t, dir, "checkout", "-q", "topic")
	runGit(t, dir, "merge", "-q", "-m", "take main", "main")
	runGit(t, dir, "merge", "-q", "--no-ff", "-m", "take side", "side")
	shallow := filepath.Join(t.TempDir(), "shallow")
	runGit(t, dir, "clone", "-q", "--depth=2", "--branch=topic", "file://"+dir, shallow)
	runGit(t, shallow, "fetch", "-q", "--depth=1", "origin", "main:main")

	top, sub := openRepo(t, dir), openRepo(t, filepath.Join(dir, "c"))
	for name, test := range map[string]struct {
		repo     *Repo
		old, new string
		want     []string
	}{
		"a branch with merges":   {top, "main", "topic", []string{"take side:", "take main:", "side adds b: c/b -→b1", "edit a: c/a 1→2"}},
		"the other way round":    {top, "topic", "main", nil},
		"below a prefix":         {sub, "main", "topic", []string{"take side:", "take main:", "side adds b: b -→b1", "edit a: a 1→2"}},
		"cut off changes unseen": {openRepo(t, shallow), "main", "topic", []string{"take side:", "take main:", "side adds b:"}},
	} {
		t.Run(name, func(t *testing.T) {
			commits, err := test.repo.ChangesSince(t.Context(), test.old, test.new)
			if err != nil {
				t.Fatal(err)
			}
			got := summary(t, test.repo, commits)
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := top.ChangesSince(t.Context(), "gone", "topic"); !errors.Is(err, ErrUnknownRevision) {
		t.Errorf("got %v, want ErrUnknownRevision", err)
	}
}
