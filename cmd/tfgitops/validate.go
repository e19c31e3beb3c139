package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
)

// validateFlags are the flags of validate.
type validateFlags struct {
	strict  bool
	output  string
	base    string
	online  bool
	upgrade upgradeFlags
}

// upgradeFlags ask about an upgrade of Kubernetes instead of the whole repo.
type upgradeFlags struct {
	kubeVersion, cluster string
	offline              bool
}

func newValidateCmd(o *options) *cobra.Command {
	f := &validateFlags{output: "table"}
	cmd := &cobra.Command{
		Use:     "validate",
		Short:   "Find everything that is wrong with the control repo",
		GroupID: groupRepo,
		Long: `Validate shows every finding at once: on the files of the control repo, on what each cluster's overlay builds, and on
each Flux object, which it checks as the API server would. It exits 1 if a finding is an error, or with --strict on
warnings too. docs/reference/rules.md lists the rules.

With --base it also checks the change: from where the checked out commit left a branch, to the working tree. A pin that
goes back, a hold or a freeze that is crossed, a later stage reached first: what the files alone do not show. Trailers in
the commits say what is meant, as the commands that change pins write them. In a shallow clone that does not have the whole
change it says so (GitLab CI: GIT_DEPTH: 0). With --online the components' sources tell which of two commits is older;
without it, the build times in the versions do.

With --kube-version and --cluster it finds instead what stands in the way of upgrading Kubernetes on a cluster: it expands
every chart there, and shows those that do not support the version, and the objects of APIs that the version has no more.`,
		Example: `  tfgitops validate
  tfgitops validate --base origin/main
  tfgitops validate --strict -o codequality > gl-code-quality-report.json
  tfgitops validate --kube-version 1.33 --cluster tools`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.validate(cmd, f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.strict, "strict", false, "exit 1 on warnings too")
	flags.StringVarP(&f.output, "output", "o", f.output, "the output `FORMAT`: table, json or codequality")
	flags.StringVar(&f.base, "base", "", "check the change since the commit where HEAD left `REF`, too")
	flags.BoolVar(&f.online, "online", false, "with --base: ask the components' sources which of two commits is older")
	flags.StringVar(&f.upgrade.kubeVersion, "kube-version", "", "find what stands in the way of Kubernetes `VERSION`, such as 1.33 (with --cluster)")
	flags.StringVar(&f.upgrade.cluster, "cluster", "", "the `CLUSTER` to upgrade (with --kube-version)")
	flags.BoolVar(&f.upgrade.offline, "offline", false, "with --kube-version: take charts from the cache only")
	cmd.MarkFlagsRequiredTogether("kube-version", "cluster")
	cmd.MarkFlagsMutuallyExclusive("base", "kube-version")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "codequality"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (f *validateFlags) check(cmd *cobra.Command) error {
	if _, known := validate.Formats()[validate.Format(f.output)]; !known {
		return usageError{fmt.Errorf("there is no output format %q: write table, json or codequality", f.output)}
	}
	switch given := cmd.Flags().Changed("base"); {
	case given && strings.TrimSpace(f.base) == "":
		return usageError{errors.New("--base is empty: name a branch or commit, as in `tfgitops validate --base origin/main`")}
	case f.online && !given:
		return usageError{errors.New("--online is about a change: name where it started, as in `tfgitops validate --base origin/main --online`")}
	}
	return nil
}

func (o *options) validate(cmd *cobra.Command, f *validateFlags) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	root, err := o.openRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	findings, err := o.findings(cmd.Context(), root, f)
	if err != nil {
		return err
	}
	if err := validate.Write(cmd.OutOrStdout(), validate.Format(f.output), findings); err != nil {
		return err
	}
	if findings.Count(control.Error) > 0 || f.strict && len(findings) > 0 {
		return errFound
	}
	return nil
}

func (o *options) findings(ctx context.Context, root *os.Root, f *validateFlags) (control.Findings, error) {
	switch {
	case f.upgrade.kubeVersion != "":
		return o.upgradeFindings(ctx, root.FS(), f.upgrade)
	case f.base != "":
		return o.changeFindings(ctx, root, f)
	default:
		return validate.New().Run(ctx, root.FS()), nil
	}
}

func (o *options) upgradeFindings(ctx context.Context, fsys fs.FS, upgrade upgradeFlags) (control.Findings, error) {
	key, lasts, err := o.secretKey()
	if err != nil {
		return nil, err
	}
	renders, err := o.renders(key, lasts)
	if err != nil {
		return nil, err
	}
	return diff.CheckUpgrade(ctx, fsys, upgrade.cluster, diff.ExpandOptions{Charts: o.charts(upgrade.offline), Renders: renders, KubeVersion: upgrade.kubeVersion, Key: key})
}

func (o *options) changeFindings(ctx context.Context, root *os.Root, f *validateFlags) (control.Findings, error) {
	repo, err := gitrepo.Open(ctx, root.Name())
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	head, err := workTreeSide(ctx, root, repo)
	if err != nil {
		return nil, err
	}
	change, err := validate.ChangeSince(ctx, repo, head.FS, f.base, o.now())
	if err != nil {
		return nil, err
	}
	if f.online {
		change.OpenSource = o.planner().OpenSource
	}
	return validate.New().RunChange(ctx, change), nil
}
