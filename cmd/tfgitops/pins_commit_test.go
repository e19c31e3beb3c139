package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// state is all that a command may change: the commit, the index and every file.
func (w *pinsWorld) state(t *testing.T, dir string) string {
	t.Helper()
	head := "no HEAD"
	if out, err := w.git(dir, "rev-parse", "HEAD"); err == nil {
		head = out
	}
	return head + "\n" + w.mustGit(t, dir, "status", "--porcelain", "--untracked-files=all") + "\n" + w.mustGit(t, dir, "diff") + "\n" + w.mustGit(t, dir, "diff", "--cached")
}

// What keeps a commit from being made leaves everything as it was, and says why.
func TestCommitsThatAreNotMade(t *testing.T) {
	t.Parallel()
	const pin = "clusters/beta/pins/app.yaml"
	for _, c := range []struct {
		name  string
		setup func(*testing.T, *pinsWorld)
		says  []string
		code  int
	}{
		{"a hook", func(t *testing.T, w *pinsWorld) {
			w.hook(t, "repo/.git", "pre-commit", "echo checked: nothing is right >&2\nexit 1\n")
		}, []string{"checked: nothing is right"}, exitFailed},
		{"a hook that looks at the message", func(t *testing.T, w *pinsWorld) {
			w.hook(t, "repo/.git", "commit-msg", "echo no ticket >&2\nexit 1\n")
		}, []string{"no ticket"}, exitFailed},
		{"another change of the pin", func(t *testing.T, w *pinsWorld) { w.append(t, pin, "# mine\n") }, []string{"refused by dirty: " + pin + " has other uncommitted changes"}, exitRefused},
		{"another change that is staged", func(t *testing.T, w *pinsWorld) {
			before := w.read(t, "repo", pin)
			w.append(t, pin, "# mine\n")
			w.mustGit(t, "repo", "add", pin)
			if err := w.write("repo", map[string]string{pin: before}); err != nil {
				t.Fatal(err)
			}
		}, []string{"refused by dirty: " + pin + " has other staged changes"}, exitRefused},
		{"a rendered file that was removed", func(t *testing.T, w *pinsWorld) {
			if err := os.Remove(w.path("repo", "clusters/beta/manifests/app.yaml")); err != nil {
				t.Fatal(err)
			}
		}, []string{"clusters/beta/manifests/app.yaml has other uncommitted changes"}, exitRefused},
		{"a read-only pin", func(t *testing.T, w *pinsWorld) {
			if err := os.Chmod(w.path("repo", "clusters/local/pins/app.yaml"), 0o444); err != nil {
				t.Fatal(err)
			}
		}, []string{"cannot write clusters/local/pins/app.yaml", "permission denied"}, exitFailed},
		{"a lock", func(t *testing.T, w *pinsWorld) {
			if err := w.write("repo", map[string]string{".git/index.lock": ""}); err != nil {
				t.Fatal(err)
			}
		}, []string{"index.lock", "if none is running, one was killed: remove that file"}, exitFailed},
		{"no commit yet", func(t *testing.T, w *pinsWorld) {
			if err := os.RemoveAll(w.path("repo", ".git")); err != nil {
				t.Fatal(err)
			}
			w.mustGit(t, "repo", "init", "-q")
		}, []string{"HEAD"}, exitFailed},
		{"the control repo is not in the commit", func(t *testing.T, w *pinsWorld) {
			if err := os.RemoveAll(w.path("repo", ".git")); err != nil {
				t.Fatal(err)
			}
			w.mustGit(t, "repo", "init", "-q")
			w.mustGit(t, "repo", "commit", "-q", "--allow-empty", "-m", "empty")
		}, []string{"tfgitops.yaml"}, exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := worldForTest(t, 2)
			if err := w.write("repo", map[string]string{"notes.txt": "mine", "staged.txt": "mine"}); err != nil {
				t.Fatal(err)
			}
			w.mustGit(t, "repo", "add", "staged.txt")
			c.setup(t, w)
			before := w.state(t, "repo")
			done := w.tfgitops(t, "repo", "bump", "app", w.commits[1], "--commit")
			if done.code != c.code {
				t.Errorf("exit code %d, want %d\n%s", done.code, c.code, done.stderr)
			}
			for _, text := range c.says {
				if !strings.Contains(done.stderr, text) {
					t.Errorf("%q is not said:\n%s", text, done.stderr)
				}
			}
			if after := w.state(t, "repo"); after != before {
				t.Errorf("it left\n%s\nwhere there was\n%s", after, before)
			}
		})
	}
}

