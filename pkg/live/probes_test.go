package live

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProbes(t *testing.T) {
	t.Parallel()
	began, now := ago(time.Hour), testNow()
	probes := NewProbes(began, true)
	probes.Repo(now, []string{"away", "beta", "gone"})
	probes.Snapshot(nil)
	probes.Snapshot(&Snapshot{Clusters: map[string]Cluster{"away": {Error: "no answer in time", Time: now}, "beta": {Time: now}, "undeclared": {Time: now}}})
	probes.Repo(now, []string{"away", "beta"})
	probes.Upstream(now, &Upstream{Errors: map[string]string{"web": "no such host", "oci://r/web:1": "refused"}}, []string{"web"})
	want := map[string]time.Time{"control-repo": now, "cluster/away": began, "cluster/beta": now, "sources": began, "registries": began}
	if difference := cmp.Diff(want, probes.Last()); difference != "" {
		t.Error(difference)
	}
	if difference := cmp.Diff(map[string]time.Time{"control-repo": began}, NewProbes(began, false).Last()); difference != "" {
		t.Errorf("without upstream: %s", difference)
	}
	tests := map[string]struct {
		upstream            Upstream
		sources, registries time.Time
	}{
		"all answered":      {Upstream{Waiting: map[string]map[string][]Commit{"web": nil}, Present: map[ChartVersion]bool{{}: true}}, now, now},
		"nothing to ask":    {Upstream{}, now, now},
		"sources away":      {Upstream{Errors: map[string]string{"web": "away"}}, began, now},
		"registries away":   {Upstream{Errors: map[string]string{"oci://r/web:1": "away"}}, now, began},
		"one of each there": {Upstream{Waiting: map[string]map[string][]Commit{"api": nil}, Present: map[ChartVersion]bool{{}: false}, Errors: map[string]string{"web": "away", "oci://r/web:1": "away"}}, now, now},
	}
	for name, test := range tests {
		probes := NewProbes(began, true)
		probes.Upstream(now, &test.upstream, []string{"api", "web"})
		if last := probes.Last(); !last["sources"].Equal(test.sources) || !last["registries"].Equal(test.registries) {
			t.Errorf("%s: %v", name, last)
		}
	}
}
