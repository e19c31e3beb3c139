package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/strictyaml"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/yamledit"
)

// RuleProtect refuses to remove a component that says protect: true.
const RuleProtect = "protect"

// RemovalOptions say which deployments of a component are to go.
type RemovalOptions struct {
	Component string
	// Clusters are where to remove it; AllClusters removes it everywhere, and the component with it.
	Clusters    []string
	AllClusters bool
	// Override names safety rules that do not count this time, for a Reason, which must then be given.
	Override []string
	Reason   string
}

// Removal is the plan of a removal.
type Removal struct {
	// Plan has notes that say what Flux will do.
	Plan
	// Message is the commit message that records the removal as intended.
	Message string
}

// RefusedError says that a safety rule refuses an operation.
type RefusedError struct{ Rule, Message string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused: %s; to do it nevertheless: --override %s --reason TEXT", e.Message, e.Rule)
}

// Refused tells this error from those of things that could not be done.
func (*RefusedError) Refused() bool { return true }

// Remove plans the removal of a component's deployments: their pins, their values files on the cluster and what
// cluster.yaml overrides for their releases. It is a *RefusedError for a protected component, and an error where something
// else depends on it.
func Remove(ctx context.Context, fsys fs.FS, options RemovalOptions) (Removal, error) {
	if err := checkName("component", options.Component); err != nil {
		return Removal{}, err
	}
	repo, findings := control.Load(ctx, fsys, control.Only{})
	if err := ctx.Err(); err != nil {
		return Removal{}, err // what was loaded is not all
	}
	r := &remover{proposal: propose(fsys), repo: repo, options: options, component: repo.Components[options.Component]}
	if err := of(findings, control.ComponentFile(options.Component)).Err(); err != nil && r.component != nil {
		return Removal{}, err // whether it is protected cannot be said
	}
	for _, step := range []func() error{r.checkOverrides, r.chooseClusters, r.checkProtection, r.checkDependents, r.removeDeployments, r.removeComponent} {
		if err := step(); err != nil {
			return Removal{}, err
		}
	}
	if err := r.render(ctx, r.clusters...); err != nil {
		return Removal{}, err
	}
	r.notes = r.effects()
	plan, err := r.plan(ctx)
	return Removal{Plan: plan, Message: r.message()}, err
}

// of returns the findings on one file.
func of(findings control.Findings, file string) control.Findings {
	return slices.DeleteFunc(slices.Clone(findings), func(f control.Finding) bool { return f.File != file })
}

type remover struct {
	*proposal
	repo      *control.Repo
	options   RemovalOptions
	component *control.Component // nil where only pins are left of it
	clusters  []string           // sorted
}

func (r *remover) checkOverrides() error {
	for _, rule := range r.options.Override {
		if rule != RuleProtect {
			return fmt.Errorf("there is no rule %q to override here: the only one is %s", rule, RuleProtect)
		}
	}
	if len(r.options.Override) > 0 && strings.TrimSpace(r.options.Reason) == "" {
		return errors.New("an override needs a reason, which is recorded: --reason TEXT")
	}
	return nil
}

// chooseClusters finds out where the component is removed, which must be where it is.
func (r *remover) chooseClusters() error {
	name := r.options.Component
	var deployed []string
	for _, cluster := range r.repo.ClusterNames() {
		if r.repo.Clusters[cluster].Pinned[name] {
			deployed = append(deployed, cluster)
		}
	}
	switch {
	case r.component == nil && len(deployed) == 0:
		return fmt.Errorf("there is no component %q%s", name, strictyaml.Suggest(name, r.repo.ComponentNames()))
	case r.options.AllClusters && len(r.options.Clusters) > 0:
		return errors.New("give either --cluster or --all-clusters")
	case r.options.AllClusters:
		r.clusters = deployed
		return nil
	case len(r.options.Clusters) == 0:
		return fmt.Errorf("component %q is deployed on %s: say where to remove it with --cluster C, or --all-clusters", name, or(strings.Join(deployed, ", "), "no cluster"))
	}
	for _, cluster := range r.options.Clusters {
		if r.repo.Clusters[cluster] == nil {
			return fmt.Errorf("there is no cluster %q%s", cluster, strictyaml.Suggest(cluster, r.repo.ClusterNames()))
		}
		if !slices.Contains(deployed, cluster) {
			return fmt.Errorf("component %q is not deployed on %q: it is on %s", name, cluster, or(strings.Join(deployed, ", "), "no cluster"))
		}
	}
	r.clusters = slices.Compact(slices.Sorted(slices.Values(r.options.Clusters)))
	return nil
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}

func (r *remover) checkProtection() error {
	if !r.protected() || slices.Contains(r.options.Override, RuleProtect) {
		return nil
	}
	return &RefusedError{RuleProtect, fmt.Sprintf("component %q is protected (protect: true in %s)", r.options.Component, control.ComponentFile(r.options.Component))}
}

func (r *remover) protected() bool { return r.component != nil && r.component.Protect }

// checkDependents names what would wait forever for the component.
func (r *remover) checkDependents() error {
	var found []error
	for _, name := range r.repo.ComponentNames() {
		if !slices.Contains(r.repo.Components[name].DependsOn, r.options.Component) {
			continue
		}
		where := r.dependentOn(name)
		if r.options.AllClusters || len(where) > 0 {
			found = append(found, fmt.Errorf("component %q depends on %q%s: remove that one first, or its dependsOn in %s", name, r.options.Component, where, control.ComponentFile(name)))
		}
	}
	return errors.Join(found...)
}

// dependentOn says on which of the clusters a component is deployed.
func (r *remover) dependentOn(component string) string {
	clusters := slices.DeleteFunc(slices.Clone(r.clusters), func(c string) bool { return !r.repo.Clusters[c].Pinned[component] })
	if len(clusters) == 0 {
		return ""
	}
	return " on " + strings.Join(clusters, ", ")
}

// removeDeployments takes away what the clusters have for the component; with the component itself, what clusters have
// that it is not deployed on goes as well.
func (r *remover) removeDeployments() error {
	clusters := r.clusters
	if r.options.AllClusters {
		clusters = r.repo.ClusterNames()
	}
	for _, cluster := range clusters {
		r.remove(control.PinFile(cluster, r.options.Component))
		for _, release := range r.releases(cluster) {
			r.remove(control.ClusterValuesFile(cluster, release))
			if _, overridden := r.repo.Clusters[cluster].Releases[release]; !overridden {
				continue
			}
			err := r.edit(control.ClusterFile(cluster), func(content []byte) ([]byte, error) {
				return yamledit.Delete(content, "spec", "releases", release)
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// releases are those of the component, or where that is not known any more, those of its pin.
func (r *remover) releases(cluster string) []string {
	if r.component != nil {
		return r.component.ReleaseNames()
	}
	pin := r.repo.Clusters[cluster].Pins[r.options.Component]
	if pin == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(pin.Releases))
}

// removeComponent takes away the component's folder, if it is to go everywhere.
func (r *remover) removeComponent() error {
	if !r.options.AllClusters || r.component == nil {
		return nil
	}
	return fs.WalkDir(r.base, control.ComponentDir(r.options.Component), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			r.remove(name)
		}
		return err
	})
}
