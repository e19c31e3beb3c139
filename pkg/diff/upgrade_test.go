package diff_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
)

// TestCheckUpgrade asks about Kubernetes versions on the cluster of a case, whose chart app 1.1.0 has an object of a removed API or
// a range of versions.
func TestCheckUpgrade(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		golden, version string
		want            []string // rules
	}{
		"an API that is there":   {"rules/api-removed", "1.24.0", nil},
		"an API that is gone":    {"rules/api-removed", "1.25.0", []string{"api-removed"}},
		"a supported version":    {"rules/chart-kube-version", "1.33.0", nil},
		"a minor release":        {"rules/chart-kube-version", "1.33", nil},
		"an older minor release": {"rules/chart-kube-version", "v1.32", []string{"chart-kube-version"}},
		"an unsupported version": {"rules/chart-kube-version", "1.32.9", []string{"chart-kube-version"}},
		"no chart":               {"problem", "1.33.0", []string{"not-expanded"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, _ := readGolden(t, goldenDir+"/"+test.golden+".txtar")
			findings, err := diff.CheckUpgrade(t.Context(), g.head, "prod", diff.ExpandOptions{Charts: g.charts, KubeVersion: test.version})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, finding := range findings {
				got = append(got, finding.Rule)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s\n%v", d, findings)
			}
		})
	}
	g, _ := readGolden(t, goldenDir+"/bump.txtar")
	if _, err := diff.CheckUpgrade(t.Context(), g.head, "prod", diff.ExpandOptions{Charts: g.charts, KubeVersion: "1"}); err == nil {
		t.Error("a version of one number is accepted")
	}
	if _, err := diff.Expand(t.Context(), g.head, "prod", []string{"nothing"}, diff.ExpandOptions{Charts: g.charts}); !errors.Is(err, diff.ErrUnknownRelease) {
		t.Errorf("a release that does not exist: %v", err)
	}
}