func (w *pinsWorld) append(t *testing.T, file, text string) {
	t.Helper()
	if err := w.write("repo", map[string]string{file: w.read(t, "repo", file) + text}); err != nil {
		t.Fatal(err)
	}
}

// Where Git is used in other ways than from a branch at the top of a work tree.
func TestCommitInUnusualPlaces(t *testing.T) {
	t.Parallel()
	t.Run("a detached HEAD", func(t *testing.T) {
		t.Parallel()
		w := worldForTest(t, 2)
		w.mustGit(t, "repo", "checkout", "-q", "--detach")
		w.must(t, "repo", "bump", "app", w.commits[1], "--commit")
		if got := w.mustGit(t, "repo", "rev-list", "--count", "main..HEAD"); got != "1" {
			t.Errorf("%s commits", got)
		}
	})
	t.Run("a folder of the repository", func(t *testing.T) {
		t.Parallel()
		w := worldForTest(t, 2, 3)
		if err := errors.Join(os.RemoveAll(w.path("repo", ".git")), os.Mkdir(w.path("top"), 0o755), os.Rename(w.path("repo"), w.path("top", "deploy"))); err != nil {
			t.Fatal(err)
		}
		if err := w.write("top", map[string]string{"README": "ours\n"}); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "Start"}} {
			w.mustGit(t, "top", args...)
		}
		w.must(t, "top/deploy/clusters", "bump", "app", w.commits[1], "--commit")
		w.mustGit(t, ".", "clone", "-q", "--bare", "top", "remote.git")
		w.mustGit(t, "top", "remote", "add", "origin", w.path("remote.git"))
		w.must(t, "top", "-C", "deploy", "bump", "app", w.commits[2], "--direct")
		w.must(t, "top/deploy", "bump", "app", w.commits[2], "--branch", "aside")
		for _, ref := range []string{"HEAD", "origin/main", "aside"} {
			if got := lines(w.mustGit(t, "top", "diff", "--name-only", ref+"~1", ref)); len(got) != 4 || !strings.HasPrefix(got[0], "deploy/clusters/beta/") {
				t.Errorf("%s changes %v", ref, got)
			}
		}
		done := w.must(t, "top/deploy", "rollback", "app", "--cluster", "beta", "--commit")
		if !strings.Contains(done.stderr, "roll back to "+w.version(1)) {
			t.Error(done.stderr)
		}
	})
	t.Run("a linked worktree", func(t *testing.T) {
		t.Parallel()
		w := worldForTest(t, 2)
		w.mustGit(t, "repo", "worktree", "add", "-q", "-b", "other", w.path("linked"))
		w.must(t, "linked", "bump", "app", w.commits[1], "--commit")
		if w.mustGit(t, "repo", "rev-list", "--count", "main..other") != "1" || w.mustGit(t, "repo", "status", "--porcelain") != "" {
			t.Error("the commit is not on the worktree's branch alone")
		}
	})
	t.Run("no Git at all", func(t *testing.T) {
		t.Parallel()
		w := worldForTest(t, 2)
		if err := os.RemoveAll(w.path("repo", ".git")); err != nil {
			t.Fatal(err)
		}
		w.must(t, "repo", "bump", "app", w.commits[1])
		for _, how := range []string{"--commit", "--push", "--branch=x"} {
			if done := w.tfgitops(t, "repo", "bump", "app", w.commits[1], how); done.code != exitFailed || !strings.Contains(done.stderr, "not a Git repository") {
				t.Errorf("%s: exit code %d\n%s", how, done.code, done.stderr)
			}
		}
		if done := w.tfgitops(t, "repo", "rollback", "app", "--cluster", "beta"); done.code != exitFailed || !strings.Contains(done.stderr, "no Git history") {
			t.Errorf("rollback: exit code %d\n%s", done.code, done.stderr)
		}
	})
}

