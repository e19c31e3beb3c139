package bump

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/overlay"
)

// Every form of version that Toolforge has had, and those that some parser on the way would take for something else,
// comes out of the build of the cluster as it went in.
func TestVersionFormsSurvive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, version, commit, repository string }{
		{"in-house", "0.0.201-20260804100441-102b23dd", "102b23dd", "apps"},
		{"a commit of digits with leading zeros", "0.0.213-20230705073411-09895639", "09895639", "apps"},
		{"like a float that overflows", "0.0.300-20240705073411-12e45670", "12e45670", "apps"},
		{"like a float", "0.0.301-20240705073411-40551e32", "40551e32", "apps"},
		{"all digits", "0.0.302-20240705073411-12345678", "12345678", "apps"},
		{"octal", "0.0.303-20240705073411-01234567", "01234567", "apps"},
		{"a merge request's", "0.0.82-dev-mr-34", "", "apps"},
		{"another merge request's", "0.0.82-dev.mr34", "", "apps"},
		{"a chart's own, with v", "v1.20.3", "", "charts"},
		{"without v", "3.13.1", "", "charts"},
		{"build metadata over HTTP", "1.2.3+meta", "", "charts"},
		{"build metadata in a registry", "1.2.3+09895639", "", "apps"},
		{"a migration's", "0.0.467-migration-of-all-jobs", "", "apps"},
		{"a sum of digits and e", "1.2.3-12e4567", "", "charts"},
		{"zeros", "0.0.0-0", "", "charts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.replace("components/app/component.yaml", "repository: apps", "repository: "+c.repository)
			w.files["clusters/local/kustomization.yaml"] = "resources: [manifests]\n"
			whole := ""
			if c.commit != "" {
				whole = c.commit + strings.Repeat("0", 32)
				w.source.add(whole, true, commitID(1))
			}
			for _, url := range []string{"oci://beta.example/apps", chartsURL} {
				w.registries.add(url, "app", c.version, whole)
			}
			w.start()
			request := Request{Op: OpBump, Revision: c.version, Scope: Scope{Clusters: []string{"local"}}, Overrides: anyway()}
			request.Install = true
			delete(w.files, "clusters/local/pins/app.yaml")
			w.do(request)
			if pin := w.pin("local", "app"); pin.Releases["app"].Version != c.version || pin.Commit != whole {
				t.Errorf("pinned: %+v", pin)
			}
			if got := w.built("local"); got.version != c.version || got.commit != whole {
				t.Errorf("built: %+v", got)
			}
			if c.commit == "" {
				return
			}
			if plan := w.do(Request{Op: OpBump, Revision: c.commit, Scope: Scope{Clusters: []string{"local"}}}); len(plan.Changed()) > 0 {
				t.Errorf("by its commit it is something else: %s", plan.Message())
			}
		})
	}
}

// Break glass: the registry down, the version is pinned as it was typed.
func TestTypedVersionsWithTheRegistryDown(t *testing.T) {
	t.Parallel()
	for repository, version := range map[string]string{"apps": "0.0.213-20230705073411-09895639", "charts": "v1.20.3"} {
		w := newWorld(t)
		w.replace("components/app/component.yaml", "repository: apps", "repository: "+repository)
		w.registries.errs["oci://beta.example/apps"], w.registries.errs[chartsURL] = unreachable("x"), unreachable("x")
		w.sourceErr = errors.New("down")
		plan, err := w.plan(Request{Op: OpBump, Revision: version, Scope: Scope{Clusters: []string{"beta"}}, Overrides: map[string]string{RuleUnverified: "all is down", RuleDowngrade: "x"}})
		if err != nil || plan.Err() != nil || plan.Changes[0].To() != version {
			t.Errorf("%v, %+v", err, plan)
		}
	}
	w := newWorld(t)
	w.registries.errs["oci://beta.example/apps"] = unreachable("x")
	for _, revision := range []string{commitID(2), "latest"} {
		if _, err := w.plan(Request{Op: OpBump, Revision: revision, Overrides: map[string]string{RuleUnverified: "x"}}); !errors.Is(err, artifact.ErrUnreachable) || errors.Is(err, artifact.ErrMissing) {
			t.Errorf("%s: %v", revision, err)
		}
	}
}

// deployed is what Flux is told of app.
type deployed struct{ version, commit string }

