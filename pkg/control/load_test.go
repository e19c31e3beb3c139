package control_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
)

const header = "apiVersion: tfgitops.toolforge.org/v1alpha1\nkind: "

// smallRepo is a control repo with one component on one cluster.
func smallRepo() fstest.MapFS {
	return fstest.MapFS{
		"tfgitops.yaml":                  {Data: []byte(header + "ControlRepo\nmetadata: {name: x}\nspec: {repositories: {r: {url: 'https://charts.example'}}}\n")},
		"components/app/component.yaml":  {Data: []byte(header + "Component\nmetadata: {name: app}\nspec: {namespace: app, dependsOn: [db], releases: [{name: app, repository: r}]}\n")},
		"components/db/component.yaml":   {Data: []byte(header + "Component\nmetadata: {name: db}\nspec: {namespace: db, releases: [{name: db, repository: r}]}\n")},
		"components/app/values/app.yaml": {Data: []byte("a: 1\n")},
		"clusters/c/cluster.yaml":        {Data: []byte(header + "Cluster\nmetadata: {name: c}\nspec: {kubeVersion: '1.32.0', fluxVersion: '2.9'}\n")},
		"clusters/c/pins/app.yaml":       {Data: []byte(header + "Pin\nmetadata: {name: app}\nspec: {releases: {app: {version: '1.0.0'}}}\n")},
		"clusters/c/pins/db.yaml":        {Data: []byte(header + "Pin\nmetadata: {name: db}\nspec: {releases: {db: {version: '1.0.0'}}}\n")},
		"clusters/c/values/app.yaml":     {Data: []byte("b: 2\n")},
	}
}

// recorder is a file system that notes which files are opened.
type recorder struct {
	fs.FS
	opened chan string
}

func (r recorder) Open(name string) (fs.File, error) {
	r.opened <- name
	return r.FS.Open(name)
}

func TestLoadReadsOnlyWhatIsAskedFor(t *testing.T) {
	fsys := recorder{FS: smallRepo(), opened: make(chan string, 1000)}
	repo, findings := control.Load(t.Context(), fsys, control.Only{Clusters: []string{"c"}, Components: []string{"app"}})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	close(fsys.opened)
	opened := map[string]bool{}
	for name := range fsys.opened {
		opened[name] = true
	}
	if opened["clusters/c/pins/db.yaml"] {
		t.Error("the pin of a component was read that nobody asked for")
	}
	if repo.Components["db"] == nil {
		t.Error("a dependency was not read: the names of its releases are needed")
	}
	if !repo.Clusters["c"].Pinned["db"] || repo.Clusters["c"].Pins["db"] != nil {
		t.Error("a cluster knows what is pinned there, and holds the pins that were asked for")
	}
	if got := fmt.Sprint(repo.Components["app"].Values["app"], repo.Clusters["c"].Values["app"]); got != "map[a:1] map[b:2]" {
		t.Errorf("values %s", got)
	}
}

