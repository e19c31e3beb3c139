package diff

import (
	"fmt"
	"slices"
	"strings"
)

// podTemplates says where the kinds that make pods have their template.
var podTemplates = map[string][]string{
	"Pod":         {},
	"Deployment":  {"spec", "template"},
	"StatefulSet": {"spec", "template"},
	"DaemonSet":   {"spec", "template"},
	"ReplicaSet":  {"spec", "template"},
	"Job":         {"spec", "template"},
	"CronJob":     {"spec", "jobTemplate", "spec", "template"},
}

// podRules are about pods: what they may do, where their images come from, and whether they restart.
func podRules() []Rule {
	return []Rule{
		{
			ID: "privileges-gained", Severity: High,
			Finds:   "a pod that becomes privileged, runs in a namespace of the node's, mounts a folder of the node's, or gains capabilities",
			Because: "whoever takes over the pod has the node",
			Example: "securityContext.privileged: true, hostPath: /etc",
			check:   objectCheck(func(p pair) []string { return gained(p, nodePrivileges, "gains %s") }),
		},
		{
			ID: "root-gained", Severity: Medium,
			Finds:   "a container that may run as root, or gain privileges, and could not before",
			Because: "one more wall between a bug in it and the node is gone",
			Example: "runAsNonRoot: true is removed",
			check:   objectCheck(rootGained),
		},
		{
			ID: "image-registry", Severity: Medium,
			Finds:   "a new image from a registry that the cluster's imageRegistries do not list",
			Because: "admission may refuse it, and nobody here controls what it is",
			Example: "docker.io/library/nginx on a cluster that lists tools-harbor.wmcloud.org",
			check:   objectCheck(foreignImages),
		},
		{
			ID: "image-not-pinned", Severity: Low,
			Finds:   "a new image without a digest",
			Because: "its tag can be moved: what runs tomorrow may be something else",
			Example: "tools-harbor.wmcloud.org/toolforge/jobs-api:latest",
			check: objectCheck(func(p pair) []string {
				return gained(p, func(object map[string]any, kind string) []string {
					return slices.DeleteFunc(images(object, kind), func(image string) bool { return strings.Contains(image, "@sha256:") })
				}, "the image %s has no digest")
			}),
		},
		{
			ID: "pods-stop-first", Severity: Medium,
			Finds:   "a workload whose pods restart, and are stopped before new ones run",
			Because: "the service is away in between",
			Example: "one replica with strategy Recreate, or maxUnavailable: 100%",
			check:   objectCheck(func(p pair) []string { return restart(p, true) }),
		},
		{
			ID: "pods-restart", Severity: Low,
			Finds:   "a workload whose pods restart, one after another",
			Because: "connections are cut and caches are empty",
			Example: "the image of a Deployment",
			check:   objectCheck(func(p pair) []string { return restart(p, false) }),
		},
	}
}

// podTemplate is the pod template of an object, and whether it has one. A Pod is its own.
func podTemplate(object map[string]any, kind string) (map[string]any, bool) {
	where, ok := podTemplates[kind]
	if !ok || object == nil {
		return nil, false
	}
	return mapAt(object, where...), true
}

// restarts reports whether pods that run are replaced: the template of a workload changed.
func restarts(m matched) bool {
	if m.old == nil || m.new == nil || m.renamed || m.new.hook {
		return false
	}
	kind := m.new.ref.kind
	if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, kind) || textAt(m.new.content, "spec", "updateStrategy", "type") == "OnDelete" {
		return false
	}
	old, _ := podTemplate(m.old.content, kind)
	new, _ := podTemplate(m.new.content, kind)
	return !equal(old, new)
}

// restart says how pods restart, if they do in that way.
func restart(p pair, stopped bool) []string {
	if !restarts(p.m) || stopsFirst(p.new) != stopped {
		return nil
	}
	return []string{restartText(p)}
}

// stopsFirst reports whether no pod runs for a moment: Recreate, a StatefulSet of one, or all unavailable at once.
func stopsFirst(object map[string]any) bool {
	unavailable := fmt.Sprint(at(object, "spec", "strategy", "rollingUpdate", "maxUnavailable"))
	alone := replicasText(object) == "1"
	switch textAt(object, "kind") {
	case "StatefulSet":
		return alone
	case "Deployment":
		return textAt(object, "spec", "strategy", "type") == "Recreate" || unavailable == "100%" || alone && unavailable == "1"
	}
	return false
}

func replicasText(object map[string]any) string {
	if replicas := at(object, "spec", "replicas"); replicas != nil {
		return fmt.Sprint(replicas)
	}
	return "1"
}

// restartText says how many pods restart, in which way, and whether a budget bounds it.
func restartText(p pair) string {
	if p.kind() == "DaemonSet" {
		return "its pods restart on every node"
	}
	text := "its pod restarts"
	if n := replicasText(p.new); n != "1" {
		text = fmt.Sprintf("its %s pods restart", n)
	}
	switch {
	case stopsFirst(p.new):
		text += ", stopped before new ones run"
	case p.kind() == "StatefulSet":
		text += ", one after another"
	default:
		text += fmt.Sprintf(", %s extra and %s missing at a time", orDefault(at(p.new, "spec", "strategy", "rollingUpdate", "maxSurge")), orDefault(at(p.new, "spec", "strategy", "rollingUpdate", "maxUnavailable")))
	}
	if budget := p.budget(); budget != "" {
		return text + "; PodDisruptionBudget " + budget
	}
	return text
}

