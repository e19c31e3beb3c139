package adopt

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// Verdict says what Flux would do with a release.
type Verdict string

// The verdicts.
const (
	// Adopts: Flux finds the record and upgrades in place, to the same chart and version.
	Adopts Verdict = "adopts"
	// Upgrades: Flux finds the record and upgrades to another version.
	Upgrades Verdict = "upgrades"
	// Installs: there is no such release.
	Installs Verdict = "installs"
	// Stop: something must be put right first.
	Stop Verdict = "stop"
	// Unknown: nobody looked.
	Unknown Verdict = "not checked"
)

// Check is a release of the control repo, and the live one that it is to become.
type Check struct {
	Component string  `json:"component"`
	Release   string  `json:"release"`
	Namespace string  `json:"namespace"`
	Chart     string  `json:"chart"`
	Version   string  `json:"version"`
	Record    *Record `json:"record,omitempty"`
	Verdict   Verdict `json:"verdict"`
	// Text says why, and what to do.
	Text string `json:"text,omitempty"`
}

// Checks looks at every release on a cluster, in the order in which Flux is to adopt their components. Without records
// nothing is looked up.
func Checks(ctx context.Context, repo *control.Repo, cluster string, records Records) ([]Check, error) {
	deployments, findings := repo.Deployments(cluster)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	checks := []Check{}
	for _, d := range inOrder(deployments) {
		for _, r := range d.Releases {
			check := Check{Component: d.Component.Name, Release: r.Name, Namespace: r.Namespace, Chart: r.Chart, Version: r.Version, Verdict: Unknown}
			if records != nil {
				found, err := records.Find(ctx, r.Namespace, r.Name)
				if err != nil {
					return nil, err
				}
				check.judge(found)
			}
			checks = append(checks, check)
		}
	}
	return checks, nil
}

// inOrder sorts deployments so that each is behind those that it depends on.
func inOrder(deployments []control.Deployment) []control.Deployment {
	byName := map[string]control.Deployment{}
	for _, d := range deployments {
		byName[d.Component.Name] = d
	}
	var ordered []control.Deployment
	done := map[string]bool{}
	var visit func(control.Deployment)
	visit = func(d control.Deployment) {
		if done[d.Component.Name] {
			return
		}
		done[d.Component.Name] = true
		for _, name := range slices.Sorted(slices.Values(d.Component.DependsOn)) {
			if before, here := byName[name]; here {
				visit(before)
			}
		}
		ordered = append(ordered, d)
	}
	for _, d := range deployments {
		visit(d)
	}
	return ordered
}

// judge compares a release with the records found.
func (c *Check) judge(found []Record) {
	here := slices.IndexFunc(found, func(r Record) bool { return r.Namespace == c.Namespace })
	if here < 0 {
		c.judgeAbsent(found)
		return
	}
	record := found[here]
	c.Record = &record
	switch {
	case record.Chart != c.Chart:
		c.Verdict, c.Text = Stop, fmt.Sprintf("the live release is of the chart %q: correct chart: of the component, or what is deployed", record.Chart)
	case record.Status != "deployed":
		c.Verdict, c.Text = Stop, fmt.Sprintf("its newest record is %s: bring it to deployed first (helm rollback, or deploy it once more with helmfile)", record.Status)
	case !sameVersion(record.Version, c.Version):
		c.Verdict, c.Text = Upgrades, fmt.Sprintf("%s runs: adopting it would upgrade it too. Pin what runs first, and bump afterwards", record.Version)
	default:
		c.Verdict, c.Text = Adopts, "Flux finds the record, and upgrades in place to the same version"
	}
}

func (c *Check) judgeAbsent(found []Record) {
	if len(found) == 0 {
		c.Verdict, c.Text = Installs, "there is no such release: Flux would install it. If its objects are there already, that fails, since it may not take them over"
		return
	}
	var namespaces []string
	for _, r := range found {
		namespaces = append(namespaces, r.Namespace)
	}
	c.Record = &found[0]
	c.Verdict, c.Text = Stop, fmt.Sprintf("a release of that name is in %s: write that namespace, if it is the one, or Flux installs a second", strings.Join(namespaces, ", "))
}

// sameVersion compares chart versions as registries and Flux write them: without a leading v, and without what Flux
// appends for a digest.
func sameVersion(a, b string) bool {
	plain := func(v string) string {
		v, _, _ = strings.Cut(strings.ReplaceAll(strings.TrimPrefix(v, "v"), "_", "+"), "+")
		return v
	}
	return plain(a) == plain(b)
}
