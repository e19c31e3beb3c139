package markdown

import (
	"fmt"
	"html"
	"net/url"
	"strings"
)

// Code is text as inline code.
func Code(text string) string {
	text = Visible(text)
	if text == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longestRun is the longest run of backticks in a text.
func longestRun(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// HTMLCode is text as code within HTML tags.
func HTMLCode(text string) string { return "<code>" + html.EscapeString(Visible(text)) + "</code>" }

// Diff is lines as a block of code that shows a difference.
func Diff(text string) string {
	fence := strings.Repeat("`", max(3, longestRun(text)+1))
	return fence + "diff\n" + text + fence + "\n"
}

// Link is a Markdown link, or nothing where the address is not a plain one.
func Link(text, address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || strings.ContainsAny(address, "()<> \"\\`") || Visible(address) != address {
		return ""
	}
	return fmt.Sprintf("[%s](%s)", text, address)
}

// Cell is text as code in a table, whose cells a bar would end.
func Cell(text string) string { return Code(strings.ReplaceAll(text, "|", "¦")) }
