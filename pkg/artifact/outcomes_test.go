package artifact_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

// operations are every request a Client makes, against one repository and image.
func operations(c *artifact.Client, repo artifact.Repository, image string) map[string]func(context.Context) error {
	pattern, _ := artifact.CompilePattern(`-(?P<commit>[0-9a-f]{8})$`)
	resolve := func(typed string) func(context.Context) error {
		return func(ctx context.Context) error {
			revision, _ := artifact.ParseRevision(typed)
			_, err := c.Resolve(ctx, repo, artifact.Query{Chart: "jobs-api", Revision: revision, Pattern: pattern})
			return err
		}
	}
	return map[string]func(context.Context) error{
		"versions":        func(ctx context.Context) error { _, err := c.Versions(ctx, repo, "jobs-api"); return err },
		"resolve commit":  resolve("09895639"),
		"resolve version": resolve(version),
		"digest":          func(ctx context.Context) error { _, err := c.Digest(ctx, repo, "jobs-api", version); return err },
		"chart": func(ctx context.Context) error {
			_, err := c.Chart(ctx, repo, artifact.ChartRef{Name: "jobs-api", Version: version})
			return err
		},
		"image": func(ctx context.Context) error {
			_, err := c.Image(ctx, artifact.ImageQuery{Ref: image, Insecure: true, Platforms: []string{"linux/amd64"}})
			return err
		},
	}
}

// Only a registry's own 404 is "missing", for every request.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault *registrytest.Fault
		want  error
	}{
		{"present", nil, nil},
		{"401", &registrytest.Fault{Status: 401}, artifact.ErrUnauthorized},
		{"403", &registrytest.Fault{Status: 403}, artifact.ErrUnauthorized},
		{"403 as DENIED", &registrytest.Fault{Status: 403, Body: `{"errors":[{"code":"DENIED"}]}`}, artifact.ErrUnauthorized},
		{"429", &registrytest.Fault{Status: 429}, artifact.ErrUnreachable},
		{"500", &registrytest.Fault{Status: 500}, artifact.ErrUnreachable},
		{"502", &registrytest.Fault{Status: 502, Body: "<html>bad gateway</html>"}, artifact.ErrUnreachable},
		{"503 that says unknown", &registrytest.Fault{Status: 503, Body: `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`}, artifact.ErrUnreachable},
		{"a web server's 404", &registrytest.Fault{Status: 404, Body: "<html>not found</html>"}, artifact.ErrUnreachable},
		{"a 404 with another code", &registrytest.Fault{Status: 404, Body: `{"errors":[{"code":"UNSUPPORTED"}]}`}, artifact.ErrUnreachable},
		{"connection closed", &registrytest.Fault{Close: true}, artifact.ErrUnreachable},
		{"no answer in time", &registrytest.Fault{Delay: time.Minute}, artifact.ErrUnreachable},
		{"410", &registrytest.Fault{Status: 410}, artifact.ErrUnreachable},
		{"418", &registrytest.Fault{Status: 418}, artifact.ErrUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := fullRegistry(t, registrytest.Options{})
			if c.fault != nil {
				s.Fail(*c.fault)
			}
			asking := client(func(o *artifact.Options) {
				if c.fault != nil && c.fault.Delay > 0 {
					o.Timeout = 100 * time.Millisecond
				}
			})
			for name, ask := range operations(asking, oci(s), s.Host()+"/toolforge/jobs-api:image-1") {
				if err := ask(t.Context()); !errors.Is(err, c.want) {
					t.Errorf("%s: got %v, want %v", name, err, c.want)
				} else if c.want != nil && errors.Is(err, artifact.ErrMissing) {
					t.Errorf("%s: %v is also missing", name, err)
				}
			}
		})
	}
}