func orDefault(v any) string {
	if v == nil {
		return "25%"
	}
	return fmt.Sprint(v)
}

// budget finds the PodDisruptionBudget of the workload's pods in its release.
func (p pair) budget() string {
	if p.release == nil || p.release.new == nil {
		return ""
	}
	pods, _ := podTemplate(p.new, p.kind())
	labels := mapAt(pods, "metadata", "labels")
	for _, it := range p.release.new.items {
		if it.ref.kind != "PodDisruptionBudget" || it.ref.namespace != p.m.new.ref.namespace {
			continue
		}
		wanted := mapAt(it.content, "spec", "selector", "matchLabels")
		if len(wanted) > 0 && !slices.ContainsFunc(sortedKeys(wanted), func(key string) bool { return !equal(wanted[key], labels[key]) }) {
			return it.ref.name
		}
	}
	return ""
}

// gained returns a message for everything that list finds in the new object and not in the old.
func gained(p pair, list func(object map[string]any, kind string) []string, format string) []string {
	if p.new == nil {
		return nil
	}
	before := map[string]bool{}
	if p.old != nil {
		note(before, list(p.old, p.kind()))
	}
	var found []string
	for _, what := range slices.Compact(slices.Sorted(slices.Values(list(p.new, p.kind())))) {
		if !before[what] {
			found = append(found, fmt.Sprintf(format, what))
		}
	}
	return found
}

// containers are all containers of a pod template.
func containers(pod map[string]any) []map[string]any {
	var found []map[string]any
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for _, c := range listAt(pod, "spec", list) {
			found = append(found, asMap(c))
		}
	}
	return found
}

// nodePrivileges lists what a pod may do to its node.
func nodePrivileges(object map[string]any, kind string) []string {
	pod, ok := podTemplate(object, kind)
	if !ok {
		return nil
	}
	var found []string
	for _, field := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		if yes, _ := at(pod, "spec", field).(bool); yes {
			found = append(found, field)
		}
	}
	for _, volume := range listAt(pod, "spec", "volumes") {
		if path := textAt(asMap(volume), "hostPath", "path"); path != "" {
			found = append(found, "hostPath "+path)
		}
	}
	for _, c := range containers(pod) {
		if yes, _ := at(c, "securityContext", "privileged").(bool); yes {
			found = append(found, fmt.Sprintf("privileged in container %s", textAt(c, "name")))
		}
		for _, capability := range texts(listAt(c, "securityContext", "capabilities", "add")) {
			found = append(found, fmt.Sprintf("the capability %s in container %s", capability, textAt(c, "name")))
		}
	}
	return found
}

// rootGained compares what holds containers back, in objects that were there before: many new ones do not say it.
func rootGained(p pair) []string {
	if !p.both() {
		return nil
	}
	return gained(p, rootPrivileges, "%s")
}

func rootPrivileges(object map[string]any, kind string) []string {
	pod, ok := podTemplate(object, kind)
	if !ok {
		return nil
	}
	var found []string
	for _, c := range containers(pod) {
		name := textAt(c, "name")
		if nonRoot, _ := effective(pod, c, "runAsNonRoot").(bool); !nonRoot && !isUser(effective(pod, c, "runAsUser")) {
			found = append(found, fmt.Sprintf("container %s may run as root", name))
		}
		if escalation, said := at(c, "securityContext", "allowPrivilegeEscalation").(bool); escalation || !said {
			found = append(found, fmt.Sprintf("container %s may gain privileges", name))
		}
	}
	return found
}

// effective is a field of a container's security context, or else of its pod's.
func effective(pod, container map[string]any, field string) any {
	if v := at(container, "securityContext", field); v != nil {
		return v
	}
	return at(pod, "spec", "securityContext", field)
}

func isUser(v any) bool { return v != nil && fmt.Sprint(v) != "0" }

func images(object map[string]any, kind string) []string {
	pod, ok := podTemplate(object, kind)
	if !ok {
		return nil
	}
	var found []string
	for _, c := range containers(pod) {
		if image := textAt(c, "image"); image != "" {
			found = append(found, image)
		}
	}
	return found
}

func foreignImages(p pair) []string {
	if p.cluster.new == nil || len(p.cluster.new.cluster.ImageRegistries) == 0 {
		return nil
	}
	allowed := p.cluster.new.cluster.ImageRegistries
	return gained(p, func(object map[string]any, kind string) []string {
		return slices.DeleteFunc(images(object, kind), func(image string) bool { return slices.Contains(allowed, registryOf(image)) })
	}, "the image %s comes from a registry that imageRegistries does not list")
}

// registryOf returns the host of an image, by Docker's rule: without a dot, a colon or "localhost" it is Docker Hub.
func registryOf(image string) string {
	host, _, found := strings.Cut(image, "/")
	if found && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return host
	}
	return "docker.io"
}
