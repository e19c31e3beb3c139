package gitrepo

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var trailerMessages = map[string]string{
	"none":                    "subject\n\nbody text\n",
	"subject alone":           "Bug: T1\n",
	"subject and its lines":   "Bug: T1\nBug: T2\n",
	"one":                     "s\n\nBug: T1\n",
	"repeated":                "s\n\nb\n\nBug: T1\nBug: T2\nSigned-off-by: A <a@x>\n",
	"no final newline":        "s\n\nBug: T1",
	"blank lines at the end":  "s\n\nBug: T1\n\n \n",
	"mixed, not generated":    "s\n\nBug: T1\nsome text\n",
	"mixed, generated":        "s\n\nsome text\nSigned-off-by: A <a@x>\nBug: T1\n",
	"mixed, too much text":    "s\n\na\nb\nc\nd\nSigned-off-by: A <a@x>\n",
	"mixed, just enough":      "s\n\na\nb\nc\nSigned-off-by: A <a@x>\n",
	"cherry pick":             "s\n\nBug: T1\n(cherry picked from commit 1234)\n",
	"continued":               "s\n\nNote: one\n  two\n\tthree\nBug: T1\n",
	"starts indented":         "s\n\n  indented\nBug: T1\n",
	"blank before the colon":  "s\n\nBug : T1\nKey\t: v\n",
	"empty value":             "s\n\nBug:\nKey: \n",
	"key with other signs":    "s\n\nBug_1: T1\n",
	"key of several words":    "s\n\nTwo words: x\n",
	"url":                     "s\n\nhttps://example.org\n",
	"comment":                 "s\n\nBug: T1\n# note\nBug: T2\n",
	"not the last paragraph":  "s\n\nBug: T1\n\ntext\n",
	"two trailer paragraphs":  "s\n\nBug: T1\n\nBug: T2\n",
	"colon alone":             "s\n\n: x\n",
	"machine":                 "c: bump to 1\n\nFrom: a\nTo: b\n\nTfgitops-Component: c\nTfgitops-To: 0.0.1-20230705073411-09895639\n",
	"windows line ends":       "s\r\n\r\nBug: T1\r\nBug: T2\r\n",
	"blank title":             "\n\nBug: T1\n",
	"divider line":            "s\n\nb\n---\nBug: T1\n",
	"unicode":                 "s\n\nBüg: T1\n",
	"vertical tab in a key":   "s\n\nBug\v: T1\n",
	"comment at the end":      "s\n\nBug: T1\n\n# c",
	"text goes on":            "s\n\nSigned-off-by: A <a@x>\ntext\n\tx\n",
	"cherry pick goes on":     "s\n\nBug: T1\n(cherry picked from commit 12)\n\tx\nBug: T2\n",
	"comment in the middle":   "s\n\nSigned-off-by: A <a@x>\n  indented\n# c\nBug: T1\n \n# Bug: 1\n",
	"continued after comment": "s\n\nBug: T1\n# c\n  more\n",
}

// Git itself is the reference.
func TestTrailersAreGits(t *testing.T) {
	t.Parallel()
	for name, message := range trailerMessages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(gitTrailers(t, message), printed(ParseTrailers(message))); diff != "" {
				t.Errorf("message %q:\n%s", message, diff)
			}
		})
	}
}

func TestTrailersAreGitsInAnyOrder(t *testing.T) {
	t.Parallel()
	lines := []string{
		"Bug: T1", "Signed-off-by: A <a@x>", "text", "  indented", "\tx", "# c", "", "", " ", "Key : v",
		"(cherry picked from commit 12)", "A-b:c", "x y: z", ": q", "---", "Bug:", "# Bug: 1", "é: x",
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		message := "subject\n\n"
		for range random.IntN(9) + 1 {
			message += lines[random.IntN(len(lines))] + "\n"
		}
		if diff := cmp.Diff(gitTrailers(t, message), printed(ParseTrailers(message))); diff != "" {
			t.Errorf("message %q:\n%s", message, diff)
		}
	}
}

func printed(trailers []Trailer) string {
	var out strings.Builder
	for _, trailer := range trailers {
		out.WriteString(strings.TrimSpace(trailer.Key+": "+trailer.Value) + "\n")
	}
	return out.String()
}

// gitTrailers is what git says, each line without blanks at its end.
func gitTrailers(t *testing.T, message string) string {
	cmd := exec.Command("git", "interpret-trailers", "--parse", "--no-divider")
	cmd.Stdin, cmd.Env, cmd.Dir = strings.NewReader(message), gitEnv(os.Environ()), t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var trimmed strings.Builder
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "(cherry picked") { // git prints it, though it is no key and value
			trimmed.WriteString(strings.TrimSpace(line) + "\n")
		}
	}
	return trimmed.String()
}

func FuzzTrailers(f *testing.F) {
	for _, message := range trailerMessages {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message string) {
		for _, trailer := range ParseTrailers(message) {
			if trailer.Key == "" || separator(trailer.Key+":") != len(trailer.Key) {
				t.Errorf("key %q of %q", trailer.Key, message)
			}
			if strings.Contains(trailer.Value, "\n") || strings.TrimSpace(trailer.Value) != trailer.Value {
				t.Errorf("value %q of %q", trailer.Value, message)
			}
			if !strings.Contains(message, trailer.Key) {
				t.Errorf("key %q is not in %q", trailer.Key, message)
			}
		}
	})
}
