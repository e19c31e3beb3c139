package registrytest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/registrytest"
)

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestTagPages(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{PageSize: 2})
	if _, err := s.PushImage("p/x", "a", "linux/amd64", "x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Tag("p/x", "a", "b", "c", "d", "e"); err != nil {
		t.Fatal(err)
	}
	for _, page := range []struct{ query, tags, link string }{
		{"", `["a","b"]`, `</v2/p/x/tags/list?last=b&n=2>; rel="next"`},
		{"?n=100", `["a","b"]`, `</v2/p/x/tags/list?last=b&n=2>; rel="next"`},
		{"?n=1", `["a"]`, `</v2/p/x/tags/list?last=a&n=1>; rel="next"`},
		{"?last=b&n=2", `["c","d"]`, `</v2/p/x/tags/list?last=d&n=2>; rel="next"`},
		{"?last=d", `["e"]`, ""},
		{"?last=e", `[]`, ""},
	} {
		resp, body := get(t, "http://"+s.Host()+"/v2/p/x/tags/list"+page.query)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, page.tags) || resp.Header.Get("Link") != page.link {
			t.Errorf("%q: status %d, link %q, body %s", page.query, resp.StatusCode, resp.Header.Get("Link"), body)
		}
	}
	if resp, body := get(t, "http://"+s.Host()+"/v2/p/none/tags/list"); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "NAME_UNKNOWN") {
		t.Errorf("unknown repository: status %d, %s", resp.StatusCode, body)
	}
}

func TestFaultsAreUsedUp(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	s.Fail(registrytest.Fault{Path: "/v2/", Times: 2, Status: http.StatusServiceUnavailable, Header: map[string]string{"Retry-After": "1"}})
	var statuses []int
	for range 3 {
		resp, _ := get(t, "http://"+s.Host()+"/v2/")
		statuses = append(statuses, resp.StatusCode)
	}
	if fmt.Sprint(statuses) != "[503 503 200]" {
		t.Errorf("statuses %v", statuses)
	}
	log := s.Requests()
	if len(log) != 3 || log[0].Status != 503 || log[2].Status != 200 {
		t.Errorf("log %+v", log)
	}
	s.Fail(registrytest.Fault{Close: true})
	if resp, err := http.Get("http://" + s.Host() + "/v2/"); err == nil {
		resp.Body.Close()
		t.Error("a closed connection was no error")
	}
}

func TestDelayAndTruncation(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	if _, err := s.AddChart("stable", registrytest.Chart{Name: "x", Version: "1.0.0"}, nil); err != nil {
		t.Fatal(err)
	}
	s.Fail(registrytest.Fault{Times: 1, Delay: 50 * time.Millisecond, Truncate: true})
	start := time.Now()
	resp, err := http.Get(s.HTTP("stable") + "/index.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != io.ErrUnexpectedEOF || len(data) == 0 || time.Since(start) < 50*time.Millisecond {
		t.Errorf("read %d bytes, error %v, after %s", len(data), err, time.Since(start))
	}
}

func TestAuth(t *testing.T) {
	t.Parallel()
	for _, bearer := range []bool{false, true} {
		s := registrytest.ForTest(t, registrytest.Options{Auth: &registrytest.Auth{Username: "robot", Password: "secret", Bearer: bearer}})
		resp, _ := get(t, "http://"+s.Host()+"/v2/")
		scheme, _, _ := strings.Cut(resp.Header.Get("WWW-Authenticate"), " ")
		if want := map[bool]string{false: "Basic", true: "Bearer"}[bearer]; resp.StatusCode != http.StatusUnauthorized || scheme != want {
			t.Errorf("bearer %v: status %d, challenge %q", bearer, resp.StatusCode, scheme)
		}
	}
}

func TestListensOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "example.org:0", "nonsense"} {
		if s, err := registrytest.Listen(address, registrytest.Options{}); err == nil {
			s.Close()
			t.Errorf("%q was accepted", address)
		}
	}
}

// Helm stamps the time of the push: one archive, two manifests.
func TestCreatedChangesTheManifestOnly(t *testing.T) {
	t.Parallel()
	s := registrytest.ForTest(t, registrytest.Options{})
	chart := registrytest.Chart{Name: "x", Version: "1.0.0+meta", Created: time.Unix(1, 0)}
	first, err := s.PushChart("p", chart)
	if err != nil {
		t.Fatal(err)
	}
	chart.Created = time.Unix(2, 0)
	second, err := s.PushChart("p", chart)
	if err != nil {
		t.Fatal(err)
	}
	if first.LayerDigest != second.LayerDigest || first.Digest == second.Digest {
		t.Errorf("first %s %s, second %s %s", first.Digest, first.LayerDigest, second.Digest, second.LayerDigest)
	}
	resp, _ := get(t, "http://"+s.Host()+"/v2/p/x/manifests/1.0.0_meta")
	if got := resp.Header.Get("Docker-Content-Digest"); got != second.Digest {
		t.Errorf("the tag is %s", got)
	}
	if err := s.Delete("p/x", "1.0.0_meta"); err != nil {
		t.Fatal(err)
	}
	if resp, _ := get(t, "http://"+s.Host()+"/v2/p/x/manifests/1.0.0_meta"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("after deleting: status %d", resp.StatusCode)
	}
}
