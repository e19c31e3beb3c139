package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/bench/charts"
)

// A world to compare in: three clusters with thirty releases each, as Toolforge has.
const (
	diffClusters   = 3
	diffComponents = 30
)

// The branches of the world's control repo.
const (
	branchBase    = "base"        // build 1 of everything
	branchOne     = "one"         // build 2 of one component, everywhere
	branchAll     = "all"         // build 2 of everything, everywhere
	branchPatched = "patched"     // base, with a patch in each cluster's overlay
	branchBoth    = "patched-one" // the patch and build 2 of one component
)

// world is a control repo under Git in dir/repo, the packaged charts in dir/charts, and the registry that has them.
type world struct {
	bench
	dir     string
	server  *http.Server
	address string
	digests map[string]string // of the charts' manifests, by NAME/BUILD
}

func diffComponent(number int) string { return fmt.Sprintf("component-%02d", number) }

func diffCluster(number int) string { return fmt.Sprintf("cluster-%d", number) }

// newWorld makes the world and serves its charts until ctx ends.
func newWorld(ctx context.Context, b bench, dir string) (*world, error) {
	w := &world{bench: b, dir: dir, digests: map[string]string{}}
	if err := w.publish(ctx); err != nil {
		return nil, err
	}
	return w, w.commitBranches(ctx)
}

func (w *world) repo() string { return filepath.Join(w.dir, "repo") }

// chart is the file of a packaged chart, which helm is given.
func (w *world) chart(component, build int) string {
	return filepath.Join(w.dir, "charts", fmt.Sprintf("%s-%d.tgz", diffComponent(component), build))
}

func (w *world) publish(ctx context.Context) error {
	registry := charts.NewRegistry()
	for c := range diffComponents {
		for _, build := range []int{1, 2} {
			chart, err := charts.New(diffComponent(c), charts.Templates(c, diffComponents), build)
			if err != nil {
				return err
			}
			if err := writeFile(w.chart(c, build), string(chart.Archive)); err != nil {
				return err
			}
			if w.digests[fmt.Sprint(c, build)], err = registry.Add("charts", chart); err != nil {
				return err
			}
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.address = listener.Addr().String()
	w.server = &http.Server{Handler: registry, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.server.Serve(listener) }() // until close
	return nil
}

func (w *world) close() error { return w.server.Close() }

// commitBranches writes and renders each state of the control repo.
func (w *world) commitBranches(ctx context.Context) error {
	if err := w.writeBase(); err != nil {
		return err
	}
	steps := []struct {
		from, branch string
		change       func() error
	}{
		{"", branchBase, nothing},
		{branchBase, branchAll, func() error { return w.pin(2, diffComponents) }},
		{branchBase, branchOne, func() error { return w.pin(2, 1) }},
		{branchBase, branchPatched, w.patch},
		{branchPatched, branchBoth, func() error { return w.pin(2, 1) }},
	}
	if err := w.git(ctx, "init", "-q", "-b", branchBase); err != nil {
		return err
	}
	for _, step := range steps {
		if step.from != "" {
			if err := w.git(ctx, "checkout", "-q", "-b", step.branch, step.from); err != nil {
				return err
			}
		}
		if err := step.change(); err != nil {
			return err
		}
		if _, err := w.process(ctx, w.repo(), w.tfgitops, "render"); err != nil {
			return err
		}
		if err := w.git(ctx, "add", "-A"); err != nil {
			return err
		}
		if err := w.git(ctx, "-c", "user.name=Bench", "-c", "user.email=bench@example.org", "commit", "-q", "-m", step.branch); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) git(ctx context.Context, args ...string) error {
	_, err := w.process(ctx, w.repo(), "git", args...)
	return err
}

const controlHead = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: %s\nmetadata:\n  name: %s\nspec:\n"

func (w *world) writeBase() error {
	files := map[string]string{
		"tfgitops.yaml": fmt.Sprintf(controlHead, "ControlRepo", "bench") +
			fmt.Sprintf("  repositories:\n    charts:\n      url: oci://%s/charts\n      insecure: true\n", w.address) +
			"  stages:\n    - {name: all, clusters: [cluster-0, cluster-1, cluster-2]}\n",
	}
	for c := range diffComponents {
		name := diffComponent(c)
		files["components/"+name+"/component.yaml"] = fmt.Sprintf(controlHead, "Component", name) + "  namespace: " + name + "\n  releases:\n    - {name: " + name + ", repository: charts}\n"
		files["components/"+name+"/values/"+name+".yaml"] = componentValues
	}
	for k := range diffClusters {
		name := diffCluster(k)
		files["clusters/"+name+"/cluster.yaml"] = fmt.Sprintf(controlHead, "Cluster", name) +
			"  kubeVersion: \"1.32.4\"\n  apiVersions: [monitoring.coreos.com/v1]\n  fluxVersion: \"2.9\"\n  imageRegistries: [registry.example.org]\n"
		files["clusters/"+name+"/kustomization.yaml"] = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - manifests\n"
		for c := range diffComponents {
			files["clusters/"+name+"/values/"+diffComponent(c)+".yaml"] = fmt.Sprintf(clusterValues, name)
		}
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(w.repo(), filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	return w.pin(1, diffComponents)
}

// pin pins a build of the first components on every cluster.
func (w *world) pin(build, components int) error {
	for k := range diffClusters {
		for c := range components {
			name := diffComponent(c)
			content := fmt.Sprintf(controlHead, "Pin", name) + fmt.Sprintf("  releases:\n    %s:\n      version: %q\n      digest: %q\n", name, charts.Version(build), w.digests[fmt.Sprint(c, build)])
			if err := writeFile(filepath.Join(w.repo(), "clusters", diffCluster(k), "pins", name+".yaml"), content); err != nil {
				return err
			}
		}
	}
	return nil
}

// patch gives each cluster a patch of people's own, so that its overlay has to be built.
func (w *world) patch() error {
	for k := range diffClusters {
		content := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - manifests\npatches:\n" +
			"  - target: {kind: HelmRelease, name: component-01}\n    patch: |-\n      - {op: add, path: /spec/suspend, value: true}\n"
		if err := writeFile(filepath.Join(w.repo(), "clusters", diffCluster(k), "kustomization.yaml"), content); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(name, content string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(content), 0o600)
}

const componentValues = `commonLabels:
  example.org/owner: bench
revisionHistoryLimit: 5
extraArgs: [--log-format=json, --level=info]
env:
  log_level: debug
  upstream: http://other.example.org:8080
workers:
  worker00:
    replicas: 3
    resources:
      requests: {cpu: 200m, memory: 256Mi}
      limits: {cpu: "2", memory: 1Gi}
    settings:
      timeout: 60
`

const clusterValues = `env:
  cluster: %s
networkPolicy:
  from: [ingress, monitoring, gateway]
`
