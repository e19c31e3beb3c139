package live

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMeanwhile(t *testing.T) {
	t.Parallel()
	since := ago(time.Hour)
	release := func(name, wanted string, history ...Deployed) Release {
		return Release{Name: name, Component: name, Wanted: wanted, History: history}
	}
	deployed := func(version, status string, span time.Duration) Deployed {
		return Deployed{Version: version, Status: status, Time: ago(span)}
	}
	applied := func(commit string) []Kustomization {
		return []Kustomization{{Name: "flux-system", Path: "./clusters/prod", Applied: "main@sha1:" + commit}}
	}
	old := deployed("1.0.0", "deployed", 2*time.Hour)
	suspended := release("suspended", "1.0.0", old)
	suspended.Suspended = true
	before := Cluster{Kustomizations: applied(commitA), Releases: []Release{
		release("asks", "1.0.0", old), release("gone", "1.0.0", old), release("own", "1.0.0", old), release("same", "1.0.0", old),
		release("suspended", "1.0.0", old), release("twice", "1.0.0", old), release("upgraded", "1.0.0", old),
	}}
	after := Cluster{Kustomizations: applied(commitB), Releases: []Release{
		release("asks", "2.0.0", old), release("made", "1.0.0"), release("own", "2.0.0", deployed("2.0.0", "deployed", time.Minute), old), release("same", "1.0.0", old), suspended,
		release("twice", "3.0.0", deployed("3.0.0", "failed", 10*time.Minute), deployed("2.0.0", "deployed", 30*time.Minute), deployed("1.0.0", "superseded", 50*time.Minute)),
		release("upgraded", "2.0.0", deployed("2.0.0+0123456789ab", "deployed", 20*time.Minute), old),
	}}
	var got []string
	for _, change := range Meanwhile("prod", before, after, since, []string{"own"}) {
		got = append(got, change.Text())
	}
	want := []string{
		"Flux applied bbbbbbbb",
		"asks: the HelmRelease asks for 2.0.0, before for 1.0.0",
		"gone: the HelmRelease was removed",
		"made: the HelmRelease was made",
		"suspended: Flux was suspended",
		"twice: 2.0.0 deployed, 11:30Z",
		"upgraded: 2.0.0 deployed, 11:40Z",
		"twice: 3.0.0 failed, 11:50Z",
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Error(difference)
	}
	if same := Meanwhile("prod", before, before, since, nil); len(same) != 0 {
		t.Errorf("nothing changed, and it says %v", same)
	}
}

func TestDeployedSince(t *testing.T) {
	t.Parallel()
	of := func(span time.Duration) Cluster {
		return Cluster{Releases: []Release{{Name: "web", History: []Deployed{{Version: "1", Status: "deployed", Time: ago(span)}}}}}
	}
	tests := map[string]struct {
		read Cluster
		want time.Time
	}{
		"just before": {of(10 * time.Minute), ago(10 * time.Minute)}, "long ago": {of(2 * day), testNow()},
		"meanwhile": {of(-time.Minute), testNow()}, "not there": {Cluster{}, testNow()},
	}
	for name, test := range tests {
		if got := test.read.DeployedSince(testNow(), []string{"web"}); !got.Equal(test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
