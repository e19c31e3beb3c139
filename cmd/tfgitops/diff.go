package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

// diffFlags are the flags of diff.
type diffFlags struct {
	clusters, components []string
	output               string
	failOn               string
	exitCode             bool
	charts, offline      bool
	commits, noise       bool
	workers              int
	live                 bool
	kubeconfig           string
	post                 postFlags
}

func newDiffCmd(o *options) *cobra.Command {
	f := &diffFlags{output: "text"}
	cmd := &cobra.Command{
		Use:     "diff [BASE [HEAD]]",
		Short:   "Show what a change does to each cluster, the dangerous parts first",
		GroupID: groupRepo,
		Long: `Diff compares what Flux applies to each cluster on two sides, and with --charts what Helm applies too. BASE is a Git
revision, by default the merge base with the main branch; HEAD another, by default the working tree. What is the same on
several clusters is shown once. docs/reference/risks.md lists the risk rules; a component silences one in its file. The
schema of what -o json writes is docs/reference/diff.schema.json.

Secrets are never shown: a fingerprint says whether one changed. Those of one machine can be compared with each other, and
those of machines with the same TFGITOPS_FINGERPRINT_KEY. What charts expand to is kept in the cache, sealed with that key.

With --live it compares what Helm last installed on one cluster, as Helm's own record there says, with what the working tree
would have Helm install: what somebody upgraded by hand shows before Flux undoes it. It needs the right to read Secrets
there. Changes made with kubectl are in no record; status calls them drifted.`,
		Example: `  tfgitops diff
  tfgitops diff main my-branch --charts --fail-on high
  tfgitops diff --charts -o markdown > note.md
  tfgitops diff --charts --post
  tfgitops diff v1 v2 --cluster tools --component jobs-api -o html > diff.html
  tfgitops diff --live --cluster tools --component jobs-api`,
		Args: usageArgs(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.live {
				return o.diffLive(cmd, f, args)
			}
			return o.diff(cmd, f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.clusters, "cluster", nil, "only this `CLUSTER` (repeatable)")
	flags.StringSliceVar(&f.components, "component", nil, "only this `COMPONENT` (repeatable)")
	flags.StringVarP(&f.output, "output", "o", f.output, "the output `FORMAT`: "+formatNames())
	flags.StringVar(&f.failOn, "fail-on", "", "exit 3 if there is a risk of this `SEVERITY` or a graver one: high, medium or low")
	flags.BoolVar(&f.exitCode, "exit-code", false, "exit 1 if anything differs")
	flags.BoolVar(&f.charts, "charts", false, "expand the charts of changed releases, and compare what Helm applies")
	flags.BoolVar(&f.offline, "offline", false, "ask no registry: take charts from the cache only")
	flags.BoolVar(&f.commits, "commits", false, "fetch the components' sources for the commits between old and new pins; without it, those that bump fetched are listed")
	flags.BoolVar(&f.noise, "noise", false, "list what text only counts where there is much: low risks, and changes that follow from others, as checksums")
	flags.BoolVar(&f.live, "live", false, "compare what Helm last installed on one cluster with the working tree")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "with --live: the kubeconfig `FILE` (default: kubectl's)")
	flags.IntVar(&f.workers, "workers", 0, "do `N` things at once (default: as many as there are processors)")
	f.post.register(cmd)
	_ = cmd.MarkFlagFilename("kubeconfig")
	for _, other := range []string{"fail-on", "commits", "charts", "post"} {
		cmd.MarkFlagsMutuallyExclusive("live", other)
	}
	cmd.MarkFlagsMutuallyExclusive("offline", "commits")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("component", o.completeComponents)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(strings.Split(formatNames(), ", "), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions([]string{"high", "medium", "low"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func formatNames() string {
	var names []string
	for _, format := range diff.Formats() {
		names = append(names, string(format))
	}
	return strings.Join(names, ", ")
}

// usageArgs makes a wrong number of arguments a mistake in the command line.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
		}
		return nil
	}
}

func (f *diffFlags) check() error {
	if !diff.KnownFormat(diff.Format(f.output)) {
		return usageError{fmt.Errorf("there is no output format %q: write one of %s", f.output, formatNames())}
	}
	if f.failOn != "" && !slices.Contains(diff.Severities(), diff.Severity(f.failOn)) {
		return usageError{fmt.Errorf("there is no severity %q: write high, medium or low", f.failOn)}
	}
	if f.workers < 0 {
		return usageError{fmt.Errorf("--workers %d: write 1 or more", f.workers)}
	}
	return nil
}

func (o *options) diff(cmd *cobra.Command, f *diffFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	ctx := cmd.Context()
	root, err := o.openRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	repo, err := gitrepo.Open(ctx, root.Name())
	if err != nil {
		return err
	}
	defer repo.Close()
	base, head, err := sides(ctx, root, repo, args)
	if err != nil {
		return err
	}
	settings, err := o.diffOptions(f)
	if err != nil {
		return err
	}
	poster, err := f.post.poster(ctx, o, checkedOut)
	if err != nil {
		return err
	}
	report, err := diff.Compare(ctx, base, head, settings)
	if err != nil {
		if errors.Is(err, diff.ErrUnknownName) {
			return usageError{err}
		}
		return err
	}
	if err := diff.Write(cmd.OutOrStdout(), diff.Format(f.output), report, f.style(o)); err != nil {
		return err
	}
	return posted(cmd.ErrOrStderr(), f.outcome(report), poster.post(ctx, cmd.ErrOrStderr(), "diff", diff.MarkdownParts(report, 0)...))
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// riskError is a change that --fail-on refuses.
type riskError struct{ text string }

func (e *riskError) Error() string { return e.text }

// Refused makes it exit 3.
func (e *riskError) Refused() bool { return true }

func (f *diffFlags) outcome(r *diff.Report) error {
	if f.failOn != "" {
		grave := 0
		for _, risk := range r.Risks {
			if risk.Severity.AtLeast(diff.Severity(f.failOn)) {
				grave++
			}
		}
		if grave > 0 {
			return &riskError{fmt.Sprintf("refused by --fail-on %s: %s (a component may silence a rule, with the reason, in its component.yaml)", f.failOn, countOf(grave, "such risk", "such risks"))}
		}
		if len(r.Problems) > 0 {
			return &riskError{fmt.Sprintf("refused by --fail-on %s: %s could not be compared, so not every risk is known", f.failOn, countOf(len(r.Problems), "thing", "things"))}
		}
	}
	if f.exitCode && r.Differs() {
		return errFound
	}
	return nil
}

func (o *options) diffOptions(f *diffFlags) (diff.Options, error) {
	key, lasts, err := o.secretKey()
	if err != nil {
		return diff.Options{}, err
	}
	settings := diff.Options{Clusters: f.clusters, Components: f.components, Workers: f.workers, Key: key}
	if f.charts {
		settings.Charts = o.charts(f.offline)
		settings.Renders, err = o.renders(key, lasts)
	}
	switch {
	case f.live: // Helm's records name no commits
	case f.commits:
		settings.Changelog = o.changelog
	default:
		settings.Changelog = o.cachedChangelog
	}
	return settings, err
}

// charts asks registries for charts, through the cache.
func (o *options) charts(offline bool) *artifact.Client {
	clock := artifact.SystemClock{}
	return artifact.New(artifact.Options{
		UserAgent: "tfgitops/" + version(), Offline: offline,
		Cache: artifact.NewCache(filepath.Join(o.cacheDir(), "charts"), 0, clock), Clock: clock,
	})
}

// style is how the output's reader wants it.
func (o *options) style() diff.Style {
	file, isFile := o.out.(*os.File)
	if !isFile || !isTerminal(file) {
		return diff.Style{}
	}
	style := diff.Style{Colour: o.getenv("NO_COLOR") == "" && o.getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(file.Fd())); err == nil {
		style.Width = width
	}
	return style
}

// style is that of the output, with what the flags ask for.
func (f *diffFlags) style(o *options) diff.Style {
	style := o.style()
	style.Noise = f.noise
	return style
}

// sides are what BASE and HEAD name.
func sides(ctx context.Context, root *os.Root, repo *gitrepo.Repo, args []string) (base, head diff.Side, err error) {
	baseName, headName := "", ""
	if len(args) > 0 {
		baseName = args[0]
	}
	if len(args) > 1 {
		headName = args[1]
	}
	if baseName == "" {
		if baseName, err = mergeBase(ctx, repo); err != nil {
			return base, head, err
		}
	}
	if base, err = commitSide(ctx, repo, baseName); err != nil {
		return base, head, err
	}
	if headName == "" {
		head, err = workTreeSide(ctx, root, repo)
	} else {
		head, err = commitSide(ctx, repo, headName)
	}
	return base, head, err
}

func commitSide(ctx context.Context, repo *gitrepo.Repo, revision string) (diff.Side, error) {
	id, err := repo.Resolve(ctx, revision)
	if err != nil {
		return diff.Side{}, err
	}
	tree, err := repo.FS(ctx, id)
	if err != nil {
		return diff.Side{}, err
	}
	name := short(id)
	if !strings.HasPrefix(id, revision) {
		name = fmt.Sprintf("%s (%s)", revision, short(id))
	}
	return diff.Side{Name: name, FS: tree}, nil
}

// mainBranches are where a change goes, the first that exists: the remote's default branch, or what people call it.
var mainBranches = []string{"origin/HEAD", "origin/main", "origin/master", "main", "master"}

// mergeBase is where the checked out commit left the main branch.
func mergeBase(ctx context.Context, repo *gitrepo.Repo) (string, error) {
	for _, branch := range mainBranches {
		if _, err := repo.Resolve(ctx, branch); err != nil {
			if errors.Is(err, gitrepo.ErrUnknownRevision) {
				continue
			}
			return "", err
		}
		return repo.MergeBase(ctx, branch, "HEAD")
	}
	return "", usageError{fmt.Errorf("there is no main branch to compare with (%s): name BASE, as in `tfgitops diff HEAD~1`", strings.Join(mainBranches, ", "))}
}
