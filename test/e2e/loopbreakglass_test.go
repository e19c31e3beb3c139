package e2e_test

import (
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/e2e/harness"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// byHandAllowed lets people apply to the cluster tools by hand.
func byHandAllowed(c *harness.Cluster) string {
	cluster := section(txtar.Parse([]byte(loopRepo)), "clusters/tools/cluster.yaml")
	return "-- clusters/tools/cluster.yaml --\n" + strings.Replace(cluster, "spec: {", "spec: {allowApply: true, context: "+c.Context+", ", 1) + "\n"
}

// TestLoopBreakGlass rolls a cluster back with the registry and the Git host down, while Flux runs: Flux leaves it alone, until
// the pin is on main and the release is handed back, and then changes nothing.
func TestLoopBreakGlass(t *testing.T) {
	l := newLoop(t, "e2e-glass", "1.0.0", byHandAllowed(fluxCluster(t)))
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	l.deploy(t, "1.1.0")
	l.ready(t, "1.1.0")
	was := uid(t, l)

	l.registry.Fail(registrytest.Fault{Close: true})
	l.host.SetDown(true)
	from := time.Now()
	l.tfgitops(t, "rollback", l.name, "--cluster", "tools", "--now", "--kubeconfig", l.Kubeconfig, "--reason", "it broke", "--yes", "--commit")
	echoes(t, l, "1.0.0")
	took(t, "rollback --now, with registry and Git host down", from)
	l.host.SetDown(false)
	l.registry.ClearFaults()

	l.askFor(t, "Kustomization", l.source) // which applies again that 1.1.0 is pinned, and no suspend
	l.suspendedFor(t, "it broke")
	echoes(t, l, "1.0.0")
	refused := tfgitops(t, l.clone, 3, "apply", l.name, "--cluster", "tools", "--kubeconfig", l.Kubeconfig, "--restore")
	if !strings.Contains(refused, "runs "+l.name+" 1.0.0 (deployed), and origin/main pins 1.1.0") {
		t.Errorf("handing back before the pin is on main:\n%s", refused)
	}

	l.git(t, "push", "--quiet", "origin", "HEAD:main")
	l.until(t, "pinned to 1.0.0, and suspended still", func(hr *helmv2.HelmRelease) bool {
		return hr.Spec.Chart.Spec.Version == "1.0.0" && hr.Spec.Suspend
	})
	l.tfgitops(t, "apply", l.name, "--cluster", "tools", "--kubeconfig", l.Kubeconfig, "--restore")
	from = time.Now()
	hr := l.ready(t, "1.0.0")
	took(t, "handed back to Flux", from)
	t.Logf("Helm's revision after the return to Flux: %d", hr.Status.History.Latest().Version)
	echoes(t, l, "1.0.0")
	if diff := cmp.Diff(was, uid(t, l)); diff != "" || hr.Spec.Suspend {
		t.Errorf("suspended %t; what ran was made anew:\n%s", hr.Spec.Suspend, diff)
	}

	pushEcho(t, l.registry, "apps", l.name, "1.2.0")
	from = l.deploy(t, "1.2.0")
	l.ready(t, "1.2.0")
	took(t, "bump after breaking the glass", from)
}

// suspendedFor wants Flux to be kept away, with the reason.
func (l *loop) suspendedFor(t *testing.T, why string) {
	t.Helper()
	hr, err := l.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := hr.Annotations["tfgitops.toolforge.org/suspended-because"]; !hr.Spec.Suspend || got != why {
		t.Errorf("suspended %t, because %q", hr.Spec.Suspend, got)
	}
}

// TestLoopTriedByHand tries a build that no pin names while Flux runs, and hands the release back with what main pins.
func TestLoopTriedByHand(t *testing.T) {
	l := newLoop(t, "e2e-tried", "1.0.0", byHandAllowed(fluxCluster(t)))
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	apply := []string{"apply", l.name, "--cluster", "tools", "--kubeconfig", l.Kubeconfig}
	l.tfgitops(t, append(apply, "--version", "1.1.0", "--reason", "trying it", "--yes")...)
	echoes(t, l, "1.1.0")
	l.askFor(t, "Kustomization", l.source)
	time.Sleep(2 * time.Second)
	l.suspendedFor(t, "trying it")
	echoes(t, l, "1.1.0")

	tfgitops(t, l.clone, 3, append(apply, "--restore")...)
	l.tfgitops(t, append(apply, "--yes")...)
	l.tfgitops(t, append(apply, "--restore")...)
	l.until(t, "Flux's again", func(hr *helmv2.HelmRelease) bool { return !hr.Spec.Suspend })
	l.ready(t, "1.0.0")
	echoes(t, l, "1.0.0")
}
