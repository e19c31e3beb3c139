package validate_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/control"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/render"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/validate"
)

var update = flag.Bool("update", false, "write what validate says into the golden files")

const goldenDir = "../../testdata/golden/validate"

// The sections of a golden file that are no files of the tree.
const (
	sectionWant   = "want"
	sectionDelete = "delete"
)

// TestGolden runs every case of the golden table: base.txtar with the case's files over it, and the exact findings. A case
// whose name ends in .ok has none.
func TestGolden(t *testing.T) {
	validator := validate.New()
	for _, file := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive := parseArchive(t, file)
			findings := validator.Run(t.Context(), tree(t, archive))
			var got bytes.Buffer
			if err := validate.Write(&got, "table", findings); err != nil {
				t.Fatal(err)
			}
			if *update {
				setSection(archive, sectionWant, got.Bytes())
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(section(archive, sectionWant)), got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if isOK := strings.HasSuffix(t.Name(), ".ok"); isOK != (len(findings) == 0) {
				t.Errorf("a case named .ok has no findings, and any other has some: got %d", len(findings))
			}
		})
	}
}

// TestEveryRuleHasCases holds that each rule has a case that fires and one that must not.
func TestEveryRuleHasCases(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, file := range goldenFiles(t) {
		want := string(section(parseArchive(t, file), sectionWant))
		for _, rule := range validate.Rules() {
			if strings.Contains(want, "["+rule.ID+"]") {
				fires[rule.ID] = true
			}
			if name := filepath.Base(file); strings.HasPrefix(name, rule.ID) && strings.HasSuffix(name, ".ok.txtar") {
				silent[rule.ID] = true
			}
		}
	}
	for _, rule := range validate.Rules() {
		if !fires[rule.ID] {
			t.Errorf("no golden case fires the rule %s", rule.ID)
		}
		if !silent[rule.ID] {
			t.Errorf("no golden case named %s*.ok.txtar holds that the rule %s stays silent", rule.ID, rule.ID)
		}
	}
}

func goldenFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(goldenDir + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	return slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "base.txtar" })
}

func parseArchive(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// tree is the base with the case's files over it, rendered as far as it can be, unless the case says otherwise.
func tree(t *testing.T, archive *txtar.Archive) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, f := range parseArchive(t, goldenDir+"/base.txtar").Files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	renderInto(t, fsys)
	for _, name := range strings.Fields(string(section(archive, sectionDelete))) {
		if fsys[name] == nil {
			t.Fatalf("%s is not in base.txtar", name)
		}
		delete(fsys, name)
	}
	rendered := map[string]*fstest.MapFile{}
	for _, f := range archive.Files {
		name, isLink := strings.CutSuffix(f.Name, "@") // as ls -F marks links
		switch {
		case f.Name == sectionWant || f.Name == sectionDelete:
		case isLink:
			fsys[name] = &fstest.MapFile{Data: bytes.TrimSpace(f.Data), Mode: os.ModeSymlink | 0o777}
		case strings.Contains(name, "/manifests/") && strings.HasPrefix(name, "clusters/"):
			rendered[name] = &fstest.MapFile{Data: f.Data}
		default:
			fsys[name] = &fstest.MapFile{Data: f.Data}
		}
	}
	renderInto(t, fsys)
	for name, file := range rendered {
		fsys[name] = file
	}
	return fsys
}

func renderInto(t *testing.T, fsys fstest.MapFS) {
	t.Helper()
	changes, err := render.Plan(t.Context(), fsys, control.Only{})
	if err != nil {
		return // the case is about what prevents rendering
	}
	for _, change := range changes {
		if change.New == nil {
			delete(fsys, change.Path)
			continue
		}
		fsys[change.Path] = &fstest.MapFile{Data: change.New}
	}
}

func section(archive *txtar.Archive, name string) []byte {
	for _, f := range archive.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func setSection(archive *txtar.Archive, name string, data []byte) {
	for i, f := range archive.Files {
		if f.Name == name {
			archive.Files[i].Data = data
			return
		}
	}
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: data})
}
