package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// Many at once: each a change of its own, what was left alone is listed, and nothing is installed that was not asked for.
func TestAll(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.components(t, 3)
	files := map[string]string{
		"components/cli/component.yaml": "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Component\nmetadata: {name: cli}\nspec: {external: Debian package}\n",
	}
	if err := w.write("repo", files); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"beta/pins/c3.yaml", "beta/values/c3.yaml", "local/pins/c3.yaml", "local/values/c3.yaml", "prod/pins/c2.yaml"} {
		if err := os.Remove(w.path("repo/clusters", file)); err != nil {
			t.Fatal(err)
		}
	}
	w.must(t, "repo", "render")
	w.mustGit(t, "repo", "add", "-A")
	w.mustGit(t, "repo", "commit", "-q", "-m", "Fewer pins")

	done := w.must(t, "repo", "bump", "--all", "latest", "--commit")
	for _, text := range []string{"app: bump to " + w.version(2), "c1: bump to " + w.version(2), "c2: bump to " + w.version(2), "c3: skipped: component \"c3\" is installed on none of [beta local]"} {
		if !strings.Contains(done.stderr, text) {
			t.Errorf("%q is not said:\n%s", text, done.stderr)
		}
	}
	if got := w.mustGit(t, "repo", "log", "-3", "--reverse", "--format=%s"); got != fmt.Sprintf("app: bump to %[1]s\nc1: bump to %[1]s\nc2: bump to %[1]s", w.version(2)) {
		t.Errorf("commits:\n%s", got)
	}
	again := w.must(t, "repo", "bump", "--all", "latest", "--commit")
	for _, name := range []string{"app", "c1", "c2"} {
		if !strings.Contains(again.stderr, name+": skipped: already pinned to "+w.version(2)) {
			t.Errorf("%s:\n%s", name, again.stderr)
		}
	}

	done = w.must(t, "repo", "promote", "--all", "--commit")
	for _, text := range []string{"app: promote " + w.version(2) + " to prod", "c1: promote", "c2: skipped: component \"c2\" is installed on none of [prod]", "c3: skipped: component \"c3\" is not installed on cluster \"beta\" of stage \"test\""} {
		if !strings.Contains(done.stderr, text) {
			t.Errorf("%q is not said:\n%s", text, done.stderr)
		}
	}
	for _, file := range []string{"clusters/prod/pins/c2.yaml", "clusters/beta/pins/c3.yaml", "clusters/prod/pins/cli.yaml"} {
		if _, err := os.Stat(w.path("repo", file)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was made without --install", file)
		}
	}
	w.must(t, "repo", "promote", "c2", "--install", "--commit")
	w.must(t, "repo", "validate")
}

// Of many, what is refused counts as refused only where nothing failed.
func TestExitCodesOfAll(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2)
	w.components(t, 1)
	for _, c := range []struct {
		name   string
		before []string
		args   []string
		want   int
		says   string
	}{
		{"one is held", []string{"hold", "c1", "--cluster", "beta", "--reason", "x", "--commit"}, []string{"bump", "--all", "latest", "--dry-run"}, exitRefused, "c1: refused by hold on beta"},
		{"one is held, and overridden", nil, []string{"bump", "--all", "latest", "--dry-run", "--override", "hold", "--reason", "y"}, exitDone, "overridden: hold on beta"},
		{"none is published", nil, []string{"bump", "--all", "0.0.9-20260809120000-deadbeef", "--dry-run"}, exitFailed, "not published"},
		{"a cluster that there is not", nil, []string{"bump", "--all", "latest", "--cluster", "nowhere"}, exitFailed, `there is no cluster "nowhere"`},
		{"a rule that there is not", nil, []string{"bump", "--all", "latest", "--override", "nowhere", "--reason", "x"}, exitFailed, `there is no rule "nowhere"`},
		{"a component and --all", nil, []string{"bump", "--all", "app", "latest"}, exitFailed, "write `tfgitops bump"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.before != nil {
				w.must(t, "repo", c.before...)
			}
			done := w.tfgitops(t, "repo", c.args...)
			if done.code != c.want || !strings.Contains(done.stderr, c.says) {
				t.Errorf("exit code %d, want %d and %q\n%s", done.code, c.want, c.says, done.stderr)
			}
		})
	}
	t.Run("one is held, one fails", func(t *testing.T) {
		file := "components/app/component.yaml"
		if err := w.write("repo", map[string]string{file: strings.Replace(w.read(t, "repo", file), "repository: apps", "repository: apps, chart: nosuch", 1)}); err != nil {
			t.Fatal(err)
		}
		w.mustGit(t, "repo", "commit", "-q", "-a", "-m", "no such chart")
		if done := w.tfgitops(t, "repo", "bump", "--all", "latest", "--dry-run"); done.code != exitFailed || !strings.Contains(done.stderr, "refused by hold") {
			t.Errorf("exit code %d\n%s", done.code, done.stderr)
		}
	})
}

