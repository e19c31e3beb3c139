package diff

import (
	"fmt"
	"slices"
	"strings"
)

// accessRules are about who may do what: RBAC and admission.
func accessRules() []Rule {
	return []Rule{
		{
			ID: "rbac-gained", Severity: High,
			Finds:   "a Role or ClusterRole that gains wildcards, secrets, or verbs that lead to more rights",
			Because: "whoever holds it can take over the namespace or the cluster",
			Example: "verbs: [\"*\"], resources: [secrets], verbs: [escalate]",
			check: objectCheck(func(p pair) []string {
				return gained(p, func(o map[string]any, k string) []string { return grants(o, k, true) }, "gains %s")
			}),
		},
		{
			ID: "rbac-widened", Severity: Medium,
			Finds:   "a Role or ClusterRole that was there and gains other rights",
			Because: "whoever holds it can do more than before",
			Example: "verbs: [get, list] → [get, list, delete]",
			check: objectCheck(func(p pair) []string {
				if !p.both() {
					return nil
				}
				return gained(p, func(o map[string]any, k string) []string { return grants(o, k, false) }, "gains %s")
			}),
		},
		{
			ID: "cluster-role-binding", Severity: High,
			Finds:   "a ClusterRoleBinding that is new, or binds someone new",
			Because: "it gives rights on the whole cluster",
			Example: "a ServiceAccount is bound to cluster-admin",
			check:   objectCheck(func(p pair) []string { return gained(p, boundTo, "binds %s") }),
		},
		{
			ID: "webhook-scope", Severity: High,
			Finds:   "a webhook that is new and fails closed, or whose failurePolicy, selectors or rules change",
			Because: "what it watches can no longer be changed while it is away, or is no longer watched",
			Example: "failurePolicy: Ignore → Fail",
			check:   objectCheck(webhookScope),
		},
	}
}

// grave are verbs that lead to other rights.
var grave = []string{"*", "escalate", "bind", "impersonate"}

// graveResources are resources whose content is as good as other rights.
var graveResources = []string{"*", "secrets", "serviceaccounts/token", "pods/exec", "nodes/proxy"}

// grants lists what a role allows, the grave rights or the others.
func grants(object map[string]any, kind string, onlyGrave bool) []string {
	if kind != "Role" && kind != "ClusterRole" {
		return nil
	}
	var found []string
	for _, rule := range listAt(object, "rules") {
		groups, verbs := texts(listAt(asMap(rule), "apiGroups")), texts(listAt(asMap(rule), "verbs"))
		resources := texts(listAt(asMap(rule), "resources"))
		for _, url := range texts(listAt(asMap(rule), "nonResourceURLs")) {
			groups, resources = []string{""}, append(resources, "URL "+url)
		}
		for _, resource := range resources {
			for _, verb := range verbs {
				for _, group := range groups {
					isGrave := slices.Contains(grave, verb) || group == "*" || slices.Contains(graveResources, resource) && !readsNames(rule)
					if isGrave == onlyGrave {
						found = append(found, fmt.Sprintf("%s on %s", verb, strings.TrimSuffix(resource+"."+group, ".")))
					}
				}
			}
		}
	}
	return found
}

// readsNames reports whether a rule is bound to named objects.
func readsNames(rule any) bool { return len(listAt(asMap(rule), "resourceNames")) > 0 }

func boundTo(object map[string]any, kind string) []string {
	if kind != "ClusterRoleBinding" {
		return nil
	}
	role := textAt(object, "roleRef", "name")
	var found []string
	for _, subject := range listAt(object, "subjects") {
		s := asMap(subject)
		who := ref{kind: textAt(s, "kind"), namespace: textAt(s, "namespace"), name: textAt(s, "name")}
		found = append(found, fmt.Sprintf("%s to ClusterRole %s", who, role))
	}
	return found
}

func webhookScope(p pair) []string {
	if p.new == nil || !strings.HasSuffix(p.kind(), "WebhookConfiguration") {
		return nil
	}
	old := webhooks(p.old)
	var found []string
	for name, webhook := range webhooks(p.new) {
		before, there := old[name]
		if !there {
			found = append(found, one(textAt(webhook, "failurePolicy") != "Ignore", "the webhook %s is new and fails closed", name)...)
			continue
		}
		for _, field := range []string{"failurePolicy", "namespaceSelector", "objectSelector", "rules", "matchConditions"} {
			if !equal(before[field], webhook[field]) {
				found = append(found, fmt.Sprintf("%s of the webhook %s changes", field, name))
			}
		}
	}
	for name := range old {
		if webhooks(p.new)[name] == nil {
			found = append(found, fmt.Sprintf("the webhook %s is removed", name))
		}
	}
	slices.Sort(found)
	return found
}

func webhooks(object map[string]any) map[string]map[string]any {
	found := map[string]map[string]any{}
	for _, webhook := range listAt(object, "webhooks") {
		found[textAt(asMap(webhook), "name")] = asMap(webhook)
	}
	return found
}
