package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

// One sentinel for each outcome that a caller branches on.
var (
	// ErrUnauthorized: GitLab does not take the token.
	ErrUnauthorized = errors.New("GitLab does not accept the token")
	// ErrForbidden: the token may not do this.
	ErrForbidden = errors.New("the token may not do this")
	// ErrNotFound: there is no such project or merge request, or the token may not see it.
	ErrNotFound = errors.New("not found, or hidden from the token")
	// ErrUnavailable: GitLab did not answer, answered that it cannot, or asked to wait for too long.
	ErrUnavailable = errors.New("GitLab is not available")
	// ErrNotMergeable: the merge request is not in a state in which it may be set to merge.
	ErrNotMergeable = errors.New("not merged")
)

// statuses say what an answer's status means, and what to do about it.
var statuses = []struct {
	status int
	means  error
	help   string
}{
	{http.StatusUnauthorized, ErrUnauthorized, "make a new project access token, and set " + TokenVariable + " to it"},
	{http.StatusForbidden, ErrForbidden, "it needs the scope api and the role Developer"},
	{http.StatusNotFound, ErrNotFound, "look at the remote's URL, and whether the token is one of that project"},
	{http.StatusTooManyRequests, ErrUnavailable, "too many requests: try again later"},
	{http.StatusMovedPermanently, ErrNotFound, "the project moved: set the remote's URL to its new one"},
	{http.StatusFound, ErrNotFound, "the answer leads elsewhere: look at the remote's URL"},
}

// failed says what was being done, what GitLab's answer means, and what it said, without the token.
func (c *Client) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s on %s: %w", doing, c.project.URL(), err)
	}
	help, means := c.meaning(err)
	said := c.presentable(err)
	if help != "" {
		said += "; " + help
	}
	if means == nil {
		return fmt.Errorf("%s on %s: %s", doing, c.project.URL(), said)
	}
	return fmt.Errorf("%s on %s: %w: %s", doing, c.project.URL(), means, said)
}

func (c *Client) meaning(err error) (help string, means error) {
	status := statusOf(err)
	for _, row := range statuses {
		if row.status == status {
			means, help = row.means, row.help
		}
	}
	switch {
	case means == nil && (status >= 500 || status == 0):
		means = ErrUnavailable
	case means != nil && status != http.StatusTooManyRequests && c.token.job:
		help = JobTokenVariable + " does not suffice for this: make a project access token, and set " + TokenVariable + " to it"
	}
	return help, means
}

// statusOf is the status of the answer; 0 where there was none.
func statusOf(err error) int {
	var answer *gitlab.ErrorResponse
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// maxSaid is as much of a server's words as is shown, in characters.
const maxSaid = 300

// presentable is what the server said, on one line, without the token and without what repaints a terminal.
func (c *Client) presentable(err error) string {
	text := err.Error()
	var answer *gitlab.ErrorResponse
	if errors.As(err, &answer) {
		text = strings.TrimSpace(fmt.Sprintf("%d %s", answer.StatusCode, answer.Message))
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, c.token.without(text))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxSaid {
		text = string(runes[:maxSaid-1]) + "…"
	}
	return text
}

// said is what GitLab gave as the reason, for telling one refusal from another.
func said(err error) string {
	var answer *gitlab.ErrorResponse
	if errors.As(err, &answer) {
		return answer.Message
	}
	return ""
}

// isBroken reports whether it is open if a request was carried out.
func isBroken(ctx context.Context, err error) bool {
	status := statusOf(err)
	return err != nil && ctx.Err() == nil && (status == 0 || status >= 500)
}
