package repo_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

var (
	linkForm    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingForm = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	codeForm    = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	anchorDrops = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// brokenLinks returns a line for every link in the repository's Markdown files to a file or heading that is not there.
// Links to other sites are not followed.
func brokenLinks(fsys fs.FS) ([]string, error) {
	var broken []string
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && ignored(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".md":
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		for _, link := range linkForm.FindAllStringSubmatch(codeForm.ReplaceAllString(string(text), ""), -1) {
			if problem := follows(fsys, name, link[1]); problem != "" {
				broken = append(broken, fmt.Sprintf("%s: the link %s leads nowhere: %s", name, link[1], problem))
			}
		}
		return nil
	})
	return broken, err
}

// follows returns what is wrong with a link in the file from, or "".
func follows(fsys fs.FS, from, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	target, anchor, _ := strings.Cut(link, "#")
	if target == "" {
		target = from
	} else {
		target = path.Join(path.Dir(from), target)
	}
	if _, err := fs.Stat(fsys, target); err != nil {
		return fmt.Sprintf("there is no %s", target)
	}
	if anchor != "" && !slices.Contains(anchors(fsys, target), anchor) {
		return fmt.Sprintf("%s has no heading for it", target)
	}
	return ""
}

// anchors returns the anchors that GitLab and GitHub give the headings of a Markdown file.
func anchors(fsys fs.FS, name string) []string {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil
	}
	var found []string
	for _, heading := range headingForm.FindAllStringSubmatch(string(text), -1) {
		plain := anchorDrops.ReplaceAllString(strings.ToLower(heading[1]), "")
		found = append(found, strings.ReplaceAll(plain, " ", "-"))
	}
	return found
}

func TestLinks(t *testing.T) {
	t.Parallel()
	broken, err := brokenLinks(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

func TestBrokenLinks(t *testing.T) {
	t.Parallel()
	broken, err := brokenLinks(fstest.MapFS{
		"docs/guide.md": {Data: []byte("# The guide's `first` part\n[up](../README.md) [out](https://example.org/x) [self](#the-guides-first-part) [gone](gone.md)")},
		"README.md":     {Data: []byte("[ok](docs/guide.md#the-guides-first-part) [no](docs/guide.md#second) `[code](nowhere)`\n```\n[code](nowhere)\n```\n[dir](docs)")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"README.md: the link docs/guide.md#second leads nowhere: docs/guide.md has no heading for it",
		"docs/guide.md: the link gone.md leads nowhere: there is no docs/gone.md",
	}
	if diff := cmp.Diff(want, broken); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
