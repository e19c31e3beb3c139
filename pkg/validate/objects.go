package validate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
)

// find adds a finding on an object, where the object comes from.
func (c *clusterCheck) find(rule string, object overlay.Object, message, help string) {
	finding := control.Finding{Rule: rule, Severity: control.Error, File: control.OverlayFile(c.cluster), Message: message, Help: help}
	if origin, known := c.build.Origin(object); known {
		finding.File, finding.Line, finding.Column = origin.File, origin.Line, 1
	}
	c.findings = append(c.findings, finding)
}

// secret finds Secrets in clear text.
func (c *clusterCheck) secret(object overlay.Object) {
	if object.Kind() != "Secret" || object.APIVersion() != "v1" || object.Content["sops"] != nil {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		if content, _ := object.Content[field].(map[string]any); len(content) > 0 {
			c.find(RuleClearTextSecret, object, fmt.Sprintf("the Secret %q is in clear text", object.Name()),
				"encrypt it with SOPS (https://fluxcd.io/flux/guides/mozilla-sops/), and change what it held: it may have been seen")
			return
		}
	}
}

// schema finds what the API server would refuse of Flux's kinds.
func (c *clusterCheck) schema(ctx context.Context, object overlay.Object) {
	errs, err := c.validator.Validate(ctx, object.Content)
	if err != nil {
		c.find(RuleInvalidObject, object, fmt.Sprintf("%s %q cannot be checked: %v", object.Kind(), object.Name(), err), "")
	}
	for _, e := range errs {
		c.find(RuleInvalidObject, object, fmt.Sprintf("%s %q: %s", object.Kind(), object.Name(), e.Error()),
			"correct what sets it: the component, the cluster, or a patch in "+control.OverlayFile(c.cluster))
	}
}

// values finds values that the build changed.
func (c *clusterCheck) values() {
	built := map[string]overlay.Object{}
	for _, object := range c.build.Objects {
		if object.Kind() == "HelmRelease" {
			built[object.Name()] = object
		}
	}
	for _, d := range c.deployments {
		for _, release := range d.Releases {
			object, there := built[release.Name]
			if !there {
				continue // people's patches may delete a release: that is for reviewers to see
			}
			spec, _ := object.Content["spec"].(map[string]any)
			got, _ := spec["values"].(map[string]any)
			for _, path := range differences(release.Values, got, nil) {
				c.find(RuleValuesChanged, object, fmt.Sprintf("the value %s of release %q is another one in what the overlay builds", path, release.Name),
					fmt.Sprintf("set it in %s instead of a patch", control.ClusterValuesFile(c.cluster, release.Name)))
			}
		}
	}
}

// differences returns the dotted paths at which two values differ, sorted.
func differences(want, got any, path []string) []string {
	wantMap, wantIsMap := want.(map[string]any)
	gotMap, gotIsMap := got.(map[string]any)
	if wantIsMap && gotIsMap {
		keys := slices.Collect(maps.Keys(wantMap))
		keys = slices.AppendSeq(keys, maps.Keys(gotMap))
		slices.Sort(keys)
		var found []string
		for _, key := range slices.Compact(keys) {
			wantValue, wanted := wantMap[key]
			gotValue, given := gotMap[key]
			if wanted != given {
				found = append(found, strings.Join(append(path, key), "."))
				continue
			}
			found = append(found, differences(wantValue, gotValue, append(slices.Clone(path), key))...)
		}
		return found
	}
	wantList, wantIsList := want.([]any)
	gotList, gotIsList := got.([]any)
	if wantIsList && gotIsList && len(wantList) == len(gotList) {
		var found []string
		for i := range wantList {
			found = append(found, differences(wantList[i], gotList[i], append(slices.Clone(path), fmt.Sprint(i)))...)
		}
		return found
	}
	if wantIsMap || gotIsMap || wantIsList || gotIsList || !sameScalar(want, got) {
		return []string{strings.Join(path, ".")}
	}
	return nil
}

// sameScalar compares numbers by value: 1e3 is 1000.
func sameScalar(want, got any) bool {
	wantNumber, wantIs := want.(json.Number)
	gotNumber, gotIs := got.(json.Number)
	if !wantIs || !gotIs {
		return want == got
	}
	if wantNumber == gotNumber {
		return true
	}
	wantFloat, _, errWant := big.ParseFloat(string(wantNumber), 10, 256, big.ToNearestEven)
	gotFloat, _, errGot := big.ParseFloat(string(gotNumber), 10, 256, big.ToNearestEven)
	return errWant == nil && errGot == nil && wantFloat.Cmp(gotFloat) == 0
}

// annotationPrune tells Flux's kustomize-controller to leave an object when it is no longer in the build.
const annotationPrune = "kustomize.toolkit.fluxcd.io/prune"

// pruned finds objects of protected components without the annotation that keeps them.
func (c *clusterCheck) pruned(ctx context.Context) {
	for _, d := range c.deployments {
		if !d.Component.Protect {
			continue
		}
		ids := map[string]bool{}
		for _, release := range d.Releases {
			ids[objectID("HelmRelease", d.Cluster.FluxNamespaceName(), release.Name)] = true
		}
		if d.ManifestsDir != "" {
			manifests, err := overlay.Build(ctx, c.repo.FS(), d.ManifestsDir)
			if err != nil {
				continue // the cluster's own build has said why
			}
			for _, object := range manifests.Objects {
				ids[objectID(object.Kind(), object.Namespace(), object.Name())] = true
			}
		}
		c.prunedAmong(d, ids)
	}
}

func (c *clusterCheck) prunedAmong(d control.Deployment, ids map[string]bool) {
	for _, object := range c.build.Objects {
		if !ids[objectID(object.Kind(), object.Namespace(), object.Name())] {
			continue
		}
		metadata, _ := object.Content["metadata"].(map[string]any)
		annotations, _ := metadata["annotations"].(map[string]any)
		if annotations[annotationPrune] == "disabled" {
			continue
		}
		help := "remove the patch that takes the annotation away"
		if d.ManifestsDir != "" {
			help = fmt.Sprintf("add `commonAnnotations: {%s: disabled}` to the kustomization.yaml of %s, as a version of its own", annotationPrune, d.ManifestsDir)
		}
		c.find(RulePruned, object, fmt.Sprintf("component %q is protected, and Flux would prune its %s %q", d.Component.Name, object.Kind(), object.Name()), help)
	}
}

func objectID(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }
