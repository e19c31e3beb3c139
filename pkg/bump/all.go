package bump

import (
	"context"
	"errors"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Result is what became of one of many requests.
type Result struct {
	Request Request
	// Outcome is nil where there was nothing to plan.
	Outcome *Outcome
	// Skipped says why nothing was done; empty otherwise.
	Skipped string
	Err     error
}

// Requests returns a request for each component that the template's operation applies to, one for each release of a
// component with several: the template with the name filled in.
func Requests(repo *control.Repo, template Request) []Request {
	var requests []Request
	for _, name := range repo.ComponentNames() {
		component := repo.Components[name]
		if component.External != "" || !isInstalledAnywhere(repo, name) {
			continue
		}
		releases := component.ReleaseNames()
		if template.Op != OpBump || len(releases) < 2 {
			releases = []string{""}
		}
		for _, release := range releases {
			request := template
			request.Component, request.Release = name, release
			requests = append(requests, request)
		}
	}
	return requests
}

func isInstalledAnywhere(repo *control.Repo, component string) bool {
	for _, cluster := range repo.Clusters {
		if cluster.Pinned[component] {
			return true
		}
	}
	return false
}

// DoAll carries out many requests one after the other, each as a change of its own. One that fails or is refused does not
// stop the others.
func (ws *Workspace) DoAll(ctx context.Context, requests []Request, delivery Delivery) []Result {
	var results []Result
	for _, request := range requests {
		if ctx.Err() != nil {
			return append(results, Result{Request: request, Err: ctx.Err()})
		}
		outcome, err := ws.Do(ctx, request, delivery)
		result := Result{Request: request, Outcome: outcome, Err: err}
		switch {
		case errors.Is(err, ErrInapplicable):
			result.Skipped, result.Err = err.Error(), nil
		case err == nil && len(outcome.Changes) == 0 && len(outcome.Plan.Changes) > 0:
			result.Skipped = outcome.Plan.Changes[0].Unchanged
		}
		results = append(results, result)
	}
	return results
}
