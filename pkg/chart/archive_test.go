package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// entry is a header with its content.
func entry(name string, kind byte, text string) (tar.Header, string) {
	return tar.Header{Name: name, Typeflag: kind, Mode: 0o644, Size: int64(len(text))}, text
}

// withEntry is a valid chart and one more entry.
func withEntry(t testing.TB, header tar.Header, text string) []byte {
	meta, metaText := entry("demo/Chart.yaml", tar.TypeReg, chartYAML)
	return tarball(t, []tar.Header{meta, header}, []string{metaText, text})
}

// claiming is an archive whose second file says that it has size bytes and has
// none.
func claiming(t testing.TB, size int64) []byte {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	if err := w.WriteHeader(&tar.Header{Name: "demo/huge.bin", Typeflag: tar.TypeReg, Size: size}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	if _, err := zipped.Write(raw.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLoadRefuses(t *testing.T) {
	link := func(kind byte, name, target string) []byte {
		return withEntry(t, tar.Header{Name: name, Typeflag: kind, Linkname: target}, "")
	}
	file := func(name string) []byte {
		header, text := entry(name, tar.TypeReg, "x")
		return withEntry(t, header, text)
	}
	nested := pack(t, "sub", files{"Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "big": strings.Repeat("x", 5000)})
	deep := pack(t, "leaf", nil)
	for range 4 {
		deep = pack(t, "demo", files{"charts/in.tgz": string(deep)})
	}
	cases := []struct {
		name    string
		archive []byte
		limits  Limits
		want    error
	}{
		{name: "nothing", archive: nil, want: ErrMalformed},
		{name: "no archive", archive: []byte("apiVersion: v2\n"), want: ErrMalformed},
		{name: "an empty archive", archive: tarball(t, nil, nil), want: ErrMalformed},
		{name: "cut off", archive: pack(t, "demo", files{"a": strings.Repeat("abc", 99)})[:100], want: ErrMalformed},
		{name: "no Chart.yaml", archive: pack(t, "demo", files{"Chart.yaml": "", "a": "b"}), want: ErrMalformed},
		{name: "a broken values.yaml", archive: pack(t, "demo", files{"values.yaml": "a: [\n"}), want: ErrMalformed},
		{name: "a broken subchart", archive: pack(t, "demo", files{"charts/x.tgz": "no archive"}), want: ErrMalformed},
		{name: "ten gigabytes claimed", archive: claiming(t, 10<<30), want: ErrTooLarge},
		{name: "a claim within the limits that is not kept", archive: claiming(t, 1<<20), want: ErrMalformed},
		{name: "a file beyond the limit", archive: file("demo/a"), limits: Limits{File: 1, Unpacked: 1 << 20}, want: ErrTooLarge},
		{name: "all files beyond the limit", archive: pack(t, "demo", files{"a": "12345", "b": "12345"}), limits: Limits{Unpacked: int64(len(chartYAML)) + 9}, want: ErrTooLarge},
		{name: "the archive beyond the limit", archive: file("demo/a"), limits: Limits{Compressed: 10}, want: ErrTooLarge},
		{name: "a subchart's files beyond the limit", archive: pack(t, "demo", files{"charts/sub.tgz": string(nested)}), limits: Limits{Unpacked: 5000}, want: ErrTooLarge},
		{name: "a bomb", archive: pack(t, "demo", files{"zeros": strings.Repeat("\x00", 20<<20)}), want: ErrTooLarge},
		{name: "too many files", archive: pack(t, "demo", files{"a": "", "b": "", "c": ""}), limits: Limits{Files: 3}, want: ErrTooManyFiles},
		{name: "charts too deep", archive: deep, limits: Limits{Depth: 3}, want: ErrTooDeep},
		{name: "a symbolic link", archive: link(tar.TypeSymlink, "demo/values.yaml", "/etc/passwd"), want: ErrNotRegular},
		{name: "a symbolic link to a directory", archive: link(tar.TypeSymlink, "demo/templates", ".."), want: ErrNotRegular},
		{name: "a hard link", archive: link(tar.TypeLink, "demo/values.yaml", "demo/Chart.yaml"), want: ErrNotRegular},
		{name: "a pipe", archive: link(tar.TypeFifo, "demo/pipe", ""), want: ErrNotRegular},
		{name: "a device", archive: link(tar.TypeChar, "demo/null", ""), want: ErrNotRegular},
		{name: "an absolute path", archive: file("/etc/passwd"), want: ErrPath},
		{name: "a path upwards", archive: file("demo/../../etc/passwd"), want: ErrPath},
		{name: "a path upwards that stays inside", archive: file("demo/templates/../a.yaml"), want: ErrPath},
		{name: "a file beside the chart", archive: file("a.yaml"), want: ErrPath},
		{name: "a Windows path", archive: file(`demo\templates\a.yaml`), want: ErrPath},
		{name: "a Windows drive", archive: file("demo/C:/a.yaml"), want: ErrPath},
		{name: "a control character", archive: file("demo/a\x1b[31m.yaml"), want: ErrPath},
		{name: "a file twice", archive: file("demo/Chart.yaml"), want: ErrDuplicate},
		{name: "a file twice, written differently", archive: file("demo/./Chart.yaml"), want: ErrDuplicate},
		{name: "a path upwards in a subchart", archive: pack(t, "demo", files{"charts/x.tgz": string(file("x/../../y"))}), want: ErrPath},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Load(c.archive, c.limits)
			if !errors.Is(err, c.want) || got != nil {
				t.Errorf("Load = %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestLoadDoesNotAllocateWhatIsClaimed(t *testing.T) {
	archive := claiming(t, 10<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Load(archive, Limits{File: 20 << 30, Unpacked: 20 << 30})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrMalformed) {
		t.Errorf("err = %v, want ErrMalformed", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 10<<20 {
		t.Errorf("allocated %d bytes for a claim", grown)
	}
}

func TestLoadReadsWhatHelmReads(t *testing.T) {
	global := tar.Header{Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}
	dir := tar.Header{Name: "demo/templates/", Typeflag: tar.TypeDir, Mode: 0o755}
	meta, metaText := entry("demo/Chart.yaml", tar.TypeReg, chartYAML)
	values, valuesText := entry("demo/values.yaml", tar.TypeReg, "\xEF\xBB\xBFa: 1\n")
	sub := string(pack(t, "sub", files{"Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n", "charts/leaf-1.tgz": string(pack(t, "leaf", nil))}))
	subHeader, subText := entry("demo/charts/sub-1.0.0.tgz", tar.TypeReg, sub)
	notChart, notChartText := entry("demo/templates/charts/x.tgz", tar.TypeReg, "just a file")
	archive := tarball(t, []tar.Header{global, dir, meta, values, subHeader, notChart}, []string{"", "", metaText, valuesText, subText, notChartText})
	want, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Load(archive, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Values, got.Defaults()); diff != "" {
		t.Errorf("values differ (-helm +ours):\n%s", diff)
	}
	leaf := got.parsed.Dependencies()[0].Dependencies()[0]
	if path := leaf.ChartFullPath(); path != want.Dependencies()[0].Dependencies()[0].ChartFullPath() {
		t.Errorf("the innermost chart is %q", path)
	}
	if len(got.parsed.Templates) != len(want.Templates) {
		t.Errorf("%d templates, Helm has %d", len(got.parsed.Templates), len(want.Templates))
	}
}

func TestLoadDir(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	chart := func(more fstest.MapFS) fstest.MapFS {
		all := fstest.MapFS{
			"Chart.yaml":                file(chartYAML),
			"templates/a.yaml":          file(configMap("a: b")),
			"charts/sub/Chart.yaml":     file("apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
			"charts/lib-1.0.0.tgz":      file(string(pack(t, "lib", files{"Chart.yaml": "apiVersion: v2\nname: lib\nversion: 1.0.0\n"}))),
			"ci/secret.yaml":            file("password: x"),
			".helmignore":               file("ci/\n"),
			"templates/.ignored.swp":    file("x"),
			"charts/sub/templates/.txt": file("x"),
		}
		for name, f := range more {
			all[name] = f
		}
		return all
	}
	cases := []struct {
		name string
		more fstest.MapFS
		want error
	}{
		{name: "a chart"},
		{name: "a symbolic link", more: fstest.MapFS{"values.yaml": {Mode: fs.ModeSymlink, Data: []byte("/etc/passwd")}}, want: ErrNotRegular},
		{name: "a linked .helmignore", more: fstest.MapFS{".helmignore": {Mode: fs.ModeSymlink, Data: []byte("Chart.yaml")}}, want: ErrNotRegular},
		{name: "a Windows path", more: fstest.MapFS{`a\b`: file("x")}, want: ErrPath},
		{name: "too large", more: fstest.MapFS{"big": file(strings.Repeat("x", 17<<20))}, want: ErrTooLarge},
		{name: "no chart", more: fstest.MapFS{"Chart.yaml": file("")}, want: ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := LoadDir(chart(c.more), Limits{})
			if !errors.Is(err, c.want) {
				t.Fatalf("err = %v, want %v", err, c.want)
			}
			if c.want != nil {
				return
			}
			if n := len(got.parsed.Dependencies()); n != 2 {
				t.Errorf("%d subcharts, want 2", n)
			}
			for _, f := range got.parsed.Files {
				if strings.HasPrefix(f.Name, "ci/") {
					t.Errorf("%q is there in spite of .helmignore", f.Name)
				}
			}
		})
	}
}

func TestLoadDirOnDisk(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"Chart.yaml": chartYAML, "values.yaml": "a: 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := LoadDir(os.DirFS(dir), Limits{})
	if err != nil || c.Name() != "demo" || c.Version() != "1.2.3" || c.AppVersion() != "9" {
		t.Fatalf("LoadDir = %v, %v", c, err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadDir(os.DirFS(dir), Limits{}); !errors.Is(err, ErrNotRegular) {
		t.Errorf("with a link: %v, want ErrNotRegular", err)
	}
}

// FuzzLoad feeds archives of every shape. What loads has to stay within its
// limits and has to expand or fail, without a panic.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("demo/Chart.yaml"), []byte(chartYAML), []byte("demo/templates/a.yaml"), []byte("a: {{ .Values.a }}"), byte('0'))
	f.Add([]byte("demo/../x"), []byte("x"), []byte("demo/charts/a.tgz"), []byte("x"), byte('2'))
	f.Add([]byte("demo/requirements.yaml"), []byte("dependencies: [{name: x}]"), []byte("demo/charts/x/Chart.yaml"), []byte("name: x\nversion: 1\n"), byte('0'))
	f.Add([]byte("demo/values.schema.json"), []byte(`{"$ref":"#"}`), []byte("demo/values.yaml"), []byte("a: &a [*a]"), byte('0'))
	f.Fuzz(func(t *testing.T, name1, text1, name2, text2 []byte, kind byte) {
		var raw bytes.Buffer
		zipped := gzip.NewWriter(&raw)
		w := tar.NewWriter(zipped)
		write := func(name, text []byte, kind byte) {
			header := tar.Header{Name: string(name), Typeflag: kind, Size: int64(len(text)), Format: tar.FormatGNU}
			if w.WriteHeader(&header) == nil {
				_, _ = w.Write(text)
			}
		}
		write([]byte("demo/Chart.yaml"), []byte(chartYAML), tar.TypeReg)
		write(name1, text1, tar.TypeReg)
		write(name2, text2, kind)
		_ = w.Close()
		_ = zipped.Close()
		limits := Limits{Unpacked: 1 << 16, Files: 20, File: 1 << 15, Depth: 3}
		c, err := Load(raw.Bytes(), limits)
		if err != nil {
			if c != nil {
				t.Fatal("a chart and an error")
			}
			return
		}
		if strings.Contains(string(text1)+string(text2), "tpl") {
			return // may call itself without end, see doc.go
		}
		_, err = Expand(t.Context(), Input{Release: helmRelease(t, ""), Chart: c, Capabilities: capabilities})
		var ours *Error
		if err != nil && !errors.As(err, &ours) {
			t.Fatalf("error %T is no *Error", err)
		}
		if err != nil && strings.Contains(err.Error(), "panic:") {
			t.Fatal(err)
		}
	})
}

// FuzzLoadBytes feeds bytes that may not even be an archive.
func FuzzLoadBytes(f *testing.F) {
	f.Add(pack(f, "demo", files{"templates/a.yaml": "a"}))
	f.Add(claiming(f, 10<<30))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := Load(data, Limits{Unpacked: 1 << 20}); (c == nil) == (err == nil) {
			t.Fatal(fmt.Errorf("chart %v, error %w", c, err))
		}
	})
}
