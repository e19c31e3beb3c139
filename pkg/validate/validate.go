package validate

import (
	"context"
	"io/fs"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/crds"
)

// Validator checks control repos. It is safe for concurrent use, and reads each CRD once, when the first object of its
// kind is seen.
type Validator struct{ crds *crds.Validator }

// New returns a Validator.
func New() *Validator { return &Validator{crds: crds.New()} }

// Run returns everything that is wrong with the control repo in fsys, sorted. What cannot be looked at because of another
// finding is left out, not guessed.
func (v *Validator) Run(ctx context.Context, fsys fs.FS) control.Findings {
	repo, findings := control.Load(ctx, fsys, control.Only{})
	readable := findings.Err() == nil
	findings = append(findings, control.Check(repo)...)
	if !readable {
		return findings.Sorted() // what would be rendered from the rest is not what anyone wants
	}
	perCluster := make([]control.Findings, len(repo.Clusters))
	group := errgroup.Group{}
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, cluster := range repo.ClusterNames() {
		group.Go(func() error {
			perCluster[i] = checkCluster(ctx, repo, cluster, v.crds)
			return nil
		})
	}
	_ = group.Wait() // the functions return findings, never an error
	return append(findings, slices.Concat(perCluster...)...).Sorted()
}
