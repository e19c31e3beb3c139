package forge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
)

const (
	// requestTime bounds one request, answer included, unless the options say otherwise.
	requestTime = 30 * time.Second
	// maxAnswer bounds an answer: a page of merge requests, each with a description of up to a megabyte.
	maxAnswer = 128 << 20
	// firstPause is the shortest pause before something is tried again.
	firstPause = 250 * time.Millisecond
)

// Client asks about one project.
type Client struct {
	api     *gitlab.Client
	project Project
	token   Token
	pause   time.Duration
}

// Options say whom to ask, and as who.
type Options struct {
	Project   Project
	Token     Token
	UserAgent string
	// Pause is the shortest pause before something is tried again; 0: a quarter of a second.
	Pause time.Duration
	// Timeout bounds one request; 0: 30 seconds.
	Timeout time.Duration
}

// Open returns a client. It asks nothing yet.
func Open(o Options) (*Client, error) {
	c := &Client{project: o.Project, token: o.Token, pause: cmp.Or(o.Pause, firstPause)}
	if c.token.value() == "" {
		return nil, ErrNoToken
	}
	var source gitlab.AuthSource = gitlab.AccessTokenAuthSource{Token: c.token.value()}
	if c.token.job {
		source = gitlab.JobTokenAuthSource{Token: c.token.value()}
	}
	api, err := gitlab.NewAuthSourceClient(source,
		gitlab.WithBaseURL(o.Project.Server), gitlab.WithUserAgent(o.UserAgent), gitlab.WithHTTPClient(httpClient(cmp.Or(o.Timeout, requestTime))),
		gitlab.WithCustomRetry(again), gitlab.WithCustomBackoff(c.backoff), gitlab.WithCustomRetryMax(attempts-1),
		gitlab.WithCustomLimiter(unlimited{}))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", o.Project.Server, errors.New(c.token.without(err.Error())))
	}
	c.api = api
	return c, nil
}

// Project is the project that is asked about.
func (c *Client) Project() Project { return c.project }

// unlimited asks without holding back: GitLab says when it is too much.
type unlimited struct{}

func (unlimited) Wait(context.Context) error { return nil }

// httpClient follows no redirects: the token would go along to another host, and a POST would become a GET.
func httpClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout, Transport: bounded{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errTooLarge is an answer that is not read to its end.
var errTooLarge = errors.New("the answer is too large")

// bounded bounds answers, and tells the method of what failed.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(request)
	if err != nil {
		return nil, &methodError{request.Method, err}
	}
	answer.Body = &boundedBody{ReadCloser: answer.Body, left: maxAnswer}
	return answer, nil
}

// methodError is a request that got no answer.
type methodError struct {
	method string
	cause  error
}

func (e *methodError) Error() string { return e.cause.Error() }
func (e *methodError) Unwrap() error { return e.cause }

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// with hands a context to a call of the client.
func with(ctx context.Context) gitlab.RequestOptionFunc { return gitlab.WithContext(ctx) }

// paged is a call of the client that returns one page.
type paged[T any] func(page gitlab.PaginationOptionFunc) ([]T, *gitlab.Response, error)

// maxItems bounds what is collected over all pages.
const maxItems = 20_000

// all collects every page, by number or by keyset, as the server has it.
func all[T any](call paged[T]) ([]T, error) {
	var items []T
	for item, err := range gitlab.Scan2(call) {
		switch {
		case err != nil:
			return nil, err
		case len(items) == maxItems:
			return nil, fmt.Errorf("there are more than %d", maxItems)
		}
		items = append(items, item)
	}
	return items, nil
}
