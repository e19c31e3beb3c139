package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/scaffold"
)

// printPlan says what a plan changed, and what else people should know.
func printPlan(messages io.Writer, plan scaffold.Plan) {
	for _, change := range plan.Changes {
		fmt.Fprintf(messages, "%s %s\n", change.Verb(), change.Path)
	}
	printNotes(messages, plan)
}

func printNotes(messages io.Writer, plan scaffold.Plan) {
	for _, note := range plan.Notes {
		fmt.Fprintln(messages, note)
	}
}

// printNext says which command of ours to type next, for the same control repo.
func (o *options) printNext(messages io.Writer, format string, args ...any) {
	command := "tfgitops "
	if o.dir != "" {
		command += "-C " + shellWord(o.dir) + " "
	}
	fmt.Fprintf(messages, "next: %s\n", command+fmt.Sprintf(format, args...))
}

// gitCommand is the command that commits exactly the plan's files, with a message of subject and body.
func gitCommand(root *os.Root, plan scaffold.Plan, message string) string {
	subject, body, _ := strings.Cut(strings.TrimSpace(message), "\n\n")
	words := []string{"git"}
	if !isCurrent(root) {
		words = append(words, "-C", shellWord(root.Name()))
	}
	words = append(words, "commit", "-m", shellWord(subject), "-m", shellWord(body), "--")
	for _, change := range plan.Changes {
		words = append(words, shellWord(change.Path))
	}
	return strings.Join(words, " ")
}

func isCurrent(root *os.Root) bool {
	here, err := os.Stat(".")
	there, rootErr := root.Stat(".")
	return err == nil && rootErr == nil && os.SameFile(here, there)
}

var plainWord = regexp.MustCompile(`^[-A-Za-z0-9_./:,@+=]+$`)

// shellWord is text as one word for a POSIX shell.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// runGroup is what a command does that only has commands below it.
func runGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return usageError{fmt.Errorf("there is no command %q; see `%s --help`", cmd.CommandPath()+" "+args[0], cmd.CommandPath())}
}
