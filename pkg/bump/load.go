package bump

import (
	"context"
	"io/fs"
	"slices"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// load reads the part of a control repo that a request can touch or depends on: the component, and the clusters that the
// request is about with those that gate them. What is wrong elsewhere does not stand in the way.
func load(ctx context.Context, fsys fs.FS, request Request) (*control.Repo, error) {
	repo, findings := control.Load(ctx, fsys, control.Only{Clusters: concerned(ctx, fsys, request), Components: []string{request.Component}})
	return repo, findings.Err()
}

// concerned returns the clusters to load; nil, for all, where that cannot be told from tfgitops.yaml, or where all count.
func concerned(ctx context.Context, fsys fs.FS, request Request) []string {
	if request.Op == OpPromote || request.Op == OpFold || request.Scope.All {
		return nil
	}
	root, findings := control.Load(ctx, fsys, control.Only{Clusters: []string{}, Components: []string{}})
	if findings.Err() != nil {
		return nil
	}
	var byDefault []string
	if request.Op == OpBump {
		byDefault = firstStage(root)
	}
	names, err := scopedNames(root, request.Scope, byDefault)
	if err != nil || len(names) == 0 {
		return nil
	}
	if request.Op == OpBump {
		for _, name := range slices.Clone(names) {
			if index, gates := stagePosition(root, name); index > 0 && gates {
				names = append(names, root.Spec.Stages[index-1].Clusters...)
			}
		}
	}
	there := control.ClusterFolders(fsys)
	if slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(there, name) }) {
		return nil // so that the error can say which there are
	}
	slices.Sort(names)
	return slices.Compact(names)
}
