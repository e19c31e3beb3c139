package live

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

func pinOf(version string) *v1alpha1.PinSpec {
	return &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{"web": {Version: version}}}
}

// webRelease is a release as a cluster has it, that runs one version and tried another.
func webRelease(live, attempted, ready, reason string) Cluster {
	return Cluster{Releases: []Release{{
		Name: "web", Wanted: attempted, Attempted: attempted, Observed: true, Ready: &Condition{Status: ready, Reason: reason, Message: "said"},
		History: []Deployed{{Version: live, Status: "deployed"}},
	}}}
}

func TestWait(t *testing.T) {
	t.Parallel()
	away := Cluster{Error: "no answer in time"}
	suspended := webRelease("2", "2", "True", "UpgradeSucceeded")
	suspended.Releases[0].Suspended = true
	tests := map[string]struct {
		looks []Cluster // the last one stays
		want  error
		says  string
	}{
		"at once":                     {[]Cluster{webRelease("2", "2", "True", "UpgradeSucceeded")}, nil, ""},
		"after a while":               {[]Cluster{{}, away, webRelease("1", "1", "True", "UpgradeSucceeded"), webRelease("1", "2", "Unknown", "Progressing"), webRelease("2", "2", "True", "UpgradeSucceeded")}, nil, ""},
		"failed":                      {[]Cluster{webRelease("1", "2", "False", "UpgradeFailed")}, ErrFailed, "UpgradeFailed: said"},
		"the version before failed":   {[]Cluster{webRelease("0", "1", "False", "UpgradeFailed"), webRelease("2", "2", "True", "UpgradeSucceeded")}, nil, ""},
		"ready on another":            {[]Cluster{webRelease("1", "1", "True", "UpgradeSucceeded")}, ErrTimedOut, "asks for another version"},
		"suspended":                   {[]Cluster{suspended}, ErrTimedOut, "suspended"},
		"away":                        {[]Cluster{away}, ErrTimedOut, "no answer in time"},
		"no release":                  {[]Cluster{{}}, ErrTimedOut, "no HelmRelease web"},
		"rolled back after a failure": {[]Cluster{webRelease("1", "2", "False", "RollbackSucceeded")}, ErrFailed, "RollbackSucceeded"},
	}
	for name, test := range tests {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		looked := 0
		wait := Wait{
			Read: func(context.Context) Cluster { looked++; return test.looks[min(looked, len(test.looks))-1] },
			Sleep: func(context.Context, time.Duration) error {
				if looked > 2*len(test.looks) {
					return context.DeadlineExceeded
				}
				return nil
			},
			Progress: func(string) {},
		}
		if test.want == ErrTimedOut {
			expired, stop := context.WithDeadline(t.Context(), time.Unix(1, 0))
			defer stop()
			ctx = expired
		}
		err := wait.For(ctx, pinOf("2"))
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGates(t *testing.T) {
	t.Parallel()
	suspended := webRelease("2", "2", "True", "")
	suspended.Releases[0].Suspended = true
	unobserved := webRelease("2", "2", "True", "")
	unobserved.Releases[0].Observed = false
	tests := map[string]struct {
		read Cluster
		gate v1alpha1.Gate
		open bool
		err  bool
	}{
		"ready":        {webRelease("2", "2", "True", ""), v1alpha1.GateReady, true, false},
		"another runs": {webRelease("1", "2", "True", ""), v1alpha1.GateReady, false, false},
		"failed":       {webRelease("2", "2", "False", "UpgradeFailed"), v1alpha1.GateReady, false, false},
		"progressing":  {webRelease("2", "2", "Unknown", "Progressing"), v1alpha1.GateReady, false, false},
		"missing":      {Cluster{}, v1alpha1.GateReady, false, false},
		"suspended":    {suspended, v1alpha1.GateReady, false, true},
		"unobserved":   {unobserved, v1alpha1.GateReady, false, true},
		"away":         {Cluster{Error: "away"}, v1alpha1.GateReady, false, true},
		"tests":        {webRelease("2", "2", "True", ""), v1alpha1.GateTests, false, true},
	}
	for name, test := range tests {
		reads := 0
		gates := &Gates{Read: func(context.Context, string) (Cluster, error) { reads++; return test.read, nil }}
		for range 2 {
			open, err := gates.Open(t.Context(), test.gate, "beta", "web", pinOf("2"))
			if open != test.open || (err != nil) != test.err {
				t.Errorf("%s: open %v, %v", name, open, err)
			}
		}
		if reads > 1 {
			t.Errorf("%s: the cluster was read %d times", name, reads)
		}
	}
}
