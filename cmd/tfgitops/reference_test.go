package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the reference pages instead of comparing them")

// commandsTemplate is docs/reference/commands.md.
//
//go:embed testdata/commands.md.tmpl
var commandsTemplate string

// TestReferencePages holds docs/reference/commands.md and man/ to what the commands say of themselves. It makes them,
// too, with -update: cobra's documentation code is no part of the program then.
func TestReferencePages(t *testing.T) {
	t.Parallel()
	const commandsPage, manFolder = "../../docs/reference/commands.md", "../../man"
	pages := manPages(t)
	for name, content := range pages {
		comparePage(t, filepath.Join(manFolder, name), content)
	}
	comparePage(t, commandsPage, renderCommands(t))
	present, err := filepath.Glob(filepath.Join(manFolder, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range present {
		if _, wanted := pages[filepath.Base(file)]; !wanted {
			removePage(t, file)
		}
	}
}

func comparePage(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		writePage(t, file, want)
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%v: run make generate", err)
	} else if difference := cmp.Diff(string(got), string(want)); difference != "" {
		t.Errorf("%s is not what the commands say: run make generate (-checked in +generated)\n%s", file, difference)
	}
}

func writePage(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func removePage(t *testing.T, file string) {
	t.Helper()
	if !*update {
		t.Errorf("%s belongs to no command: run make generate", file)
	} else if err := os.Remove(file); err != nil {
		t.Error(err)
	}
}

// documentedRoot is the whole tree of commands, cobra's completion command included.
func documentedRoot() *cobra.Command {
	root := newRootCmd(deps{out: io.Discard, err: io.Discard})
	root.InitDefaultCompletionCmd()
	return root
}

// manPages returns the man pages by file name. Their date is fixed, so that the same commands give the same bytes.
func manPages(t *testing.T) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	date := time.Date(2026, time.August, 1, 0, 0, 0, 0, time.UTC)
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "tfgitops", Manual: "tfgitops"}
	if err := doc.GenManTree(documentedRoot(), header, dir); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string][]byte{}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		pages[file.Name()] = content
	}
	return pages
}

func renderCommands(t *testing.T) []byte {
	t.Helper()
	page, err := template.New("commands").Funcs(template.FuncMap{
		"anchor": func(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") },
		"usage": func(c *cobra.Command) string {
			return strings.TrimSuffix(strings.TrimPrefix(c.UseLine(), "tfgitops "), " [flags]")
		},
		"cell": tableCell,
		"dedent": func(example string) string {
			return strings.TrimPrefix(strings.ReplaceAll(example, "\n  ", "\n"), "  ")
		},
		"flags": flagTable,
		"text":  func(long string) string { return strings.ReplaceAll(strings.TrimSpace(long), "/*/", `/\*/`) },
	}).Parse(commandsTemplate)
	if err != nil {
		t.Fatal(err)
	}
	root := documentedRoot()
	var out bytes.Buffer
	if err := page.Execute(&out, map[string]any{
		"Root": root, "Commands": leaves(root),
		"Done": exitDone, "Found": exitFound, "Failed": exitFailed, "Refused": exitRefused,
	}); err != nil {
		t.Fatal(err)
	}
	return append(bytes.TrimSpace(out.Bytes()), '\n')
}

// leaves are the commands that do something, not those that only hold others, in the order of their names.
func leaves(c *cobra.Command) []*cobra.Command {
	var found []*cobra.Command
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() && !child.HasSubCommands() {
			found = append(found, child)
		}
		found = append(found, leaves(child)...)
	}
	slices.SortFunc(found, func(a, b *cobra.Command) int { return strings.Compare(a.CommandPath(), b.CommandPath()) })
	return found
}

// flagTable is a Markdown table of the flags, or nothing where there are none.
func flagTable(flags *pflag.FlagSet) string {
	var rows strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			rows.WriteString(flagRow(f))
		}
	})
	if rows.Len() == 0 {
		return ""
	}
	return "| flag | default | does |\n|---|---|---|\n" + rows.String()
}

func flagRow(f *pflag.Flag) string {
	placeholder, does := pflag.UnquoteUsage(f)
	name := strings.TrimSpace("--" + f.Name + " " + placeholder)
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	preset := ""
	if !slices.Contains([]string{"", "false", "[]", "0", "0s"}, f.DefValue) {
		preset = "`" + f.DefValue + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s |\n", name, preset, tableCell(does))
}

func tableCell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`).Replace(text)
}

// TestEveryCommandIsDescribed holds what the pages and the completion rely on.
func TestEveryCommandIsDescribed(t *testing.T) {
	t.Parallel()
	for _, c := range leaves(documentedRoot()) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its short description is %q", c.CommandPath(), c.Short)
		}
		if c.Parent().Name() != "completion" && c.Name() != "version" && (c.Long == "" || c.Example == "") {
			t.Errorf("%s has no long description or no example", c.CommandPath())
		}
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s is not described", c.CommandPath(), f.Name)
			}
		})
	}
}
