package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// completionRepo is a control repo with the least that completion reads, and one broken component.
func completionRepo(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"tfgitops.yaml":                   "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: ControlRepo\nmetadata: {name: x}\nspec: {}\n",
		"clusters/test/cluster.yaml":      "never read",
		"clusters/prod/cluster.yaml":      "never read",
		"clusters/README.md":              "no folder",
		"components/one/component.yaml":   "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: Component\nmetadata: {name: one}\nspec: {releases: [{name: app}, {name: db}]}\n",
		"components/other/component.yaml": "{{ broken",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// complete asks the program as a shell does, and returns the words it offers and the directive behind them. Two commands
// that only take components and releases are added, for what pin-changing commands use.
func complete(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	var out, messages bytes.Buffer
	root := newRootCmd(deps{out: &out, err: &messages, getenv: os.Getenv})
	o := &options{dir: dir}
	run := func(*cobra.Command, []string) {}
	root.AddCommand(
		&cobra.Command{Use: "components", Run: run, ValidArgsFunction: o.completeComponents},
		&cobra.Command{Use: "releases", Run: run, ValidArgsFunction: o.completeReleases},
	)
	root.SetArgs(append([]string{cobra.ShellCompRequestCmd, "-C", dir}, args...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v fails loudly: %v", args, err)
	}
	return strings.Fields(out.String())
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	repo, noRepo := completionRepo(t), t.TempDir()
	const only = ":4" // cobra.ShellCompDirectiveNoFileComp: no file names beside these
	for _, c := range []struct {
		name string
		dir  string
		args []string
		want []string
	}{
		{"clusters", repo, []string{"render", ""}, []string{"prod", "test", only}},
		{"clusters not given yet", repo, []string{"render", "prod", ""}, []string{"test", only}},
		{"clusters without a control repo", noRepo, []string{"render", ""}, []string{only}},
		{"components", repo, []string{"components", ""}, []string{"one", "other", only}},
		{"components not given yet", repo, []string{"components", "other", ""}, []string{"one", only}},
		{"components without a control repo", noRepo, []string{"components", ""}, []string{only}},
		{"components before the slash", repo, []string{"releases", "o"}, []string{"one", "other", only}},
		{"releases behind the slash", repo, []string{"releases", "one/"}, []string{"one/app", "one/db", only}},
		{"releases of a broken component", repo, []string{"releases", "other/"}, []string{only}},
		{"releases of no component", repo, []string{"releases", "none/"}, []string{only}},
		{"releases of a path", repo, []string{"releases", "../one/"}, []string{only}},
		{"nothing behind a release", repo, []string{"releases", "one/app", ""}, []string{only}},
		{"kinds", noRepo, []string{"schema", ""}, []string{"controlrepo", "component", "cluster", "pin", only}},
		{"nothing behind a kind", noRepo, []string{"schema", "pin", ""}, []string{only}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if difference := cmp.Diff(c.want, complete(t, c.dir, c.args...)); difference != "" {
				t.Errorf("(-want +got)\n%s", difference)
			}
		})
	}
}

// TestCompletionScripts holds that every shell's script is there and asks for descriptions.
func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out, messages bytes.Buffer
		if code := run(t.Context(), []string{"completion", shell}, deps{out: &out, err: &messages, getenv: os.Getenv}); code != exitDone {
			t.Errorf("completion %s: exit code %d: %s", shell, code, &messages)
		}
		if !strings.Contains(out.String(), "tfgitops") || strings.Contains(out.String(), cobra.ShellCompNoDescRequestCmd) {
			t.Errorf("completion %s gives\n%s", shell, &out)
		}
	}
}
