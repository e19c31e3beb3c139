package bump

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/safeyaml"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/stagedfs"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/yamledit"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// Stage returns the files that a plan changes in the control repo base: the pins first, then what is rendered from them.
// Only the component's own files are rendered, unless the change touches what the cluster's other files say.
func Stage(ctx context.Context, base fs.FS, plan *Plan) ([]render.Change, error) {
	sources, err := stageSources(base, plan)
	if err != nil {
		return nil, err
	}
	edits := map[string][]byte{}
	for _, source := range sources {
		edits[source.Path] = source.New
	}
	// Clusters whose pins are as wanted already are rendered too: an earlier run may have been cut short between the two.
	rendered, err := renderStaged(ctx, stagedfs.New(base, edits), base, plan)
	return append(sources, rendered...), err
}

// stageSources returns the changed pins and component files.
func stageSources(base fs.FS, plan *Plan) ([]render.Change, error) {
	var changes []render.Change
	for _, release := range slices.Sorted(maps.Keys(plan.Folded)) {
		change, err := foldInto(base, plan.Folded[release])
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	for _, change := range plan.Changed() {
		file := control.PinFile(change.Cluster, plan.Component)
		old, err := readIfThere(base, file)
		if err != nil {
			return nil, err
		}
		content, err := EncodePin(file, plan.Component, change.New, old)
		if err != nil {
			return nil, err
		}
		changes = append(changes, render.Change{Path: file, Old: old, New: content})
	}
	return changes, nil
}

func readIfThere(fsys fs.FS, file string) ([]byte, error) {
	data, err := fs.ReadFile(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// renderStaged renders what a plan can change on its clusters.
func renderStaged(ctx context.Context, staged, base fs.FS, plan *Plan) ([]render.Change, error) {
	repo, err := loadStaged(ctx, staged, plan)
	if err != nil {
		return nil, err
	}
	var changes []render.Change
	for _, change := range plan.Changes {
		var rendered []render.Change
		switch {
		case change.New == nil:
			continue
		case rendersWhole(change):
			rendered, err = renderCluster(ctx, staged, base, change.Cluster)
		default:
			rendered, err = renderComponent(repo, base, change.Cluster, plan.Component)
		}
		if err != nil {
			return nil, err
		}
		changes = append(changes, rendered...)
	}
	return changes, nil
}

// rendersWhole reports whether more than the component's own file can change: what is new on a cluster, and what has none.
func rendersWhole(change Change) bool { return change.Old == nil || change.New.Manifests != nil }

// loadStaged loads the component on the clusters where its own file is all that can change.
func loadStaged(ctx context.Context, staged fs.FS, plan *Plan) (*control.Repo, error) {
	only := control.Only{Clusters: []string{}, Components: []string{plan.Component}}
	for _, change := range plan.Changes {
		if change.New != nil && !rendersWhole(change) {
			only.Clusters = append(only.Clusters, change.Cluster)
		}
	}
	repo, findings := control.Load(ctx, staged, only)
	return repo, findings.Err()
}

func renderCluster(ctx context.Context, staged, base fs.FS, cluster string) ([]render.Change, error) {
	repo, findings := control.Load(ctx, staged, control.Only{Clusters: []string{cluster}})
	if err := findings.Err(); err != nil {
		return nil, err
	}
	files, findings := render.Cluster(repo, cluster)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	return render.Compare(base, cluster, files)
}

func renderComponent(repo *control.Repo, base fs.FS, cluster, component string) ([]render.Change, error) {
	content, findings := render.Component(repo, cluster, component)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	rendered, err := render.CompareFile(base, cluster, component, content)
	if rendered == nil || err != nil {
		return nil, err
	}
	return []render.Change{*rendered}, nil
}

// foldInto merges values into a component's values file, leaving all else in it as it is.
func foldInto(base fs.FS, folded FoldedValues) (render.Change, error) {
	old, err := readIfThere(base, folded.File)
	if err != nil {
		return render.Change{}, err
	}
	if old == nil {
		content, err := yaml.Marshal(safeyaml.Node(folded.Values))
		return render.Change{Path: folded.File, New: content}, err
	}
	there, err := control.ParseValues(old)
	if err != nil {
		return render.Change{}, fmt.Errorf("%s: %w", folded.File, err)
	}
	content, err := setValues(old, there, folded.Values, nil)
	if err != nil {
		return render.Change{}, fmt.Errorf("%s: %w", folded.File, err)
	}
	return render.Change{Path: folded.File, Old: old, New: content}, nil
}

// setValues sets each value where it stands, going down where both sides are mappings, as Helm merges.
func setValues(data []byte, there, values control.Values, path []string) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := append(slices.Clone(path), name)
		thereMap, thereIs := there[name].(map[string]any)
		valueMap, valueIs := values[name].(map[string]any)
		var err error
		if thereIs && valueIs {
			data, err = setValues(data, thereMap, valueMap, at)
		} else {
			data, err = yamledit.Set(data, safeyaml.Node(values[name]), at...)
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}
