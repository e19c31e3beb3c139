package diff

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
)

// The rules of CheckUpgrade: the first two are those of the risk table.
const (
	ruleAPIRemoved  = "api-removed"
	ruleKubeVersion = "chart-kube-version"
	ruleNotExpanded = "not-expanded"
)

// kubeVersion reads a version as people write it: a minor release stands for its first version.
func kubeVersion(text string) (*semver.Version, error) {
	whole := strings.TrimPrefix(text, "v")
	if strings.Count(whole, ".") == 1 {
		whole += ".0"
	}
	version, err := semver.StrictNewVersion(whole)
	if err != nil {
		return nil, fmt.Errorf("%q is no Kubernetes version: write it as 1.33 or 1.33.2", text)
	}
	return version, nil
}

// CheckUpgrade finds what stands in the way of another Kubernetes version on a cluster: charts that do not support it, and objects
// of APIs that it no longer has, among those that Flux applies and those that Helm makes. A release that cannot be expanded is a
// finding too: what is in it is not known. The error is about the cluster or the version.
func CheckUpgrade(ctx context.Context, fsys fs.FS, cluster string, o ExpandOptions) (control.Findings, error) {
	version, err := kubeVersion(o.KubeVersion)
	if err != nil {
		return nil, err
	}
	o.KubeVersion = version.String()
	expanded, err := Expand(ctx, fsys, cluster, nil, o)
	if err != nil {
		return nil, err
	}
	build, err := overlay.Build(ctx, fsys, control.ClusterDir(cluster))
	if err != nil {
		return nil, err
	}
	var findings control.Findings
	for _, object := range build.Objects {
		it := fluxItem(cluster, object)
		findings = append(findings, goneAPI(version, object.APIVersion(), it.ref, it.file, "")...)
	}
	for _, release := range expanded {
		findings = append(findings, release.check(version)...)
	}
	return findings.Sorted(), nil
}

func (e Expanded) check(version *semver.Version) control.Findings {
	if e.Err != nil {
		rule := ruleNotExpanded
		if errors.Is(e.Err, chart.ErrKubeVersion) {
			rule = ruleKubeVersion
		}
		return control.Findings{{Rule: rule, Severity: control.Error, File: e.File, Message: e.Err.Error()}}
	}
	var findings control.Findings
	for _, resource := range e.Expansion.Resources {
		r := ref{kind: resource.Kind, namespace: resource.Namespace, name: resource.Name}
		findings = append(findings, goneAPI(version, resource.APIVersion, r, e.File, " of release "+e.Release)...)
	}
	return findings
}

// goneAPI is a finding on an object whose API the version no longer has.
func goneAPI(version *semver.Version, apiVersion string, r ref, file, of string) control.Findings {
	gone := removedIn(schema.FromAPIVersionAndKind(apiVersion, r.kind))
	if gone == nil || version.LessThan(gone) {
		return nil
	}
	return control.Findings{{
		Rule: ruleAPIRemoved, Severity: control.Error, File: file,
		Message: fmt.Sprintf("%s%s is of %s, which is gone since Kubernetes %d.%d", r, of, apiVersion, gone.Major(), gone.Minor()),
		Help:    "bump to a version that uses a newer API before Kubernetes is upgraded",
	}}
}
