package bump

import (
	"context"
	"fmt"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// await notes what a deferred change of a stage waits for on one cluster of the stage before.
func (p *Plan) await(stage v1alpha1.Stage, cluster, version string) {
	add := func(text string) {
		if !slices.Contains(p.Waits, text) {
			p.Waits = append(p.Waits, text)
		}
	}
	add(fmt.Sprintf("%s is pinned to %s on the main branch", cluster, version))
	for _, gate := range stage.Requires {
		switch gate {
		case v1alpha1.GateReady:
			add(fmt.Sprintf("Flux reports Ready on exactly %s on %s", version, cluster))
		default:
			add(fmt.Sprintf("the gate %q is open on %s for %s", gate, cluster, version))
		}
	}
	if soak, err := stage.Soak.Parse(); err == nil && soak > 0 {
		add(fmt.Sprintf("%s has run %s for %s", cluster, version, soak))
	}
}

// Through carries a bump out for each stage up to the one that the scope names, each on a branch of its own: the first stage
// is bumped, the next ones are promoted as if that were merged already, with their gates and soak time deferred. What was done
// before a stage that is refused is returned with the error.
func (ws *Workspace) Through(ctx context.Context, request Request, delivery Delivery) ([]*Outcome, error) {
	through := request.Scope.Through
	repo, findings := control.Load(ctx, ws.Root.FS(), control.Only{Clusters: []string{}, Components: []string{}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	last, err := stageIndex(repo, through)
	if err != nil {
		return nil, err
	}
	stages := repo.Spec.Stages[:last+1]
	request.Scope = Scope{Stage: stages[0].Name}
	outcome, err := ws.Do(ctx, request, delivery)
	if err != nil {
		return []*Outcome{outcome}, err
	}
	outcomes, changed := []*Outcome{outcome}, map[string][]byte{}
	for _, stage := range stages[1:] {
		for _, change := range outcome.Changes {
			changed[change.Path] = change.New
		}
		promotion := Request{Op: OpPromote, Component: request.Component, Stage: stage.Name, Install: request.Install, Overrides: request.Overrides, Deferred: true}
		if outcome, err = ws.pushStaged(ctx, promotion, delivery, outcomes[0], changed); outcome != nil {
			outcomes = append(outcomes, outcome)
		}
		if err != nil {
			return outcomes, fmt.Errorf("stage %q: %w", stage.Name, err)
		}
	}
	return outcomes, nil
}

// pushStaged pushes a plan that is made as if changed were on the main branch, on top of what the first outcome is for.
func (ws *Workspace) pushStaged(ctx context.Context, request Request, delivery Delivery, first *Outcome, changed map[string][]byte) (*Outcome, error) {
	outcome, err := ws.planAt(ctx, request, first.Base, changed)
	if outcome != nil {
		outcome.Main = first.Main
	}
	if err != nil || delivery.DryRun || len(outcome.Changes) == 0 {
		return outcome, err
	}
	outcome.Branch = outcome.Plan.BranchName()
	return outcome, ws.deliver(ctx, outcome, first.Base, false)
}
