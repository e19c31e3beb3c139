package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/forge"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/live"
)

// waitResult is what a note of wait says for programs: the gate "tests" of a later promotion reads it.
type waitResult struct {
	Component string `json:"component"`
	Cluster   string `json:"cluster"`
	Version   string `json:"version"`
	Result    string `json:"result"`
	Tested    bool   `json:"tested"`
}

const (
	// passed is the result of a deployment that is ready and whose tests, if it has any, passed.
	passed = "passed"
	// notDone is that of one that nobody could look at.
	notDone = "not done"
)

// The line of a note that has a result. JSON writes what would end the comment as an escape.
const (
	resultBegins = "<!-- tfgitops-result: "
	resultEnds   = " -->"
)

// waitKind is the kind of note that wait keeps.
func waitKind(component, cluster string) string { return "wait for " + component + " on " + cluster }

// post keeps how it ended as a note, unless nothing happened.
func (w *waiting) post(ctx context.Context, p *poster, outcome error) error {
	if p == nil || resultOf(outcome) == notDone {
		return nil
	}
	return p.post(ctx, w.cmd.ErrOrStderr(), waitKind(w.component.Name, w.cluster.Name), w.report(ctx, outcome))
}

// broughtBy is the commit of the main branch that brought the version to the cluster; before that is merged, the one that is
// checked out.
func (w *waiting) broughtBy(ctx context.Context, git *gitrepo.Repo) (string, error) {
	ws := &bump.Workspace{Git: git, Remote: w.flags.post.remote, Planner: &bump.Planner{History: git}}
	commit, err := ws.DeployedBy(ctx, w.component.Name, w.cluster.Name, w.pin)
	if errors.Is(err, bump.ErrNotDeployed) {
		return checkedOut(ctx, git)
	}
	return commit, err
}

// report is the note: how it ended, and what runs against what is pinned.
func (w *waiting) report(ctx context.Context, outcome error) string {
	result := waitResult{w.component.Name, w.cluster.Name, bump.Describe(w.pin), resultOf(outcome), !w.flags.skipTests}
	line, err := json.Marshal(result)
	if err != nil {
		panic("a result cannot be encoded: " + err.Error()) // it holds nothing but text
	}
	read, err := w.flags.one(ctx, w.o, w.cluster)
	if err != nil {
		read.Error = err.Error()
	}
	text := live.WaitMarkdown(w.component.Name, w.cluster.Name, result.Result, outcome, live.Releases(read, w.pin), w.o.getenv("CI_JOB_URL"))
	return fmt.Sprintf("%s%s%s\n\n%s", resultBegins, line, resultEnds, text)
}

// resultOf is how a wait ended, in a word or two.
func resultOf(outcome error) string {
	switch {
	case outcome == nil:
		return passed
	case errors.Is(outcome, live.ErrFailed), errors.Is(outcome, errTestsFailed):
		return "failed"
	case errors.Is(outcome, live.ErrTimedOut), errors.Is(outcome, live.ErrLocked):
		return "timed out"
	}
	return notDone
}

// postedGates asks clusters for the gate "ready", and the notes of wait for the gate "tests".
type postedGates struct {
	bump.Gates // nil where no cluster is to be asked

	workspace *bump.Workspace
	client    *forge.Client
}

// Open reports whether a gate is open. A note counts that is on the merge request which brought the version to the cluster.
func (g postedGates) Open(ctx context.Context, gate v1alpha1.Gate, cluster, component string, pin *v1alpha1.PinSpec) (bool, error) {
	if gate != v1alpha1.GateTests {
		if g.Gates == nil {
			return false, errors.New("no cluster was asked: --live does")
		}
		return g.Gates.Open(ctx, gate, cluster, component, pin)
	}
	commit, err := g.workspace.DeployedBy(ctx, component, cluster, pin)
	if err != nil {
		return false, err
	}
	requests, err := g.client.Of(ctx, commit)
	if err != nil {
		return false, err
	}
	wanted := waitResult{Component: component, Cluster: cluster, Version: bump.Describe(pin), Result: passed, Tested: true}
	for _, m := range requests {
		text, err := g.client.Note(ctx, m.IID, waitKind(component, cluster))
		if err != nil {
			return false, err
		}
		if result, ok := parseResult(text); ok && result.Version == wanted.Version {
			return result == wanted, nil
		}
	}
	return false, fmt.Errorf("nothing says that the tests ran: `tfgitops wait %s --cluster %s --post` on commit %s does", component, cluster, short(commit))
}

// parseResult reads the result from a note.
func parseResult(text string) (waitResult, bool) {
	line, _, _ := strings.Cut(text, "\n")
	line, begins := strings.CutPrefix(line, resultBegins)
	line, ends := strings.CutSuffix(line, resultEnds)
	var result waitResult
	return result, begins && ends && json.Unmarshal([]byte(line), &result) == nil
}
