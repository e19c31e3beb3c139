package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// pinFlags are the flags that every command has that changes pins.
type pinFlags struct {
	scope     bump.Scope
	install   bool
	overrides []string
	reason    string
	delivery  bump.Delivery
	remote    string
	mr        mergeRequestFlags
	live      gateFlags
}

func (f *pinFlags) register(cmd *cobra.Command, o *options) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.scope.Clusters, "cluster", nil, "on this `CLUSTER` (repeatable)")
	flags.StringVar(&f.scope.Stage, "stage", "", "on the clusters of this `STAGE`, with its followers")
	flags.StringVar(&f.scope.Through, "through", "", "on every stage up to this `STAGE`")
	flags.BoolVar(&f.scope.All, "all-clusters", false, "on every cluster")
	flags.BoolVar(&f.install, "install", false, "install the component where it is not pinned yet")
	flags.StringSliceVar(&f.overrides, "override", nil, "go on past this safety `RULE` (repeatable, with --reason)")
	flags.StringVar(&f.reason, "reason", "", "why, for the record: `TEXT`")
	f.registerDelivery(cmd)
	cmd.MarkFlagsMutuallyExclusive("cluster", "stage", "through", "all-clusters")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("override", cobra.FixedCompletions(ruleNames(), cobra.ShellCompDirectiveNoFileComp))
}

// registerDelivery registers the flags that say how far a change is carried out.
func (f *pinFlags) registerDelivery(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.delivery.DryRun, "dry-run", false, "change nothing")
	flags.BoolVar(&f.delivery.Commit, "commit", false, "make a commit of exactly the changed files")
	flags.StringVar(&f.delivery.Branch, "branch", "", "make the commit on a new branch of this `NAME` (implies --commit)")
	flags.BoolVar(&f.delivery.Push, "push", false, "push the branch, named after the change unless --branch says otherwise (implies --commit)")
	flags.BoolVar(&f.delivery.Direct, "direct", false, "push to the main branch itself (implies --push)")
	flags.StringVar(&f.remote, "remote", "origin", "the Git `REMOTE` to push to")
	cmd.MarkFlagsMutuallyExclusive("branch", "direct")
	f.mr.register(cmd)
}

func ruleNames() []string {
	var names []string
	for _, rule := range bump.Rules() {
		names = append(names, rule.Name)
	}
	return names
}

// fill puts what the flags say into a request.
func (f *pinFlags) fill(request *bump.Request) {
	request.Scope, request.Install = f.scope, f.install
	for _, rule := range f.overrides {
		if request.Overrides == nil {
			request.Overrides = map[string]string{}
		}
		request.Overrides[rule] = f.reason
	}
}

func (f *pinFlags) how() bump.Delivery {
	delivery := f.delivery
	delivery.Push = delivery.Push || f.mr.open
	if (delivery.Push || delivery.Direct) && delivery.Branch == "" {
		delivery.Branch = bump.DefaultBranch
	}
	return delivery
}

// openWorkspace opens the control repo with all that changing pins needs.
func (o *options) openWorkspace(ctx context.Context, f *pinFlags) (*bump.Workspace, func(), error) {
	root, err := o.openRoot()
	if err != nil {
		return nil, nil, err
	}
	ws := &bump.Workspace{Root: root, Remote: f.remote, Jitter: rand.Float64, Planner: o.planner()}
	ws.Planner.Gates = f.live.gates(o, root.FS())
	repo, err := gitrepo.Open(ctx, root.Name())
	switch {
	case err == nil:
		ws.Git, ws.Planner.History, ws.Planner.Head = repo, repo, "HEAD"
	case !errors.Is(err, gitrepo.ErrNotRepository) && !errors.Is(err, gitrepo.ErrNoGit):
		_ = root.Close()
		return nil, nil, err
	}
	return ws, func() {
		if ws.Git != nil {
			_ = ws.Git.Close()
		}
		_ = root.Close()
	}, nil
}

func (o *options) planner() *bump.Planner {
	clock := artifact.SystemClock{}
	return &bump.Planner{
		Registries: artifact.New(artifact.Options{UserAgent: "tfgitops/" + version(), Cache: artifact.NewCache(filepath.Join(o.cacheDir(), "charts"), 0, clock)}),
		OpenSource: func(ctx context.Context, url string) (bump.Source, error) {
			return gitrepo.OpenSource(ctx, url, o.sourcesDir())
		},
		Now: o.now, Clock: clock, Progress: o.progress(),
	}
}

// cacheDir is where downloads are kept between runs.
func (o *options) cacheDir() string {
	if dir := o.getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tfgitops")
	}
	return filepath.Join(o.getenv("HOME"), ".cache", "tfgitops")
}

// progress tells a person at a terminal what takes time, and nobody else.
func (o *options) progress() func(string) {
	if !isTerminal(o.err) {
		return nil
	}
	return func(text string) { fmt.Fprintln(o.err, "…", text) }
}

