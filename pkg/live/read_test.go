package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/api/v1alpha1"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

func TestReadEveryOutcome(t *testing.T) {
	t.Parallel()
	good := newFakeAPI(testRelease{Name: "jobs-api", Wanted: "1.2.3", Live: "1.2.3", Ready: "True", Reason: "UpgradeSucceeded"}.object(t))
	noPods := newFakeAPI()
	noPods.answers = map[string]http.HandlerFunc{podsPath: forbids}
	handlers := map[string]http.Handler{
		"good": good, "no-pods": noPods, "hangs": http.HandlerFunc(hangs), "closes": http.HandlerFunc(closesConnection),
		"forbids": http.HandlerFunc(forbids), "no-flux": &fakeAPI{token: "planted-token"}, "other-token": &fakeAPI{token: "another"},
		"html":      http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }),
		"redirects": http.RedirectHandler("http://192.0.2.1/", http.StatusFound),
	}
	clusters, kubeconfig := fakeClusters(t, handlers)
	clusters = append(clusters, &control.Cluster{Name: "no-context"}, &control.Cluster{Name: "unknown-context", ClusterSpec: v1alpha1.ClusterSpec{Context: "elsewhere"}})
	snapshot, err := Reader{Connect: kubeconfig.Connect, Timeout: time.Second, Now: testNow}.Snapshot(t.Context(), clusters)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"good": "", "no-pods": "", "hangs": "no answer in time", "closes": "the API server closed the connection",
		"forbids": "the account may not list this (403)", "no-flux": errNotServed.Error(),
		"other-token": "the API server does not accept the credentials (401)", "html": "the API server did not answer in JSON",
		"redirects": "the API server answered 302", "no-context": "cluster.yaml names no kubeconfig context: write context: there",
		"unknown-context": `the kubeconfig has no context "elsewhere"`,
	}
	got := map[string]string{}
	for name, cluster := range snapshot.Clusters {
		got[name] = cluster.Error
	}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Error(difference)
	}
	if got := snapshot.Clusters["no-pods"].Incomplete; got["Pod"] != "the account may not list this (403)" || len(got) != 1 {
		t.Errorf("incomplete: %v", got)
	}
	if live, _ := snapshot.Clusters["good"].Releases[0].Live(); live.Version != "1.2.3" {
		t.Errorf("live: %+v", live)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	api := newFakeAPI()
	for i := range 2*pageSize + 1 {
		api.lists[releasesPath] = append(api.lists[releasesPath], testRelease{Name: fmt.Sprintf("r%04d", i)}.object(t))
	}
	clusters, kubeconfig := fakeClusters(t, map[string]http.Handler{"c": api})
	read := Reader{Connect: kubeconfig.Connect, Now: testNow}.Cluster(t.Context(), clusters[0])
	if len(read.Releases) != 2*pageSize+1 || read.Error != "" {
		t.Errorf("%d releases, %q", len(read.Releases), read.Error)
	}
}

// TestReadPage reads what servers answer to a list, and what they must not.
func TestReadPage(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer string
		want   []string
		next   string
		err    bool
	}{
		"a page":               {`{"kind":"List","metadata":{"continue":"x","remainingItemCount":7},"items":[{"name":"a"},{"name":"b","other":[{}]}]}`, []string{"a", "b"}, "x", false},
		"items first":          {`{"items":[{"name":"a"}],"metadata":{"continue":"x"}}`, []string{"a"}, "x", false},
		"the last page":        {`{"metadata":{},"items":[{"name":"a"}]}`, []string{"a"}, "", false},
		"none":                 {`{"metadata":{},"items":[]}`, nil, "", false},
		"none, as null":        {`{"metadata":{},"items":null}`, nil, "", false},
		"no list":              {`{}`, nil, "", true},
		"nothing at all":       {`null`, nil, "", true},
		"an array":             {`[]`, nil, "", true},
		"a text":               {`"items"`, nil, "", true},
		"items that are none":  {`{"items":{"name":"a"}}`, nil, "", true},
		"an item that is none": {`{"items":[{"name":"a"},7]}`, []string{"a"}, "", true},
		"cut off":              {`{"metadata":{},"items":[{"name":"a"}`, []string{"a"}, "", true},
		"no JSON":              {`<html>`, nil, "", true},
	}
	for name, test := range tests {
		var got []string
		next, err := readPage(json.NewDecoder(strings.NewReader(test.answer)), func(item struct{ Name string }) { got = append(got, item.Name) })
		if difference := cmp.Diff(test.want, got); difference != "" || next != test.next || (err != nil) != test.err {
			t.Errorf("%s: next %q, %v: %s", name, next, err, difference)
		}
	}
}

