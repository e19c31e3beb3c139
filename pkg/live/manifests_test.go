package live

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

// manifestsRepo is a control repo with one component of plain manifests on one cluster.
func manifestsRepo(t *testing.T) *control.Repo {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"tfgitops.yaml":                     "kind: ControlRepo\nmetadata: {name: example}\nspec: {}\n",
		"clusters/prod/cluster.yaml":        "kind: Cluster\nmetadata: {name: prod}\nspec: {kubeVersion: 1.32.4, fluxVersion: \"2.9\", context: prod}\n",
		"components/gateway/component.yaml": "kind: Component\nmetadata: {name: gateway}\nspec: {}\n",
		"clusters/prod/pins/gateway.yaml":   "kind: Pin\nmetadata: {name: gateway}\nspec: {manifests: {version: \"1.4.1\", digest: \"sha256:8bf0c13186171f832e1da75bece2939d5c68aac29214dbfcf9a8afbcff8a1066\"}}\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(testAPI + text)}
	}
	files["components/gateway/manifests/1.4.1/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: []\n")}
	repo, findings := control.Load(t.Context(), files, control.Only{})
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return repo
}

// TestPlainManifests follows a component that no Helm release tells of: in its row, and in the numbers that alerts look at.
func TestPlainManifests(t *testing.T) {
	t.Parallel()
	repo := manifestsRepo(t)
	applied := func(change func(*Kustomization)) Cluster {
		k := Kustomization{Name: "flux-system", Path: "./clusters/prod", Observed: true, Applied: "main@sha1:" + commitA, Ready: &Condition{Status: "True", Reason: "ReconciliationSucceeded"}}
		change(&k)
		return Cluster{Time: testNow(), Kustomizations: []Kustomization{k}}
	}
	const status, held = `tfgitops_release_status{cluster="prod",component="gateway",release="gateway",status=%q} 1`, `tfgitops_release_suspended{cluster="prod",component="gateway",release="gateway"} 1`
	pinDrift := func(value int) string {
		return fmt.Sprintf(`tfgitops_drift{cluster="prod",component="gateway",kind="pin"} %d`, value)
	}
	tests := map[string]struct {
		read      Cluster
		unapplied map[string][]Commit
		pinnedAgo time.Duration
		state     State
		metrics   []string
	}{
		"applied":     {applied(func(*Kustomization) {}), map[string][]Commit{"prod": {}}, day, OK, []string{fmt.Sprintf(status, "Ready"), pinDrift(0), "tfgitops_live_info"}},
		"not applied": {applied(func(*Kustomization) {}), map[string][]Commit{"prod": {{ID: commitB}}}, day, Drifting, []string{fmt.Sprintf(status, "Ready"), pinDrift(1)}},
		"just pinned": {applied(func(*Kustomization) {}), map[string][]Commit{"prod": {{ID: commitB}}}, time.Minute, Pending, []string{fmt.Sprintf(status, "Ready"), pinDrift(1)}},
		"failed": {
			applied(func(k *Kustomization) { k.Ready = &Condition{Status: "False", Reason: "HealthCheckFailed"} }),
			map[string][]Commit{"prod": {{ID: commitB}}},
			day, Failed,
			[]string{fmt.Sprintf(status, "Failed"), pinDrift(1)},
		},
		"suspended":          {applied(func(k *Kustomization) { k.Suspended = true }), map[string][]Commit{"prod": {}}, day, Suspended, []string{fmt.Sprintf(status, "Suspended"), held}},
		"waits":              {applied(func(k *Kustomization) { k.Ready = &Condition{Status: "False", Reason: "DependencyNotReady"} }), map[string][]Commit{"prod": {}}, day, Pending, []string{fmt.Sprintf(status, "Progressing")}},
		"not seen":           {applied(func(k *Kustomization) { k.Observed = false }), map[string][]Commit{"prod": {}}, day, Unknown, []string{fmt.Sprintf(status, "Unknown")}},
		"not known":          {applied(func(*Kustomization) {}), nil, day, Unknown, []string{fmt.Sprintf(status, "Unknown")}},
		"not applied at all": {Cluster{Time: testNow()}, nil, day, Unknown, []string{fmt.Sprintf(status, "Unknown")}},
	}
	for name, test := range tests {
		history := History{Head: commitB, Unapplied: test.unapplied, Changes: []PinChange{{Time: ago(test.pinnedAgo), Cluster: "prod", Component: "gateway", From: "1.4.0", To: "1.4.1", Commit: commitB}}}
		report := Status(repo, &Snapshot{Clusters: map[string]Cluster{"prod": test.read}}, history, nil, testNow())
		if len(report.Rows) != 1 || report.Rows[0].State != test.state {
			t.Errorf("%s: %+v", name, report.Rows)
		}
		var metrics bytes.Buffer
		if err := writeMetrics(&metrics, View{Report: report}); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.metrics {
			if !strings.Contains(metrics.String(), want) {
				t.Errorf("%s: no %s in\n%s", name, want, metrics.String())
			}
		}
		if knows := strings.Contains(metrics.String(), "tfgitops_drift{"); knows == (test.state == Unknown) {
			t.Errorf("%s: of drift it says\n%s", name, metrics.String())
		}
	}
}

