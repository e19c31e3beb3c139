package helmfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// Result is what an import comes to. Nothing is written yet.
type Result struct {
	Report Report
	// Changes are those of the control repo, rendered files among them, sorted by path. There are none where the report
	// has a difference, or a failure with Options.Strict.
	Changes []render.Change

	design *design
	reader *reader
}

// Import reads the helmfile control repo in source, the file system of an os.Root, and returns what makes target, an empty
// folder or a control repo, deploy the same; name is that of a new control repo. No command is run, nothing is read outside
// of the two, and nothing is written.
func Import(ctx context.Context, source, target fs.FS, name string, options Options) (*Result, error) {
	r := newReader(source, options)
	units, err := r.units()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	components, general := r.readAll(units)
	environments, err := r.environments(units)
	if err != nil {
		return nil, err
	}
	kept := slices.DeleteFunc(slices.Clone(components), func(c *component) bool { return c.failed() || c.manifests == nil && len(c.releases) == 0 })
	d := newDesign(kept, environments, options, general)
	result := &Result{Report: Report{Version: 1, Clusters: map[string]string{}}, design: d, reader: r}
	for cluster, environment := range environments {
		result.Report.Clusters[environment] = cluster
	}
	files, err := d.merge(ctx, target, name)
	if err != nil {
		return nil, err
	}
	if err := result.prove(ctx, stagedfs.New(target, files)); err != nil {
		return nil, err
	}
	result.report(components, general)
	if options.Strict && len(result.Report.Failed()) > 0 || len(result.Report.Different()) > 0 {
		result.Report.Files = []Written{}
		return result, nil
	}
	return result, result.change(ctx, target, files)
}

// readAll turns helmfiles and the folders next to them into components, and gathers what is noted about none of them.
func (r *reader) readAll(units []*unit) ([]*component, *notes) {
	general := newNotes()
	var components []*component
	for _, u := range units {
		components = append(components, r.components(u)...)
	}
	plain, items := r.leftovers(units)
	general.add(items...)
	components = append(components, plain...)
	components = r.distinct(components)
	r.noteUnread(units, components, general)
	return components, general
}

// distinct fails the components and releases whose names are taken.
func (r *reader) distinct(components []*component) []*component {
	names, releases := map[string]*component{}, map[string]*component{}
	for _, c := range components {
		if other := names[c.name]; other != nil && (len(c.order) > 0 || c.manifests != nil) {
			c.notes.add(Item{Position: Position{File: c.from}, Construct: "component", Status: Failed, Text: fmt.Sprintf("there are two components %q; the other is %s", c.name, other.from), Help: "rename one of the folders"})
		}
		names[c.name] = c
		for _, name := range c.order {
			if other := releases[name]; other != nil && other != c {
				c.notes.add(Item{
					Position: Position{File: c.from}, Construct: "releases[].name", Status: Failed, Text: fmt.Sprintf("the release name %q is taken by %s", name, other.from),
					Help: "a control repo has each name once: give one of them another, by installing it anew",
				})
			}
			releases[name] = c
			c.checkChart(name)
		}
	}
	return components
}

// checkChart fails a component whose release has another chart on each cluster: only versions and values may differ.
func (c *component) checkChart(name string) {
	charts := map[string]bool{}
	for _, cluster := range c.clusters() {
		charts[c.releases[cluster][name].chart] = true
	}
	if len(charts) > 1 {
		c.notes.add(Item{
			Position: c.releases[c.clusters()[0]][name].at, Construct: "releases[].chart", Status: Failed, Text: fmt.Sprintf("release %q has the charts %s, each in another environment", name, strings.Join(slices.Sorted(maps.Keys(charts)), ", ")),
			Help: "a release has one chart: make it two releases",
		})
	}
}

