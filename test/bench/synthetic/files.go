package synthetic

import (
	"fmt"
	"strings"
)

const head = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: %s\nmetadata:\n  name: %s\nspec:\n"

const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - manifests
`

// controlRepo has a tenth of the clusters, and at least one, in a test stage.
func controlRepo(size Size) string {
	var b strings.Builder
	fmt.Fprintf(&b, head, "ControlRepo", "synthetic")
	b.WriteString(`  repositories:
    registry:
      url: oci://registry.example.org/charts
      versionPattern: "-(?P<commit>[0-9a-f]{8})$"
    vendor:
      url: https://charts.example.org
  releaseDefaults:
    interval: 10m
    timeout: 5m
  stages:
`)
	inTest := max(1, size.Clusters/10)
	stage(&b, "test", 0, inTest)
	if inTest < size.Clusters {
		stage(&b, "production", inTest, size.Clusters)
	}
	return b.String()
}

func stage(b *strings.Builder, name string, from, to int) {
	fmt.Fprintf(b, "    - name: %s\n      clusters:\n", name)
	for k := from; k < to; k++ {
		fmt.Fprintf(b, "        - %s\n", Cluster(k))
	}
}

// component depends on the first of its ten, unless it is that.
func component(number int) string {
	name := Component(number)
	var b strings.Builder
	fmt.Fprintf(&b, head, "Component", name)
	fmt.Fprintf(&b, "  source:\n    url: https://git.example.org/%s\n    branch: main\n  namespace: %s\n", name, name)
	if first := number - number%10; first != number {
		fmt.Fprintf(&b, "  dependsOn:\n    - %s\n", Component(first))
	}
	fmt.Fprintf(&b, "  releases:\n    - name: %s\n      repository: registry\n", name)
	return b.String()
}

func clusterFile(number int) string {
	return fmt.Sprintf(head, "Cluster", Cluster(number)) + `  kubeVersion: "1.32.4"
  fluxVersion: "2.9"
  context: ` + Cluster(number) + `
  imageRegistries:
    - registry.example.org
`
}

func pin(component int) string {
	commit := fmt.Sprintf("%08xabcdef0123456789abcdef0123456789", 0xa0000000+component*7919)
	return fmt.Sprintf(head, "Pin", Component(component)) + fmt.Sprintf(`  commit: "%s"
  releases:
    %s:
      version: "0.0.%d-20260804100441-%s"
`, commit, Component(component), component+1, commit[:8])
}

// values are what a component of middling size sets: forty-odd lines, with the kinds of value that YAML gets wrong.
func values(component int) string {
	return fmt.Sprintf(`replicaCount: %d
image:
  repository: registry.example.org/%s
  pullPolicy: IfNotPresent
serviceAccount:
  create: true
  annotations: {}
service:
  type: ClusterIP
  port: %d
resources:
  requests:
    cpu: 100m
    memory: 128Mi
  limits:
    cpu: "1"
    memory: 512Mi
env:
  - name: LOG_LEVEL
    value: info
  - name: BUILD
    value: "09895639"
  - name: SINCE
    value: "2024-04-01"
  - name: DEBUG
    value: "false"
autoscaling:
  enabled: true
  minReplicas: 2
  maxReplicas: %d
  targetCPUUtilizationPercentage: 80
config:
  timeoutSeconds: 30
  ratio: 0.75
  maxBytes: 9007199254740993
  optional: null
  schema: |
    from:
      date: 2024-04-01
    store: tsdb
tolerations:
  - key: node-role.kubernetes.io/control-plane
    operator: Exists
    effect: NoSchedule
nodeSelector:
  kubernetes.io/os: linux
`, component%3+1, Component(component), 8000+component, component%5+3)
}

func clusterValues(cluster int) string {
	return fmt.Sprintf(`replicaCount: 3
image:
  repository: registry-%03d.example.org/mirror
config:
  timeoutSeconds: 60
`, cluster)
}