func TestBranch(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2, 3)
	start := w.mustGit(t, "repo", "rev-parse", "HEAD")
	w.must(t, "repo", "bump", "app", w.commits[1])
	w.must(t, "repo", "bump", "app", w.commits[1], "--branch", "aside")
	if got := w.mustGit(t, "repo", "status", "--porcelain"); got != "" {
		t.Errorf("what was changed before did not move to the branch: %s", got)
	}
	aside := w.mustGit(t, "repo", "rev-parse", "aside")
	w.must(t, "repo", "bump", "app", w.commits[1])
	again := w.must(t, "repo", "bump", "app", w.commits[1], "--branch", "aside")
	if w.mustGit(t, "repo", "rev-parse", "aside") != aside || !strings.Contains(again.stderr, "branch aside has this change already") || w.mustGit(t, "repo", "status", "--porcelain") != "" {
		t.Error(again.stderr)
	}
	done := w.tfgitops(t, "repo", "bump", "app", w.commits[2], "--branch", "aside")
	if done.code != exitFailed || !strings.Contains(done.stderr, "with other content") || w.mustGit(t, "repo", "rev-parse", "aside") != aside {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
	if w.mustGit(t, "repo", "rev-parse", "HEAD") != start {
		t.Error("the checked out branch moved")
	}
	for _, name := range []string{"-x", "a b", "a..b", "HEAD^", ""} {
		if done := w.tfgitops(t, "repo", "bump", "app", w.commits[2], "--branch="+name, "--dry-run=false"); name != "" && done.code != exitFailed {
			t.Errorf("%q: exit code %d\n%s", name, done.code, done.stderr)
		}
	}
}

// Killed after any of its writes: the same command again ends as one that was never killed.
func TestKilledAfterEachWrite(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.mustGit(t, ".", "clone", "-q", "repo", "whole")
	w.must(t, "whole", "bump", "app", w.commits[1], "--commit")
	tree := w.mustGit(t, "whole", "rev-parse", "HEAD^{tree}")
	var order []string // as they are written: the pins first
	for _, dir := range []string{"pins", "manifests"} {
		for _, file := range lines(w.mustGit(t, "whole", "diff", "--name-only", "HEAD~1", "HEAD")) {
			if strings.Contains(file, "/"+dir+"/") {
				order = append(order, file)
			}
		}
	}
	for n := range len(order) + 1 {
		for _, how := range []string{"--commit", "--branch=aside"} {
			name := strings.Trim(how, "-=aside") + string(rune('0'+n))
			w.mustGit(t, ".", "clone", "-q", "repo", name)
			for _, file := range order[:n] {
				if err := w.write(name, map[string]string{file: w.read(t, "whole", file)}); err != nil {
					t.Fatal(err)
				}
			}
			w.must(t, name, "bump", "app", w.commits[1], how)
			rev := "HEAD"
			if how != "--commit" {
				rev = "aside"
			}
			if got := w.mustGit(t, name, "rev-parse", rev+"^{tree}"); got != tree || w.mustGit(t, name, "status", "--porcelain") != "" {
				t.Errorf("%s after %d writes: another tree\n%s", how, n, w.mustGit(t, name, "status", "--porcelain"))
			}
			if got := w.mustGit(t, name, "rev-list", "--count", "origin/main.."+rev); got != "1" {
				t.Errorf("%s after %d writes: %s commits", how, n, got)
			}
		}
	}
}

