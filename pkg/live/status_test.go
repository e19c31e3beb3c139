package live

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing them")

const testAPI = "apiVersion: tfgitops.toolforge.org/v1alpha1\n"

// testRepo is a control repo with the pins, one a line: cluster component version [commit].
func testRepo(t testing.TB, pins ...string) *control.Repo {
	t.Helper()
	files := fstest.MapFS{}
	add := func(name, text string) { files[name] = &fstest.MapFile{Data: []byte(testAPI + text)} }
	add("tfgitops.yaml", `kind: ControlRepo
metadata: {name: example}
spec:
  repositories:
    ours: {url: "oci://registry.example.org/ours", versionPattern: "-(?P<commit>[0-9a-f]{8})$"}
    theirs: {url: "https://charts.example.org"}
  stages:
    - {name: test, clusters: [beta], followers: [local]}
    - {name: production, clusters: [prod], requires: [ready]}
`)
	for _, cluster := range []string{"beta", "prod", "local"} {
		add("clusters/"+cluster+"/cluster.yaml", fmt.Sprintf("kind: Cluster\nmetadata: {name: %s}\nspec: {kubeVersion: 1.32.4, fluxVersion: \"2.9\", context: %s}\n", cluster, cluster))
	}
	add("components/external-tool/component.yaml", "kind: Component\nmetadata: {name: external-tool}\nspec: {external: a Debian package}\n")
	for _, pin := range pins {
		fields := strings.Fields(pin)
		cluster, name, version := fields[0], fields[1], fields[2]
		source, commit, repository := "", "", "theirs"
		if len(fields) > 3 {
			source, commit, repository = "source: {url: \"https://git.example.org/"+name+"\"}, ", fmt.Sprintf("commit: %q, ", fields[3]), "ours"
		}
		add("components/"+name+"/component.yaml", fmt.Sprintf("kind: Component\nmetadata: {name: %s}\nspec: {%snamespace: %s, releases: [{name: %s, repository: %s}]}\n", name, source, name, name, repository))
		add("clusters/"+cluster+"/pins/"+name+".yaml", fmt.Sprintf("kind: Pin\nmetadata: {name: %s}\nspec: {%sreleases: {%s: {version: %q}}}\n", name, commit, name, version))
	}
	repo, findings := control.Load(t.Context(), files, control.Only{})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return repo
}

const (
	commitA = "aaaaaaaa11111111111111111111111111111111"
	commitB = "bbbbbbbb22222222222222222222222222222222"
	versA   = "0.0.1-20260801000000-aaaaaaaa"
	versB   = "0.0.2-20260805000000-bbbbbbbb"
)

func ago(span time.Duration) time.Time { return testNow().Add(-span) }

