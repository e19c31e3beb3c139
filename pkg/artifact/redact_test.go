package artifact

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://user:pass@host/x":                        "https://***@host/x",
		"https://token@host/x?n=1":                        "https://***@host/x?***",
		"oci://u:p@ss@host/x":                             "oci://***@host/x",
		`Get "https://s3/x?X-Amz-Signature=abc&y=1": EOF`: `Get "https://s3/x?***": EOF`,
		"no URL, what?":                                   "no URL, what?",
		"https://host/x@y":                                "https://host/x@y",
		"a https://u:p@h/1 b https://u:p@h/2":             "a https://***@h/1 b https://***@h/2",
	} {
		if got := redact(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCauseHasNoURLs(t *testing.T) {
	t.Parallel()
	inner := &url.Error{Op: "Get", URL: "https://s3/x?X-Amz-Signature=abc", Err: errors.New("connection reset\x1b[31m")}
	got := cause(fmt.Errorf("reading: %w", inner))
	if got != "connection reset [31m" {
		t.Errorf("%q", got)
	}
	if long := oneLine(strings.Repeat("ö", 1000)); len(long) > maxDetail+5 || !utf8.ValidString(long) {
		t.Errorf("%d bytes", len(long))
	}
}
