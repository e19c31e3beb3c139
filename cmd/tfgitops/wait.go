package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

// waitInterval is how long to wait between two looks at the cluster.
const waitInterval = 5 * time.Second

// waitFlags are the flags of wait.
type waitFlags struct {
	liveFlags
	cluster                  string
	limit                    time.Duration
	skipTests, noLock, quiet bool
	post                     postFlags
}

func (f *waitFlags) register(cmd *cobra.Command) {
	f.liveFlags.register(cmd)
	f.post.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.cluster, "cluster", "", "on this `CLUSTER`")
	flags.DurationVar(&f.limit, "timeout", 15*time.Minute, "how long to wait in all, for Flux and then for the test lock")
	flags.BoolVar(&f.skipTests, "skip-tests", false, "do not run the component's tests")
	flags.BoolVar(&f.noLock, "no-lock", false, "run the tests without the cluster's test lock")
	flags.BoolVar(&f.quiet, "no-announce", false, "do not run the announce command")
	_ = cmd.MarkFlagRequired("cluster")
}

func newWaitCmd(o *options) *cobra.Command {
	f := &waitFlags{}
	cmd := &cobra.Command{
		Use:     "wait COMPONENT --cluster CLUSTER",
		Short:   "Wait until a cluster runs what is pinned, and run the component's tests",
		GroupID: groupLive,
		Long: `Wait returns when Flux reports every release of the component Ready on exactly the version that the working tree pins.
Then it takes the cluster's test lock and runs the test command of tfgitops.yaml (spec.test.command) with the component's
test.tags as further arguments; says what else changed on the cluster meanwhile; and runs the announce command with one
line of text as its last argument. Both commands are run without a shell, with TFGITOPS_COMPONENT, TFGITOPS_CLUSTER,
TFGITOPS_VERSION, TFGITOPS_COMMIT and TFGITOPS_RESULT in their environment.

The lock is the Lease tfgitops-tests in the cluster's Flux namespace, so that two runs do not test at once; deploy/tester
has the rights that it needs. One that its holder left behind is free after a minute. Where the cluster is read from an
exporter (--from) nothing can be locked there, and wait says so.

It is versions that are waited for: a change of values alone, under the same version, is ready before Flux has seen it.

--post keeps how it ended as a note on the merge request that brought the version to the cluster, with what runs against
what is pinned. The gate "tests" of a stage is open where such a note says that the tests passed (tfgitops promote
--merge-request).

The exit code is 0 where the version is ready and its tests passed, 1 where Flux or the tests failed, and 2 where the
time was over first.`,
		Example: `  tfgitops wait maintain-kubeusers --cluster toolsbeta
  tfgitops wait maintain-kubeusers --cluster tools --timeout 30m --from https://tfgitops.example.org
  tfgitops wait maintain-kubeusers --cluster toolsbeta --post`,
		Args:              exactlyOne("wait COMPONENT --cluster CLUSTER"),
		ValidArgsFunction: o.completeComponents,
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := o.newWaiting(cmd, f, args[0])
			if err != nil {
				return err
			}
			poster, err := f.post.poster(cmd.Context(), o, w.broughtBy)
			if err != nil {
				return err
			}
			if err := w.begin(cmd.Context()); err != nil {
				return err
			}
			outcome := w.deployAndTest(cmd.Context())
			w.meanwhile(cmd.Context())
			posting := w.post(cmd.Context(), poster, outcome)
			return posted(cmd.ErrOrStderr(), w.announce(cmd.Context(), outcome), posting)
		},
	}
	f.register(cmd)
	_ = cmd.RegisterFlagCompletionFunc("cluster", o.completeClusters)
	return cmd
}

// waiting is one run of the command.
type waiting struct {
	o         *options
	cmd       *cobra.Command
	flags     *waitFlags
	spec      v1alpha1.ControlRepoSpec
	component *control.Component
	cluster   *control.Cluster
	pin       *v1alpha1.PinSpec
	// before is the first look at the cluster that saw it, and began when this did.
	before live.Cluster
	began  time.Time
}