func TestLoadNamesWhatThereIsNot(t *testing.T) {
	_, findings := control.Load(t.Context(), smallRepo(), control.Only{Clusters: []string{"cc"}, Components: []string{"ap"}})
	text := fmt.Sprint(findings.Err())
	for _, want := range []string{`there is no cluster "cc"; did you mean "c"?`, `there is no component "ap"; did you mean "app"?`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, findings := control.Load(ctx, smallRepo(), control.Only{}); findings.Err() == nil {
		t.Error("an interrupted load must not look like a whole one")
	}
}

// hugeFile claims to be as large as a test says and holds nothing: who allocates before checking fails.
type hugeFile struct{ size int64 }

func (h hugeFile) Stat() (fs.FileInfo, error) { return hugeInfo(h), nil }
func (hugeFile) Read([]byte) (int, error)     { return 0, errors.New("read of a file that is too large") }
func (hugeFile) Close() error                 { return nil }

type hugeInfo struct{ size int64 }

func (hugeInfo) Name() string       { return "huge" }
func (h hugeInfo) Size() int64      { return h.size }
func (hugeInfo) Mode() fs.FileMode  { return 0o644 }
func (hugeInfo) ModTime() time.Time { return time.Time{} }
func (hugeInfo) IsDir() bool        { return false }
func (hugeInfo) Sys() any           { return nil }

type withHuge struct {
	fstest.MapFS
	name string
}

func (w withHuge) Open(name string) (fs.File, error) {
	if name == w.name {
		return hugeFile{size: 100 << 20}, nil
	}
	return w.MapFS.Open(name)
}

func TestLoadRefusesWhatIsTooMuch(t *testing.T) {
	deep := "x: " + strings.Repeat("[", 10000) + strings.Repeat("]", 10000)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	for name, test := range map[string]struct{ file, text, want string }{
		"deep pin":       {"clusters/c/pins/app.yaml", deep, "clusters/c/pins/app.yaml"},
		"deep values":    {"clusters/c/values/app.yaml", deep, "clusters/c/values/app.yaml"},
		"pin bomb":       {"clusters/c/pins/app.yaml", header + "Pin\nmetadata: {name: app}\nspec:\n  releases:\n    app:\n      version: '1.0.0'\n      values:\n" + indent(bomb, "        "), "anchors and aliases are not accepted"},
		"values bomb":    {"clusters/c/values/app.yaml", bomb, "excessive aliasing"},
		"component bomb": {"components/app/component.yaml", bomb, `unknown key "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			repo := smallRepo()
			repo[test.file] = &fstest.MapFile{Data: []byte(test.text)}
			_, findings := control.Load(t.Context(), repo, control.Only{})
			if text := fmt.Sprint(findings.Err()); !strings.Contains(text, test.want) {
				t.Errorf("no %q in:\n%.2000s", test.want, text)
			}
		})
	}
	for _, file := range []string{"tfgitops.yaml", "clusters/c/cluster.yaml", "clusters/c/pins/app.yaml", "clusters/c/values/app.yaml", "components/app/component.yaml"} {
		t.Run("huge "+file, func(t *testing.T) {
			_, findings := control.Load(t.Context(), withHuge{smallRepo(), file}, control.Only{})
			if text := fmt.Sprint(findings.Err()); !strings.Contains(text, file+": error: 104857600 bytes are more than") {
				t.Errorf("findings:\n%s", text)
			}
		})
	}
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+by) + "\n"
}

func TestFindRoot(t *testing.T) {
	dir := t.TempDir()
	below := filepath.Join(dir, "repo", "clusters", "c")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := control.FindRoot(below); !errors.Is(err, control.ErrNoControlRepo) {
		t.Fatalf("error %v, want ErrNoControlRepo", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "repo", control.RootFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	found, err := control.FindRoot(below)
	if want := filepath.Join(dir, "repo"); err != nil || found != want {
		t.Errorf("FindRoot = %q, %v; want %q", found, err, want)
	}
}

func TestManifestsDigest(t *testing.T) {
	fsys := fstest.MapFS{
		"m/a.yaml": {Data: []byte("a\n")}, "m/a/b.yaml": {Data: []byte("b\n")}, "m/kustomization.yaml": {Data: []byte("k\n")},
	}
	// As made by: cd m && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum | sha256sum
	got, err := control.ManifestsDigest(fsys, "m")
	if want := "sha256:b82a8e63948a653d211b6bf4e5a76a9045f7adb516ec69c24855f7387f7a0054"; err != nil || got != want {
		t.Errorf("digest %s, %v; want %s", got, err, want)
	}
	fsys["m/link"] = &fstest.MapFile{Data: []byte("a.yaml"), Mode: fs.ModeSymlink}
	if _, err := control.ManifestsDigest(fsys, "m"); err == nil {
		t.Error("a link has no digest")
	}
}

// FuzzLoad holds that no content of any kind of file makes loading, checking or resolving panic.
func FuzzLoad(f *testing.F) {
	kinds := []string{"tfgitops.yaml", "components/app/component.yaml", "clusters/c/cluster.yaml", "clusters/c/pins/app.yaml", "clusters/c/values/app.yaml"}
	for i, name := range kinds {
		f.Add(uint8(i), smallRepo()[name].Data)
	}
	f.Add(uint8(1), []byte(header+"Component\nmetadata: {name: app}\nspec: {dependsOn: [app], releases: [{name: app, repository: r, dependsOn: [app], valuesFrom: [{kind: Secret, name: s, targetPath: 'a\\.b[0].c'}], images: [{name: x/y, tag: '{version}'}]}]}\n"))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		repo := smallRepo()
		repo[kinds[int(kind)%len(kinds)]] = &fstest.MapFile{Data: data}
		loaded, _ := control.Load(t.Context(), repo, control.Only{})
		control.Check(loaded)
	})
}
