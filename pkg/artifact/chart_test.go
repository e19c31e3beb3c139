package artifact_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// Every form of version in the record, as chart versions.
var forms = []string{
	version,                           // all digits with a leading zero
	"0.0.214-20230706144836-12e45671", // a float to YAML
	"0.0.215-20230707150008-40551e32", // a bigger one
	"0.0.216-20230707150008-12345678", // all digits
	"1.2.3", "1.2.3+meta", "1.2.3-rc.1+a.b-c", "0.0.82-dev-mr-34", "0.0.82-dev.mr34",
}

func TestChartInOCI(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	for _, v := range forms {
		c := chart(v)
		c.AppVersion, c.KubeVersion = "40551e32", ">=1.28.0-0"
		c.Annotations = map[string]string{artifact.AnnotationRevision: strings.Repeat("ab", 20)}
		c.Created = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
		pushed := push(t, s, c)
		for _, digest := range []string{"", pushed.Digest} {
			got, err := client().Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: v, Digest: digest})
			if err != nil {
				t.Errorf("%s: %v", v, err)
				continue
			}
			want := &artifact.Chart{
				ChartYAML: artifact.ChartYAML{Name: "jobs-api", Version: v, AppVersion: "40551e32", KubeVersion: ">=1.28.0-0"},
				Digest:    pushed.Digest, LayerDigest: pushed.LayerDigest, Archive: pushed.Archive,
				Annotations: map[string]string{
					artifact.AnnotationRevision: strings.Repeat("ab", 20), artifact.AnnotationCreated: "2024-01-02T03:04:05Z",
					"org.opencontainers.image.title": "jobs-api", "org.opencontainers.image.version": v,
				},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", v, diff)
			}
		}
	}
}

func TestChartInHTTPRepository(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	digests := map[string]string{}
	for _, v := range append([]string{"v1.20.3"}, forms...) {
		digest, err := s.AddChart("stable", chart(v), nil)
		if err != nil {
			t.Fatal(err)
		}
		digests[v] = digest
	}
	repo := artifact.Repository{URL: s.HTTP("stable")}
	listed, err := client().Versions(t.Context(), repo, "jobs-api")
	if err != nil || len(listed) != len(digests) {
		t.Fatalf("%d versions, %v", len(listed), err)
	}
	for _, v := range listed {
		got, err := client().Chart(t.Context(), repo, artifact.ChartRef{Name: "jobs-api", Version: v.Version})
		if err != nil || got.Digest != digests[v.Version] || got.Digest != v.Digest || got.LayerDigest != got.Digest {
			t.Errorf("%s: %v", v.Version, err)
		}
		if digest, err := client().Digest(t.Context(), repo, "jobs-api", v.Version); err != nil || digest != digests[v.Version] {
			t.Errorf("%s: digest %s, %v", v.Version, digest, err)
		}
	}
}

// What an index says can be wrong in many ways.
func TestHTTPRepositoryFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*registrytest.IndexEntry)
		want   error
	}{
		{"no digest", func(e *registrytest.IndexEntry) { e.Digest = "" }, nil},
		{"another digest", func(e *registrytest.IndexEntry) { e.Digest = strings.Repeat("0", 64) }, artifact.ErrInvalid},
		{"a digest that is none", func(e *registrytest.IndexEntry) { e.Digest = "md5:x" }, artifact.ErrInvalid},
		{"no URL", func(e *registrytest.IndexEntry) { e.URLs = nil }, artifact.ErrInvalid},
		{"a file's URL", func(e *registrytest.IndexEntry) { e.URLs = []string{"file:///etc/passwd"} }, artifact.ErrInvalid},
		{"an unreadable URL", func(e *registrytest.IndexEntry) { e.URLs = []string{"http://[::1"} }, artifact.ErrInvalid},
		{"nothing at the URL", func(e *registrytest.IndexEntry) { e.URLs = []string{"gone.tgz"} }, artifact.ErrMissing},
		{"a URL from the root", func(e *registrytest.IndexEntry) { e.URLs = []string{"/charts/stable/jobs-api-1.0.0.tgz"} }, nil},
	} {
		s := registrytest.ForTest(t, registrytest.Options{})
		if _, err := s.AddChart("stable", chart("1.0.0"), c.change); err != nil {
			t.Fatal(err)
		}
		_, err := client().Chart(t.Context(), artifact.Repository{URL: s.HTTP("stable") + "/"}, artifact.ChartRef{Name: "jobs-api", Version: "1.0.0"})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestIndexOutcomes(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	repo := artifact.Repository{URL: s.HTTP("stable")}
	versions := func() error { _, err := client().Versions(t.Context(), repo, "jobs-api"); return err }
	if err := versions(); !errors.Is(err, artifact.ErrUnreachable) || errors.Is(err, artifact.ErrMissing) {
		t.Errorf("no index: %v", err)
	}
	for index, want := range map[string]error{
		"":                             artifact.ErrMissing,
		"entries: {other: []}":         artifact.ErrMissing,
		"entries: {jobs-api: []}":      nil,
		"entries: [":                   artifact.ErrInvalid,
		"<html>hello</html>":           artifact.ErrInvalid,
		"entries: {jobs-api: 3}":       artifact.ErrInvalid,
		"entries: &a {jobs-api: [*a]}": nil,
		strings.Repeat("#", 65<<20):    artifact.ErrInvalid,
		"entries: {jobs-api: [{version: 1.2}, {version: 1.2.3, created: nonsense}]}": nil,
	} {
		s.SetIndex("stable", []byte(index+"\n"))
		if err := versions(); !errors.Is(err, want) {
			t.Errorf("%.40q: got %v, want %v", index, err, want)
		}
	}
	for _, f := range []struct {
		status int
		want   error
	}{{401, artifact.ErrUnauthorized}, {403, artifact.ErrUnauthorized}, {404, artifact.ErrUnreachable}, {429, artifact.ErrUnreachable}, {503, artifact.ErrUnreachable}} {
		s.ClearFaults()
		s.Fail(registrytest.Fault{Path: "index.yaml", Status: f.status})
		if err := versions(); !errors.Is(err, f.want) || errors.Is(err, artifact.ErrMissing) {
			t.Errorf("%d: got %v", f.status, err)
		}
	}
}

// helm#12255: a tag and its chart can differ.
func TestChartThatIsNotItsTag(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*registrytest.Chart){
		"another version": func(c *registrytest.Chart) { c.Version, c.Tag = "1.2.4", version },
		"another name": func(c *registrytest.Chart) {
			c.Files = map[string]string{"Chart.yaml": "name: other\nversion: " + version + "\n"}
		},
		"a leading v": func(c *registrytest.Chart) {
			c.Files = map[string]string{"Chart.yaml": "name: jobs-api\nversion: v" + version + "\n"}
		},
	} {
		s := registrytest.ForTest(t, registrytest.Options{})
		c := chart(version)
		spoil(&c)
		push(t, s, c)
		_, err := client().Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: version})
		if !errors.Is(err, artifact.ErrMismatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestChartsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"no version":        {"Chart.yaml": "name: jobs-api\n"},
		"not YAML":          {"Chart.yaml": "name: [\n"},
		"a long Chart.yaml": {"Chart.yaml": "name: jobs-api # " + strings.Repeat("x", 2<<20)},
	} {
		s := registrytest.ForTest(t, registrytest.Options{})
		c := chart(version)
		c.Files = files
		push(t, s, c)
		if _, err := client().Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: version}); !errors.Is(err, artifact.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	s := registrytest.ForTest(t, registrytest.Options{})
	if _, err := s.PushImage("toolforge/jobs-api", version, "linux/amd64", "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := client().Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: version}); !errors.Is(err, artifact.ErrInvalid) || !strings.Contains(err.Error(), "no Helm chart") {
		t.Errorf("an image: got %v", err)
	}
}

