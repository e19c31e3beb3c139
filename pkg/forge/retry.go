package forge

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

const (
	// attempts bounds how often one request is sent.
	attempts = 5
	// longestWait is the longest that a server may make us wait before a request is sent again; whoever asks for more is told
	// to a person instead.
	longestWait = time.Minute
)

// again reports whether a request is sent once more: what was limited for any method, and what broke for those that may be
// repeated without harm. What failed for good is returned to the caller, as an answer.
func again(ctx context.Context, answer *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return isRepeatable(methodOf(answer, err)) && !errors.Is(err, errTooLarge), nil
	case answer.StatusCode == http.StatusTooManyRequests:
		return askedToWait(answer) <= longestWait, nil
	case answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented:
		return isRepeatable(methodOf(answer, err)) && askedToWait(answer) <= longestWait, nil
	}
	return false, nil
}

// isRepeatable says which methods change nothing when they are carried out twice.
func isRepeatable(method string) bool { return method == http.MethodGet || method == http.MethodPut }

// methodOf returns a request's method. Of one that got no answer, the error tells it.
func methodOf(answer *http.Response, err error) string {
	if answer != nil && answer.Request != nil {
		return answer.Request.Method
	}
	var failed *methodError
	if errors.As(err, &failed) {
		return failed.method
	}
	return ""
}

// backoff is how long to wait before a request is sent again: as long as the server asks, or else longer each time.
func (c *Client) backoff(_, _ time.Duration, attempt int, answer *http.Response) time.Duration {
	if asked := askedToWait(answer); asked > 0 {
		return asked
	}
	return c.pauseOf(attempt)
}

// askedToWait is what Retry-After says, in seconds or as a time, or RateLimit-Reset, as a time. Times are compared with the
// server's own clock.
func askedToWait(answer *http.Response) time.Duration {
	if answer == nil {
		return 0
	}
	after := answer.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(after); err == nil {
		return time.Duration(max(0, min(seconds, 1<<30))) * time.Second
	}
	now, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return 0
	}
	if at, err := http.ParseTime(after); err == nil {
		return max(0, at.Sub(now))
	}
	if reset, err := strconv.ParseInt(answer.Header.Get("RateLimit-Reset"), 10, 64); err == nil && answer.StatusCode == http.StatusTooManyRequests {
		return max(0, time.Unix(reset, 0).Sub(now))
	}
	return 0
}

// pauseOf doubles the pause with each attempt, from 0 on, to sixteen times the first.
func (c *Client) pauseOf(attempt int) time.Duration { return c.pause << min(attempt, 4) }

// wait pauses between two attempts.
func (c *Client) wait(ctx context.Context, attempt int) error {
	timer := time.NewTimer(c.pauseOf(attempt))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
