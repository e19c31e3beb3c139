package live

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// chromium runs headless Chromium, and skips the test where there is none.
func chromium(t *testing.T, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium in PATH: the dashboard is not opened in a browser (Debian: apt-get install chromium)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := []string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
		"--user-data-dir=" + t.TempDir(), "--virtual-time-budget=3000", "--window-size=1400,1600",
	}
	if os.Geteuid() == 0 {
		all = append(all, "--no-sandbox") // which needs a user that is not root; the page is ours
	}
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append(all, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		t.Fatalf("the browser failed: %v\n%s", err, messages.String())
	}
	return out.String()
}

// inspector shows the page in a frame of each width and writes down what it finds there, as a person with that screen, or
// without a mouse, would.
const inspector = `<!doctype html><title>inspector</title><pre id="found"></pre><script>
const found = {};
function channel(v) { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }
function luminance(c) { const [r, g, b] = c.match(/[\d.]+/g).map(Number); return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); }
function ground(e) { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; }
function contrast(e) { const a = luminance(getComputedStyle(e).color), b = luminance(ground(e)); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }
function look(frame) {
  const doc = frame.contentDocument, all = [...doc.querySelectorAll('a[href], summary, [tabindex]')];
  return {
    overflow: doc.documentElement.scrollWidth - doc.documentElement.clientWidth,
    states: [...new Set([...doc.querySelectorAll('.state')].map(e => e.textContent.trim().replace(/\s+/g, ' ')))],
    lowest: Math.min(...[...doc.querySelectorAll('.state, .dim, .note, .old, a, td, th, dd')].map(contrast)),
    reached: all.length,
    unreachable: all.filter(e => e.tabIndex < 0).length,
    unmarked: all.filter(e => { e.focus(); const s = getComputedStyle(e); return s.outlineStyle === 'none' || s.outlineWidth === '0px'; }).length,
    nameless: all.filter(e => !(e.textContent.trim() || e.getAttribute('aria-labelledby'))).length,
    scripts: doc.querySelectorAll('script').length,
  };
}
let left = 0;
for (const width of [1280, 390, 320]) {
  left++;
  const frame = document.createElement('iframe');
  frame.style.width = width + 'px';
  frame.style.height = '900px';
  frame.onload = () => { found[width] = look(frame); if (--left === 0) document.getElementById('found').textContent = JSON.stringify(found); };
  frame.src = '/page';
  document.body.append(frame);
}
</script>`

// TestDashboardInBrowser opens the page as wide as a desk's screen and a phone's: nothing sticks out, words can be told from
// their ground, every state is a glyph and a word, and everything is reached by keyboard and then marked.
func TestDashboardInBrowser(t *testing.T) {
	report := Status(repoSnapshot(world(t)))
	report.Rows[0].Note = strings.Repeat("averylongwordwithoutabreak", 20) + "<script>alert(1)</script>"
	var page bytes.Buffer
	if err := WriteHTML(&page, report); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/page" {
			_, _ = w.Write(page.Bytes())
			return
		}
		fmt.Fprint(w, inspector)
	}))
	t.Cleanup(server.Close)
	dom := chromium(t, "--dump-dom", server.URL)
	written := regexp.MustCompile(`<pre id="found">(.*)</pre>`).FindStringSubmatch(dom)
	if written == nil || written[1] == "" {
		t.Fatalf("nothing was found:\n%.500s", dom)
	}
	var found map[string]struct {
		Overflow, Reached, Unreachable, Unmarked, Nameless, Scripts int
		States                                                      []string
		Lowest                                                      float64
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(written[1])), &found); err != nil {
		t.Fatal(err)
	}
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
			if !slices.ContainsFunc(seen.States, said) {
				t.Errorf("no place says %s %s: %q", state.Glyph, state.State, seen.States)
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("looked at %d widths", len(found))
	}
	pdf := filepath.Join(t.TempDir(), "page.pdf")
	chromium(t, "--no-pdf-header-footer", "--print-to-pdf="+pdf, server.URL+"/page")
	if printed, err := os.ReadFile(pdf); err != nil || !bytes.HasPrefix(printed, []byte("%PDF")) {
		t.Errorf("printed: %v", err)
	}
}
