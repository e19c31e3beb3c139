package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const mib = 1 << 20

// bodyLimits bound what is read of one answer, by a part of its path. Everything else may be as long as an archive.
var bodyLimits = []struct {
	path string
	max  int64
}{
	{"/tags/list", 16 * mib},
	{"/manifests/", 4 * mib},
}

// maxBody bounds a chart archive and an index.yaml. The largest public index known has about 25 MiB.
const maxBody = 64 * mib

var (
	errTooLarge  = errors.New("the answer is longer than anything sensible")
	errPlainHTTP = errors.New("plain HTTP was not asked for")
)

// roundTripper is the chain each request goes through; every repetition gets the full time-out.
func (o Options) roundTripper(inner http.RoundTripper) http.RoundTripper {
	return retrying{options: o, inner: bounded{timeout: o.Timeout, inner: inner}}
}

// schemeGuard makes Repository.Insecure mean what it says. go-containerregistry falls back to plain HTTP for loopback and
// private addresses whether or not that was asked for, and would send credentials that way.
type schemeGuard struct {
	host  host
	inner http.RoundTripper
}

func (g schemeGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	if g.host.insecure && req.URL.Host == g.host.name {
		req = req.Clone(req.Context())
		req.URL.Scheme = "http"
	}
	if !g.host.insecure && req.URL.Scheme != "https" {
		return nil, errPlainHTTP
	}
	return g.inner.RoundTrip(req)
}

// refuseDowngrade keeps redirects of an https repository on https.
func refuseDowngrade(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("redirected from https to plain HTTP")
	}
	return nil
}

// bounded limits the time and the length of one answer.
type bounded struct {
	timeout time.Duration
	inner   http.RoundTripper
}

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), b.timeout)
	resp, err := b.inner.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = boundedBody{&boundedReader{resp.Body, bodyLimit(req.URL.Path)}, resp.Body, cancel}
	return resp, nil
}

func bodyLimit(path string) int64 {
	for _, limit := range bodyLimits {
		if strings.Contains(path, limit.path) {
			return limit.max
		}
	}
	return maxBody
}

type boundedBody struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
}

func (b boundedBody) Close() error {
	defer b.cancel()
	return b.body.Close()
}

// boundedReader fails with errTooLarge once more than left bytes came, where io.LimitReader would pretend that was all.
type boundedReader struct {
	inner io.Reader
	left  int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

const attempts = 3

// longestWait bounds what a server may ask for with Retry-After.
const longestWait = 10 * time.Second

// retryStatus are the answers that a moment's patience can change.
var retryStatus = map[int]bool{
	http.StatusRequestTimeout: true, http.StatusTooManyRequests: true, http.StatusInternalServerError: true,
	http.StatusBadGateway: true, http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
}

// retrying repeats a read after a passing failure, a few times, and stops with the context. A refused connection and an
// unknown host are not repeated: during an outage nobody should wait for what is down.
type retrying struct {
	options Options
	inner   http.RoundTripper
}

func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := r.inner.RoundTrip(req)
		if attempt == attempts || !repeatable(req, resp, err) {
			return resp, err
		}
		wait := r.wait(attempt, resp)
		if resp != nil {
			resp.Body.Close()
		}
		if err := r.options.Clock.Sleep(req.Context(), wait); err != nil {
			return nil, fmt.Errorf("waiting to repeat the request: %w", err)
		}
	}
}

func repeatable(req *http.Request, resp *http.Response, err error) bool {
	if req.Method != http.MethodGet && req.Method != http.MethodHead || req.Context().Err() != nil {
		return false
	}
	if err == nil {
		return retryStatus[resp.StatusCode]
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// wait doubles with each attempt, plus up to a quarter by chance; a server that names a time is obeyed, within bounds.
func (r retrying) wait(attempt int, resp *http.Response) time.Duration {
	wait := r.options.RetryWait << (attempt - 1)
	wait += time.Duration(rand.Float64() * 0.25 * float64(wait))
	if resp == nil {
		return wait
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		wait = max(wait, min(time.Duration(seconds)*time.Second, longestWait))
	}
	return wait
}