// TestBehindIsUnknownWithoutTheCommit has Flux apply a commit that the history does not have, as in a shallow or an old clone.
func TestBehindIsUnknownWithoutTheCommit(t *testing.T) {
	t.Parallel()
	read := Cluster{Kustomizations: []Kustomization{{Name: "k", Path: "clusters/prod", Applied: "main@sha1:" + commitA}}}
	tests := map[string]struct {
		unapplied map[string][]Commit
		want      string
	}{
		"all is applied":  {map[string][]Commit{"prod": {}}, `tfgitops_cluster_source_behind_seconds{cluster="prod"} 0`},
		"an hour behind":  {map[string][]Commit{"prod": {{ID: commitB, Time: ago(time.Minute)}, {ID: commitC, Time: ago(time.Hour)}}}, `tfgitops_cluster_source_behind_seconds{cluster="prod"} 3600`},
		"nobody can tell": {nil, ""},
	}
	for name, test := range tests {
		report := Status(manifestsRepo(t), &Snapshot{Clusters: map[string]Cluster{"prod": read}}, History{Head: commitB, Unapplied: test.unapplied}, nil, testNow())
		var metrics bytes.Buffer
		if err := writeMetrics(&metrics, View{Report: report}); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, line := range strings.Split(metrics.String(), "\n") {
			if strings.HasPrefix(line, sourceBehind.name+"{") {
				got = line
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		if noted := strings.Contains(strings.Join(report.Clusters[0].Notes, "\n"), "the history here does not have aaaaaaaa"); noted != (test.want == "") {
			t.Errorf("%s: noted %q", name, report.Clusters[0].Notes)
		}
	}
}

// TestOwnKustomization finds the one that applies a cluster's folder, however the control repo reaches Flux.
func TestOwnKustomization(t *testing.T) {
	t.Parallel()
	ours := []Release{{Name: "a", Kustomization: "apps"}, {Name: "b", Component: "b", Kustomization: "published"}}
	tests := map[string]struct {
		paths    map[string]string // by name
		releases []Release
		want     string
	}{
		"by its path":             {map[string]string{"apps": "./apps", "flux-system": "./clusters/prod"}, ours, "flux-system"},
		"in a folder of the repo": {map[string]string{"flux-system": "/deploy/clusters/prod/"}, nil, "flux-system"},
		"another cluster's":       {map[string]string{"flux-system": "clusters/prod2", "x": "clusters/my-prod"}, nil, ""},
		"of a published artifact": {map[string]string{"apps": "./", "published": "./"}, ours, "published"},
		"nobody's":                {map[string]string{"apps": "./"}, ours[:1], ""},
		"applied from elsewhere":  {map[string]string{"apps": "./"}, ours, ""},
	}
	for name, test := range tests {
		read := Cluster{Releases: test.releases}
		for _, k := range sortedKeys(test.paths) {
			read.Kustomizations = append(read.Kustomizations, Kustomization{Name: k, Path: test.paths[k]})
		}
		got := ""
		if own := read.kustomization("prod"); own != nil {
			got = own.Name
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestAppliedRevision reads what Flux applied: the control repo's commit, also where that was published as an artifact.
func TestAppliedRevision(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ revision, origin, want string }{
		"from Git":                   {"main@sha1:" + commitA, "", commitA},
		"from an artifact":           {"latest@sha256:0123", "sha1:" + commitA, commitA},
		"from flux push's":           {"latest@sha256:0123", "main@sha1:" + commitA, commitA},
		"an artifact of no known":    {"latest@sha256:0123", "", ""},
		"an origin that is no one's": {"main@sha1:" + commitA, "v1.2.3", commitA},
		"nothing":                    {"", "", ""},
	}
	for name, test := range tests {
		var object kustomizationObject
		object.Status.LastAppliedRevision, object.Status.LastAppliedOriginRevision = test.revision, test.origin
		if got := appliedCommit(object.kustomization().Applied); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestMetricsOfPinnedAndUnmanaged has a component of which one release is pinned and others are left over: no number of the
// pinned one is hidden by them.
func TestMetricsOfPinnedAndUnmanaged(t *testing.T) {
	t.Parallel()
	release := func(name, component string) Release {
		return Release{Name: name, Component: component, Wanted: "1.0.0", Observed: true, Ready: &Condition{Status: "True"}, History: []Deployed{{Version: "1.0.0", Status: "deployed"}}}
	}
	read := Cluster{Releases: []Release{release("left-over", "web"), release("left-over-too", "web"), release("stray", ""), release("web", "web")}}
	report := Status(testRepo(t, "prod web 1.0.0"), &Snapshot{Clusters: map[string]Cluster{"prod": read}}, History{}, nil, testNow())
	var metrics bytes.Buffer
	if err := writeMetrics(&metrics, View{Report: report}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.Split(metrics.String(), "\n") {
		if strings.HasPrefix(line, "tfgitops_drift{") || strings.HasPrefix(line, "tfgitops_live_info{") || strings.HasPrefix(line, "tfgitops_pin_info{") {
			got = append(got, line)
		}
	}
	want := []string{
		`tfgitops_pin_info{cluster="prod",component="web",sha="1.0.0"} 1`,
		`tfgitops_live_info{chart_version="1.0.0",cluster="prod",component="stray",sha="1.0.0"} 1`,
		`tfgitops_live_info{chart_version="1.0.0",cluster="prod",component="web",sha="1.0.0"} 1`,
		`tfgitops_drift{cluster="prod",component="stray",kind="unmanaged"} 1`,
		`tfgitops_drift{cluster="prod",component="web",kind="missing"} 0`,
		`tfgitops_drift{cluster="prod",component="web",kind="pin"} 0`,
		`tfgitops_drift{cluster="prod",component="web",kind="spec"} 0`,
		`tfgitops_drift{cluster="prod",component="web",kind="unmanaged"} 1`,
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Error(difference)
	}
}