// world is what the golden tests look at: every state once, read from an API server.
func world(t testing.TB) (*control.Repo, *Snapshot, History, *Upstream) {
	t.Helper()
	pins := []string{
		"prod missing-chart " + versA + " " + commitA, "prod failed " + versB + " " + commitB, "prod rolled-back " + versB + " " + commitB,
		"prod changed " + versA + " " + commitA, "prod not-there 1.0.0", "prod wrong-version 1.0.0", "prod suspended 1.0.0",
		"prod unobserved 1.0.0", "prod stale " + versA + " " + commitA, "prod fresh " + versB + " " + commitB,
		"prod progressing 1.0.0", "prod waits 1.0.0", "prod unfetched 1.0.0", "prod mr-build 0.0.82-dev-mr-34", "prod good " + versA + " " + commitA,
		"beta good " + versB + " " + commitB, "local good " + versA + " " + commitA,
	}
	repo := testRepo(t, pins...)
	ready := func(name, version string) testRelease {
		return testRelease{Name: name, Wanted: version, Live: version, Ready: "True", Reason: "UpgradeSucceeded", Drifted: "False"}
	}
	failed := testRelease{Name: "failed", Wanted: versB, Live: versA, Failed: versB, Ready: "False", Reason: "UpgradeFailed", Message: "Deployment/web: ImagePullBackOff"}
	changed := ready("changed", versA)
	changed.Drifted = "True"
	suspended := ready("suspended", "1.0.0")
	suspended.Suspended = true
	unobserved := ready("unobserved", "1.0.0")
	unobserved.Generation, unobserved.Observed = 3, 2
	releases := []testRelease{
		ready("missing-chart", versA), failed,
		{Name: "rolled-back", Wanted: versB, Live: versA, Failed: versB, Ready: "False", Reason: "RollbackSucceeded", Message: "back"},
		changed, ready("wrong-version", "0.9.0"), suspended, unobserved, ready("stale", versA),
		{Name: "fresh", Wanted: versA, Live: versA, Ready: "True", Reason: "UpgradeSucceeded"},
		{Name: "progressing", Wanted: "1.0.0", Live: "1.0.0", Ready: "Unknown", Reason: "Progressing", Message: "running upgrade"},
		{Name: "waits", Wanted: "1.0.0", Live: "1.0.0", Ready: "False", Reason: "DependencyNotReady", Message: "good is not ready"},
		{Name: "unfetched", Wanted: "1.0.0", Ready: "False", Reason: "SourceNotReady", Message: "not ready"},
		ready("mr-build", "0.0.82-dev-mr-34"), ready("good", versA), ready("nobody-pinned", "3.0.0"),
	}
	api := newFakeAPI()
	for _, release := range releases {
		api.lists[releasesPath] = append(api.lists[releasesPath], release.object(t))
	}
	api.lists[repositoriesPath] = append(api.lists[repositoriesPath], []byte(`{"metadata":{"name":"toolforge"},"status":{"conditions":[{"type":"Ready","status":"False","reason":"Failed","message":"no such host"}]}}`))
	api.lists[kustomizationsPath] = append(api.lists[kustomizationsPath], []byte(`{"metadata":{"name":"flux-system","generation":1},"spec":{"path":"./clusters/prod"},
		"status":{"observedGeneration":1,"lastAppliedRevision":"main@sha1:`+commitA+`","conditions":[{"type":"Ready","status":"True","reason":"ReconciliationSucceeded"}]}}`))
	api.lists[deploymentsPath] = append(api.lists[deploymentsPath], []byte(`{"metadata":{"name":"helm-controller","labels":{"app.kubernetes.io/version":"v2.8.3"}}}`))
	clusters, kubeconfig := fakeClusters(t, map[string]http.Handler{"prod": api, "beta": http.HandlerFunc(closesConnection)})
	snapshot, err := Reader{Connect: kubeconfig.Connect, Now: testNow}.Snapshot(t.Context(), clusters)
	if err != nil {
		t.Fatal(err)
	}
	history := History{Head: commitB, Unapplied: map[string][]Commit{"prod": {{ID: commitB, Time: ago(10 * time.Minute)}}}}
	change := func(cluster, component, from, to string, span time.Duration) {
		history.Changes = append(history.Changes, PinChange{Time: ago(span), Cluster: cluster, Component: component, Op: "bump", From: from, To: to, By: "Someone", Commit: commitB, Subject: "Bump " + component})
	}
	change("prod", "fresh", versA, versB, 5*time.Minute)
	change("beta", "good", versA, versB, 3*day)
	change("prod", "wrong-version", "0.9.0", "1.0.0", 4*day)
	change("prod", "good", "not installed", versA, 9*day)
	upstream := &Upstream{
		Version: UpstreamVersion,
		Waiting: map[string]map[string][]Commit{
			"good":  {commitA: {{ID: commitB, Time: ago(2 * day), Subject: "Newer"}}, commitB: {}},
			"stale": {commitA: {{ID: commitB, Time: ago(2 * day), Subject: "Newer"}, {ID: commitB, Time: ago(20 * day), Subject: "Older"}}},
		},
		Present: map[ChartVersion]bool{{ChartKey{"oci://registry.example.org/ours", "missing-chart"}, versA}: false},
	}
	return repo, snapshot, history, upstream
}

func TestStatusGolden(t *testing.T) {
	t.Parallel()
	repo, snapshot, history, upstream := world(t)
	full := Status(repo, snapshot, history, upstream, testNow())
	tests := map[string]Report{
		"full": full, "no-cluster": Status(repo, nil, history, nil, testNow()), "nothing-known": Status(repo, nil, History{}, nil, testNow()),
		"one-component": full.Only(Filter{Components: []string{"good"}}), "one-stage": full.Only(Filter{Stages: []string{"test"}}),
		"one-cluster": full.Only(Filter{Clusters: []string{"local"}}),
	}
	for name, report := range tests {
		for format, write := range Formats() {
			var out bytes.Buffer
			if err := write(&out, report); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "planted") {
				t.Errorf("%s as %s holds a secret", name, format)
			}
			if format == "table" || name == "full" && format != "yaml" {
				golden(t, filepath.Join("testdata", name+"."+format), out.Bytes())
			}
		}
	}
}

