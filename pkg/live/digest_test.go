package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// TestPinnedByDigest compares a release whose chart comes from an OCIRepository, under one version with several digests.
func TestPinnedByDigest(t *testing.T) {
	t.Parallel()
	pinned := v1alpha1.PinnedRelease{Version: "1.0.0", Digest: digestOf("a")}
	cluster := func(asks, runs, tried, ready string) Cluster {
		return Cluster{
			Sources: []Source{{Kind: "HelmRepository", Name: "web", Wanted: digestOf("f")}, {Kind: "OCIRepository", Name: "web", Wanted: asks}},
			Releases: []Release{{
				Name: "web", SourceKind: "OCIRepository", SourceName: "web", Observed: true, Ready: &Condition{Status: ready, Reason: "UpgradeFailed"},
				Attempted: "1.0.0+" + tried[7:19], AttemptedDigest: tried, History: []Deployed{{Version: "1.0.0+" + runs[7:19], Digest: runs, Status: "deployed"}},
			}},
		}
	}
	a, b := digestOf("a"), digestOf("b")
	tests := map[string]struct {
		read   Cluster
		drift  []string
		failed bool // a wait ends
	}{
		"runs":                       {cluster(a, a, a, "True"), nil, false},
		"asked for, not yet there":   {cluster(a, b, b, "Unknown"), []string{driftPin}, false},
		"not asked for":              {cluster(b, b, b, "True"), []string{driftPin, driftSpec}, false},
		"changed by hand, then runs": {cluster(b, a, a, "True"), []string{driftSpec}, false},
		"asks for no digest":         {cluster("", a, a, "True"), nil, false},
		"failed":                     {cluster(a, b, a, "False"), []string{driftPin}, true},
		"the one before failed":      {cluster(a, b, b, "False"), []string{driftPin}, false},
	}
	for name, test := range tests {
		status := expectation{name: "web", pinned: pinned}.compare(test.read, &test.read.Releases[0])
		if difference := cmp.Diff(test.drift, status.Drift); difference != "" {
			t.Errorf("%s: %s", name, difference)
		}
		_, err := look(test.read, &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"web": pinned}})
		if (err != nil) != test.failed {
			t.Errorf("%s: a wait ends with %v", name, err)
		}
	}
}
