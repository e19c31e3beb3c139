package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

// waitInterval is how long to wait between two looks at the cluster.
const waitInterval = 5 * time.Second

func newWaitCmd(o *options) *cobra.Command {
	f := &liveFlags{}
	cluster, limit, skipTests, quiet := "", 15*time.Minute, false, false
	cmd := &cobra.Command{
		Use:     "wait COMPONENT --cluster CLUSTER",
		Short:   "Wait until a cluster runs what is pinned, and run the component's tests",
		GroupID: groupLive,
		Long: `Wait returns when Flux reports every release of the component Ready on exactly the version that the working tree pins.
Then it runs the test command of tfgitops.yaml (spec.test.command) with the component's test.tags as further arguments,
and the announce command with one line of text as its last argument. Both are run without a shell, with
TFGITOPS_COMPONENT, TFGITOPS_CLUSTER, TFGITOPS_VERSION, TFGITOPS_COMMIT and TFGITOPS_RESULT in their environment.

The exit code is 0 where the version is ready and its tests passed, 1 where Flux or the tests failed, and 2 where the
time was over first.`,
		Example: `  tfgitops wait maintain-kubeusers --cluster toolsbeta
  tfgitops wait maintain-kubeusers --cluster tools --timeout 30m --from https://tfgitops.example.org`,
		Args:              exactlyOne("wait COMPONENT --cluster CLUSTER"),
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := o.newWaiting(cmd, f, args[0], cluster)
			if err != nil {
				return err
			}
			if err := w.flux(cmd.Context(), limit); err != nil {
				return w.announce(cmd.Context(), quiet, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s on %s is ready: %s\n", args[0], cluster, bump.Describe(w.pin))
			if !skipTests {
				err = w.tests(cmd.Context())
			}
			return w.announce(cmd.Context(), quiet, err)
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&cluster, "cluster", "", "on this `CLUSTER`")
	cmd.Flags().DurationVar(&limit, "timeout", limit, "how long to wait in all")
	cmd.Flags().BoolVar(&skipTests, "skip-tests", false, "do not run the component's tests")
	cmd.Flags().BoolVar(&quiet, "no-announce", false, "do not run the announce command")
	_ = cmd.MarkFlagRequired("cluster")
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	return cmd
}

// waiting is one run of the command.
type waiting struct {
	o         *options
	cmd       *cobra.Command
	flags     *liveFlags
	spec      v1alpha1.ControlRepoSpec
	component *control.Component
	cluster   *control.Cluster
	pin       *v1alpha1.PinSpec
}

func (o *options) newWaiting(cmd *cobra.Command, f *liveFlags, component, cluster string) (*waiting, error) {
	root, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	repo, findings := control.Load(cmd.Context(), root.FS(), control.Only{Clusters: []string{cluster}, Components: []string{component}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	pin := repo.Clusters[cluster].Pins[component]
	if pin == nil {
		return nil, usageError{fmt.Errorf("component %q has no pin on cluster %q: there is nothing to wait for", component, cluster)}
	}
	if len(pin.Releases) == 0 {
		return nil, usageError{fmt.Errorf("component %q has no Helm release: whether plain manifests are applied, `tfgitops status` says", component)}
	}
	return &waiting{o: o, cmd: cmd, flags: f, spec: repo.Spec, component: repo.Components[component], cluster: repo.Clusters[cluster], pin: &pin.PinSpec}, nil
}

// flux waits until Flux is done. A kubeconfig or an exporter that cannot be used at all ends it at once.
func (w *waiting) flux(ctx context.Context, limit time.Duration) error {
	if _, err := w.flags.one(ctx, w.o, w.cluster); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return live.Wait{
		Every: waitInterval, Sleep: artifact.SystemClock{}.Sleep,
		Read: func(ctx context.Context) live.Cluster {
			read, err := w.flags.one(ctx, w.o, w.cluster)
			if err != nil {
				read.Error = err.Error()
			}
			return read
		},
		Progress: func(text string) { fmt.Fprintln(w.cmd.ErrOrStderr(), "waiting:", text) },
	}.For(ctx, w.pin)
}

// errTestsFailed says that the component's tests ran, and did not pass.
var errTestsFailed = errors.New("the tests failed")

func (w *waiting) tests(ctx context.Context) error {
	if w.spec.Test == nil || w.component.Test == nil {
		fmt.Fprintln(w.cmd.ErrOrStderr(), "no tests: tfgitops.yaml has no test command, or the component no test.tags")
		return nil
	}
	err := w.run(ctx, append(w.spec.Test.Command[1:len(w.spec.Test.Command):len(w.spec.Test.Command)], w.component.Test.Tags...), w.spec.Test.Command[0], "ready")
	var exited *exec.ExitError
	if errors.As(err, &exited) && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errTestsFailed, err)
	}
	return err
}

// announce tells people how it ended, and gives the outcome its exit code.
func (w *waiting) announce(ctx context.Context, quiet bool, outcome error) error {
	result := "ready"
	switch {
	case errors.Is(outcome, live.ErrFailed), errors.Is(outcome, errTestsFailed):
		result = "failed"
	case errors.Is(outcome, live.ErrTimedOut):
		result = "timed out"
	case outcome != nil:
		return outcome // nothing happened that people should hear of
	}
	if w.spec.Announce != nil && !quiet {
		text := fmt.Sprintf("%s on %s: %s %s", w.component.Name, w.cluster.Name, bump.Describe(w.pin), result)
		command := w.spec.Announce.Command
		if err := w.run(ctx, append(command[1:len(command):len(command)], text), command[0], result); err != nil {
			fmt.Fprintln(w.cmd.ErrOrStderr(), "not announced:", err)
		}
	}
	if result == "failed" {
		fmt.Fprintln(w.cmd.ErrOrStderr(), errorText(outcome))
		return errFound
	}
	return outcome
}

// run runs a command of tfgitops.yaml, with what it writes shown as messages.
func (w *waiting) run(ctx context.Context, args []string, name, result string) error {
	command := exec.CommandContext(ctx, name, args...) // what the control repo says is what is to be run
	command.Stdout, command.Stderr = w.cmd.ErrOrStderr(), w.cmd.ErrOrStderr()
	command.Env = append(environmentWithout(tokenVariable), "TFGITOPS_COMPONENT="+w.component.Name, "TFGITOPS_CLUSTER="+w.cluster.Name,
		"TFGITOPS_VERSION="+bump.Describe(w.pin), "TFGITOPS_COMMIT="+w.pin.Commit, "TFGITOPS_RESULT="+result)
	if err := command.Run(); err != nil {
		return fmt.Errorf("running %q: %w", name, err)
	}
	return nil
}

// environmentWithout is the process's own environment without one variable.
func environmentWithout(name string) []string {
	var kept []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, name+"=") {
			kept = append(kept, variable)
		}
	}
	return kept
}
