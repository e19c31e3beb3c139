package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

func newBumpCmd(o *options) *cobra.Command {
	f := &pinFlags{}
	values, all := "", false
	wait := time.Duration(0)
	cmd := &cobra.Command{
		Use:     "bump COMPONENT[/RELEASE] REVISION",
		Short:   "Pin a component to a revision, on the first stage unless you say otherwise",
		GroupID: groupPins,
		Long: `Bump pins a component to a revision: a commit (4 to 40 hexadecimal digits), a chart version, a version of plain
manifests, or latest. It looks the version up in each cluster's own registry, renders the chart with that cluster's
values, checks that every image is there, and refuses what a safety rule speaks against (exit code 3).

Without --commit, --branch or --push it changes the working tree and prints the rendered diff; the same command with
--commit or --merge-request afterwards takes those changes over.

--merge-request pushes a branch named after component, version and clusters, and opens a GitLab merge request for it, or
finds the one that is there; repeating it changes nothing. A newer version opens another one and marks the older as
superseded. With --through STAGE each stage has one: those after the first stay drafts until "tfgitops promote --ready"
finds their gates open. docs/gitlab.md says what GitLab needs.`,
		Example: `  tfgitops bump maintain-kubeusers abc123
  tfgitops bump maintain-kubeusers abc123 --commit
  tfgitops bump wmcs-k8s-metrics/metrics-server 3.13.1 --cluster toolsbeta
  tfgitops bump maintain-kubeusers abc123 --through production --merge-request
  tfgitops bump --all latest --merge-request`,
		Args: func(_ *cobra.Command, args []string) error {
			if want := 2 - boolInt(all); len(args) != want {
				return usageError{errors.New("write `tfgitops bump COMPONENT[/RELEASE] REVISION`, or `tfgitops bump --all latest`")}
			}
			return nil
		},
		ValidArgsFunction: o.completeReleases,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := bump.Request{Op: bump.OpBump, Revision: args[len(args)-1], Wait: wait}
			f.fill(&request)
			if err := readValues(cmd.InOrStdin(), values, &request); err != nil {
				return err
			}
			if all {
				return o.doAll(cmd, f, request)
			}
			request.Component, request.Release, _ = strings.Cut(args[0], "/")
			return o.do(cmd, f, request)
		},
	}
	f.register(cmd, o)
	f.live.register(cmd)
	cmd.Flags().StringVar(&values, "values", "", "put the values in `FILE` (- for standard input) into the pin: they belong to this version")
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait up to this long for CI to publish the revision")
	cmd.Flags().BoolVar(&all, "all", false, "every component; each is a change of its own")
	return cmd
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// maxValues bounds a file given with --values: a HelmRelease must fit into an etcd value.
const maxValues = 1 << 20

func readValues(stdin io.Reader, file string, request *bump.Request) error {
	if file == "" {
		return nil
	}
	source := stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("--values: %w", err)
		}
		defer opened.Close()
		source = opened
	}
	data, err := io.ReadAll(io.LimitReader(source, maxValues+1))
	if err != nil {
		return fmt.Errorf("--values: %w", err)
	}
	if len(data) > maxValues {
		return fmt.Errorf("--values: %s has more than %d bytes", file, maxValues)
	}
	if request.Values, err = control.ParseValues(data); err != nil {
		return fmt.Errorf("--values: %s: %w", file, err)
	}
	return nil
}

// doAll carries out a request for every component and lists what became of each.
func (o *options) doAll(cmd *cobra.Command, f *pinFlags, template bump.Request) error {
	ws, done, err := o.openWorkspace(cmd.Context(), f)
	if err != nil {
		return err
	}
	defer done()
	if err := f.mr.check(cmd); err != nil {
		return err
	}
	if f.mr.open && f.scope.Through != "" {
		return usageError{errors.New("--all and --through with --merge-request: go one stage at a time, `tfgitops promote --all --merge-request` opens those of the next")}
	}
	proposer, err := o.proposer(cmd, f, ws)
	if err != nil {
		return err
	}
	repo, findings := control.Load(cmd.Context(), ws.Root.FS(), control.Only{})
	if err := findings.Err(); err != nil {
		return err
	}
	var failed []error
	for _, result := range ws.DoAll(cmd.Context(), bump.Requests(repo, template), f.how()) {
		name := result.Request.Component
		if result.Request.Release != "" {
			name += "/" + result.Request.Release
		}
		switch {
		case result.Err != nil:
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: not done\n", name)
			failed = append(failed, fmt.Errorf("%s: %w", name, result.Err))
		case result.Skipped != "":
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: skipped: %s\n", name, result.Skipped)
		default:
			showPlan(cmd.ErrOrStderr(), result.Outcome.Plan)
			if err := o.show(cmd, f, proposer, result.Outcome); err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return someFailed{failed}
}

// someFailed is what went wrong with some of many requests. It counts as refused where nothing but safety rules spoke
// against them: what could not be done must not be taken for that.
type someFailed struct{ errs []error }

func (e someFailed) Error() string { return errors.Join(e.errs...).Error() }

func (e someFailed) Refused() bool {
	return !slices.ContainsFunc(e.errs, func(err error) bool { return exitCode(err) != exitRefused })
}
