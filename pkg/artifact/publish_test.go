package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

const commit = "102b23dd102b23dd102b23dd102b23dd102b23dd"

func bundle() artifact.Bundle {
	return artifact.Bundle{
		Files:    map[string][]byte{"objects.yaml": []byte("kind: A\n"), "kustomization.yaml": []byte("resources: [objects.yaml]\n")},
		Source:   "https://someone:hunter2@git.example.org/control.git",
		Revision: "sha1:" + commit,
		Created:  time.Date(2026, 8, 4, 10, 4, 41, 0, time.FixedZone("", 7200)),
	}
}

func bundles(s *registrytest.Server) artifact.Repository {
	return artifact.Repository{URL: s.OCI("clusters/tools"), Insecure: true}
}

// pull reads a bundle as source-controller does: manifest, then the layer's files.
func pull(t *testing.T, s *registrytest.Server, tag string) (manifest *v1.Manifest, digest string, files map[string][]byte) {
	t.Helper()
	ref, err := name.ParseReference(s.Host()+"/clusters/tools:"+tag, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if manifest, err = image.Manifest(); err != nil {
		t.Fatal(err)
	}
	hash, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers: %v", len(layers), err)
	}
	body, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	return manifest, hash.String(), untar(t, body)
}

func untar(t *testing.T, in io.Reader) map[string][]byte {
	t.Helper()
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(bundle().Created) || header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.Mode != 0o644 {
			t.Errorf("%s is of %s, %d:%d %q, mode %o", header.Name, header.ModTime, header.Uid, header.Gid, header.Uname, header.Mode)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	published, err := client().Publish(t.Context(), bundles(s), []string{commit, "latest"}, bundle(), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{commit, "latest"}, published.Moved); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
	for _, tag := range published.Moved {
		manifest, digest, files := pull(t, s, tag)
		if diff := cmp.Diff(bundle().Files, files); diff != "" {
			t.Errorf("files of %s (-pushed +pulled):\n%s", tag, diff)
		}
		if published.Ref() != s.OCI("clusters/tools")+"@"+digest {
			t.Errorf("Ref %q, the registry has %s", published.Ref(), digest)
		}
		want := map[string]string{
			"org.opencontainers.image.source":   "https://***@git.example.org/control.git",
			"org.opencontainers.image.revision": "sha1:" + commit,
			"org.opencontainers.image.created":  "2026-08-04T08:04:41Z",
		}
		if diff := cmp.Diff(want, manifest.Annotations); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
		got := []string{string(manifest.MediaType), string(manifest.Config.MediaType), string(manifest.Layers[0].MediaType)}
		types := []string{"application/vnd.oci.image.manifest.v1+json", "application/vnd.cncf.flux.config.v1+json", "application/vnd.cncf.flux.content.v1.tar+gzip"}
		if diff := cmp.Diff(types, got); diff != "" {
			t.Errorf("media types (-want +got):\n%s", diff)
		}
	}
}

func TestPublishTwice(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	first, err := client().Publish(t.Context(), bundles(s), []string{commit, "latest"}, bundle(), false)
	if err != nil {
		t.Fatal(err)
	}
	s.Forget()
	again, err := client().Publish(t.Context(), bundles(s), []string{commit, "latest", "stable"}, bundle(), false)
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest != first.Digest {
		t.Errorf("the same bundle has the digests %s and %s", first.Digest, again.Digest)
	}
	if diff := cmp.Diff([]string{"stable"}, again.Moved); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
	for _, r := range s.Requests() {
		if r.Method == http.MethodPut && !strings.HasSuffix(r.Path, "/manifests/stable") {
			t.Errorf("%s %s: it is there already", r.Method, r.Path)
		}
	}
	changed := bundle()
	changed.Files["objects.yaml"] = []byte("kind: B\n")
	other, err := client().Publish(t.Context(), bundles(s), []string{"latest"}, changed, false)
	if err != nil || other.Digest == first.Digest {
		t.Fatalf("another content has the digest %s: %v", other.Digest, err)
	}
	if _, digest, _ := pull(t, s, "latest"); digest != other.Digest {
		t.Errorf("latest names %s, want %s", digest, other.Digest)
	}
	if _, digest, _ := pull(t, s, commit); digest != first.Digest {
		t.Errorf("the commit's tag names %s, want %s", digest, first.Digest)
	}
}

func TestPublishDryRun(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	published, err := client().Publish(t.Context(), bundles(s), []string{"latest"}, bundle(), true)
	if err != nil || len(published.Moved) != 1 || !strings.HasPrefix(published.Digest, "sha256:") {
		t.Fatalf("%+v, %v", published, err)
	}
	for _, r := range s.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
}

func TestPublishWithAuthentication(t *testing.T) {
	t.Parallel()
	for _, bearer := range []bool{false, true} {
		s := registrytest.ForTest(t, registrytest.Options{Auth: &registrytest.Auth{Username: "robot", Password: "hunter2", Bearer: bearer}})
		as := func(k keychain) error {
			_, err := client(func(o *artifact.Options) { o.Keychain = k }).Publish(t.Context(), bundles(s), []string{"latest"}, bundle(), false)
			return err
		}
		for _, wrong := range []keychain{{}, {"robot", "swordfish"}} {
			if err := as(wrong); !errors.Is(err, artifact.ErrUnauthorized) || strings.Contains(err.Error(), "swordfish") {
				t.Errorf("bearer %t, as %q: %v", bearer, wrong.user, err)
			}
		}
		if err := as(keychain{"robot", "hunter2"}); err != nil {
			t.Errorf("bearer %t: %v", bearer, err)
		}
	}
}

func TestPublishFailures(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		fault registrytest.Fault
		want  error
	}{
		{"the registry is down", registrytest.Fault{Close: true}, artifact.ErrUnreachable},
		{"a tag cannot be looked up", registrytest.Fault{Path: "/manifests/", Status: http.StatusInternalServerError}, artifact.ErrUnreachable},
		{"uploads are refused", registrytest.Fault{Method: http.MethodPost, Status: http.StatusForbidden}, artifact.ErrUnauthorized},
		{"the manifest is refused", registrytest.Fault{Method: http.MethodPut, Path: "/manifests/", Status: http.StatusInsufficientStorage}, artifact.ErrUnreachable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := registrytest.ForTest(t, registrytest.Options{})
			s.Fail(c.fault)
			_, err := client().Publish(t.Context(), bundles(s), []string{commit, "latest"}, bundle(), false)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			s.ClearFaults()
			if _, err := client().Publish(t.Context(), bundles(s), []string{commit, "latest"}, bundle(), false); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestPublishRefusesAddresses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "https://registry.example.org/x", "oci://registry.example.org", "oci://registry.example.org/x:latest", "oci://u:hunter2@registry.example.org/x", "oci://registry.example.org/UP"} {
		_, err := client().Publish(t.Context(), artifact.Repository{URL: url}, []string{"latest"}, bundle(), true)
		if !errors.Is(err, artifact.ErrInvalid) || bytes.Contains([]byte(err.Error()), []byte("hunter2")) {
			t.Errorf("%q: %v", url, err)
		}
	}
	_, err := client().Publish(t.Context(), artifact.Repository{URL: "oci://registry.example.org/x"}, []string{"a b"}, bundle(), true)
	if !errors.Is(err, artifact.ErrInvalid) {
		t.Errorf("tag: %v", err)
	}
}
