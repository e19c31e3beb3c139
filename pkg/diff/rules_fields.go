package diff

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// immutable are fields that the API server does not let change, by kind. "" under a kind means all of spec.
var immutable = map[string][][]string{
	"Deployment":            {{"spec", "selector"}},
	"DaemonSet":             {{"spec", "selector"}},
	"ReplicaSet":            {{"spec", "selector"}},
	"StatefulSet":           {{"spec", "selector"}, {"spec", "serviceName"}, {"spec", "podManagementPolicy"}, {"spec", "volumeClaimTemplates"}},
	"Job":                   {{"spec", "selector"}, {"spec", "template"}, {"spec", "completionMode"}},
	"Service":               {{"spec", "clusterIP"}},
	"PersistentVolumeClaim": {{"spec", "storageClassName"}, {"spec", "accessModes"}, {"spec", "volumeName"}, {"spec", "volumeMode"}, {"spec", "selector"}},
	"PersistentVolume":      {{"spec", "csi"}, {"spec", "nfs"}, {"spec", "hostPath"}, {"spec", "local"}},
	"StorageClass":          {{"provisioner"}, {"parameters"}, {"reclaimPolicy"}, {"volumeBindingMode"}},
	"RoleBinding":           {{"roleRef"}},
	"ClusterRoleBinding":    {{"roleRef"}},
	"IngressClass":          {{"spec", "controller"}},
	"PriorityClass":         {{"value"}},
}

// fieldRules are about single fields of objects.
func fieldRules() []Rule {
	return []Rule{
		{
			ID: "immutable-field", Severity: High,
			Finds:   "a changed field that Kubernetes does not let change",
			Because: "the API server refuses it: the upgrade fails, and stays failed until someone deletes the object",
			Example: "spec.selector.matchLabels of a Deployment",
			check:   objectCheck(immutableChanged),
		},
		{
			ID: "volume-shrunk", Severity: High,
			Finds:   "a volume claim that asks for less than before",
			Because: "volumes cannot shrink: the API server refuses it",
			Example: "spec.resources.requests.storage: 20Gi → 10Gi",
			check:   objectCheck(volumeShrunk),
		},
		{
			ID: "replicas-zero", Severity: High,
			Finds:   "a workload scaled to no replicas",
			Because: "it stops",
			Example: "spec.replicas: 2 → 0",
			check:   objectCheck(replicasZero),
		},
		{
			ID: "crd-schema", Severity: High,
			Finds:   "a CustomResourceDefinition that drops versions or fields",
			Because: "stored objects lose the fields, or can no longer be read",
			Example: "spec.versions[name=v1alpha1] is removed",
			check:   objectCheck(crdSchema),
		},
		{
			ID: "certificate-changed", Severity: Low,
			Finds:   "a certificate authority in another's place",
			Because: "clients that trust the old one fail until they are given the new one",
			Example: "caBundle of a ValidatingWebhookConfiguration",
			check:   objectCheck(caChanged),
		},
	}
}

func immutableChanged(p pair) []string {
	if !p.both() || p.m.new.hook && p.m.old.hook {
		return nil // Helm deletes a hook before it makes it again
	}
	var found []string
	for _, field := range immutable[p.kind()] {
		old, new := at(p.old, field...), at(p.new, field...)
		if equal(old, new) || old == nil && p.kind() == "Service" || new == nil && p.kind() == "Service" {
			continue // a clusterIP that is not set is chosen by Kubernetes, and kept
		}
		found = append(found, fmt.Sprintf("%s of a %s cannot be changed", strings.Join(field, "."), p.kind()))
	}
	if frozen, _ := p.old["immutable"].(bool); frozen && (p.kind() == "ConfigMap" || p.kind() == "Secret") {
		if !equal(p.old["data"], p.new["data"]) || !equal(p.old["binaryData"], p.new["binaryData"]) {
			found = append(found, fmt.Sprintf("this %s is immutable, and its data changes", p.kind()))
		}
	}
	return found
}

// claims are the volume claims of an object, by name.
func claims(object map[string]any, kind string) map[string]string {
	const storage = "storage"
	switch kind {
	case "PersistentVolumeClaim":
		return map[string]string{"": quantityText(at(object, "spec", "resources", "requests", storage))}
	case "StatefulSet":
		found := map[string]string{}
		for _, template := range listAt(object, "spec", "volumeClaimTemplates") {
			found[textAt(asMap(template), "metadata", "name")] = quantityText(at(asMap(template), "spec", "resources", "requests", storage))
		}
		return found
	}
	return nil
}

