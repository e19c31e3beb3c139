package helmfile_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/helmfile"
)

const hostileHead = "environments: {prod: {}}\n---\nrepositories: [{name: acme, url: https://charts.example.org}]\nreleases:\n  - name: web\n    namespace: web\n    chart: acme/web\n    version: 1.0.0\n    values:\n      - "

// TestHostile holds that what a folder asks for is neither run nor read nor made without end.
func TestHostile(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(dir, "outside")
	ran := filepath.Join(dir, "ran")
	for name, text := range map[string]string{
		"outside":       "secret: hostilefound\n",
		"repo/run.sh":   "#!/bin/sh\ntouch " + ran + "\n",
		"repo/app/here": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "repo/app/link.yaml")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOSTILE", "hostilefound")
	for _, c := range []struct{ name, entry, want string }{
		{"a command", `x: {{ exec "` + filepath.Join(dir, "repo/run.sh") + `" (list) }}`, ""},
		{"a command in the folder", `x: {{ exec "../run.sh" (list "a") }}`, ""},
		{"a command with an environment", `x: {{ envExec (dict "A" "b") "../run.sh" (list "a") }}`, ""},
		{"a file outside", `x: {{ readFile "../../outside" | quote }}`, "outside of the imported folder"},
		{"an absolute file", `x: {{ readFile "` + outside + `" | quote }}`, "outside of the imported folder"},
		{"a link out", "link.yaml", "no file matches"},
		{"a folder outside", `x: {{ readDir "../../" | toJson }}`, "outside of the imported folder"},
		{"the environment", `x: {{ env "HOSTILE" | quote }}`, ""},
		{"the environment expanded", `x: {{ expandenv "$HOSTILE" | quote }}`, "not carried out"},
		{"a required variable", `x: {{ requiredEnv "HOSTILE" | quote }}`, "give it with --env"},
		{"a look-up", `x: {{ getHostByName "example.org" }}`, "not carried out"},
		{"the time", `x: {{ now }}`, "something else each time"},
		{"a million times", `x: {{ repeat 1000000000 "x" }}`, "repetitions"},
		{"numbers without end", `x: {{ until 1000000000 | toJson }}`, "items"},
		{"numbers in text without end", `x: {{ seq 1000000000 }}`, "items"},
		{"templates without end", `x: {{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, "more than 50 deep"},
		{"tpl without end", `x: {{ tpl "{{ tpl .t . }}" (dict "t" "{{ tpl .t . }}") }}`, "more than 50 deep"},
		{"aliases without end", "a: &a [1,1,1,1,1,1,1,1,1]\n        b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n        e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n        f: [*e,*e,*e,*e,*e,*e,*e,*e,*e]", "too much YAML"},
		{"nesting without end", "x: " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "too much YAML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(dir, "repo/app/helmfile.yaml")
			if err := os.WriteFile(file, []byte(hostileHead+c.entry+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(filepath.Join(dir, "repo"))
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			result, err := helmfile.Import(t.Context(), root.FS(), fstest.MapFS{}, "example", helmfile.Options{})
			if err != nil {
				if !strings.Contains(err.Error(), c.want) || c.want == "" {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return
			}
			if _, err := os.Stat(ran); err == nil {
				t.Fatal("a command was run")
			}
			said := ""
			for _, item := range result.Report.Failed() {
				said += item.Text + "\n"
			}
			if !strings.Contains(said, c.want) || c.want != "" && len(result.Report.Failed()) == 0 {
				t.Errorf("failures %s, want %q", said, c.want)
			}
			for _, change := range result.Changes {
				if strings.Contains(string(change.New), "hostilefound") {
					t.Errorf("%s has what is outside:\n%s", change.Path, change.New)
				}
			}
		})
	}
}

// FuzzImport imports a helmfile of any content, with a base and a values file: it must not panic, and what it imports
// must be proved, and stay the same the second time.
func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("testdata/trees/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, one := range archive.Files {
			if strings.HasPrefix(one.Name, "in/") && path.Base(one.Name) == "helmfile.yaml" {
				f.Add(string(one.Data), "values: [{a: 1}]\n", "b: 2\n")
			}
		}
	}
	f.Add("bases: [base.yaml]\n---\n"+hostileHead+"v.yaml.gotmpl\n", "environments: {prod: {values: [v.yaml.gotmpl]}}\n", "x: {{ .Environment.Name }}\n")
	f.Fuzz(func(t *testing.T, helmfileText, base, values string) {
		if len(helmfileText)+len(base)+len(values) > 1<<13 {
			return
		}
		source := mapFS(map[string]string{"app/helmfile.yaml": helmfileText, "app/base.yaml": base, "app/v.yaml.gotmpl": values})
		result, err := helmfile.Import(t.Context(), source, fstest.MapFS{}, "example", helmfile.Options{})
		if err != nil {
			return // two repositories of one name, say
		}
		for _, c := range result.Report.Different() {
			t.Errorf("%s: %v", c.Release, c.Differences)
		}
		if again, err := helmfile.Import(t.Context(), source, written(result.Changes), "example", helmfile.Options{}); err != nil || len(again.Changes) > 0 {
			t.Errorf("a second import changes %v: %v", again, err)
		}
	})
}

// FuzzValues reads any values file, with templates.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{
		"a: 1\n", "# c\na: {b: [1, ~, yes]} # d\n", "a: {{ exec \"x\" (list \"y\") }}\n", "{{ range until 3 }}a{{ . }}: 1\n{{ end }}",
		"a: &x {b: 1}\nc: {<<: *x}\n", "a: 2024-04-01\nb: 40551e32\nc: 0x1F\nd: 1_000\n", "a: |\n  x\n\n  y\nb: >-\n  z\n", "\"a\\tb\": 'x'\n", "a: {{ \"x: y\" }}\n", "a: .inf\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, values string) {
		if len(values) > 1<<13 {
			return
		}
		source := mapFS(map[string]string{"app/helmfile.yaml": hostileHead + "v.yaml.gotmpl\n", "app/v.yaml.gotmpl": values})
		result, err := helmfile.Import(t.Context(), source, fstest.MapFS{}, "example", helmfile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range result.Report.Different() {
			t.Errorf("%q: %v", values, c.Differences)
		}
	})
}

// FuzzReadSecrets reads any file of secrets.
func FuzzReadSecrets(f *testing.F) {
	f.Add("a: {b: c}\n")
	f.Add("a:\n  b: |\n    x\n")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = helmfile.ReadSecrets(strings.NewReader(text))
	})
}
