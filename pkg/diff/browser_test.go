package diff_test

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/test/browsertest"
)

var screenshots = flag.String("screenshots", "", "keep the screenshots of the HTML pages in this `folder`")

func writePage(t *testing.T, name string) string {
	t.Helper()
	g, _ := readGolden(t, goldenDir+"/"+name+".txtar")
	var page bytes.Buffer
	if err := diff.Write(&page, "html", g.compare(t, g.options()), diff.Style{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name+".html")
	if err := os.WriteFile(file, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPageInBrowser opens pages in headless Chromium: the script ran, nothing broke the policy, the headline, a folded section and
// a risk are there, and a stranger's text is only text.
func TestPageInBrowser(t *testing.T) {
	tests := map[string][]string{
		"bump": {
			`<div class="tools">`, // shown, so the script ran
			"app 1.0.0 → 1.1.0", `<details class="noise">`, "6 objects, 1 with noise only: same on beta, prod", `<span class="severity medium">medium</span>`, "(secret ",
		},
		"hostile": {`<div class="tools">`, "&lt;/summary&gt;&lt;img src=x onerror=alert(1)&gt;", "&lt;/code&gt;&lt;/pre&gt;&lt;script&gt;", `\u202e gpj.exe`},
	}
	for name, wants := range tests {
		t.Run(name, func(t *testing.T) {
			page := writePage(t, name)
			dom, messages := browsertest.Run(t, "--dump-dom", "file://"+page)
			for _, want := range wants {
				if !strings.Contains(dom, want) {
					t.Errorf("the page has no %s", want)
				}
			}
			for _, bad := range []string{"<img", "Refused to", "violates the following", "Uncaught"} {
				if strings.Contains(dom, bad) || strings.Contains(messages, bad) {
					t.Errorf("the page or the browser says %q", bad)
				}
			}
			content, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			checkSeen(t, content)
			for _, size := range []string{"1280,1600", "500,1600"} {
				checkScreenshot(t, page, name, size)
			}
		})
	}
}

// checkSeen holds that nothing sticks out, words can be told from their ground, and everything is reached by keyboard and marked.
func checkSeen(t *testing.T, page []byte) {
	t.Helper()
	for width, seen := range browsertest.Inspect(t, page, "h1, h2, p, li, small, summary, pre span, a, button, .severity, .mark", "h1 span") {
		if seen.Overflow > 0 {
			t.Errorf("at %s pixels, %d stick out", width, seen.Overflow)
		}
		if seen.Lowest < 4.5 {
			t.Errorf("at %s pixels, the contrast is %.2f somewhere: people need 4.5", width, seen.Lowest)
		}
		if seen.Reached < 10 || seen.Unreachable+seen.Unmarked+seen.Nameless > 0 {
			t.Errorf("at %s pixels, of %d things to reach by keyboard %d are not, %d are not marked then, %d have no name", width, seen.Reached, seen.Unreachable, seen.Unmarked, seen.Nameless)
		}
		if !slices.Equal(seen.Texts, []string{"tfgitops diff"}) {
			t.Errorf("at %s pixels, the page is about %q", width, seen.Texts)
		}
	}
}

// checkScreenshot holds that something is to be seen.
func checkScreenshot(t *testing.T, page, name, size string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.png")
	browsertest.Run(t, "--window-size="+size, "--screenshot="+file, "file://"+page)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if *screenshots != "" {
		kept := filepath.Join(*screenshots, fmt.Sprintf("%s-%s.png", name, size[:strings.Index(size, ",")]))
		if err := os.WriteFile(kept, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]bool{}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			r, g, b, _ := picture.At(x, y).RGBA()
			colours[[3]uint32{r, g, b}] = true
		}
	}
	if len(colours) < 20 {
		t.Errorf("the page has %d colours at %s: nothing is to be seen", len(colours), size)
	}
}