func quantityText(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func volumeShrunk(p pair) []string {
	if !p.both() {
		return nil
	}
	var found []string
	old := claims(p.old, p.kind())
	new := claims(p.new, p.kind())
	for _, name := range sortedKeys(new) {
		before, errBefore := resource.ParseQuantity(old[name])
		now, errNow := resource.ParseQuantity(new[name])
		if errBefore == nil && errNow == nil && now.Cmp(before) < 0 {
			found = append(found, fmt.Sprintf("the claim shrinks: %s → %s", old[name], new[name]))
		}
	}
	return found
}

func replicasZero(p pair) []string {
	if !p.both() || !slices.Contains([]string{"Deployment", "StatefulSet", "ReplicaSet"}, p.kind()) {
		return nil
	}
	old, new := at(p.old, "spec", "replicas"), at(p.new, "spec", "replicas")
	return one(new != nil && fmt.Sprint(new) == "0" && (old == nil || fmt.Sprint(old) != "0"), "spec.replicas: %s → 0", orNone(quantityText(old)))
}

func caChanged(p pair) []string {
	if !p.both() {
		return nil
	}
	old, new := bundles(p.old), bundles(p.new)
	return one(len(old) > 0 && len(new) > 0 && !slices.Equal(old, new), "its caBundle changes")
}

// bundles are the certificate authorities that an object names.
func bundles(object map[string]any) []string {
	var found []string
	add := func(holder map[string]any) {
		if bundle := textAt(holder, "caBundle"); bundle != "" {
			found = append(found, bundle)
		}
	}
	for _, webhook := range listAt(object, "webhooks") {
		add(mapAt(asMap(webhook), "clientConfig"))
	}
	add(mapAt(object, "spec", "conversion", "webhook", "clientConfig"))
	if textAt(object, "kind") == "APIService" {
		add(mapAt(object, "spec"))
	}
	return found
}

// maxDropped bounds how many dropped fields of one CRD are listed.
const maxDropped = 10

func crdSchema(p pair) []string {
	if !p.both() || p.kind() != "CustomResourceDefinition" {
		return nil
	}
	var found []string
	now := crdVersions(p.new)
	for name, old := range crdVersions(p.old) {
		new, there := now[name]
		served, _ := old["served"].(bool)
		stillServed, _ := new["served"].(bool)
		switch {
		case !there:
			found = append(found, fmt.Sprintf("the version %s is removed", name))
		case served && !stillServed:
			found = append(found, fmt.Sprintf("the version %s is no longer served", name))
		default:
			found = append(found, droppedFields(name, mapAt(old, "schema", "openAPIV3Schema"), mapAt(new, "schema", "openAPIV3Schema"))...)
		}
	}
	slices.Sort(found)
	if n := len(found) - maxDropped; n > 0 {
		found = append(found[:maxDropped], fmt.Sprintf("and %d more fields or versions are dropped", n))
	}
	return found
}

func crdVersions(crd map[string]any) map[string]map[string]any {
	versions := map[string]map[string]any{}
	for _, version := range listAt(crd, "spec", "versions") {
		versions[textAt(asMap(version), "name")] = asMap(version)
	}
	return versions
}

// droppedFields lists the fields of a schema that are no longer in it. A branch that is gone is listed, not what was below.
func droppedFields(path string, old, new map[string]any) []string {
	if preserves, _ := new["x-kubernetes-preserve-unknown-fields"].(bool); preserves {
		return nil
	}
	var found []string
	properties := mapAt(new, "properties")
	for key, schema := range mapAt(old, "properties") {
		below := path + "." + key
		if _, there := properties[key]; !there {
			found = append(found, fmt.Sprintf("the field %s is dropped", below))
			continue
		}
		found = append(found, droppedFields(below, asMap(schema), asMap(properties[key]))...)
	}
	for _, nested := range []string{"items", "additionalProperties"} {
		if oldNested, newNested := mapAt(old, nested), mapAt(new, nested); oldNested != nil && newNested != nil {
			found = append(found, droppedFields(path+"[]", oldNested, newNested)...)
		}
	}
	return found
}