// At a terminal a rollback offers the last five versions; nowhere else does it ask.
func TestRollbackAtATerminal(t *testing.T) {
	t.Parallel()
	w := worldForTest(t, 2, 3, 4, 5, 6)
	for n := 2; n <= builds; n++ {
		w.must(t, "repo", "bump", "app", w.commits[n-1], "--cluster", "beta", "--commit")
	}
	rollback := []string{"rollback", "app", "--cluster", "beta", "--dry-run"}
	for _, c := range []struct {
		name, answer string
		to           int // 0: an error
	}{
		{"the default", "\n", 5},
		{"the second", "2\n", 4},
		{"the last", "5\n", 1},
		{"with spaces", " 3 \n", 3},
		{"none of them", "6\n", 0},
		{"zero", "0\n", 0},
		{"no number", "yes\n", 0},
		{"gone", "\x04", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said, code := w.atTerminal(t, c.answer, rollback...)
			for n := 1; n <= 5; n++ {
				if !strings.Contains(said, fmt.Sprintf("  %d) %s  since ", 6-n, w.version(n))) {
					t.Errorf("build %d is not offered:\n%s", n, said)
				}
			}
			switch {
			case c.to == 0 && code != exitFailed:
				t.Errorf("exit code %d\n%s", code, said)
			case c.to != 0 && (code != exitDone || !strings.Contains(said, "app: roll back to "+w.version(c.to)+" on beta")):
				t.Errorf("exit code %d, want build %d\n%s", code, c.to, said)
			}
		})
	}
	t.Run("no terminal", func(t *testing.T) {
		t.Parallel()
		done := w.must(t, "repo", rollback...) // /dev/null is a device, but nobody sits there
		if strings.Contains(done.stderr, "number") || !strings.Contains(done.stderr, "roll back to "+w.version(5)) {
			t.Error(done.stderr)
		}
	})
	t.Run("Ctrl-C", func(t *testing.T) {
		t.Parallel()
		said, code := w.interruptedAt(t, "number [1]: ", rollback...)
		if code != exitFailed || !strings.Contains(said, "number [1]: ") || strings.Contains(said, "roll back to") {
			t.Errorf("exit code %d\n%s", code, said)
		}
	})
	t.Run("named", func(t *testing.T) {
		t.Parallel()
		if said, code := w.atTerminal(t, "", append(rollback, "--to", w.version(3))...); code != exitDone || strings.Contains(said, "number") {
			t.Errorf("exit code %d\n%s", code, said)
		}
	})
}

// atTerminal runs a command as a person does who types one answer.
func (w *pinsWorld) atTerminal(t *testing.T, answer string, args ...string) (said string, code int) {
	t.Helper()
	cmd, terminal := w.startAtTerminal(t, args...)
	if _, err := io.WriteString(terminal, answer); err != nil {
		t.Fatal(err)
	}
	heard, _ := io.ReadAll(terminal) // which ends with an error where the terminal goes away
	_ = cmd.Wait()
	return strings.ReplaceAll(string(heard), "\r\n", "\n"), cmd.ProcessState.ExitCode()
}

// interruptedAt runs a command as a person does who presses Ctrl-C when asked something. The exit code is -1 if it went on
// asking and had to be killed.
func (w *pinsWorld) interruptedAt(t *testing.T, prompt string, args ...string) (said string, code int) {
	t.Helper()
	cmd, terminal := w.startAtTerminal(t, args...)
	var heard strings.Builder
	for buffer, err := make([]byte, 1024), error(nil); err == nil; {
		var n int
		n, err = terminal.Read(buffer) // which ends with an error where the terminal goes away
		before := strings.Contains(heard.String(), prompt)
		heard.Write(buffer[:n])
		if !before && strings.Contains(heard.String(), prompt) {
			if _, err := io.WriteString(terminal, "\x03"); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	return strings.ReplaceAll(heard.String(), "\r\n", "\n"), cmd.ProcessState.ExitCode()
}

// startAtTerminal starts a command at a terminal of its own. It is killed where it does not end in time.
func (w *pinsWorld) startAtTerminal(t *testing.T, args ...string) (*exec.Cmd, *os.File) {
	t.Helper()
	cmd := w.command("repo", "tfgitops", args...)
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Skip("no pseudo-terminal here:", err)
	}
	killed := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		killed.Stop()
		_ = terminal.Close()
	})
	return cmd, terminal
}
