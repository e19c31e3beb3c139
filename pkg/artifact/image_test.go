package artifact_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

func TestImage(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	single, err := s.PushImage("p/single", "1", "linux/amd64", "x")
	if err != nil {
		t.Fatal(err)
	}
	index, _, err := s.PushIndex("p/index", "1", []string{"linux/arm64/v8", "linux/amd64"}, "x")
	if err != nil {
		t.Fatal(err)
	}
	push(t, s, chart(version))
	both := []string{"linux/amd64", "linux/arm64/v8"}
	for _, c := range []struct {
		name, ref string
		wanted    []string
		want      artifact.Image
		kind      error
	}{
		{"single", "p/single:1", []string{"linux/amd64"}, artifact.Image{Digest: single, Platforms: []string{"linux/amd64"}}, nil},
		{"single, nothing asked", "p/single:1", nil, artifact.Image{Digest: single, Platforms: []string{"linux/amd64"}}, nil},
		{"single by digest", "p/single@" + single, []string{"linux/amd64"}, artifact.Image{Digest: single, Platforms: []string{"linux/amd64"}}, nil},
		{"by tag and digest", "p/single:9@" + single, nil, artifact.Image{Digest: single, Platforms: []string{"linux/amd64"}}, nil},
		{"single of another platform", "p/single:1", []string{"linux/arm64"}, artifact.Image{Digest: single, Platforms: []string{"linux/amd64"}}, artifact.ErrPlatform},
		{"index", "p/index:1", both, artifact.Image{Digest: index, Platforms: both}, nil},
		{"index, any variant", "p/index:1", []string{"linux/arm64"}, artifact.Image{Digest: index, Platforms: both}, nil},
		{"index without one", "p/index:1", []string{"linux/amd64", "linux/s390x"}, artifact.Image{Digest: index, Platforms: both}, artifact.ErrPlatform},
		{"another variant", "p/index:1", []string{"linux/arm64/v9"}, artifact.Image{Digest: index, Platforms: both}, artifact.ErrPlatform},
		{"no such tag", "p/index:2", both, artifact.Image{}, artifact.ErrMissing},
		{"no such repository", "p/none:2", both, artifact.Image{}, artifact.ErrMissing},
		{"a chart", "toolforge/jobs-api:" + version, nil, artifact.Image{}, artifact.ErrInvalid},
		{"no reference", "P/UPPER:1", nil, artifact.Image{}, artifact.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ref := s.Host() + "/" + c.ref
			got, err := client().Image(t.Context(), artifact.ImageQuery{Ref: ref, Platforms: c.wanted, Insecure: true})
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
			if c.want.Digest != "" {
				c.want.Ref = ref
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlatformErrorNamesBoth(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	if _, err := s.PushImage("p/x", "1", "linux/amd64", "x"); err != nil {
		t.Fatal(err)
	}
	_, err := client().Image(t.Context(), artifact.ImageQuery{Ref: s.Host() + "/p/x:1", Platforms: []string{"linux/arm64"}, Insecure: true})
	var lacks *artifact.PlatformError
	if !errors.As(err, &lacks) || !strings.Contains(err.Error(), "linux/arm64; it has linux/amd64") {
		t.Errorf("got %v", err)
	}
}

// Garbage collectors have removed what an index points to (distribution#3178).
func TestIndexWithoutItsChild(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	_, children, err := s.PushIndex("p/x", "1", []string{"linux/amd64", "linux/arm64"}, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("p/x", children["linux/amd64"]); err != nil {
		t.Fatal(err)
	}
	for platform, want := range map[string]error{"linux/amd64": artifact.ErrMissing, "linux/arm64": nil} {
		_, err := client().Image(t.Context(), artifact.ImageQuery{Ref: s.Host() + "/p/x:1", Platforms: []string{platform}, Insecure: true})
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v", platform, err)
		}
	}
}
