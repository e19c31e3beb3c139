package render

import (
	"context"
	"io/fs"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Plan renders the clusters of a control repo, or those that were asked for, and returns how the result differs from the
// files that are there, in the order of the clusters. Only what prevents rendering is an error; `validate` finds the rest.
func Plan(ctx context.Context, fsys fs.FS, only control.Only) ([]Change, error) {
	repo, findings := control.Load(ctx, fsys, only)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	return PlanRepo(ctx, repo)
}

// PlanRepo is Plan for a repo that is loaded already.
func PlanRepo(ctx context.Context, repo *control.Repo) ([]Change, error) {
	clusters := repo.ClusterNames()
	changes := make([][]Change, len(clusters))
	findings := make([]control.Findings, len(clusters))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, cluster := range clusters {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			var files Files
			if files, findings[i] = Cluster(repo, cluster); files == nil {
				return nil
			}
			changes[i], err = Compare(repo.FS(), cluster, files)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := slices.Concat(findings...).Err(); err != nil {
		return nil, err
	}
	return slices.Concat(changes...), nil
}