// A manifest is small and hostile: it can name any size and any digest.
func TestHostileManifests(t *testing.T) {
	t.Parallel()
	archive, err := chart(version).Archive()
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*v1.Manifest){
		"no layer":       func(m *v1.Manifest) { m.Layers = nil },
		"a huge layer":   func(m *v1.Manifest) { m.Layers[0].Size = 1 << 40 },
		"negative size":  func(m *v1.Manifest) { m.Layers[0].Size = -1 },
		"no such blob":   func(m *v1.Manifest) { m.Layers[0].Digest.Hex = strings.Repeat("0", 64) },
		"another config": func(m *v1.Manifest) { m.Config.MediaType = types.DockerConfigJSON },
	} {
		s := registrytest.ForTest(t, registrytest.Options{})
		layer, err := s.PushBlob("toolforge/jobs-api", registrytest.ChartLayerType, archive)
		if err != nil {
			t.Fatal(err)
		}
		m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: v1.Descriptor{MediaType: registrytest.ChartConfigType, Digest: layer.Digest}, Layers: []v1.Descriptor{layer}}
		spoil(&m)
		if _, err := s.PushManifest("toolforge/jobs-api", version, types.OCIManifestSchema1, m); err != nil {
			t.Fatal(err)
		}
		if _, err := client().Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: version}); !errors.Is(err, artifact.ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSpoiledDownloads(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	pushed := push(t, s, chart(version))
	ref := artifact.ChartRef{Name: "jobs-api", Version: version}
	s.Fail(registrytest.Fault{Path: "/blobs/", Times: 1, Truncate: true})
	if _, err := client().Chart(t.Context(), oci(s), ref); !errors.Is(err, artifact.ErrUnreachable) {
		t.Errorf("truncated: got %v", err)
	}
	s.Fail(registrytest.Fault{Path: "/blobs/", Times: 1, Status: 200, Body: strings.Repeat("x", len(pushed.Archive))})
	if _, err := client().Chart(t.Context(), oci(s), ref); !errors.Is(err, artifact.ErrInvalid) {
		t.Errorf("other content: got %v", err)
	}
	if _, err := client().Chart(t.Context(), oci(s), ref); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestDigestHoldsWhenTheTagMoves(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	first := push(t, s, chart(version))
	moved := chart(version)
	moved.Files = map[string]string{"values.yaml": "a: 2\n"}
	second := push(t, s, moved)
	for digest, want := range map[string]registrytest.Pushed{"": second, first.Digest: first, second.Digest: second} {
		got, err := client().Chart(t.Context(), oci(s), artifact.ChartRef{Name: "jobs-api", Version: version, Digest: digest})
		if err != nil || !bytes.Equal(got.Archive, want.Archive) {
			t.Errorf("%q: got %v", digest, err)
		}
	}
}

func TestCheckCommit(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("ab", 20)
	for _, c := range []struct {
		annotation, commit string
		stated, ok         bool
	}{
		{full, full[:8], true, true},
		{full, full, true, true},
		{full[:8], full, true, true},
		{strings.ToUpper(full), full, true, true},
		{"", full, false, true},
		{"main", full, false, true},
		{full, "abcd", true, false},
		{full, "", true, false},
	} {
		chart := artifact.Chart{Annotations: map[string]string{artifact.AnnotationRevision: c.annotation}}
		stated, err := chart.CheckCommit(c.commit)
		if stated != c.stated || (err == nil) != c.ok || err != nil && !errors.Is(err, artifact.ErrMismatch) {
			t.Errorf("%q against %q: %v, %v", c.annotation, c.commit, stated, err)
		}
	}
}
