package e2e_test

import (
	"os"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"golang.org/x/tools/txtar"
)

// TestLoopShards divides source-controller and helm-controller by Flux's sharding key: the sources of the cluster are in one
// shard, the release of a component in another. Each waits for the controllers of its own shard, and then they meet.
func TestLoopShards(t *testing.T) {
	if os.Getenv(fluxBin) == "" {
		env.skip(t)
	}
	c, err := env.run.NewCluster(t.Context(), "flux-shards")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartFluxWithoutShards(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := txtar.Parse([]byte(loopRepo))
	l := startLoop(t, c, "e2e-sharded",
		"-- clusters/tools/cluster.yaml --\n"+strings.Replace(section(files, "clusters/tools/cluster.yaml"), "spec: {", "spec: {shard: sources, ", 1)+
			"\n-- components/NAME/component.yaml --\n"+strings.Replace(section(files, "components/NAME/component.yaml"), "spec:", "spec:\n  shard: releases", 1)+"\n")
	pushEcho(t, l.registry, "apps", l.name, "1.0.0")
	l.deploy(t, "1.0.0", "--install")
	l.bootstrap(t, "tools")
	l.waitForKustomization(t, "to be applied", func(k *kustomizev1.Kustomization) bool { return k.Status.LastAppliedRevision != "" })

	for _, shard := range []string{"sources", "releases"} {
		time.Sleep(2 * time.Second)
		if hr, err := l.get(t.Context()); err != nil || hr.Status.ObservedGeneration > 0 || hr.Status.HelmChart != "" {
			t.Errorf("before the shard %s runs, somebody else takes the release (%v): %+v", shard, err, hr.Status)
		}
		if err := c.StartShard(t.Context(), shard); err != nil {
			t.Fatal(err)
		}
	}
	from := time.Now()
	hr := l.ready(t, "1.0.0")
	took(t, "a release of one shard from a source of another", from)
	if hr.Labels["sharding.fluxcd.io/key"] != "releases" || hr.Spec.Chart.ObjectMeta.Labels["sharding.fluxcd.io/key"] != "sources" {
		t.Errorf("labels %v, of the chart %+v", hr.Labels, hr.Spec.Chart.ObjectMeta)
	}
	echoes(t, l, "1.0.0")
	pushEcho(t, l.registry, "apps", l.name, "1.1.0")
	from = l.deploy(t, "1.1.0")
	l.until(t, "upgraded by its shard", func(hr *helmv2.HelmRelease) bool { return isObserved(hr, "1.1.0") })
	l.ready(t, "1.1.0")
	took(t, "bump of a release in a shard", from)
}
