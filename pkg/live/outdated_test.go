package live

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/gitrepo"
)

const commitC = "cccccccc33333333333333333333333333333333"

// fakeSource has a branch of three commits: A, a merge B of a side branch, C.
type fakeSource struct{ fetchErr error }

func (s fakeSource) Fetch(context.Context) error { return s.fetchErr }
func (fakeSource) Close() error                  { return nil }

func (fakeSource) Ensure(_ context.Context, rev string) (string, error) {
	if rev != commitA {
		return "", gitrepo.ErrUnknownRevision
	}
	return rev, nil
}

func (fakeSource) Commits(context.Context, string, string, int) (gitrepo.Range, error) {
	by := func(name string, span time.Duration) gitrepo.Signature {
		return gitrepo.Signature{Name: name, Time: ago(span)}
	}
	return gitrepo.Range{Commits: []*gitrepo.Commit{
		{ID: commitC, Parents: []string{commitB}, Author: by("Carol", day), Committer: by("Carol", day), Subject: "Third \x1b[31m"},
		{ID: commitB, Parents: []string{commitA, "side"}, Author: by("Bot", 3*day), Committer: by("Bot", 3*day), Subject: "Merge branch"},
		{
			ID: "side", Parents: []string{commitA}, Author: by("Bob", 40*day), Committer: by("Bob", 40*day), Subject: "Second",
			Trailers: []gitrepo.Trailer{{Key: "Bug", Value: "T2"}},
		},
	}}, nil
}

type fakeRegistries struct{}

func (fakeRegistries) Image(_ context.Context, q artifact.ImageQuery) (artifact.Image, error) {
	switch {
	case strings.Contains(q.Ref, "/lost@"):
		return artifact.Image{}, artifact.ErrMissing
	case strings.Contains(q.Ref, "/away@"):
		return artifact.Image{}, errors.New("https://u:planted@registry.example.org is away")
	}
	return artifact.Image{}, nil
}

func (fakeRegistries) Digest(_ context.Context, _ artifact.Repository, chart, _ string) (string, error) {
	switch chart {
	case "lost":
		return "", artifact.ErrMissing
	case "away":
		return "", errors.New("away: https://u:planted@registry.example.org is away")
	}
	return "sha256:1", nil
}

func (fakeRegistries) Versions(_ context.Context, _ artifact.Repository, chart string) ([]artifact.Version, error) {
	if chart == "theirs" {
		return []artifact.Version{{Version: "v1.9.0"}, {Version: "v1.10.0"}, {Version: "v2.0.0-rc.1"}, {Version: "junk"}, {Version: "v1.0.0"}}, nil
	}
	return []artifact.Version{{Version: versA}, {Version: versB}, {Version: "0.0.9-dev-mr-3-cccccccc"}}, nil
}

// TestProblemsSayEachReasonOnce has a registry away that has several charts.
func TestProblemsSayEachReasonOnce(t *testing.T) {
	t.Parallel()
	upstream := Upstream{Errors: map[string]string{"https://c/a": "c is away", "https://c/b:1": "c is away", "https://c/b": "https://c/b: c is away", "jobs-api": "no such branch"}}
	want := []string{"https://c/a and 2 more: c is away", "jobs-api: no such branch"}
	if difference := cmp.Diff(want, upstream.Problems()); difference != "" {
		t.Error(difference)
	}
}

func TestOutdatedGolden(t *testing.T) {
	t.Parallel()
	repo := testRepo(t, "prod ours "+versA+" "+commitA, "beta ours "+versB+" "+commitB, "prod theirs v1.9.0", "beta theirs v1.10.0",
		"prod away "+versA+" "+commitA, "prod lost 1.0.0")
	asker := Asker{Registries: fakeRegistries{}, OpenSource: func(_ context.Context, url string) (SourceRepo, error) {
		if filepath.Base(url) == "away" {
			return fakeSource{fetchErr: errors.New("https://u:planted@git.example.org: away")}, nil
		}
		return fakeSource{}, nil
	}}
	upstream, err := asker.Ask(t.Context(), repo, Waiting, Present, Published)
	if err != nil {
		t.Fatal(err)
	}
	if present, known := upstream.Present[ChartVersion{ChartKey{"https://charts.example.org", "lost"}, "1.0.0"}]; present || !known {
		t.Errorf("lost: present %v, known %v", present, known)
	}
	if _, known := upstream.Present[ChartVersion{ChartKey{"oci://registry.example.org/ours", "away"}, versA}]; known {
		t.Error("a registry that is away is said to have answered")
	}
	found := FindOutdated(repo, upstream, testNow())
	for format, write := range OutdatedFormats() {
		var out bytes.Buffer
		if err := write(&out, found); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(out.Bytes(), []byte("planted")) || bytes.Contains(out.Bytes(), []byte("\x1b")) {
			t.Errorf("%s holds a secret or a control character:\n%s", format, out.String())
		}
		if format != "yaml" {
			golden(t, filepath.Join("testdata", "outdated."+format), out.Bytes())
		}
	}
}
