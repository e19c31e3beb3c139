package validate

import (
	"context"
	"errors"
	"fmt"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/internal/crds"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
)

// clusterCheck is one cluster, rendered and built.
type clusterCheck struct {
	repo        *control.Repo
	cluster     string
	deployments []control.Deployment
	build       *overlay.Result
	validator   *crds.Validator

	findings control.Findings
}

// checkCluster renders a cluster, compares the result with what is there, and checks what its overlay builds.
func checkCluster(ctx context.Context, repo *control.Repo, cluster string, validator *crds.Validator) control.Findings {
	files, findings := render.Cluster(repo, cluster)
	if findings.Err() != nil {
		return findings
	}
	stale := notRendered(repo, cluster, files)
	findings = append(findings, stale...)
	unlisted, err := overlay.FluxSystemUnlisted(ctx, repo.FS(), control.ClusterDir(cluster))
	if err == nil && unlisted {
		findings = append(findings, control.Finding{
			Rule: RuleFluxNotListed, Severity: control.Error, File: control.OverlayFile(cluster),
			Message: "the folder flux-system is here, and resources: does not list it: Flux would delete itself",
			Help:    "add flux-system to resources:",
		})
	}
	build, err := overlay.Build(ctx, repo.FS(), control.ClusterDir(cluster))
	if err != nil {
		return append(findings, buildFindings(cluster, err)...)
	}
	deployments, _ := repo.Deployments(cluster)
	c := &clusterCheck{repo: repo, cluster: cluster, deployments: deployments, build: build, validator: validator, findings: findings}
	if len(stale) == 0 {
		c.values()
		c.pruned(ctx)
	}
	c.unplaced()
	for _, object := range build.Objects {
		c.secret(object)
		c.schema(ctx, object)
	}
	return c.findings
}

// notRendered finds files that are not what render would write.
func notRendered(repo *control.Repo, cluster string, files render.Files) control.Findings {
	changes, err := render.Compare(repo.FS(), cluster, files)
	if err != nil {
		return control.Findings{{Rule: RuleNotRendered, Severity: control.Error, File: control.RenderedDir(cluster), Message: err.Error()}}
	}
	var findings control.Findings
	for _, change := range changes {
		findings = append(findings, control.Finding{
			Rule: RuleNotRendered, Severity: control.Error, File: change.Path, Message: staleness(change),
			Help: "run `tfgitops render` and commit the result; `tfgitops render --check` shows the difference",
		})
	}
	return findings
}

func staleness(change render.Change) string {
	switch {
	case change.Old == nil:
		return "this file is not there, and render would write it"
	case change.New == nil:
		return "render would delete this file: nothing is pinned that it belongs to"
	default:
		return "this file is not what render writes: its sources changed, or it was edited by hand"
	}
}

// buildFindings says why an overlay is not built.
func buildFindings(cluster string, err error) control.Findings {
	var problems overlay.Problems
	if !errors.As(err, &problems) {
		return control.Findings{{Rule: RuleBuild, Severity: control.Error, File: control.OverlayFile(cluster), Message: err.Error()}}
	}
	var findings control.Findings
	for _, problem := range problems {
		finding := control.Finding{
			Rule: RuleBuild, Severity: control.Error, File: problem.File, Line: problem.Line, Column: min(problem.Line, 1),
			Message: problem.Message,
			Help:    fmt.Sprintf("`kubectl kustomize %s` shows what kustomize makes of it", control.ClusterDir(cluster)),
		}
		if finding.File == "" {
			finding.File = control.OverlayFile(cluster)
		}
		if errors.Is(problem.Reason, overlay.ErrRemote) {
			finding.Rule, finding.Help = RuleRemoteResource, "copy it into the repo, under review: `tfgitops component vendor` does that for manifests"
		}
		findings = append(findings, finding)
	}
	return findings
}