// Killed at any moment, Git with it: no file is half written, and the same command again ends as one that was never
// killed. Where Git left its lock, the error names it.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.mustGit(t, ".", "clone", "-q", "repo", "whole")
	started := time.Now()
	w.must(t, "whole", "bump", "app", w.commits[1], "--commit")
	took := time.Since(started)
	tree := w.mustGit(t, "whole", "rev-parse", "HEAD^{tree}")
	w.mustGit(t, ".", "clone", "-q", "repo", "mine")
	times := 12
	if testing.Short() {
		times = 3
	}
	for i := range times {
		w.mustGit(t, "mine", "reset", "-q", "--hard", "origin/main")
		at := time.Duration(rand.Int64N(int64(took))) // any moment will do
		w.kill(t, at, "bump", "app", w.commits[1], "--commit")
		w.checkWhole(t, tree)
		done := w.tfgitops(t, "mine", "bump", "app", w.commits[1], "--commit")
		for range 3 {
			lock, rest, found := strings.Cut(done.stderr, " exists: wait for the other git process")
			if done.code == exitDone || !found {
				break
			}
			_ = rest
			lock = lock[strings.Index(lock, `"`)+1:]
			if err := os.Remove(strings.Trim(lock, `"`)); err != nil {
				t.Fatalf("the lock that is named cannot be removed: %v\n%s", err, done.stderr)
			}
			done = w.tfgitops(t, "mine", "bump", "app", w.commits[1], "--commit")
		}
		if done.code != exitDone {
			t.Fatalf("killed after %v, then exit code %d\n%s", at, done.code, done.stderr)
		}
		if got := w.mustGit(t, "mine", "rev-parse", "HEAD^{tree}"); got != tree || w.mustGit(t, "mine", "rev-list", "--count", "origin/main..HEAD") != "1" {
			t.Errorf("run %d, killed after %v: another state", i, at)
		}
		status := w.mustGit(t, "mine", "status", "--porcelain")
		for _, line := range lines(status) {
			if !strings.HasPrefix(line, "?? ") || !strings.HasSuffix(line, ".tmp") {
				t.Errorf("run %d, killed after %v: %s", i, at, status)
			}
		}
		w.must(t, "mine", "validate")
	}
}

// kill runs a command in mine and kills it and what it started after a while.
func (w *pinsWorld) kill(t *testing.T, after time.Duration, args ...string) {
	t.Helper()
	cmd := w.command("mine", "tfgitops", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
}

// checkWhole holds every pin and rendered file to be the old or the new one.
func (w *pinsWorld) checkWhole(t *testing.T, tree string) {
	t.Helper()
	for _, pattern := range []string{"clusters/*/pins/*.yaml", "clusters/*/manifests/*.yaml"} {
		files, err := filepath.Glob(w.path("mine", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%v, %d files", err, len(files))
		}
		for _, file := range files {
			name, _ := filepath.Rel(w.path("mine"), file)
			content := strings.TrimSpace(w.read(t, "mine", name))
			if content != w.mustGit(t, "whole", "show", tree+":"+name) && content != w.mustGit(t, "repo", "show", "HEAD:"+name) {
				t.Errorf("%s is neither the old nor the new one:\n%s", name, content)
			}
		}
	}
}

// A full disk: an error that names the file, nothing half-written, and the same command succeeds once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	disk := w.path("disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skip("no small disk can be mounted here:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	w.mustGit(t, ".", "clone", "-q", "repo", "disk/repo")
	before := w.state(t, "disk/repo")
	filler := w.path("disk", "filler")
	fill(t, filler)
	done := w.tfgitops(t, "disk/repo", "bump", "app", w.commits[1])
	if done.code != exitFailed || !strings.Contains(done.stderr, "cannot write clusters/beta/pins/app.yaml") || !strings.Contains(done.stderr, "no space left") {
		t.Errorf("exit code %d\n%s", done.code, done.stderr)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if after := w.state(t, "disk/repo"); after != before {
		t.Errorf("it left\n%s", after)
	}
	w.must(t, "disk/repo", "bump", "app", w.commits[1], "--commit")
}

// fill writes until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
