package markdown

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"plain ü 日本 😀", "a\x1b[2Jb", "a\u202eb", "a\r\nb", "\xff", "\u200b", "\U000e0041"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := Visible(text)
		if strings.ContainsFunc(shown, IsHidden) || !utf8.ValidString(shown) {
			t.Errorf("%q is shown as %q", text, shown)
		}
		if !strings.ContainsFunc(text, IsHidden) && shown != text {
			t.Errorf("%q was changed to %q", text, shown)
		}
		if inline := Code(text); text != "" && (!strings.HasPrefix(inline, "`") || strings.Contains(inline, "\n")) {
			t.Errorf("%q as code is %q", text, inline)
		}
	})
}
