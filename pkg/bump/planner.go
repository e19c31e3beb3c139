package bump

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Plan returns what the request comes to for the control repo in fsys. A plan that safety rules refuse is returned too,
// and its Err says which.
func (p *Planner) Plan(ctx context.Context, fsys fs.FS, request Request) (*Plan, error) {
	if err := checkOverrides(request.Overrides); err != nil {
		return nil, err
	}
	build, known := builders()[request.Op]
	if !known {
		return nil, usagef("there is no operation %q: there are %v", request.Op, ops())
	}
	repo, err := load(ctx, fsys, request)
	if err != nil {
		return nil, err
	}
	request.Hold.Reason, request.Hold.Task = plainText(request.Hold.Reason), plainText(request.Hold.Task)
	asking := *p
	asking.Registries = &askedRegistries{Registries: p.Registries}
	w := &planning{
		Planner: &asking, repo: repo, component: repo.Components[request.Component],
		plan: &Plan{Request: request, Component: request.Component, At: p.Now()},
	}
	if w.component.External != "" {
		return nil, inapplicablef("component %q is delivered outside Kubernetes: %s", w.component.Name, w.component.External)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer w.ahead.Wait()
	defer cancel() // first, so that what was asked ahead is not waited for when the plan has failed
	w.openOnce(ctx)
	if err := build(w, ctx); err != nil {
		return nil, err
	}
	if err := w.rules(ctx); err != nil {
		return nil, err
	}
	return w.plan, nil
}

// builders say how each operation fills a plan.
func builders() map[Op]func(*planning, context.Context) error {
	return map[Op]func(*planning, context.Context) error{
		OpBump: (*planning).bump, OpPromote: (*planning).promote, OpRollback: (*planning).rollback,
		OpHold: (*planning).hold, OpUnhold: (*planning).unhold, OpFold: (*planning).fold,
	}
}

func ops() []Op { return slices.Sorted(maps.Keys(builders())) }

// planning is one plan in the making.
type planning struct {
	*Planner
	repo      *control.Repo
	component *control.Component
	plan      *Plan

	stagedRepo *control.Repo // with the changed pins

	// source opens the component's source, once; nil where it has none.
	source func() (Source, error)
	// ahead is what was asked before it is needed.
	ahead sync.WaitGroup
	// unasked is what could not be asked, by cluster; under "" what concerns all.
	unasked map[string][]unasked
}

func (p *Planner) progress(text string) {
	if p.Progress != nil {
		p.Progress(text)
	}
}

// change adds what happens on one cluster.
func (w *planning) change(c Change) {
	if c.Unchanged == "" && samePin(c.Old, c.New) {
		c.Unchanged = "already pinned to " + c.To()
	}
	w.plan.Changes = append(w.plan.Changes, c)
}

// pin returns the cluster's pin of the component, or nil.
func (w *planning) pin(cluster string) *control.Pin {
	if w.repo.Clusters[cluster] == nil {
		return nil // a stage names a cluster that is not there
	}
	return w.repo.Clusters[cluster].Pins[w.component.Name]
}
