package chart

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// keeper is a Renders of a program, and how often it had to render.
type keeper struct {
	*Renders
	loads atomic.Int32
}

func newKeeper(t testing.TB, dir, key, program string) *keeper {
	t.Helper()
	renders, err := NewRenders(dir, DefaultRendersSize, []byte(key), program, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &keeper{Renders: renders}
}

func (k *keeper) expand(t testing.TB, in Input, digest string) *Expansion {
	t.Helper()
	parsed := in.Chart
	in.Chart = nil
	got, err := k.Expand(t.Context(), in, digest, func(context.Context) (*Chart, error) { k.loads.Add(1); return parsed, nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestRendersGiveWhatIsExpanded holds for every construct we know that what is read is what was rendered, types included.
func TestRendersGiveWhatIsExpanded(t *testing.T) {
	t.Parallel()
	for i, c := range equalityCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in, _ := equalityInput(t, i)
			want := expand(t, in)
			want.Manifest, want.Notes = "", ""
			dir := t.TempDir()
			for _, loads := range []int32{1, 0} {
				k := newKeeper(t, dir, "key", "program")
				if diff := cmp.Diff(want, k.expand(t, in, "sha256:1")); diff != "" {
					t.Errorf("(-expanded +kept):\n%s", diff)
				}
				if got := k.loads.Load(); got != loads {
					t.Errorf("the chart was loaded %d times, want %d", got, loads)
				}
			}
		})
	}
}

// secretInput is a release whose chart writes a Secret.
func secretInput(t testing.TB) Input {
	t.Helper()
	return input(t, files{
		"values.yaml":      "password: swordfish-default\n",
		"templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: {{ .Values.password }}, copy: {{ .Values.password | b64enc }}}\n",
	}, "password: hunter2-hunter2\n")
}

// TestRendersIdentity holds that everything an expansion depends on counts: a change of it never finds what was kept before.
func TestRendersIdentity(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*Input){
		"Release": func(in *Input) { in.Release.Spec.ReleaseName = "other" },
		"Chart":   nil, // its digest, below
		"SourceRevision": func(in *Input) {
			in.SourceRevision = "1.2.3@sha256:" + strings.Repeat("a", 64)
		},
		"Capabilities": func(in *Input) { in.Capabilities.KubeVersion = "1.33.0" },
		"References":   func(in *Input) { in.References = map[Reference][]byte{{"ConfigMap", "c", "k"}: []byte("a: b")} },
		"Placeholders": func(in *Input) { in.Placeholders = true },
		"Upgrade":      func(in *Input) { in.Upgrade = !in.Upgrade },
		"Revision":     func(in *Input) { in.Revision = 7 },
		"Key":          func(in *Input) { in.Key = []byte("other") },
	}
	more := map[string]func(*Input){
		"values":           func(in *Input) { in.Release.Spec.Values.Raw = []byte(`{"password":"other"}`) },
		"name":             func(in *Input) { in.Release.Name = "other" },
		"namespace":        func(in *Input) { in.Release.Namespace = "other" },
		"target namespace": func(in *Input) { in.Release.Spec.TargetNamespace = "other" },
		"API versions":     func(in *Input) { in.Capabilities.APIVersions = []string{"a/v1"} },
		"cluster's kinds":  func(in *Input) { in.Capabilities.ClusterScoped = []schema.GroupKind{{Group: "a", Kind: "B"}} },
		"a reference": func(in *Input) {
			in.References = map[Reference][]byte{{"ConfigMap", "c", "k"}: []byte("a: c")}
		},
	}
	for i := range reflect.TypeFor[Input]().NumField() {
		if field := reflect.TypeFor[Input]().Field(i); field.IsExported() {
			if _, there := changes[field.Name]; !there {
				t.Errorf("whether the field %s of Input counts is not tested", field.Name)
			}
		}
	}
	k := newKeeper(t, t.TempDir(), "key", "program")
	seen := map[string]string{}
	add := func(what string, id identity, keeper *keeper) {
		name, err := keeper.name(id)
		if err != nil {
			t.Fatal(err)
		}
		if other, there := seen[name]; there {
			t.Errorf("%s is taken for %s", what, other)
		}
		seen[name] = what
	}
	add("the release", secretInput(t).identity("sha256:1"), k)
	for _, table := range []map[string]func(*Input){changes, more} {
		for what, change := range table {
			if change == nil {
				continue
			}
			in := secretInput(t)
			change(&in)
			add(what, in.identity("sha256:1"), k)
		}
	}
	add("another digest", secretInput(t).identity("sha256:2"), k)
	add("another program", secretInput(t).identity("sha256:1"), newKeeper(t, t.TempDir(), "key", "program 2"))
	add("another key", secretInput(t).identity("sha256:1"), newKeeper(t, t.TempDir(), "key 2", "program"))
	add("defaults", identity{What: "defaults", Chart: "sha256:1"}, k)
	again, err := k.name(secretInput(t).identity("sha256:1"))
	if err != nil || seen[again] != "the release" {
		t.Errorf("the same release is not found again: %v", err)
	}
}