func (o *options) newWaiting(cmd *cobra.Command, f *waitFlags, component string) (*waiting, error) {
	root, err := o.openRoot()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	repo, findings := control.Load(cmd.Context(), root.FS(), control.Only{Clusters: []string{f.cluster}, Components: []string{component}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	pin := repo.Clusters[f.cluster].Pins[component]
	if pin == nil {
		return nil, usageError{fmt.Errorf("component %q has no pin on cluster %q: there is nothing to wait for", component, f.cluster)}
	}
	if len(pin.Releases) == 0 {
		return nil, usageError{fmt.Errorf("component %q has no Helm release: whether plain manifests are applied, `tfgitops status` says", component)}
	}
	return &waiting{
		o: o, cmd: cmd, flags: f, spec: repo.Spec, component: repo.Components[component], cluster: repo.Clusters[f.cluster], pin: &pin.PinSpec, began: o.now(),
	}, nil
}

// begin looks for the first time. A kubeconfig or an exporter that cannot be used at all ends it at once.
func (w *waiting) begin(ctx context.Context) (err error) {
	w.before, err = w.flags.one(ctx, w.o, w.cluster)
	return err
}

// deployAndTest returns nil where Flux is done and the tests passed.
func (w *waiting) deployAndTest(ctx context.Context) error {
	deadline := time.Now().Add(w.flags.limit)
	if err := w.flux(ctx); err != nil {
		return err
	}
	fmt.Fprintf(w.cmd.OutOrStdout(), "%s on %s is ready: %s\n", w.component.Name, w.cluster.Name, bump.Describe(w.pin))
	switch {
	case w.flags.skipTests:
		return nil
	case w.spec.Test == nil || w.component.Test == nil:
		w.say("no tests: tfgitops.yaml has no test command, or the component no test.tags")
		return nil
	case w.flags.noLock:
		return w.tests(ctx)
	}
	lock, err := w.flags.testLock(w.o, w.cluster, w.say)
	if err != nil {
		return err
	}
	if lock == nil {
		w.say("the tests run without the test lock: an exporter was asked, and not the cluster")
		return w.tests(ctx)
	}
	err = lock.Hold(ctx, time.Until(deadline), w.tests)
	if errors.Is(err, live.ErrLockRefused) {
		return fmt.Errorf("%w; deploy/tester has that, and --no-lock goes on without", err)
	}
	return err
}

func (w *waiting) say(text string) { fmt.Fprintln(w.cmd.ErrOrStderr(), text) }

// flux waits until Flux is done.
func (w *waiting) flux(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.flags.limit)
	defer cancel()
	return live.Wait{
		Every: waitInterval, Sleep: artifact.SystemClock{}.Sleep, Read: w.look,
		Progress: func(text string) { w.say("waiting: " + text) },
	}.For(ctx, w.pin)
}

func (w *waiting) look(ctx context.Context) live.Cluster {
	read, err := w.flags.one(ctx, w.o, w.cluster)
	if err != nil {
		read.Error = err.Error()
	}
	if w.before.Error != "" {
		w.before = read
	}
	return read
}

// testLock returns the cluster's lock for tests, or nil where an exporter is asked: that one only tells.
func (f *liveFlags) testLock(o *options, cluster *control.Cluster, say func(string)) (*live.TestLock, error) {
	if f.from != "" {
		return nil, nil
	}
	kubeconfig, err := live.OpenKubeconfig(f.kubeconfig)
	if err != nil {
		return nil, err
	}
	connection, err := kubeconfig.Connect(cluster.Context)
	if err != nil {
		return nil, err
	}
	return &live.TestLock{Connection: connection, Namespace: cluster.FluxNamespaceName(), Holder: o.who() + " " + rand.Text()[:6], Say: say}, nil
}

// errTestsFailed says that the component's tests ran, and did not pass.
var errTestsFailed = errors.New("the tests failed")

func (w *waiting) tests(ctx context.Context) error {
	command := w.spec.Test.Command
	err := w.run(ctx, append(command[1:len(command):len(command)], w.component.Test.Tags...), command[0], "ready")
	var exited *exec.ExitError
	if errors.As(err, &exited) && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", errTestsFailed, err)
	}
	return err
}

// meanwhile says what else changed on the cluster since the pinned version came there, or since this began. Where that
// cannot be known it says so: it is no reason to fail.
func (w *waiting) meanwhile(ctx context.Context) {
	after, err := w.flags.one(ctx, w.o, w.cluster)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil || after.Error != "" || w.before.Error != "":
		w.say("what else changed on " + w.cluster.Name + " meanwhile is not known: it could not be read")
		return
	}
	own := slices.Collect(maps.Keys(w.pin.Releases))
	since := after.DeployedSince(w.began, own)
	changes := live.Meanwhile(w.cluster.Name, w.before, after, since, own)
	if len(changes) == 0 {
		fmt.Fprintf(w.cmd.OutOrStdout(), "nothing else changed on %s since %s\n", w.cluster.Name, since.UTC().Format("15:04Z"))
		return
	}
	fmt.Fprintf(w.cmd.OutOrStdout(), "also changed on %s since %s:\n", w.cluster.Name, since.UTC().Format("15:04Z"))
	for _, change := range changes {
		fmt.Fprintln(w.cmd.OutOrStdout(), "  "+change.Text())
	}
}

// announce tells people how it ended, and gives the outcome its exit code.
func (w *waiting) announce(ctx context.Context, outcome error) error {
	result := "ready"
	switch {
	case errors.Is(outcome, live.ErrFailed), errors.Is(outcome, errTestsFailed):
		result = "failed"
	case errors.Is(outcome, live.ErrTimedOut), errors.Is(outcome, live.ErrLocked):
		result = "timed out"
	case outcome != nil:
		return outcome // nothing happened that people should hear of
	}
	if w.spec.Announce != nil && !w.flags.quiet {
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
	command.Env = append(environmentWithout(tokenVariable, forge.TokenVariable), "TFGITOPS_COMPONENT="+w.component.Name, "TFGITOPS_CLUSTER="+w.cluster.Name,
		"TFGITOPS_VERSION="+bump.Describe(w.pin), "TFGITOPS_COMMIT="+w.pin.Commit, "TFGITOPS_RESULT="+result)
	if err := command.Run(); err != nil {
		return fmt.Errorf("running %q: %w", name, err)
	}
	return nil
}

// environmentWithout is the process's own environment without some variables.
func environmentWithout(names ...string) []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}