// environments are those of all helmfiles that could be read, by the names of the clusters that they become.
func (r *reader) environments(units []*unit) (map[string]string, error) {
	environments := map[string]string{}
	for _, u := range units {
		for _, environment := range slices.Sorted(maps.Keys(u.states)) {
			cluster, _ := r.options.cluster(environment)
			if !isName(cluster) {
				return nil, fmt.Errorf("the environment %q cannot be a cluster of that name: name it with --environment %s=NAME, and every other environment too (lower-case letters, digits and -)", environment, environment)
			}
			if other := environments[cluster]; other != "" && other != environment {
				return nil, fmt.Errorf("the environments %q and %q cannot both be the cluster %q", other, environment, cluster)
			}
			environments[cluster] = environment
		}
	}
	if len(environments) == 0 {
		return nil, fmt.Errorf("%w that could be read in any of the environments asked for: %s", ErrNoHelmfile, firstFailure(units))
	}
	return environments, nil
}

// firstFailure says what keeps the first helmfile from being read.
func firstFailure(units []*unit) string {
	for _, u := range units {
		if u.err != nil {
			return failure(Position{File: u.file}, u.err).Position.String() + ": " + u.err.Error()
		}
	}
	return "none of them has one of these"
}

// noteUnread lists the files next to helmfiles that nothing reads.
func (r *reader) noteUnread(units []*unit, components []*component, general *notes) {
	failed := map[string]bool{} // what they would have read is not known
	for _, c := range components {
		failed[c.from] = failed[c.from] || c.failed()
	}
	for _, u := range units {
		dir := parent(u.file)
		if dir == "." || failed[u.file] {
			continue
		}
		files, err := r.source.files(dir)
		if err != nil {
			general.add(failure(Position{File: dir}, err))
			continue
		}
		for _, file := range files {
			if !r.source.read[file] {
				general.add(Item{Position: Position{File: file}, Component: u.name, Construct: "file", Status: Dropped, Text: "no helmfile reads it in any environment"})
			}
		}
	}
}

// prove loads the control repo as it will be, and compares what it renders with what was read.
func (result *Result) prove(ctx context.Context, staged fs.FS) error {
	repo, findings := control.Load(ctx, staged, control.Only{})
	if err := findings.Err(); err != nil {
		return fmt.Errorf("what the import comes to is no control repo: %w", err)
	}
	compared, err := result.design.proof(repo)
	result.Report.Proof = compared
	return err
}

// report fills in what was read and what became of it.
func (result *Result) report(components []*component, general *notes) {
	all := newNotes()
	seen := map[*notes]bool{}
	for _, c := range components {
		all.add(c.notes.items...)
		if c.helmfile != nil && !seen[c.helmfile] {
			all.add(c.helmfile.items...)
			seen[c.helmfile] = true
		}
	}
	all.add(general.items...)
	result.Report.Items = all.sorted()
	result.Report.Components = []string{}
	for _, c := range result.design.components {
		result.Report.Components = append(result.Report.Components, c.name)
	}
	result.Report.Secrets = result.design.secretKeys()
}

var errLeak = errors.New("what stands for a secret is left in this file: nothing is written, and this is a mistake of tfgitops")

// change compares the files with what is there, and adds what the control repo renders then.
func (result *Result) change(ctx context.Context, target fs.FS, files files) error {
	repo, findings := control.Load(ctx, stagedfs.New(target, files), control.Only{})
	if err := findings.Err(); err != nil {
		return err
	}
	rendered, err := render.PlanRepo(ctx, repo)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		old, err := fs.ReadFile(target, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot read %s: %w", name, bareError(err))
		}
		if (err == nil) == (files[name] != nil) && bytes.Equal(old, files[name]) {
			continue
		}
		result.Changes = append(result.Changes, render.Change{Path: name, Old: old, New: files[name]})
	}
	result.Changes = append(result.Changes, rendered...)
	slices.SortFunc(result.Changes, func(a, b render.Change) int { return strings.Compare(a.Path, b.Path) })
	result.Report.Files = []Written{}
	for _, change := range result.Changes {
		if len(result.reader.vault.in(string(change.New))) > 0 {
			return fmt.Errorf("%s: %w", change.Path, errLeak)
		}
		result.Report.Files = append(result.Report.Files, Written{change.Path, change.Verb()})
	}
	return nil
}