// TestRendersKeepNoSecretInClear looks for the secrets in the folder: names and content.
func TestRendersKeepNoSecretInClear(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := newKeeper(t, dir, "key", "program")
	in := secretInput(t)
	k.expand(t, in, "sha256:1")
	if _, err := k.Defaults(t.Context(), "sha256:1", func(context.Context) (*Chart, error) { return in.Chart, nil }); err != nil {
		t.Fatal(err)
	}
	kept := keptFiles(t, dir)
	if len(kept) != 2 {
		t.Fatalf("%d files are kept, want one of the expansion and one of the defaults", len(kept))
	}
	for name, content := range kept {
		for _, secret := range []string{"hunter2-hunter2", "swordfish-default"} {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if strings.Contains(name, form) || bytes.Contains(content, []byte(form)) {
					t.Errorf("%s shows %s", name, form)
				}
			}
		}
		if bytes.Contains(content, []byte("stringData")) || bytes.Contains(content, []byte("password")) {
			t.Errorf("%s is not sealed", name)
		}
	}
}

func keptFiles(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string][]byte{}
	for _, path := range paths {
		if kept[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return kept
}

// TestRendersRefuseWhatOthersWrote holds that damaged, exchanged and forged files are rendered anew, and replaced.
func TestRendersRefuseWhatOthersWrote(t *testing.T) {
	t.Parallel()
	in := secretInput(t)
	other := secretInput(t)
	other.Release.Spec.Values.Raw = []byte(`{"password":"forged-forged"}`)
	tests := map[string]func(t *testing.T, file string){
		"a bit": func(t *testing.T, file string) { change(t, file, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) },
		"cut":   func(t *testing.T, file string) { change(t, file, func(b []byte) []byte { return b[:len(b)-1] }) },
		"empty": func(t *testing.T, file string) { change(t, file, func([]byte) []byte { return nil }) },
		"of clear": func(t *testing.T, file string) {
			change(t, file, func([]byte) []byte { return []byte(`{"Resources":[]}`) })
		},
		"exchanged": func(t *testing.T, file string) { putAs(t, file, newKeeper(t, t.TempDir(), "key", "program"), other) },
		"of another key": func(t *testing.T, file string) {
			putAs(t, file, newKeeper(t, t.TempDir(), "another key", "program"), other)
		},
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := newKeeper(t, dir, "key", "program")
			want := k.expand(t, in, "sha256:1")
			for file := range keptFiles(t, dir) {
				tamper(t, file)
			}
			for _, loads := range []int32{1, 0} {
				k = newKeeper(t, dir, "key", "program")
				if diff := cmp.Diff(want, k.expand(t, in, "sha256:1")); diff != "" {
					t.Errorf("(-rendered +kept):\n%s", diff)
				}
				if got := k.loads.Load(); got != loads {
					t.Errorf("rendered %d times, want %d", got, loads)
				}
			}
		})
	}
}

func change(t testing.TB, file string, how func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, how(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// putAs writes what a keeper keeps of a release under another's name.
func putAs(t testing.TB, file string, k *keeper, in Input) {
	t.Helper()
	name, err := k.name(in.identity("sha256:1"))
	if err != nil {
		t.Fatal(err)
	}
	k.expand(t, in, "sha256:1")
	data, ok := k.files.Get(name, maxKept)
	if !ok {
		t.Fatal("nothing was kept")
	}
	change(t, file, func([]byte) []byte { return data })
}

// TestRendersKeepNoFailure holds that an error is found anew, and that without a folder or a digest all goes on.
func TestRendersKeepNoFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := input(t, files{"templates/a.yaml": `{{ fail "no" }}`}, "")
	for range 2 {
		_, err := newKeeper(t, dir, "key", "program").Expand(t.Context(), in, "sha256:1", func(context.Context) (*Chart, error) { return in.Chart, nil })
		var failed *Error
		if !errors.As(err, &failed) {
			t.Errorf("got %v", err)
		}
	}
	if kept := keptFiles(t, dir); len(kept) > 0 {
		t.Errorf("a failure is kept: %v", kept)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := secretInput(t)
	newKeeper(t, filepath.Join(dir, "file"), "key", "program").expand(t, good, "sha256:1") // no folder
	(&keeper{}).expand(t, good, "sha256:1")                                                // no Renders
	newKeeper(t, dir, "key", "program").expand(t, good, "")                                // no digest
	if kept := keptFiles(t, dir); len(kept) > 1 {
		t.Errorf("what has no digest is kept: %v", kept)
	}
}

// TestRendersConcurrently has several keepers of one small folder, as several processes are.
func TestRendersConcurrently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := secretInput(t)
	want := expand(t, in)
	want.Manifest, want.Notes = "", ""
	var group sync.WaitGroup
	for range 6 {
		renders, err := NewRenders(dir, 2000, []byte("key"), "program", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for i := range 20 {
				digest := "sha256:" + string(rune('a'+i%5))
				got, err := renders.Expand(t.Context(), in, digest, func(context.Context) (*Chart, error) { return in.Chart, nil })
				if err != nil || !cmp.Equal(want, got) {
					t.Errorf("%v\n%s", err, cmp.Diff(want, got))
				}
			}
		})
	}
	group.Wait()
}

func TestDefaultsAreKept(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, t.TempDir(), "key", "program")
	in := secretInput(t)
	want := in.Chart.Defaults()
	for range 2 {
		got, err := k.Defaults(t.Context(), "sha256:1", func(context.Context) (*Chart, error) { k.loads.Add(1); return in.Chart, nil })
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	if got := k.loads.Load(); got != 1 {
		t.Errorf("the chart was loaded %d times", got)
	}
}
