package live

import (
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/google/go-cmp/cmp"
)

// builtObjects builds a folder of deploy and returns its objects as YAML, by kind.
func builtObjects(t *testing.T, folder string) map[string][][]byte {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("..", "..", "deploy", folder))
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string][][]byte{}
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		objects[resource.GetKind()] = append(objects[resource.GetKind()], text)
	}
	return objects
}

// only reads the one object of a kind, strictly: a field that Kubernetes does not have is an error.
func only[T any](t *testing.T, objects map[string][][]byte, kind string) T {
	t.Helper()
	var object T
	if len(objects[kind]) != 1 {
		t.Fatalf("%d objects are a %s", len(objects[kind]), kind)
	}
	if err := yaml.UnmarshalStrict(objects[kind][0], &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// TestDeployExporter holds the exporter to the restricted profile of pods: no root, nothing writable but its volumes, no
// rights in the hub, and a network that it can name.
func TestDeployExporter(t *testing.T) {
	t.Parallel()
	objects := builtObjects(t, "exporter")
	pod := only[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the pod gets a token of the hub")
	}
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod's security context: %+v", s)
	}
	for _, container := range pod.Containers {
		s := container.SecurityContext
		if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") || len(s.Capabilities.Add) > 0 || s.Privileged != nil {
			t.Errorf("%s: security context %+v", container.Name, s)
		}
		if container.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s may use all memory", container.Name)
		}
	}
	if exporter := pod.Containers[0]; exporter.LivenessProbe == nil || exporter.LivenessProbe.HTTPGet.Path != "/healthz" || exporter.ReadinessProbe == nil || exporter.ReadinessProbe.HTTPGet.Path != "/readyz" {
		t.Error("the exporter's probes are not its own")
	}
	for _, kind := range []string{"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} {
		if len(objects[kind]) > 0 {
			t.Errorf("the exporter has rights in the hub: %s", kind)
		}
	}
	policy := only[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy").Spec
	if len(policy.PolicyTypes) != 2 || len(policy.Ingress) != 1 || len(policy.Ingress[0].From) != 1 || len(policy.Ingress[0].Ports) != 1 {
		t.Errorf("network policy: %+v", policy)
	}
	var monitor struct {
		Spec struct {
			JobLabel  string `json:"jobLabel"`
			Endpoints []struct {
				Port string `json:"port"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(objects["ServiceMonitor"][0], &monitor); err != nil {
		t.Fatal(err)
	}
	service := only[corev1.Service](t, objects, "Service")
	if service.Labels[monitor.Spec.JobLabel] != "tfgitops" {
		t.Error("the scrape job has another name than the alert rules expect")
	}
	if monitor.Spec.Endpoints[0].Port != service.Spec.Ports[0].Name {
		t.Error("the ServiceMonitor scrapes a port that the Service does not have")
	}
}

// TestDeployRights holds the accounts to exactly what is used: more would be somebody's way in, less an unknown cluster. That it
// is enough, TestStatusOfARealCluster shows.
func TestDeployRights(t *testing.T) {
	t.Parallel()
	type rules = []rbacv1.PolicyRule
	list := func(group string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: []string{"list"}}
	}
	lease := func(names []string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: names, Verbs: verbs}
	}
	reader, tester := builtObjects(t, "reader"), builtObjects(t, "tester")
	tests := map[string]struct{ got, want rules }{
		"reader, in Flux's namespace": {only[rbacv1.Role](t, reader, "Role").Rules, rules{
			list("helm.toolkit.fluxcd.io", "helmreleases"), list("source.toolkit.fluxcd.io", "helmrepositories", "helmcharts", "ocirepositories"),
			list("kustomize.toolkit.fluxcd.io", "kustomizations"), list("apps", "deployments"),
		}},
		"reader, everywhere": {only[rbacv1.ClusterRole](t, reader, "ClusterRole").Rules, rules{list("", "pods")}},
		"tester":             {only[rbacv1.Role](t, tester, "Role").Rules, rules{lease(nil, "create"), lease([]string{testLease}, "get", "update")}},
	}
	for name, test := range tests {
		if difference := cmp.Diff(test.want, test.got); difference != "" {
			t.Errorf("%s: %s", name, difference)
		}
	}
	if len(tester["ClusterRole"]) > 0 {
		t.Error("the tester has rights everywhere")
	}
}
