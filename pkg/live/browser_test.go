package live

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/browsertest"
)

// TestDashboardInBrowser opens the page as wide as a desk's screen and a phone's: nothing sticks out, words can be told from
// their ground, every state is a glyph and a word, and everything is reached by keyboard and then marked.
func TestDashboardInBrowser(t *testing.T) {
	report := Status(repoSnapshot(world(t)))
	report.Rows[0].Note = strings.Repeat("averylongwordwithoutabreak", 20) + "<script>alert(1)</script>"
	var page bytes.Buffer
	if err := WriteHTML(&page, report); err != nil {
		t.Fatal(err)
	}
	found := browsertest.Inspect(t, page.Bytes(), ".state, .dim, .note, .old, a, td, th, dd", ".state")
	for width, seen := range found {
		if seen.Overflow > 0 {
			t.Errorf("at %s pixels, %d stick out", width, seen.Overflow)
		}
		if seen.Lowest < 4.5 {
			t.Errorf("at %s pixels, the contrast is %.2f somewhere: people need 4.5", width, seen.Lowest)
		}
		if seen.Reached < 10 || seen.Unreachable+seen.Unmarked+seen.Nameless > 0 {
			t.Errorf("at %s pixels, of %d things to reach by keyboard %d are not, %d are not marked then, %d have no name", width, seen.Reached, seen.Unreachable, seen.Unmarked, seen.Nameless)
		}
		if seen.Scripts > 0 {
			t.Errorf("the page has %d scripts", seen.Scripts)
		}
		for _, state := range States() {
			said := func(text string) bool {
				return strings.HasPrefix(text, state.Glyph) && strings.HasSuffix(text, string(state.State))
			}
			if !slices.ContainsFunc(seen.Texts, said) {
				t.Errorf("no place says %s %s: %q", state.Glyph, state.State, seen.Texts)
			}
		}
	}
	pdf := filepath.Join(t.TempDir(), "page.pdf")
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	browsertest.Run(t, "--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+file)
	if printed, err := os.ReadFile(pdf); err != nil || !bytes.HasPrefix(printed, []byte("%PDF")) {
		t.Errorf("printed: %v", err)
	}
}