// FuzzReadPage holds that reading piece by piece finds what reading all at once does.
func FuzzReadPage(f *testing.F) {
	f.Add([]byte(`{"metadata":{"continue":"x"},"items":[{"name":"a"},{"name":"b"}]}`))
	f.Add([]byte(`{"items":null,"other":[1,{"items":[2]}]}`))
	f.Add([]byte(`{"items":[{"name":"a"}],"items":[]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var got []json.RawMessage
		_, err := readPage(json.NewDecoder(bytes.NewReader(answer)), func(item json.RawMessage) { got = append(got, bytes.Clone(item)) })
		if err != nil {
			return
		}
		var all map[string]json.RawMessage
		if err := json.NewDecoder(bytes.NewReader(answer)).Decode(&all); err != nil {
			t.Fatalf("%q was read, and is no JSON: %v", answer, err)
		}
		var last []json.RawMessage
		if err := json.Unmarshal(all["items"], &last); err != nil || len(last) > len(got) {
			t.Errorf("%q: %d items, want %d at least: %v", answer, len(got), len(last), err)
		}
	})
}

func TestCancelledReadEnds(t *testing.T) {
	t.Parallel()
	clusters, kubeconfig := fakeClusters(t, map[string]http.Handler{"hangs": http.HandlerFunc(hangs)})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := (Reader{Connect: kubeconfig.Connect, Now: testNow}).Snapshot(ctx, clusters); err == nil {
		t.Error("a cancelled read gave no error")
	}
}

// TestNothingSecretIsKept plants secrets wherever a cluster has some.
func TestNothingSecretIsKept(t *testing.T) {
	t.Parallel()
	message := "get https://user:planted-in-url@registry.example.org/x?sig=planted-in-query: Authorization: Bearer planted-bearer-token; " +
		`values: {"dbPassword": "planted-in-message", token: planted-too}` + "\x1b[31m"
	api := newFakeAPI(testRelease{Name: "a", Ready: "False", Reason: "UpgradeFailed", Message: message}.object(t))
	api.lists[podsPath] = []json.RawMessage{
		json.RawMessage(`{"metadata":{"name":"p","namespace":"a"},"spec":{"containers":[{"env":[{"name":"X","value":"planted-env"}]}]},
		"status":{"containerStatuses":[{"image":"r/a:1","imageID":"r/a@sha256:0","state":{"waiting":{"reason":"ImagePullBackOff","message":"planted-waiting"}}}]}}`),
		json.RawMessage(`{"metadata":{"name":"p","namespace":"tool-x"},"status":{"containerStatuses":[{"image":"r/tool-x:1"}]}}`),
	}
	clusters, kubeconfig := fakeClusters(t, map[string]http.Handler{"c": api})
	snapshot, err := Reader{Connect: kubeconfig.Connect, Now: testNow}.Snapshot(t.Context(), clusters)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	for _, planted := range []string{"planted", `\u001b`, "tool-x", "127.0.0.1"} {
		if bytes.Contains(data, []byte(planted)) {
			t.Errorf("the snapshot holds %q:\n%s", planted, data)
		}
	}
	for _, wanted := range []string{"UpgradeFailed", "registry.example.org", "ImagePullBackOff"} {
		if !bytes.Contains(data, []byte(wanted)) {
			t.Errorf("the snapshot lacks %q:\n%s", wanted, data)
		}
	}
	var again Snapshot
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(snapshot, &again); difference != "" {
		t.Errorf("the snapshot does not survive JSON: %s", difference)
	}
}

// TestOneConnectionACluster counts what 20 clusters are asked: one list a kind and the version, through one connection
// each, and no discovery. How long that takes at 200 clusters is BenchmarkSnapshot's.
func TestOneConnectionACluster(t *testing.T) {
	t.Parallel()
	const clusterCount = 20
	var mu sync.Mutex
	requests, addresses := map[string]int{}, map[string]bool{}
	api := newFakeAPI(testRelease{Name: "web", Wanted: "1.2.3", Live: "1.2.3", Ready: "True"}.object(t))
	counting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests[r.URL.Path]++
		addresses[r.RemoteAddr+" "+r.Host] = true // one port may lead to two servers
		mu.Unlock()
		api.ServeHTTP(w, r)
	})
	handlers := map[string]http.Handler{}
	for i := range clusterCount {
		handlers[fmt.Sprintf("c%03d", i)] = counting
	}
	clusters, kubeconfig := fakeClusters(t, handlers)
	if _, err := (Reader{Connect: kubeconfig.Connect, Now: testNow}).Snapshot(t.Context(), clusters); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"/version": clusterCount}
	for path := range api.lists {
		want[path] = clusterCount
	}
	if difference := cmp.Diff(want, requests); difference != "" {
		t.Errorf("requests: %s", difference)
	}
	if len(addresses) != clusterCount {
		t.Errorf("%d connections to %d clusters", len(addresses), clusterCount)
	}
}

// TestClean holds each rule of what is taken out, in the ways in which it is written.
func TestClean(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"https://me:hunter2@git.example.org/x": "https://***@git.example.org/x",
		"oci://r.example.org/x?sig=hunter2 ok": "oci://r.example.org/x?*** ok",
		"Authorization: BEARER hunter2hunter2": "Authorization: BEARER ***",
		"basic aHVudGVyMjpodW50ZXIy":           "basic ***",
		`{"DB_PASSWORD": "hunter 2", "a": 1}`:  `{"DB_PASSWORD": ***, "a": 1}`,
		"Api-Key: hunter2":                     "Api-Key: ***",
		"PRIVATE_TOKEN=hunter2 rest":           "PRIVATE_TOKEN=*** rest",
		"my.secret.name='hunter 2'":            "my.secret.name=***",
		"credential: hunter2":                  "credential: ***",
		"passwd=hunter2":                       "passwd=***",
		"two\nlines\tand \x1b[31mcolour":       "two lines and [31mcolour",
		"a tokenizer has a key role":           "a tokenizer has a key role",
	}
	for text, want := range tests {
		if got := clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
