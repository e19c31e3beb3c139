package browsertest

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
	"regexp"
	"testing"
	"time"
)

// Run runs headless Chromium with arguments, of which the last is the page's address, and returns what it printed and said.
// Where there is no Chromium, the test is skipped.
func Run(t testing.TB, args ...string) (stdout, stderr string) {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium in PATH: the page is not opened in a browser (scripts/setup.sh installs it)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := []string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
		"--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=3000", "--window-size=1400,1600",
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
	return out.String(), messages.String()
}

// Seen is what a person with a screen of some width, or without a mouse, finds on a page.
type Seen struct {
	// Overflow is how many pixels stick out to the right.
	Overflow int
	// Lowest is the lowest contrast of a word with its ground.
	Lowest float64
	// Reached counts what one can go to by keyboard. Of these, Unreachable are not in the order, Unmarked do not show that one
	// is there, and Nameless have no name for a screen reader.
	Reached, Unreachable, Unmarked, Nameless int
	Scripts                                  int
	// Texts are those that were asked for, each once.
	Texts []string
}

// Inspect shows a page as wide as a desk's screen and two phones', and returns what it finds by the width in pixels. words and
// texts are selectors: of which elements the contrast counts, and which texts to return.
func Inspect(t testing.TB, page []byte, words, texts string) map[string]Seen {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/page" {
			_, _ = w.Write(page)
			return
		}
		fmt.Fprintf(w, inspector, words, texts)
	}))
	t.Cleanup(server.Close)
	dom, messages := Run(t, "--dump-dom", server.URL)
	written := regexp.MustCompile(`<pre id="found">(.*)</pre>`).FindStringSubmatch(dom)
	if written == nil || written[1] == "" {
		t.Fatalf("nothing was found:\n%.500s\n%s", dom, messages)
	}
	var found map[string]Seen
	if err := json.Unmarshal([]byte(html.UnescapeString(written[1])), &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != 3 {
		t.Errorf("looked at %d widths", len(found))
	}
	return found
}

// inspector shows the page in a frame of each width and writes down what it finds there.
const inspector = `<!doctype html><title>inspector</title><pre id="found"></pre><script>
const found = {}, words = %q, texts = %q;
function channel(v) { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }
function luminance(c) { const [r, g, b] = c.match(/[\d.]+/g).map(Number); return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); }
function ground(e) { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\)$|transparent/.test(c)) return c; } return 'rgb(255, 255, 255)'; }
function contrast(e) { const a = luminance(getComputedStyle(e).color), b = luminance(ground(e)); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }
function look(frame) {
  const doc = frame.contentDocument, all = [...doc.querySelectorAll('a[href], summary, button, input, [tabindex]')].filter(e => e.checkVisibility());
  return {
    overflow: doc.documentElement.scrollWidth - doc.documentElement.clientWidth,
    texts: [...new Set([...doc.querySelectorAll(texts)].map(e => e.textContent.trim().replace(/\s+/g, ' ')))],
    lowest: Math.min(...[...doc.querySelectorAll(words)].filter(e => e.checkVisibility()).map(contrast)),
    reached: all.length,
    unreachable: all.filter(e => e.tabIndex < 0).length,
    unmarked: all.filter(e => { e.focus(); const s = getComputedStyle(e); return s.outlineStyle === 'none' || s.outlineWidth === '0px'; }).length,
    nameless: all.filter(e => !(e.textContent.trim() || e.getAttribute('aria-labelledby') || e.getAttribute('aria-label'))).length,
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
