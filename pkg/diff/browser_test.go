package diff_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gitlab.wikimedia.org/repos/cloud/toolforge/tfgitops/pkg/diff"
)

var screenshots = flag.String("screenshots", "", "keep the screenshots of the HTML pages in this `folder`")

// browser finds headless Chromium, and skips the test where there is none.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium in PATH: the HTML page is not opened in a browser (Debian: apt-get install chromium)")
	return ""
}

// browse runs the browser on a page and returns what it printed and said.
func browse(t *testing.T, page string, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
		"--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--virtual-time-budget=2000",
	}, args...)
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // which needs a user that is not root; the page is ours
	}
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, browser(t), append(args, "file://"+page)...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		t.Fatalf("the browser failed: %v\n%s", err, messages.String())
	}
	return out.String(), messages.String()
}

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
	browser(t)
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
			dom, messages := browse(t, page, "--dump-dom")
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
			for _, size := range []string{"1280,1600", "500,1600"} {
				checkScreenshot(t, page, name, size)
			}
		})
	}
}

// checkScreenshot holds that something is to be seen.
func checkScreenshot(t *testing.T, page, name, size string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.png")
	browse(t, page, "--window-size="+size, "--screenshot="+file)
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
