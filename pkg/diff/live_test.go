package diff

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/chart"
)

func TestLive(t *testing.T) {
	t.Parallel()
	deployment := chart.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "web", Name: "web"}
	document := func(replicas, image string) []byte {
		return []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: " + replicas + ", template: {spec: {containers: [{name: web, image: " + image + "}]}}}\n")
	}
	secret := chart.ObjectRef{APIVersion: "v1", Kind: "Secret", Namespace: "web", Name: "login"}
	report, err := Live(t.Context(), "prod", []Installed{
		{Release: "same", Component: "same", Old: "1.0.0", New: "1.0.0"},
		{Release: "web", Component: "web", Old: "1.0.0", New: "1.0.0", Notes: []string{"web: Helm's newest revision, 3, is failed"}, Differences: []chart.Difference{
			{ObjectRef: deployment, Old: document("5", "web:fixed"), New: document("2", "web:1")},
			{ObjectRef: secret, Old: []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: planted}\n")},
		}},
		{Release: "other", Component: "other", Old: "1.0.0", New: "2.0.0"},
		{Release: "broken", Component: "broken", File: "clusters/prod/manifests/broken.yaml", Err: errors.New("the chart is gone")},
		{Release: "new", Component: "new", New: "1.0.0"},
	}, Options{Key: []byte("key")})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, format := range Formats() {
		if err := Write(&out, format, report, Style{}); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(out.String(), "planted") {
		t.Errorf("a secret is shown:\n%s", out.String())
	}
	out.Reset()
	if err := Write(&out, "text", report, Style{}); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{
		"what Helm installed on prod → the working tree", "other 1.0.0 → 2.0.0", "the chart is gone", "Helm's newest revision, 3, is failed",
		"replicas", "web:fixed", "Secret web/login", "removed", "pods restart", "new 1.0.0", "not this; not all could be compared",
	} {
		if !strings.Contains(out.String(), wanted) {
			t.Errorf("%q is not shown:\n%s", wanted, out.String())
		}
	}
	if strings.Contains(out.String(), "same") {
		t.Errorf("a release that is the same is shown:\n%s", out.String())
	}
	if !report.Differs() || report.Clusters[0].State != Changed {
		t.Errorf("%+v", report.Clusters)
	}
	nothing, err := Live(t.Context(), "prod", []Installed{{Release: "same", Component: "same", Old: "1.0.0", New: "1.0.0"}}, Options{Key: []byte("key")})
	if err != nil || nothing.Differs() || nothing.Clusters[0].State != Same {
		t.Errorf("%v: %+v", err, nothing)
	}
}
