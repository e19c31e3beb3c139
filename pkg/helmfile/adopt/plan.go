package adopt

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Plan is how Flux adopts a cluster's releases.
type Plan struct {
	// Version is that of this format.
	Version int    `json:"version"`
	Cluster string `json:"cluster"`
	// Looked says whether the live releases were looked at.
	Looked bool    `json:"looked"`
	Checks []Check `json:"checks"`

	namespace string
	manifests []string
}

// NewPlan plans the adoption of a cluster; records may be nil.
func NewPlan(ctx context.Context, repo *control.Repo, cluster string, records Records) (Plan, error) {
	checks, err := Checks(ctx, repo, cluster, records)
	plan := Plan{Version: 1, Cluster: cluster, Looked: records != nil, Checks: checks, namespace: repo.Clusters[cluster].FluxNamespaceName()}
	for _, name := range repo.Clusters[cluster].PinnedComponents() {
		if repo.Clusters[cluster].Pins[name].Manifests != nil {
			plan.manifests = append(plan.manifests, name)
		}
	}
	return plan, err
}

// Ready reports whether nothing must be put right first.
func (p Plan) Ready() bool {
	return !slices.ContainsFunc(p.Checks, func(c Check) bool { return c.Verdict == Stop || c.Verdict == Upgrades })
}

// WriteJSON writes the plan for programs.
func (p Plan) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(p)
}

// WriteMarkdown writes the plan for people.
func (p Plan) WriteMarkdown(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# Adopting %s\n\n## Releases\n\n", p.Cluster)
	if !p.Looked {
		out.WriteString("The live releases were not looked at: give --kubeconfig or --context.\n\n")
	}
	out.WriteString("| component | release | namespace | pinned | live | Flux | |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, c := range p.Checks {
		live := ""
		if c.Record != nil {
			live = fmt.Sprintf("%s %s, revision %d, %s", c.Record.Chart, c.Record.Version, c.Record.Revision, c.Record.Status)
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s %s | %s | %s | %s |\n", c.Component, c.Release, c.Namespace, c.Chart, c.Version, live, c.Verdict, c.Text)
	}
	p.steps(&out)
	_, err := io.WriteString(w, out.String())
	return err
}

func (p Plan) steps(out *strings.Builder) {
	out.WriteString("\n## Steps\n\n")
	n := 0
	step := func(format string, args ...any) {
		n++
		fmt.Fprintf(out, "%d. "+format+"\n", append([]any{n}, args...)...)
	}
	if !p.Ready() {
		step("Put right what says %q or %q above, and make this plan again.", Stop, Upgrades)
	}
	step("Nobody deploys with helmfile to %s from here on, except to back out.", p.Cluster)
	step("Every release here is suspended in clusters/%s/cluster.yaml (`releases: {NAME: {suspend: true}}`; `import helmfile --suspend` writes it). `tfgitops render`, commit, merge.", p.Cluster)
	step("The Secrets are there: `tfgitops import secrets --from FILE --cluster %s | kubectl apply -f -`.", p.Cluster)
	step("`flux bootstrap` with --path=clusters/%s. Flux creates HelmReleases and does nothing with them: `kubectl -n %s get helmreleases` shows every one suspended.", p.Cluster, p.namespace)
	if len(p.manifests) > 0 {
		step("These have no release and are applied at once, to what is there: %s. Compare them before: `kustomize build clusters/%s | kubectl diff --server-side -f -`.", strings.Join(p.manifests, ", "), p.Cluster)
	}
	for _, component := range p.components() {
		step("%s: %s", component, p.componentStep(component))
	}
	fmt.Fprintf(out, "\n## Backing out\n\n"+
		"- Before a release is resumed nothing has changed: remove its component's pin, or the whole cluster's folder from Flux. A HelmRelease that is deleted while suspended leaves its Helm release alone.\n"+
		"- After it was resumed: suspend it again (`flux suspend helmrelease NAME -n %s`, and suspend: true in Git), then deploy it with helmfile as before, or `helm rollback NAME REVISION -n NAMESPACE` to the revision in the table. Helm's history goes on: Flux adds revisions to it.\n"+
		"- Never delete a HelmRelease that is not suspended: Flux uninstalls the release.\n", p.namespace)
}

// components are the names of those with releases, in order.
func (p Plan) components() []string {
	var names []string
	for _, c := range p.Checks {
		if !slices.Contains(names, c.Component) {
			names = append(names, c.Component)
		}
	}
	return names
}

func (p Plan) componentStep(component string) string {
	var releases []string
	for _, c := range p.Checks {
		if c.Component == component {
			releases = append(releases, c.Release)
		}
	}
	return fmt.Sprintf("`tfgitops diff --charts --live` shows what its first upgrade changes: labels of Flux's, and nothing else. Take suspend: from %s, render, merge; `tfgitops wait`. Only then the next.", strings.Join(releases, ", "))
}