// TestColourOnlyRepeats takes the colours out again, and with them nothing else but some room.
func TestColourOnlyRepeats(t *testing.T) {
	t.Parallel()
	report := Status(repoSnapshot(world(t)))
	var plain, coloured bytes.Buffer
	if err := WriteTable(&plain, report, false); err != nil {
		t.Fatal(err)
	}
	if err := WriteTable(&coloured, report, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(coloured.String(), "\x1b[31mfailed\x1b[0m") {
		t.Errorf("failed is not red:\n%s", coloured.String())
	}
	words := func(text string) []string {
		return strings.Fields(regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(text, ""))
	}
	if difference := cmp.Diff(words(plain.String()), words(coloured.String())); difference != "" {
		t.Error(difference)
	}
	column := -1
	for _, line := range strings.Split(regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(coloured.String(), ""), "\n\n")[:1] {
		for _, row := range strings.Split(line, "\n") {
			if at := strings.Index(row, "UpgradeSucceeded"); at > 0 && column < 0 {
				column = len([]rune(row[:at]))
			} else if at > 0 && len([]rune(row[:at])) != column {
				t.Errorf("not aligned:\n%s", row)
			}
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(string(want), string(got)); difference != "" {
		t.Errorf("%s (-update writes it): %s", file, difference)
	}
}

func TestEveryStateOccurs(t *testing.T) {
	t.Parallel()
	report := Status(repoSnapshot(world(t)))
	for _, info := range States() {
		if !report.Any(info.State) {
			t.Errorf("no row is %s", info.State)
		}
	}
}

func repoSnapshot(repo *control.Repo, snapshot *Snapshot, history History, upstream *Upstream) (*control.Repo, *Snapshot, History, *Upstream, time.Time) {
	return repo, snapshot, history, upstream, testNow()
}

// TestClusterNotes compares what cluster.yaml says of Kubernetes and Flux with what runs.
func TestClusterNotes(t *testing.T) {
	t.Parallel()
	declared := testRepo(t).Clusters["prod"] // Kubernetes 1.32.4, Flux 2.9
	tests := map[string]struct {
		read Cluster
		want []string
	}{
		"as declared":        {Cluster{KubeVersion: "v1.32.4", FluxVersion: "v2.9.1"}, nil},
		"a distribution's":   {Cluster{KubeVersion: "v1.32.4+k3s1", FluxVersion: "v2.9.0"}, nil},
		"another Kubernetes": {Cluster{KubeVersion: "v1.33.0", FluxVersion: "v2.9.0"}, []string{"runs Kubernetes v1.33.0, and cluster.yaml says 1.32.4"}},
		"another Flux":       {Cluster{KubeVersion: "v1.32.4", FluxVersion: "v2.10.0"}, []string{"runs Flux v2.10.0, and cluster.yaml says 2.9"}},
		"half upgraded":      {Cluster{KubeVersion: "v1.32.4", FluxVersion: "v2.8.3, v2.9.0"}, []string{"runs Flux v2.8.3, v2.9.0, and cluster.yaml says 2.9"}},
		"Flux not known":     {Cluster{KubeVersion: "v1.32.4"}, []string{"which version of Flux runs is not known: no Deployment in flux-system is labelled as Flux's"}},
		"may not look":       {Cluster{KubeVersion: "v1.32.4", Incomplete: map[string]string{"Deployment": "403"}}, nil},
	}
	for name, test := range tests {
		test.read.Kustomizations = []Kustomization{{Name: "flux-system", Path: "clusters/prod", Observed: true, Ready: &Condition{Status: "True"}}}
		if difference := cmp.Diff(test.want, clusterNotes(declared, test.read)); difference != "" {
			t.Errorf("%s: %s", name, difference)
		}
	}
}

func TestVersionsOfFlux(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		live, pinned string
		same         bool
	}{
		"equal":                 {"1.2.3", "1.2.3", true},
		"other":                 {"1.2.3", "1.2.4", false},
		"with a digest":         {versA + "+0123456789ab", versA, true},
		"digest, no v":          {"1.20.3+0123456789ab", "v1.20.3", true},
		"digest for metadata":   {"1.2.3+0123456789ab", "1.2.3+build", true},
		"metadata is no digest": {"1.2.3+build", "1.2.3", false},
		"v matters otherwise":   {"1.2.3", "v1.2.3", false},
	}
	for name, test := range tests {
		if got := isVersion(test.live, test.pinned); got != test.same {
			t.Errorf("%s: %v", name, got)
		}
	}
}
