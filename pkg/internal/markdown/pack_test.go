package markdown

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		pieces []string
		most   int
		want   []string
		rest   int
	}{
		{"one part", []string{"a\n", "b\n"}, 9, []string{"a\nb\n"}, 0},
		{"two", []string{strings.Repeat("a", 30), strings.Repeat("b", 12), "c"}, 9, []string{strings.Repeat("a", 30), "H (part 2)\n\n|" + strings.Repeat("b", 12) + "c"}, 0},
		{"too many", []string{strings.Repeat("a", 30), strings.Repeat("b", 20), "c"}, 1, []string{strings.Repeat("a", 30)}, 2},
		{"cut", []string{"a\n" + strings.Repeat("b", 50)}, 9, []string{"a\n… cut: it is too long\n"}, 0},
	} {
		got, rest := Pack(c.pieces, "H", "|", 40, c.most)
		if diff := cmp.Diff(c.want, got); diff != "" || rest != c.rest {
			t.Errorf("%s: %d left over\n%s", c.name, rest, diff)
		}
		for _, part := range got {
			if len(part) > 40 {
				t.Errorf("%s: a part has %d bytes", c.name, len(part))
			}
		}
	}
}