// built builds a cluster as Flux does, and returns what it says of app.
func (w *world) built(cluster string) deployed {
	w.t.Helper()
	result, err := overlay.Build(w.t.Context(), w.fs(), "clusters/"+cluster)
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(result.Objects, func(o overlay.Object) bool { return o.Kind() == "HelmRelease" && o.Name() == "app" })
	if i < 0 {
		w.t.Fatalf("no HelmRelease in %s", cluster)
	}
	var found deployed
	found.version, _ = field(result.Objects[i].Content, "spec", "chart", "spec", "version").(string)
	found.commit, _ = field(result.Objects[i].Content, "metadata", "annotations", "tfgitops.toolforge.org/commit").(string)
	return found
}

func field(content any, path ...string) any {
	for _, name := range path {
		below, isMap := content.(map[string]any)
		if !isMap {
			return nil
		}
		content = below[name]
	}
	return content
}

// Every state of four of Toolforge's components is pinned, one after the other, as it was on three clusters.
func TestRealHistory(t *testing.T) {
	t.Parallel()
	path := os.Getenv("TFGITOPS_PIN_HISTORY")
	if path == "" {
		path = "../../../shared/toolforge-pin-history.tsv"
	}
	for component, states := range readStates(t, path) {
		t.Run(component, func(t *testing.T) {
			t.Parallel()
			replay(t, states)
		})
	}
}

// pinStates are the versions of a component on local, beta and prod, after each change.
type pinStates [][3]string

func readStates(t *testing.T, path string) map[string]pinStates {
	t.Helper()
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("no record of real pins at %s (set TFGITOPS_PIN_HISTORY)", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	states := map[string]pinStates{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) == 5 && !strings.HasPrefix(fields[0], "#") {
			states[fields[0]] = append(states[fields[0]], [3]string(fields[1:4]))
		}
	}
	if err := lines.Err(); err != nil || len(states) == 0 {
		t.Fatalf("%v, %d components", err, len(states))
	}
	return states
}

// buildEvery is how many changes share one build with kustomize, which reads its schemas anew each time.
const buildEvery = 40

// renderedVersion reads what a cluster's rendered file says, as text: no parser is to be trusted with it.
func (w *world) renderedVersion(cluster string) string {
	w.t.Helper()
	_, chart, _ := strings.Cut(w.files["clusters/"+cluster+"/manifests/app.yaml"], "\n      version: ")
	line, _, _ := strings.Cut(chart, "\n")
	version, err := strconv.Unquote(line)
	if err != nil {
		w.t.Fatalf("%s: the version %s is not quoted", cluster, line)
	}
	return version
}

func replay(t *testing.T, states pinStates) {
	t.Helper()
	w := newWorld(t)
	clusters := [3]string{"local", "beta", "prod"}
	known := map[string]bool{}
	last := commitID(1)
	for _, state := range states {
		for _, version := range state {
			if known[version] {
				continue
			}
			known[version] = true
			whole := version[strings.LastIndex(version, "-")+1:]
			if artifact.IsUnmerged(version) {
				whole = ""
			} else {
				whole += strings.Repeat("0", 32)
				w.source.add(whole, true, last)
				last = whole
			}
			w.registries.add("oci://beta.example/apps", "app", version, whole)
			w.registries.add("oci://prod.example/apps", "app", version, whole)
		}
	}
	for _, cluster := range clusters {
		delete(w.files, "clusters/"+cluster+"/pins/app.yaml")
		w.files["clusters/"+cluster+"/kustomization.yaml"] = "resources: [manifests]\n"
	}
	w.registries.files["app"] = map[string]string{"templates/empty.yaml": ""}
	w.start()
	changes := 0
	for _, state := range states {
		for i, cluster := range clusters {
			if w.pin(cluster, "app") != nil && w.version(cluster) == state[i] {
				continue
			}
			w.do(Request{Op: OpBump, Revision: state[i], Install: true, Scope: Scope{Clusters: []string{cluster}}, Overrides: anyway()})
			changes++
			if got := w.renderedVersion(cluster); got != state[i] {
				t.Fatalf("%s is to run %s and is rendered with %s", cluster, state[i], got)
			}
			if changes%buildEvery != 1 {
				continue
			}
			if got := w.built(cluster).version; got != state[i] {
				t.Fatalf("%s is to run %s and is built with %s", cluster, state[i], got)
			}
		}
	}
	t.Logf("%d states, %d changes", len(states), changes)
}
