package artifact_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/artifact"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

const version = "0.0.213-20230705073411-09895639"

// keychain keeps the machine's own Docker configuration out of the tests.
type keychain struct{ user, password string }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	if k.user == "" {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

func client(change ...func(*artifact.Options)) *artifact.Client {
	o := artifact.Options{Keychain: keychain{}, Timeout: 5 * time.Second, RetryWait: time.Millisecond, UserAgent: "tfgitops/test"}
	for _, f := range change {
		f(&o)
	}
	return artifact.New(o)
}

func oci(s *registrytest.Server) artifact.Repository {
	return artifact.Repository{URL: s.OCI("toolforge"), Insecure: true}
}

func push(t testing.TB, s *registrytest.Server, c registrytest.Chart) registrytest.Pushed {
	t.Helper()
	pushed, err := s.PushChart("toolforge", c)
	if err != nil {
		t.Fatal(err)
	}
	return pushed
}

func chart(version string) registrytest.Chart {
	return registrytest.Chart{Name: "jobs-api", Version: version, Files: map[string]string{"values.yaml": "a: 1\n"}}
}

// manyTags publishes n chart versions and n image tags beside them.
func manyTags(t testing.TB, s *registrytest.Server, n int) {
	t.Helper()
	push(t, s, chart(version))
	var tags []string
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n - 1 {
		tag := fmt.Sprintf("0.0.%d-%s-%08x", 300+i, start.Add(time.Duration(i)*time.Minute).Format("20060102150405"), uint32(i)*2654435761)
		tags = append(tags, tag, "image-"+tag)
	}
	tags = append(tags, "image-"+version)
	if err := s.Tag("toolforge/jobs-api", version, tags...); err != nil {
		t.Fatal(err)
	}
}

func TestListing5000(t *testing.T) {
	s := registrytest.ForTest(t, registrytest.Options{PageSize: 1000})
	manyTags(t, s, 5000)
	start := time.Now()
	versions, err := client().Versions(t.Context(), oci(s), "jobs-api")
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	if len(versions) != 5000 {
		t.Errorf("%d versions seen", len(versions))
	}
	if pages := requests(s, "GET", "/tags/list"); pages != 10 {
		t.Errorf("%d pages", pages)
	}
	if took > time.Second {
		t.Errorf("took %s", took)
	}
}

// requests counts those of a method whose path holds a text.
func requests(s *registrytest.Server, method, path string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Method == method && strings.Contains(r.Path, path) {
			n++
		}
	}
	return n
}

func BenchmarkListing5000(b *testing.B) {
	s := registrytest.ForTest(b, registrytest.Options{})
	manyTags(b, s, 5000)
	for b.Loop() {
		versions, err := client().Versions(b.Context(), oci(s), "jobs-api")
		if err != nil || len(versions) != 5000 {
			b.Fatal(len(versions), err)
		}
	}
}

func TestListingThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	push(t, s, chart(version))
	s.Fail(registrytest.Fault{Path: "/tags/list", Header: map[string]string{"Link": `</v2/toolforge/jobs-api/tags/list?last=a>; rel="next"`}, Status: 200, Body: `{"tags":["1.0.0"]}`})
	if _, err := client().Versions(t.Context(), oci(s), "jobs-api"); !errors.Is(err, artifact.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	s.ClearFaults()
	s.Fail(registrytest.Fault{Path: "/tags/list", Status: 200, Body: `{"tags":["` + strings.Repeat("x", 17<<20) + `"]}`})
	if _, err := client().Versions(t.Context(), oci(s), "jobs-api"); !errors.Is(err, artifact.ErrInvalid) {
		t.Errorf("got %.300v", err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	for _, bearer := range []bool{false, true} {
		s := fullRegistry(t, registrytest.Options{Auth: &registrytest.Auth{Username: "robot", Password: "s3cret", Bearer: bearer}})
		if _, err := s.AddChart("stable", chart(version), nil); err != nil {
			t.Fatal(err)
		}
		for _, repo := range []artifact.Repository{oci(s), {URL: s.HTTP("stable")}} {
			for _, k := range []struct {
				keychain
				want error
			}{{keychain{"robot", "s3cret"}, nil}, {keychain{"robot", "wr0ng"}, artifact.ErrUnauthorized}, {keychain{}, artifact.ErrUnauthorized}} {
				c := client(func(o *artifact.Options) { o.Keychain = k.keychain })
				for name, ask := range operations(c, repo, s.Host()+"/toolforge/jobs-api:image-1") {
					err := ask(t.Context())
					if !errors.Is(err, k.want) {
						t.Errorf("bearer %v, %s, user %q, %s: got %v, want %v", bearer, repo, k.user, name, err, k.want)
					}
					if err != nil && strings.Contains(err.Error(), k.password) && k.password != "" {
						t.Errorf("%s tells the password: %v", name, err)
					}
				}
			}
		}
	}
}

func TestNoCredentialsInErrors(t *testing.T) {
	t.Parallel()
	s := fullRegistry(t, registrytest.Options{Auth: &registrytest.Auth{Username: "robot", Password: "other"}})
	at := "://user:p@ssw0rd@" + s.Host() + "/charts/stable?token=p@ssw0rd"
	s.Fail(registrytest.Fault{Times: 1, Close: true})
	for _, url := range []string{"http" + at, "oci" + at, "ftp" + at, "http://user:p@ssw0rd@127.0.0.1:1/x", "http://user:p@ssw0rd@[::1/x", "http://user:p@ssw0rd@bad host/"} {
		repo := artifact.Repository{URL: url, Insecure: true}
		for name, ask := range operations(client(), repo, s.Host()+"/x:1") {
			err := ask(t.Context())
			for ; err != nil; err = errors.Unwrap(err) {
				if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "ssw0rd") {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if text := fmt.Sprintf("%v %s %+v", repo, repo, repo); strings.Contains(text, "ssw0rd") {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestPlainHTTPOnlyWhereSaid(t *testing.T) {
	t.Parallel()
	s := fullRegistry(t, registrytest.Options{})
	repo := oci(s)
	repo.Insecure = false
	_, err := client().Versions(t.Context(), repo, "jobs-api")
	if !errors.Is(err, artifact.ErrUnreachable) || !strings.Contains(err.Error(), "insecure: true") {
		t.Errorf("got %v", err)
	}
	for _, r := range s.Requests() {
		t.Errorf("a request came: %+v", r)
	}
}

func TestUserAgent(t *testing.T) {
	t.Parallel()
	s := fullRegistry(t, registrytest.Options{})
	if _, err := s.AddChart("stable", chart(version), nil); err != nil {
		t.Fatal(err)
	}
	for _, repo := range []artifact.Repository{oci(s), {URL: s.HTTP("stable")}} {
		if _, err := client().Versions(t.Context(), repo, "jobs-api"); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range s.Requests() {
		if !strings.HasPrefix(r.UserAgent, "tfgitops/test") && r.Path != "/v2/" {
			t.Errorf("%s %s came from %q", r.Method, r.Path, r.UserAgent)
		}
	}
}

// Some registries do not answer HEAD, or not with a digest.
func TestHeadThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	pushed := push(t, s, chart(version))
	for _, fault := range []registrytest.Fault{{Status: 405}, {Status: 404}, {Status: 200, Body: " "}} {
		s.ClearFaults()
		fault.Method, fault.Path = "HEAD", "/manifests/"
		s.Fail(fault)
		if digest, err := client().Digest(t.Context(), oci(s), "jobs-api", version); err != nil || digest != pushed.Digest {
			t.Errorf("HEAD answers %d: %q, %v", fault.Status, digest, err)
		}
	}
}

// A whole version costs a HEAD, and no listing.
func TestResolveVersionWithoutListing(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	pushed := push(t, s, chart(version))
	revision, err := artifact.ParseRevision(version)
	if err != nil {
		t.Fatal(err)
	}
	got, err := client().Resolve(t.Context(), oci(s), artifact.Query{Chart: "jobs-api", Revision: revision})
	if err != nil || got.Version.Version != version || got.Digest != pushed.Digest {
		t.Errorf("got %+v, %v", got, err)
	}
	if requests(s, "GET", "/tags/list")+requests(s, "GET", "/manifests/") != 0 || requests(s, "HEAD", "/manifests/") != 1 {
		t.Errorf("requests %+v", s.Requests())
	}
	revision.Text = version[:len(version)-1] + "8"
	_, err = client().Resolve(t.Context(), oci(s), artifact.Query{Chart: "jobs-api", Revision: revision})
	var missing *artifact.NotFoundError
	if !errors.As(err, &missing) || len(missing.Nearest) != 1 {
		t.Errorf("got %v", err)
	}
	revision.Text = "v1.2.3"
	if _, err := client().Resolve(t.Context(), oci(s), artifact.Query{Chart: "jobs-api", Revision: revision}); !errors.Is(err, artifact.ErrRevision) {
		t.Errorf("v1.2.3 in a registry: %v", err)
	}
}

func TestRepositoryCheck(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"oci://tools-harbor.wmcloud.org/toolforge": true, "oci://localhost:5000/x/y/": true, "https://charts.jetstack.io": true,
		"http://127.0.0.1:1/x": true, "": false, "toolforge": false, "oci://": false, "oci://toolforge": false, "ftp://x/y": false, "https:///x": false,
		"oci://u:p@host.org/x": false, "oci://host.org/UPPER": false, "file:///etc": false,
	} {
		if err := (artifact.Repository{URL: url}).Check(); (err == nil) != ok || err != nil && !errors.Is(err, artifact.ErrInvalid) {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestTransportIsUsed(t *testing.T) {
	t.Parallel()
	called := 0
	c := client(func(o *artifact.Options) {
		o.Transport = roundTripper(func(*http.Request) (*http.Response, error) { called++; return nil, errors.New("no network here") })
	})
	for _, url := range []string{"oci://registry.example.org/x", "https://charts.example.org"} {
		if _, err := c.Versions(t.Context(), artifact.Repository{URL: url}, "x"); !errors.Is(err, artifact.ErrUnreachable) || !strings.Contains(err.Error(), "no network here") {
			t.Errorf("got %v", err)
		}
	}
	if called != 2 {
		t.Errorf("called %d times", called)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