// The same faults on the requests after the handshake, which reach other code than those on /v2/.
func TestOutcomesAfterHandshake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		want   error
	}{{401, artifact.ErrUnauthorized}, {403, artifact.ErrUnauthorized}, {429, artifact.ErrUnreachable}, {503, artifact.ErrUnreachable}} {
		for _, path := range []string{"/manifests/", "/tags/list", "/blobs/"} {
			s := fullRegistry(t, registrytest.Options{})
			s.Fail(registrytest.Fault{Path: path, Status: c.status})
			hit := 0
			for name, ask := range operations(client(), oci(s), s.Host()+"/toolforge/jobs-api:image-1") {
				err := ask(t.Context())
				if err == nil {
					continue // does not make that request
				}
				hit++
				if !errors.Is(err, c.want) || errors.Is(err, artifact.ErrMissing) {
					t.Errorf("%d on %s: %s: got %v", c.status, path, name, err)
				}
			}
			if hit < 2 {
				t.Errorf("%d on %s: only %d operations failed", c.status, path, hit)
			}
		}
	}
}

func fullRegistry(t *testing.T, o registrytest.Options) *registrytest.Server {
	t.Helper()
	s := registrytest.ForTest(t, o)
	push(t, s, chart(version))
	if _, err := s.PushImage("toolforge/jobs-api", "image-1", "linux/amd64", "x"); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMissing(t *testing.T) {
	t.Parallel()
	empty := registrytest.ForTest(t, registrytest.Options{})
	other := registrytest.ForTest(t, registrytest.Options{})
	push(t, other, chart("1.0.0"))
	for what, s := range map[string]*registrytest.Server{"repository": empty, "tag": other} {
		for name, ask := range operations(client(), oci(s), s.Host()+"/toolforge/jobs-api:image-1") {
			if err := ask(t.Context()); !errors.Is(err, artifact.ErrMissing) && !(name == "versions" && what == "tag" && err == nil) {
				t.Errorf("no such %s: %s: got %v", what, name, err)
			}
		}
	}
	// Harbor's code.
	s := fullRegistry(t, registrytest.Options{})
	s.Fail(registrytest.Fault{Path: "/manifests/", Status: 404, Body: `{"errors":[{"code":"NOT_FOUND","message":"artifact not found"}]}`})
	if _, err := client().Digest(t.Context(), oci(s), "jobs-api", version); !errors.Is(err, artifact.ErrMissing) {
		t.Errorf("Harbor's 404: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	for _, url := range []string{"oci://" + address + "/toolforge", "http://" + address + "/charts"} {
		repo := artifact.Repository{URL: url, Insecure: true}
		for name, ask := range operations(client(), repo, address+"/p/x:1") {
			if err := ask(t.Context()); !errors.Is(err, artifact.ErrUnreachable) || !strings.Contains(err.Error(), "refused") {
				t.Errorf("%s %s: got %v", url, name, err)
			}
		}
	}
}

func TestRetriesAreBounded(t *testing.T) {
	t.Parallel()
	s := fullRegistry(t, registrytest.Options{})
	s.Fail(registrytest.Fault{Path: "/tags/list", Times: 2, Status: 429})
	if _, err := client().Versions(t.Context(), oci(s), "jobs-api"); err != nil {
		t.Errorf("two failures are overcome: %v", err)
	}
	s.Forget()
	s.Fail(registrytest.Fault{Path: "/tags/list", Status: 503})
	if _, err := client().Versions(t.Context(), oci(s), "jobs-api"); !errors.Is(err, artifact.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if n := requests(s, "GET", "/tags/list"); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestCancelling(t *testing.T) {
	t.Parallel()
	s := fullRegistry(t, registrytest.Options{})
	s.Fail(registrytest.Fault{Status: 503})
	patient := client(func(o *artifact.Options) { o.RetryWait = time.Hour })
	for name, ask := range operations(patient, oci(s), s.Host()+"/toolforge/jobs-api:image-1") {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := ask(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, artifact.ErrUnreachable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