// isTerminal reports whether a person is at the other end; /dev/null is a device, too.
func isTerminal(stream any) bool {
	if hides, ok := stream.(hiding); ok {
		stream = hides.Writer
	}
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// do carries out a request and shows what came of it.
func (o *options) do(cmd *cobra.Command, f *pinFlags, request bump.Request) error {
	ws, done, err := o.openWorkspace(cmd.Context(), f)
	if err != nil {
		return err
	}
	defer done()
	proposer, err := o.proposer(cmd, f, ws) // before anything is pushed
	if err != nil {
		return err
	}
	outcomes, err := o.deliver(cmd, f, ws, request)
	for _, outcome := range outcomes {
		if outcome.Plan != nil {
			showPlan(cmd.ErrOrStderr(), outcome.Plan)
		}
		if err != nil && outcome == outcomes[len(outcomes)-1] {
			break // it is what the error is about
		}
		if shown := o.show(cmd, f, proposer, outcome); shown != nil {
			return shown
		}
	}
	return usageOr(err)
}

// show shows an outcome, and opens its merge request where one is asked for.
func (o *options) show(cmd *cobra.Command, f *pinFlags, p *proposer, outcome *bump.Outcome) error {
	if err := o.showOutcome(cmd, f, outcome); err != nil {
		return err
	}
	return p.propose(cmd.Context(), cmd.ErrOrStderr(), outcome)
}

// usageOr keeps the exit code of a mistake in the command line.
func usageOr(err error) error {
	if errors.Is(err, bump.ErrUsage) {
		return usageError{err}
	}
	return err
}

func showPlan(out io.Writer, plan *bump.Plan) {
	if len(plan.Changed()) > 0 {
		fmt.Fprintln(out, plan.Subject())
	}
	width := 0
	for _, change := range plan.Changes {
		width = max(width, len(change.Cluster))
	}
	for _, change := range plan.Changes {
		text := change.From() + " → " + change.To()
		if change.Unchanged != "" {
			text = change.Unchanged
		} else if change.From() == change.To() {
			text = "still " + change.To()
		}
		fmt.Fprintf(out, "  %-*s  %s\n", width, change.Cluster, text)
	}
	showChangelog(out, plan.Changelog)
	for _, text := range plan.Said {
		fmt.Fprintln(out, "note:", text)
	}
	for _, refusal := range bump.Merged(plan.Refusals) {
		if refusal.Overridden() {
			fmt.Fprintf(out, "overridden: %s: %s\n", refusal.Where(), refusal.Message)
		}
	}
}

func showChangelog(out io.Writer, changelog *bump.Changelog) {
	if changelog == nil {
		return
	}
	for _, commit := range changelog.Commits {
		fmt.Fprintf(out, "  - %s (%s, %s)\n", commit.Subject, commit.ID[:8], commit.Author)
	}
	if changelog.More > 0 {
		fmt.Fprintf(out, "  - and %d older ones\n", changelog.More)
	}
	if changelog.Compare != "" {
		fmt.Fprintln(out, " ", changelog.Compare)
	}
}

// showOutcome prints the diff that a reviewer reads, and says what was done and what to type next.
func (o *options) showOutcome(cmd *cobra.Command, f *pinFlags, outcome *bump.Outcome) error {
	messages := cmd.ErrOrStderr()
	for _, change := range outcome.Changes {
		if _, err := io.WriteString(cmd.OutOrStdout(), change.Diff()); err != nil {
			return err
		}
	}
	switch {
	case len(outcome.Changes) == 0:
		fmt.Fprintln(messages, "nothing to do")
	case f.delivery.DryRun:
		fmt.Fprintf(messages, "%s change; nothing was written (--dry-run)\n", countFiles(len(outcome.Changes), "would", "would"))
	case outcome.Pushed && f.delivery.Direct:
		fmt.Fprintf(messages, "pushed %s to %s of %s\nnext: git pull\n", short(outcome.Commit), outcome.Branch, f.remote)
	case outcome.Pushed:
		if !outcome.There { // the plan said so
			fmt.Fprintf(messages, "pushed %s to %s of %s\n", short(outcome.Commit), outcome.Branch, f.remote)
		}
		if !f.mr.open {
			fmt.Fprintf(messages, "next: %s --merge-request\n", commandLine(cmd))
		}
	case outcome.Branch != "":
		fmt.Fprintf(messages, "committed %s on branch %s\nnext: git push %s %s\n", short(outcome.Commit), outcome.Branch, f.remote, outcome.Branch)
	case outcome.Commit != "":
		fmt.Fprintf(messages, "committed %s\nnext: git push\n", short(outcome.Commit))
	default:
		for _, change := range outcome.Changes {
			fmt.Fprintf(messages, "%s %s\n", change.Verb(), change.Path)
		}
		fmt.Fprintf(messages, "next: %s --commit\n", commandLine(cmd))
	}
	return nil
}

func short(id string) string { return id[:min(len(id), 12)] }

// commandLine is the command as it was typed, for a person to add to.
func commandLine(cmd *cobra.Command) string {
	words := []string{cmd.CommandPath()}
	for _, arg := range cmd.Flags().Args() {
		words = append(words, shellQuote(arg))
	}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name == "dry-run" {
			return
		}
		for _, value := range flagValues(flag) {
			words = append(words, "--"+flag.Name+value)
		}
	})
	return strings.Join(words, " ")
}

// flagValues returns how each value of a flag is written behind its name.
func flagValues(flag *pflag.Flag) []string {
	if list, isList := flag.Value.(interface{ GetSlice() []string }); isList {
		var values []string
		for _, value := range list.GetSlice() {
			values = append(values, " "+shellQuote(value))
		}
		return values
	}
	if flag.Value.Type() == "bool" {
		return []string{""}
	}
	return []string{" " + shellQuote(flag.Value.String())}
}

// shellQuote makes a word that a shell reads as it is.
func shellQuote(word string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !safe(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
