package bump_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/bump"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

func pinned(versions ...string) *v1alpha1.PinSpec {
	pin := &v1alpha1.PinSpec{Releases: map[string]v1alpha1.PinnedRelease{}}
	for i := 0; i < len(versions); i += 2 {
		pin.Releases[versions[i]] = v1alpha1.PinnedRelease{Version: versions[i+1]}
	}
	return pin
}

func TestCompare(t *testing.T) {
	t.Parallel()
	const early, late = "0.0.42-20230101000000-aaaaaaaa", "0.0.21-20230202000000-bbbbbbbb"
	tests := map[string]struct {
		old, new *v1alpha1.PinSpec
		backward gitrepo.Relation
		want     bump.Order
	}{
		"the counter goes back, the time does not": {pinned("app", early), pinned("app", late), gitrepo.Unknown, bump.Order{Older: gitrepo.No}},
		"the time goes back":                       {pinned("app", late), pinned("app", early), gitrepo.Unknown, bump.Order{Older: gitrepo.Yes, Before: late, After: early}},
		"ancestry goes back, the time does not":    {pinned("app", early), pinned("app", late), gitrepo.Yes, bump.Order{Older: gitrepo.Yes, Before: early, After: late}},
		"ancestry does not, the time goes back":    {pinned("app", late), pinned("app", early), gitrepo.No, bump.Order{Older: gitrepo.No}},
		"of a release that the source does not tell": {
			pinned("app", early, "vendored", "1.10.0"), pinned("app", late, "vendored", "1.9.0"), gitrepo.No,
			bump.Order{Older: gitrepo.Yes, Before: "1.10.0", After: "1.9.0"},
		},
		"semantic versions":             {pinned("vendored", "v1.10.0"), pinned("vendored", "v1.11.0"), gitrepo.Unknown, bump.Order{Older: gitrepo.No}},
		"a time and none":               {pinned("app", early), pinned("app", "0.0.99"), gitrepo.Unknown, bump.Order{Older: gitrepo.Unknown, Before: early, After: "0.0.99"}},
		"one unknown and one older":     {pinned("a", early, "b", "2.0.0"), pinned("a", "0.0.99", "b", "1.0.0"), gitrepo.Unknown, bump.Order{Older: gitrepo.Yes, Before: "2.0.0", After: "1.0.0"}},
		"a release is new, one is gone": {pinned("a", "1.0.0"), pinned("b", "0.1.0"), gitrepo.Unknown, bump.Order{Older: gitrepo.No}},
		"plain manifests": {
			&v1alpha1.PinSpec{Manifests: &v1alpha1.PinnedManifests{Version: "1.4.1"}}, &v1alpha1.PinSpec{Manifests: &v1alpha1.PinnedManifests{Version: "1.4.0"}}, gitrepo.Unknown,
			bump.Order{Older: gitrepo.Yes, Before: "1.4.1", After: "1.4.0"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := bump.Compare(test.old, test.new, test.backward, func(release string) bool { return release == "app" })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatedOps(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		message string
		want    []bump.Stated
	}{
		"nothing": {"Tidy up\n\nBug: T1\n", nil},
		"a bump": {
			"app: bump\n\nBug: T1\nTfgitops-Op: bump\nTfgitops-Component: app\nTfgitops-From: beta 1\nTfgitops-To: beta 2\nTfgitops-Override: soak it is urgent\n",
			[]bump.Stated{{Op: "bump", Component: "app", To: map[string]string{"beta": "2"}, Clusters: []string{"beta"}, Overrides: map[string]string{"soak": "it is urgent"}}},
		},
		"a removal": {
			"app: remove\n\nTfgitops-Op: remove\nTfgitops-Component: app\nTfgitops-Cluster: beta\nTfgitops-Cluster: prod\n",
			[]bump.Stated{{Op: "remove", Component: "app", To: map[string]string{}, Clusters: []string{"beta", "prod"}, Overrides: map[string]string{}}},
		},
		"two that were squashed": {
			"Both\n\nTfgitops-Op: hold\nTfgitops-Component: app\nTfgitops-Op: rollback\nTfgitops-Component: db\nTfgitops-To: beta db 1, db-backup 2\n",
			[]bump.Stated{
				{Op: "hold", Component: "app", To: map[string]string{}, Overrides: map[string]string{}},
				{Op: "rollback", Component: "db", To: map[string]string{"beta": "db 1, db-backup 2"}, Clusters: []string{"beta"}, Overrides: map[string]string{}},
			},
		},
		"by hand, without a reason for one": {
			"Close a hole\n\ntfgitops-override: freeze closes a hole\nTfgitops-Override: hold\n",
			[]bump.Stated{{To: map[string]string{}, Overrides: map[string]string{"freeze": "closes a hole"}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := bump.StatedOps(&gitrepo.Commit{Trailers: gitrepo.ParseTrailers(test.message)})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
