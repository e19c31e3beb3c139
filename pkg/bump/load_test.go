package bump

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
)

// Only what a request is about is read: what is wrong on another cluster stands in nobody's way.
func TestConcernedClusters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		request Request
		want    []string // nil: all
	}{
		{"a bump", Request{Op: OpBump}, []string{"beta", "local"}},
		{"a bump with the clusters that gate it", Request{Op: OpBump, Scope: Scope{Clusters: []string{"prod"}}}, []string{"prod", "stage1", "stage2"}},
		{"a follower is gated by none", Request{Op: OpBump, Scope: Scope{Clusters: []string{"local"}}}, []string{"local"}},
		{"through a stage", Request{Op: OpBump, Scope: Scope{Through: "staging"}}, []string{"beta", "local", "stage1", "stage2"}},
		{"in no stage", Request{Op: OpBump, Scope: Scope{Clusters: []string{"alone"}}}, []string{"alone"}},
		{"a rollback", Request{Op: OpRollback, Scope: Scope{Clusters: []string{"prod"}}}, []string{"prod"}},
		{"a rollback of the only cluster", Request{Op: OpRollback}, nil},
		{"all", Request{Op: OpBump, Scope: Scope{All: true}}, nil},
		{"a promotion", Request{Op: OpPromote, Scope: Scope{Clusters: []string{"prod"}}}, nil},
		{"folding", Request{Op: OpFold}, nil},
		{"a cluster that is not there", Request{Op: OpBump, Scope: Scope{Clusters: []string{"nowhere"}}}, nil},
		{"a stage that is not there", Request{Op: OpBump, Scope: Scope{Stage: "nowhere"}}, nil},
	} {
		w := newWorld(t)
		stages(w)
		if diff := cmp.Diff(c.want, concerned(t.Context(), w.fs(), c.request)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}
	w := newWorld(t).ran(2)
	w.files["clusters/prod/pins/app.yaml"] = "broken"
	w.files["clusters/local/cluster.yaml"] = "broken"
	w.rollback("beta")
	w.at(1)
	w.bump(2, "beta")
	if _, err := w.plan(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{Clusters: []string{"prod"}}}); err == nil || !strings.Contains(err.Error(), "clusters/prod/pins/app.yaml") {
		t.Errorf("what is broken where the change goes: %v", err)
	}
}

// Clusters that share a registry share its answers.
func TestEachQuestionIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	withImages(w)
	w.deployment()
	w.do(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{All: true}, Overrides: map[string]string{RuleStageOrder: "x"}})
	seen := map[string]int{}
	for _, call := range w.registries.calls {
		seen[call]++
	}
	want := map[string]int{
		"resolve": 1, "digest": 2, "chart": 2, "image img.example/app:1": 1, "image docker.io/library/redis:7": 1,
		"image beta.example/app/web:image-" + buildVersion(2): 1, "image prod.example/app/web:image-" + buildVersion(2): 1,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What one registry answers is not taken for the answer of another.
func TestAnswersAreNotMixedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	w.do(Request{Op: OpBump, Revision: commitID(2), Scope: Scope{All: true}, Overrides: map[string]string{RuleStageOrder: "x"}})
	for cluster, registry := range map[string]string{"beta": "oci://beta.example/apps", "local": "oci://beta.example/apps", "prod": "oci://prod.example/apps"} {
		want := v1alpha1.PinnedRelease{Version: buildVersion(2), Digest: digestOf(registry, "app", buildVersion(2))}
		if diff := cmp.Diff(want, w.pin(cluster, "app").Releases["app"]); diff != "" {
			t.Errorf("%s: %s", cluster, diff)
		}
	}
}
